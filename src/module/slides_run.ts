/**
 * Trained runs that tell something of slides or cases from stored features of their tiles: what those of all tasks share.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { FoldTruth, Scores } from "../eval/cohort/scores.ts";
import type { SaidOfSlide, SlideModel, SlideRows, SlideRun, SlideTask } from "../methods/method.ts";
import { checkOptions } from "./check.ts";
import { toPrograms } from "./hints.ts";
import type { Features } from "./image_encoder.ts";
import { Turns } from "./turns.ts";

/** Features of the tiles of one slide: a feature file (`.h5`, `.pt`, `.npy`, …), or what `embed` of an encoder gave. */
export type SlideFeatures = string | Features;

/** What stands behind an open run of slides. */
export interface SlidesParts {
  readonly folder: string;
  readonly step: number;
  readonly run: SlideRun;
  readonly model: SlideModel;
  readonly reporter: Reporter;
  readonly release: () => void;
}

/** Slides or cases that were judged. */
export interface JudgedSlides {
  readonly truth: FoldTruth;
  /** What the run says of each, one behind another. */
  readonly said: Float64Array;
  readonly count: number;
}

/** What a task makes of what a model says. */
export interface Teller<Said, Known, Judged> {
  /** What a model says, by its names. */
  named(said: SaidOfSlide): Said;
  /** What is true of slides. @throws {ConfigError} If it is none of what the run tells. */
  truth(known: readonly Known[]): FoldTruth;
  /** Scores of what was judged. */
  judged(of: JudgedSlides, scores: Scores): Judged | Promise<Judged>;
  /** What a slide is to be given with, where it is judged. */
  readonly wanted: string;
}

