/**
 * Trained runs that tell classes of slides or cases from stored features of their tiles.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Gpu } from "../gpu/device.ts";
import type { SlideModel, SlideRows, SlideRun } from "../methods/method.ts";
import { checkOptions } from "./check.ts";
import type { Features } from "./image_encoder.ts";
import { Turns } from "./turns.ts";

/** Features of the tiles of one slide: a feature file (`.h5`, `.pt`, `.npy`, …), or what `embed` of an encoder gave. */
export type SlideFeatures = string | Features;

/** What a run says of a slide. */
export interface ClassifiedSlide {
  /** The likeliest class. */
  readonly class: string;
  /** Of each class; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Attention of each tile, the mean over heads; it sums to 1. Undefined of models without. */
  readonly attention: Float64Array | undefined;
}

/** A slide or case whose class is known. */
export interface LabelledSlide {
  /** Its tiles. */
  readonly features: SlideFeatures;
  /** Name of its class. */
  readonly label: string;
}

/** How classes fit what is known. */
export interface ClassifierScores {
  /** Slides or cases. */
  readonly cases: number;
  /** Mean over classes of the area under the ROC curve of each against the rest; null where a class has none, or all. */
  readonly auc: number | null;
  /** Mean recall of the classes. */
  readonly balancedAccuracy: number | null;
  /** Cases by true class (row) and predicted class (column), in order of {@linkcode ClassifierRun.classes}. */
  readonly confusion: readonly (readonly number[])[];
}

/** What stands behind a {@linkcode ClassifierRun}. */
interface ClassifierParts {
  readonly folder: string;
  readonly step: number;
  readonly reporter: Reporter;
  readonly release: () => void;
}

/** An open run of `method=mil`. Close it, or declare it with `await using`. */
export class ClassifierRun implements AsyncDisposable {
  /** Folder. */
  readonly folder: string;
  /** Steps that the checkpoint was trained. */
  readonly step: number;
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Numbers of a tile's features. */
  readonly dim: number;
  readonly #run: SlideRun;
  readonly #model: SlideModel;
  readonly #release: () => void;
  readonly #reporter: Reporter;
  readonly #turns: Turns = new Turns();
  #closed = false;

  /** Made by `openRun`. */
  constructor(
    run: SlideRun,
    made: ClassifierParts & { readonly model: SlideModel },
  ) {
    this.#run = run;
    this.#model = made.model;
    this.#release = made.release;
    this.#reporter = made.reporter;
    this.folder = made.folder;
    this.step = made.step;
    this.classes = run.classes;
    this.dim = run.dim;
  }

