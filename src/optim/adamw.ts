/**
 * AdamW over all trainable parameters of a set.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { readback } from "../gpu/readback.ts";
import type { Plan } from "../graph/plan.ts";
import { Store, STORE_ALIGN, upload } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { GROUPS, type Parameters } from "../nn/parameters.ts";
import { adamw, type AdamwChunk, type AdamwOptions } from "../ops/adamw.ts";

/** A parameter group: parameters whose names `match` accepts, with what is special about them. */
export interface ParameterGroup {
  /** First group that accepts a name gets it. */
  readonly match: (name: string, tensor: Tensor) => boolean;
  /** Times the learning rate of the step; default 1. */
  readonly lrScale?: number;
  /** Decoupled weight decay; default 0. */
  readonly weightDecay?: number;
}

/** What the device knows of the last step. */
export interface StepState {
  /** Global gradient norm before clipping. */
  readonly gradNorm: number;
  /** What gradients were multiplied by. */
  readonly clipFactor: number;
  /** Whether the gradients were finite, so that the step counted. */
  readonly ok: boolean;
  /** Steps that counted. */
  readonly steps: number;
  /** Steps left out because a gradient was not finite. */
  readonly skipped: number;
}

/** torch's usual groups: decay for matrices, none for vectors. */
export function decayMatrices(weightDecay: number): ParameterGroup[] {
  return [
    { match: (_, tensor) => tensor.shape.length > 1, weightDecay },
    { match: () => true },
  ];
}

/** Optimiser state lives beside the parameters, in the same order, so that one dispatch updates a whole buffer. */
export class AdamW {
  readonly #parameters: Parameters;
  readonly #store: Store;
  readonly #options: AdamwOptions;
  readonly #chunks: AdamwChunk[];
  readonly #hyper: Tensor;
  readonly #rate: Tensor;
  /** `[8]`: norm, factor, ok, steps, skipped, bias corrections. */
  readonly state: Tensor;

  /**
   * Call after the last parameter was added.
   *
   * @throws {ConfigError} If a parameter belongs to no group or a hyper-parameter is not a finite number.
   */
  constructor(parameters: Parameters, groups: readonly ParameterGroup[], options: AdamwOptions = {}) {
    this.#parameters = parameters;
    this.#options = options;
    const store = this.#store = new Store(parameters.gpu);
    for (const { lrScale = 1, weightDecay = 0 } of groups) {
      if (!Number.isFinite(lrScale) || !Number.isFinite(weightDecay) || weightDecay < 0) {
        throw new ConfigError(`Cannot use lrScale ${lrScale} with weightDecay ${weightDecay}: wanted finite numbers`);
      }
    }
    const ids = new Map<Tensor["storage"], number[]>();
    for (const [name, tensor] of parameters.trainableEntries()) {
      const row = groups.findIndex((group) => group.match(name, tensor));
      if (row < 0) {
        throw new ConfigError(`Cannot optimise ${name}: no parameter group accepts it`, { context: { key: name } });
      }
      const blocks = ids.get(tensor.storage) ?? [];
      const start = tensor.byteOffset / STORE_ALIGN;
      for (let i = 0; i < Math.ceil(tensor.bytes / STORE_ALIGN); i++) blocks[start + i] = row;
      ids.set(tensor.storage, blocks);
    }
    parameters.store.allocate();
    const weights = parameters.store.chunks(GROUPS.weights);
    const gradients = parameters.store.chunks(GROUPS.gradients);
    this.#chunks = weights.map((w, i) => ({
      w,
      grad: gradients[i]!,
      m: store.tensor(`adamw.m${i}`, `adamw.m${i}`, w.shape),
      v: store.tensor(`adamw.v${i}`, `adamw.v${i}`, w.shape),
      group: store.from("adamw.group", `adamw.group${i}`, [w.size / 64], ids.get(w.storage)!, "u32"),
    }));
    const rows = groups.flatMap(({ lrScale = 1, weightDecay = 0 }) => [lrScale, weightDecay]);
    this.#hyper = store.from("adamw.hyper", "adamw.hyper", [groups.length, 2], rows);
    this.#rate = store.tensor("adamw.rate", "adamw.rate", [1]);
    this.state = store.tensor("adamw.state", "adamw.state", [8]);
    store.allocate();
  }

  /** Appends one step to a plan: norm, clip, update, clear the gradients. */
  step(g: Plan): void {
    adamw(g, this.#chunks, this.#hyper, this.state, this.#rate, this.#options);
  }

  /**
   * Sets the learning rate of the next submitted step.
   *
   * @throws {ConfigError} If it is not a finite number >= 0.
   */
  setLearningRate(rate: number): void {
    if (!Number.isFinite(rate) || rate < 0) {
      throw new ConfigError(`Cannot set the learning rate to ${rate}: wanted a finite number >= 0`, {
        context: { key: "lr", given: String(rate) },
      });
    }
    upload(this.#parameters.gpu, this.#rate, [rate]);
  }

  /** Reads the state of the last step back: one wait. */
  async readState(): Promise<StepState> {
    const [values] = await readback(this.#parameters.gpu, this.state);
    const [gradNorm, clipFactor, ok, steps, skipped] = values as unknown as number[];
    return { gradNorm: gradNorm!, clipFactor: clipFactor!, ok: ok === 1, steps: steps!, skipped: skipped! };
  }

  /** Bytes of the optimiser state. */
  bytes(): number {
    return Object.values(this.#store.bytes()).reduce((a, b) => a + b, 0);
  }

  /** Frees the state. */
  destroy(): void {
    this.#store.destroy();
  }
}
