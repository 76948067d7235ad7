/**
 * Trained runs of methods of one's own.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { OwnModel } from "./own_model.ts";

/** What `predict` of a model takes. */
export type OwnInput<M extends OwnModel> = M extends { predict(...input: infer I): unknown } ? I : readonly never[];

/** What `predict` of a model gives. */
export type OwnOutput<M extends OwnModel> = M extends { predict(...input: never[]): infer O } ? Awaited<O> : never;

/** An open run of a method of one's own. Close it, or declare it with `await using`. */
export class OwnRun<M extends OwnModel> implements AsyncDisposable {
  /** Folder. */
  readonly folder: string;
  /** Name of the method. */
  readonly method: string;
  /** Steps that the checkpoint was trained. */
  readonly step: number;
  readonly #model: M;
  readonly #release: () => void;
  #closed = false;

  /** Made by `openRun`. */
  constructor(model: M, made: { folder: string; method: string; step: number; release: () => void }) {
    this.#model = model;
    this.#release = made.release;
    this.folder = made.folder;
    this.method = made.method;
    this.step = made.step;
  }

  /** What the definition's `model` built, with the weights of the checkpoint. @throws {ConfigError} If the run is closed. */
  get model(): M {
    if (!this.#closed) return this.#model;
    throw new ConfigError(`Cannot use ${this.folder}: the run is closed`, { hint: "Open it again with openRun" });
  }

  /**
   * What `predict` of the model gives.
   *
   * @throws {ConfigError} If the model has no `predict`, or the run is closed.
   */
  async predict(...input: OwnInput<M>): Promise<OwnOutput<M>> {
    const { model } = this;
    if (model.predict === undefined) throw this.#lacks("predict");
    return await model.predict(...input as unknown as never[]) as OwnOutput<M>;
  }

  /**
   * Numbers on what the method holds out.
   *
   * @throws {ConfigError} If the model has no `evaluate`, or the run is closed.
   */
  async evaluate(): Promise<Readonly<Record<string, number>>> {
    const { model } = this;
    if (model.evaluate === undefined) throw this.#lacks("evaluate");
    return await model.evaluate();
  }

  /** Not of these runs: what they find is their own. @throws {ConfigError} Always. */
  retrieve(..._: readonly unknown[]): Promise<never> {
    return Promise.reject(
      new ConfigError(`Cannot retrieve with ${this.folder}: runs of ${this.method} find no spots`, {
        code: "method-unsupported",
        hint: "run.model is what the definition built; a run of method seal retrieves spots",
      }),
    );
  }

  #lacks(what: "predict" | "evaluate"): ConfigError {
    return new ConfigError(`Cannot ${what} with ${this.folder}: method ${this.method} has no ${what}`, {
      code: "method-unsupported",
      hint: `Give the model that the definition builds a function ${what}`,
      context: { run: this.folder, method: this.method },
    });
  }

  /** Frees the parameters, and the device if it was opened for this run. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#model.step.parameters.destroy();
    this.#model.close?.();
    this.#release();
    return Promise.resolve();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