  /**
   * Classes of slides.
   *
   * @param slides Features of the encoder whose features the run was trained on, one slide or many.
   * @throws {DataError | FormatError} If features are damaged, of another width, not finite, or none.
   * @throws {ConfigError} If the run is closed.
   */
  async predict(slides: SlideFeatures, options?: { readonly signal?: AbortSignal }): Promise<ClassifiedSlide>;
  /** Classes of many slides, in order. */
  async predict(
    slides: readonly SlideFeatures[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<ClassifiedSlide[]>;
  async predict(
    slides: SlideFeatures | readonly SlideFeatures[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ClassifiedSlide | ClassifiedSlide[]> {
    checkOptions("predict", options, { signal: true });
    const { signal } = options;
    if (!Array.isArray(slides)) return await this.#one(slides as SlideFeatures, 0);
    const said: ClassifiedSlide[] = [];
    for (const [i, slide] of (slides as readonly SlideFeatures[]).entries()) {
      signal?.throwIfAborted();
      said.push(await this.#one(slide, i));
    }
    return said;
  }

  /**
   * Compares classes with those that are known.
   *
   * @param slides Slides and their classes; by default what the run was tested on, from its own labels and features.
   * @throws {ConfigError} If a label is none of the run's classes, there is no slide, or the run is closed.
   * @throws {DataError | FormatError} If features or labels cannot be read.
   */
  async evaluate(
    slides?: readonly LabelledSlide[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ClassifierScores> {
    checkOptions("evaluate", options, { signal: true });
    const { signal } = options;
    const labels: number[] = [];
    const said: ClassifiedSlide[] = [];
    if (slides === undefined) {
      this.#check();
      const { hostOf } = await import("../run/host.ts");
      for (const { rows, label } of await this.#run.heldOut(hostOf(this.#reporter, signal))) {
        signal?.throwIfAborted();
        said.push(await this.#classify(rows));
        labels.push(label);
      }
    } else {
      labels.push(...slides.map(({ label }) => this.#classOf(label)));
      said.push(...await this.predict(slides.map(({ features }) => features), signal && { signal }));
    }
    if (labels.length === 0) {
      throw new ConfigError(`Cannot evaluate ${this.folder}: there is no slide`, {
        hint: "Pass slides: evaluate([{ features, label }])",
      });
    }
    const { macroAuc, predictedClasses, confusionMatrix, balancedAccuracy } = await import("../eval/classification.ts");
    const classes = this.classes.length;
    const probabilities = said.flatMap((slide) => this.classes.map((name) => slide.probabilities[name]!));
    const all = { labels, probabilities, classes };
    const confusion = confusionMatrix(labels, predictedClasses(all), classes);
    return { cases: labels.length, auc: macroAuc(all), balancedAccuracy: balancedAccuracy(confusion), confusion };
  }

  /** Not of these runs: they know classes, and neither spots nor genes. @throws {ConfigError} Always. */
  retrieve(..._: readonly unknown[]): Promise<never> {
    return Promise.reject(
      new ConfigError(`Cannot retrieve with ${this.folder}: the run tells classes of slides, spots have none`, {
        code: "method-unsupported",
        hint: "predict(features) gives classes and attention; a run of method seal retrieves spots",
      }),
    );
  }

  #classOf(label: string): number {
    const at = this.classes.indexOf(label);
    if (at >= 0) return at;
    throw new ConfigError(`Cannot evaluate label ${JSON.stringify(label)}: the run has no such class`, {
      hint: `Its classes are ${this.classes.join(", ")}`,
      context: { given: label, classes: this.classes },
    });
  }

  async #one(slide: SlideFeatures, i: number): Promise<ClassifiedSlide> {
    this.#check();
    const { openSlideRows, slideRows } = await import("../run/slide_rows.ts");
    if (typeof slide !== "string") {
      const { data, rows: count, dim } = checkFeatures(slide, i);
      const read = (from: number, to: number) => Promise.resolve(data.slice(from * dim, to * dim));
      return await this.#classify(slideRows({ name: `slide ${i}`, count, read }, dim, this.dim));
    }
    const { disk } = await import("../io/fs.ts");
    const { rows, close } = await openSlideRows(disk, slide, this.dim);
    try {
      return await this.#classify(rows);
    } finally {
      close();
    }
  }

  async #classify(rows: SlideRows): Promise<ClassifiedSlide> {
    const { probabilities, attention } = await this.#turns.take(() => {
      this.#check();
      return this.#model.run(rows);
    });
    const best = probabilities.indexOf(Math.max(...probabilities));
    return {
      class: this.classes[best]!,
      probabilities: Object.fromEntries(this.classes.map((name, k) => [name, probabilities[k]!])),
      attention,
    };
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
    this.#model.close();
    this.#release();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkFeatures(features: Features, i: number): Features {
  const { data, rows, dim } = features ?? {};
  if (data instanceof Float32Array && Number.isSafeInteger(rows) && Number.isSafeInteger(dim)) {
    if (data.length === rows * dim) return features;
    throw new DataError(`Cannot use features of slide ${i}: ${data.length} numbers, ${rows} x ${dim} wanted`);
  }
  throw new DataError(`Cannot use features of slide ${i}: neither a path nor { data, rows, dim } with f32 data`, {
    hint: "Pass a feature file, or what embed of an encoder gave",
  });
}

/** Opens a run of slides on a device. */
export async function openClassifier(
  gpu: Gpu,
  run: SlideRun,
  made: ClassifierParts,
): Promise<ClassifierRun> {
  return new ClassifierRun(run, { ...made, model: await run.open(gpu) });
}