/** An open run of `method=mil`. Close it, or declare it with `await using`. */
export abstract class SlidesRun<Said, Known extends { readonly features: SlideFeatures }, Judged>
  implements AsyncDisposable {
  /** Folder. */
  readonly folder: string;
  /** Steps that the checkpoint was trained. */
  readonly step: number;
  /** Numbers of a tile's features. */
  readonly dim: number;
  readonly #parts: SlidesParts;
  readonly #teller: Teller<Said, Known, Judged>;
  readonly #turns: Turns = new Turns();
  #closed = false;

  /** Made by `openRun`. */
  constructor(parts: SlidesParts, teller: Teller<Said, Known, Judged>) {
    this.#parts = parts;
    this.#teller = teller;
    this.folder = parts.folder;
    this.step = parts.step;
    this.dim = parts.run.dim;
  }

  /**
   * What the run says of slides.
   *
   * @param slides Features of the encoder whose features the run was trained on, one slide or many.
   * @throws {DataError | FormatError} If features are damaged, of another width, not finite, or none.
   * @throws {ConfigError} If the run is closed.
   */
  async predict(slides: SlideFeatures, options?: { readonly signal?: AbortSignal }): Promise<Said>;
  /** What it says of many slides, in order. */
  async predict(slides: readonly SlideFeatures[], options?: { readonly signal?: AbortSignal }): Promise<Said[]>;
  async predict(
    slides: SlideFeatures | readonly SlideFeatures[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Said | Said[]> {
    checkOptions("predict", options, { signal: true });
    const say = async (slide: SlideFeatures, i: number) => this.#teller.named(await this.#one(slide, i));
    return await toPrograms(async () => {
      if (!Array.isArray(slides)) return await say(slides as SlideFeatures, 0);
      const said: Said[] = [];
      for (const [i, slide] of (slides as readonly SlideFeatures[]).entries()) {
        options.signal?.throwIfAborted();
        said.push(await say(slide, i));
      }
      return said;
    });
  }

  /**
   * Compares what the run says with what is known.
   *
   * @param slides Slides and what is known of them; by default what the run was tested on, from its own labels and features.
   * @throws {ConfigError} If what is known is none of what the run tells, there is no slide, or the run is closed.
   * @throws {DataError | FormatError} If features or labels cannot be read.
   */
  async evaluate(slides?: readonly Known[], options: { readonly signal?: AbortSignal } = {}): Promise<Judged> {
    checkOptions("evaluate", options, { signal: true });
    return await toPrograms(() => this.#evaluate(slides, options.signal));
  }

  async #evaluate(slides: readonly Known[] | undefined, signal: AbortSignal | undefined): Promise<Judged> {
    this.#check();
    const said: number[] = [];
    let truth: FoldTruth;
    let count = 0;
    if (slides === undefined) {
      const { hostOf } = await import("../run/host.ts");
      const held = await this.#parts.run.heldOut(hostOf(this.#parts.reporter, signal));
      truth = held.truth;
      for (const rows of held.slides) {
        signal?.throwIfAborted();
        said.push(...(await this.#say(rows)).said);
        count++;
      }
    } else {
      truth = this.#teller.truth(slides);
      for (const [i, { features }] of slides.entries()) {
        signal?.throwIfAborted();
        said.push(...(await this.#one(features, i)).said);
        count++;
      }
    }
    if (count === 0) {
      throw new ConfigError(`Cannot evaluate ${this.folder}: there is no slide`, {
        hint: `Pass slides: evaluate([${this.#teller.wanted}])`,
      });
    }
    const { scoresOf } = await import("../eval/cohort/scores.ts");
    const all = Float64Array.from(said);
    const scores = scoresOf(truth, all, Array.from({ length: count }, (_, i) => i));
    return await this.#teller.judged({ truth, said: all, count }, scores);
  }

  /** Not of these runs: they know slides, and neither spots nor genes. @throws {ConfigError} Always. */
  retrieve(..._: readonly unknown[]): Promise<never> {
    return Promise.reject(
      new ConfigError(`Cannot retrieve with ${this.folder}: the run is of slides, and spots are retrieved`, {
        code: "method-unsupported",
        hint: "predict(features) says what it knows of a slide; a run of method seal retrieves spots",
      }),
    );
  }

  async #one(slide: SlideFeatures, i: number): Promise<SaidOfSlide> {
    this.#check();
    const { openSlideRows, slideRows } = await import("../run/slide_rows.ts");
    if (typeof slide !== "string") {
      const { data, rows: count, dim } = checkFeatures(slide, i);
      const read = (from: number, to: number) => Promise.resolve(data.slice(from * dim, to * dim));
      return await this.#say(slideRows({ name: `slide ${i}`, count, read }, dim, this.dim));
    }
    const { disk } = await import("../io/fs.ts");
    const { rows, close } = await openSlideRows(disk, slide, this.dim);
    try {
      return await this.#say(rows);
    } finally {
      close();
    }
  }

  async #say(rows: SlideRows): Promise<SaidOfSlide> {
    return await this.#turns.take(() => {
      this.#check();
      return this.#parts.model.run(rows);
    });
  }

  #check(): void {
    if (!this.#closed) return;
    throw new ConfigError(`Cannot use ${this.folder}: the run is closed`, { hint: "Open it again with openRun" });
  }

  /** Frees plans and weights, and the device if it was opened for this run; what is being predicted is waited for. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turns.end();
    this.#parts.model.close();
    this.#parts.release();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Numbers of some names as an object. */
export function byName(names: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.map((name, k) => [name, values[k]!]));
}

/** Names that the task of a run has, as the run of that task was opened. */
export function namesOf(task: SlideTask): readonly string[] {
  return task.kind === "classification" ? task.classes : task.kind === "regression" ? task.targets : [];
}

function checkFeatures(features: Features, i: number): Features {
  const { data, rows, dim } = features ?? {};
  if (data instanceof Float32Array && Number.isSafeInteger(rows) && Number.isSafeInteger(dim)) {
    if (data.length === rows * dim) return features;
    throw new DataError(`Cannot use features of slide ${i}: ${data.length} numbers, ${rows} x ${dim} wanted`, {
      hint: "data holds rows x dim numbers, one tile behind another",
    });
  }
  throw new DataError(`Cannot use features of slide ${i}: neither a path nor { data, rows, dim } with f32 data`, {
    hint: "Pass a feature file, or what embed of an encoder gave",
  });
}
