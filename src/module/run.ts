/**
 * Trained runs for use: expression of images, spots by genes or images, how well it predicts.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { TrainedModel } from "../eval/inference.ts";
import type { OpenedRun } from "../run/open.ts";
import { checkOptions, checkSignal, checkTexts, type Known } from "./check.ts";
import type { Device } from "./device.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { toPrograms } from "./hints.ts";
import { type ImageInput, rgbOf } from "./images.ts";
import { type Listener, listener } from "./listener.ts";
import type { JudgedRun, ProtocolOptions, ProtocolScores } from "./protocol_scores.ts";
import { noDecoder, type RunScores, scoresOf } from "./scores.ts";
import { Turns } from "./turns.ts";
import { filesOf, joined, openSpots, pixelsOf, sameSize, type SpotData, type Spots } from "./spots.ts";

/** How a run of any method is opened. */
export interface OpenOptions extends Listener {
  /** The device; one is opened by default, and closed with the run. */
  readonly gpu?: Device | undefined;
  /** Which checkpoint; default `best`. */
  readonly checkpoint?: "best" | "last" | undefined;
}

/** How a run that predicts expression is opened. */
export interface OpenRunOptions extends OpenOptions {
  /** Where the encoder's weights are now, if elsewhere than at training. */
  readonly encoder?: string | undefined;
  /** Storage of frozen weights; default as trained. */
  readonly precision?: "f32" | "f16" | undefined;
  /** Patches a batch; default 64, on software 8. */
  readonly batchSize?: number | undefined;
  /** What predicts: `auto` (default) is the best by donors left out of it. */
  readonly with?: "auto" | "probe" | "decoder" | "head" | undefined;
  /** Where counts are, and what is let pass in data that are read. */
  readonly expression?: {
    /** `X` (default), `raw`, or a layer such as `layers/counts`. */
    readonly counts?: string;
    /** Leave out spots with NaN, infinite or negative counts instead of refusing their sample. */
    readonly dropBadSpots?: boolean;
    /** Leave out patches whose barcode the counts lack instead of refusing their sample. */
    readonly dropUnknownPatches?: boolean;
  } | undefined;
}

/** Predicted expression. */
export interface PredictedExpression {
  /** `[rows, genes]`, in the unit the run was trained on: ln(1 + counts per 10,000) unless `gene_norm` was none. */
  readonly data: Float32Array;
  /** Images. */
  readonly rows: number;
  /** Symbols of the columns, as the data write them. */
  readonly genes: readonly string[];
}

/** What is looked for. */
export type RetrieveQuery =
  /** Spots whose image fits a profile: training means, with these genes so many standard deviations above. */
  | { readonly genes: Readonly<Record<string, number>> }
  /** Spots whose expression fits an image; `organ` for models with an organ token. */
  | { readonly image: ImageInput; readonly organ?: string | undefined };

/** Where, and how many. */
export interface RetrieveOptions {
  /** Data folders, what {@linkcode openHest} opened, samples of it or in hand; by default what the run held out. */
  readonly among?: SpotData | undefined;
  /** Spots that are found; default 10. */
  readonly k?: number | undefined;
  /** Stops between batches. */
  readonly signal?: AbortSignal | undefined;
}

type ScoreOptions = { readonly genes?: readonly string[]; readonly signal?: AbortSignal };

const SCORE_OPTIONS: Known<ScoreOptions & Pick<ProtocolOptions, "protocol">> = {
  genes: true,
  signal: true,
  protocol: true,
};
const PROTOCOL_OPTIONS: Known<ProtocolOptions> = {
  protocol: true,
  leaveOut: true,
  folds: true,
  panel: true,
  panelGenes: true,
  seed: true,
  signal: true,
};

/** A spot that was found. */
export interface FoundSpot {
  /** Id of its sample. */
  readonly sample: string;
  /** Its name. */
  readonly barcode: string;
  /** Cosine to the query. */
  readonly score: number;
  /** Centre, pixels of the slide's largest level. */
  readonly x: number;
  /** Centre, pixels of the slide's largest level. */
  readonly y: number;
}

/** A trained run that is open. Close it, or declare it with `await using`. */
export class Run implements AsyncDisposable {
  /** Folder. */
  readonly folder: string;
  /** Encoder, as outputs name it. */
  readonly encoder: string;
  /** Steps that the checkpoint was trained. */
  readonly step: number;
  /** Genes in order of the columns of predictions, as the data write them. */
  readonly genes: readonly string[];
  /** What predicts. */
  readonly predictor: "probe" | "decoder" | "head";
  readonly #run: OpenedRun;
  readonly #release: () => void;
  readonly #options: OpenRunOptions;
  readonly #reporter: Reporter;
  readonly #judged: Omit<JudgedRun, "model" | "batchSize">;
  readonly #turns: Turns = new Turns();
  #closed = false;

  /** Made by `openRun`. */
  constructor(
    run: OpenedRun,
    options: OpenRunOptions,
    made: {
      genes: readonly string[];
      predictor: "probe" | "decoder" | "head";
      judged: Omit<JudgedRun, "model" | "batchSize">;
      release: () => void;
    },
  ) {
    this.#run = { ...run, model: this.#byTurns(run.model) };
    this.#options = options;
    this.#reporter = listener(options);
    this.#release = made.release;
    this.#judged = made.judged;
    this.folder = run.origin.run;
    this.encoder = run.origin.encoder;
    this.step = run.origin.step;
    this.genes = made.genes;
    this.predictor = made.predictor;
  }

  /**
   * Expression that images show.
   *
   * @param images Squares of tissue as the run was trained on (112 µm): each is resized to what the encoder sees.
   * @param options `organ` for models with an organ token.
   * @throws {DataError | FormatError} If an image cannot be read, or is no square.
   * @throws {ConfigError} If the run is closed, or an organ is missing.
   */
  async predict(
    images: ImageInput | readonly ImageInput[],
    options: { readonly organ?: string; readonly signal?: AbortSignal } = {},
  ): Promise<PredictedExpression> {
    checkOptions("predict", options, { organ: true, signal: true });
    return await toPrograms(() => this.#predict(images, options));
  }

  async #predict(
    images: ImageInput | readonly ImageInput[],
    options: { readonly organ?: string; readonly signal?: AbortSignal },
  ): Promise<PredictedExpression> {
    const list = Array.isArray(images) ? images as readonly ImageInput[] : [images as ImageInput];
    const columns = this.genes.length;
    const data = new Float32Array(list.length * columns);
    const { batchSize } = this.#check();
    for (let from = 0; from < list.length;) {
      options.signal?.throwIfAborted();
      const part = await sameSize(list, from, batchSize);
      const { expression } = await this.#images(part, options.organ);
      if (expression.length !== part.length * columns) {
        throw noDecoder("predict");
      }
      data.set(expression, from * columns);
      from += part.length;
    }
    return { data, rows: list.length, genes: this.genes };
  }

  /**
   * Spots that fit genes or an image, best first.
   *
   * @throws {ConfigError} If a gene is not among those of the run (the hint names the nearest), or the run is closed.
   * @throws {DataError | FormatError} If data cannot be read.
   */
  async retrieve(query: RetrieveQuery, options: RetrieveOptions = {}): Promise<FoundSpot[]> {
    checkOptions("retrieve", options, { among: true, k: true, signal: true });
    return await toPrograms(() => this.#retrieve(query, options));
  }

  async #retrieve(query: RetrieveQuery, { among, k = 10, signal }: RetrieveOptions): Promise<FoundSpot[]> {
    if (!Number.isSafeInteger(k) || k < 1) {
      throw new ConfigError(`Cannot find ${k} spots: k is a whole number above 0`, { context: { k } });
    }
    const { model, batchSize } = this.#check();
    checkQuery(query);
    checkSignal("retrieve", signal);
    const [{ geneProfile, rankRows }, { expectRows }] = await Promise.all([
      import("../eval/gene_query.ts"),
      import("../eval/inference.ts"),
    ]);
    const asked = "genes" in query
      ? geneProfile(
        model.vocabulary,
        Object.entries(query.genes).map(([gene, std]) => ({ gene: gene.toUpperCase(), std: finite(gene, std) })),
      ).x
      : undefined;
    const image = "image" in query ? await rgbOf(query.image) : undefined;
    const spots = await this.#spots(among, "all", signal);
    const { projected } = image
      ? await this.#images([image], "image" in query ? query.organ : undefined)
      : { projected: await model.encodeGenes(asked!) };
    const rows = new Float32Array(spots.count * model.width);
    const put = (values: Float32Array, first: number, count: number) =>
      rows.set(expectRows(values, count, model.width), first * model.width);
    if (image === undefined) {
      for await (const { first, count, side, pixels, organs } of spots.images(batchSize, signal)) {
        put((await model.images(pixels, side, organs)).projected, first, count);
      }
    } else {
      for (let first = 0; first < spots.count; first += batchSize) {
        signal?.throwIfAborted();
        const count = Math.min(batchSize, spots.count - first);
        put(await model.encodeGenes(spots.gather(first, count)), first, count);
      }
    }
    const ranked = rankRows(projected, rows, model.width);
    if (ranked.reason !== undefined) throw new DataError(`Cannot retrieve: ${ranked.reason}`);
    return [...ranked.rows.subarray(0, k)].map((spot, i) => spotOf(spots, spot, ranked.scores[i]!));
  }

  /**
   * Compares predictions with what was measured, or, by a protocol, judges the features with a linear probe as the command
   * `evaluate` does, beside those of the encoder before training.
   *
   * @param data By default what the run held out; of pairs what they hold out; with a protocol all samples, which it divides
   * into folds: data folders, or what {@linkcode openHest} opened.
   * @param options `genes`: of which; by default all of the run's. Or {@linkcode ProtocolOptions}.
   * @throws {ConfigError} If the run held nothing out and no data are named, a gene or protocol is not known, or the run is closed.
   * @throws {DataError | FormatError} If data cannot be read.
   */
  evaluate(data: SpotData, options: ProtocolOptions): Promise<ProtocolScores>;
  /** Compares predictions with what was measured. */
  evaluate(
    data?: SpotData,
    options?: { readonly genes?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<RunScores>;
  async evaluate(
    data?: SpotData,
    options: ScoreOptions | ProtocolOptions = {},
  ): Promise<RunScores | ProtocolScores> {
    const byProtocol = "protocol" in (options ?? {});
    checkOptions<object>("evaluate", options, byProtocol ? PROTOCOL_OPTIONS : SCORE_OPTIONS);
    return await toPrograms<RunScores | ProtocolScores>(() =>
      "protocol" in options ? this.#judge(data, options) : this.#score(data, options)
    );
  }

  async #judge(data: SpotData | undefined, options: ProtocolOptions): Promise<ProtocolScores> {
    const { model, batchSize } = this.#check();
    if (data === undefined) {
      throw new ConfigError("Cannot evaluate by a protocol without data: it divides samples into folds", {
        hint: 'For example evaluate("data/hest", { protocol: "hest-bench/1" })',
      });
    }
    const files = filesOf(data, "all");
    if (files === undefined) {
      throw new ConfigError("Cannot evaluate arrays by a protocol: it reads raw counts and donors of samples", {
        hint: "Pass folders or samples of openHest; without a protocol arrays are compared as they are",
      });
    }
    const { judgeRun } = await import("./protocol_scores.ts");
    // What training said of its own data holds where nothing else is said.
    const { counts, dropBadSpots, dropUnknownPatches } =
      this.#run.data(joined(this.#options.expression, files.lenience)).load ?? {};
    const lenience = { counts, dropBadSpots, dropUnknownPatches };
    return await judgeRun({ ...this.#judged, model, batchSize }, { ...files, lenience }, options);
  }

  async #score(
    data: SpotData | undefined,
    options: ScoreOptions,
  ): Promise<RunScores> {
    const { model, batchSize } = this.#check();
    const { signal } = options;
    checkTexts("evaluate", "genes", options.genes);
    checkSignal("evaluate", signal);
    if (options.genes?.length === 0) throw new ConfigError("Cannot evaluate no genes: at least one is wanted");
    const known = model.vocabulary.genes;
    const chosen = (options.genes ?? known).map((name) => {
      const column = known.indexOf(name.toUpperCase());
      if (column >= 0) return column;
      throw new ConfigError(`Cannot evaluate ${name}: the run has no such gene`, {
        hint: "run.genes lists its genes",
        context: { gene: name },
      });
    });
    return await scoresOf(model, await this.#spots(data, "test", signal), {
      batchSize,
      chosen,
      names: this.genes,
      signal,
    });
  }

  async #images(images: readonly RgbImage[], organ?: string) {
    const { model, organs } = this.#check();
    const { pixels, side } = pixelsOf(images);
    if (!organs) return await model.images(pixels, side);
    if (organ === undefined) {
      throw new ConfigError("Cannot predict: the model has an organ token and no organ is named", {
        hint: 'For example predict(images, { organ: "Breast" })',
      });
    }
    const { organId } = await import("../models/organ_token.ts");
    return await model.images(pixels, side, Array<number>(images.length).fill(organId(organ)));
  }

  async #spots(data: SpotData | undefined, part: "all" | "test", signal: AbortSignal | undefined): Promise<Spots> {
    const options = { part, reporter: this.#reporter, lenience: this.#options.expression, signal };
    return await openSpots(this.#check(), data, options);
  }

  /** The model, for callers that do not wait for each other. */
  #byTurns(model: TrainedModel): TrainedModel {
    const { vocabulary, width } = model;
    const take = <T>(act: () => Promise<T>) =>
      this.#turns.take(() => {
        this.#check();
        return act();
      });
    return {
      vocabulary,
      width,
      images: (...given) => take(() => model.images(...given)),
      encodeGenes: (x) => take(() => model.encodeGenes(x)),
    };
  }

  #check(): OpenedRun {
    if (!this.#closed) return this.#run;
    throw new ConfigError(`Cannot use ${this.folder}: the run is closed`, { hint: "Open it again with openRun" });
  }

  /** Frees plans and weights, and the device if it was opened for this run; what is on the device is waited for. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turns.end();
    await this.#run.close();
    this.#release();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkQuery(query: RetrieveQuery): void {
  const { genes, image } = (query ?? {}) as { genes?: unknown; image?: unknown };
  const named = typeof genes === "object" && genes !== null && !Array.isArray(genes) && Object.keys(genes).length > 0;
  if (named !== (image !== undefined)) return;
  throw new ConfigError(
    "Cannot retrieve: the query names neither a gene nor an image, or both, one of them is wanted",
    {
      hint: "For example { genes: { EPCAM: 3 } }, or { image }",
    },
  );
}

function finite(gene: string, std: number): number {
  if (Number.isFinite(std)) return std;
  throw new ConfigError(`Cannot raise ${gene} by ${std}: a number of standard deviations is wanted`);
}

function spotOf({ samples }: Spots, spot: number, score: number): FoundSpot {
  const { id, first, barcodes, xy } = samples.find(({ first, count }) => spot < first + count)!;
  const row = spot - first;
  return { sample: id, barcode: barcodes[row]!, score, x: xy[2 * row]!, y: xy[2 * row + 1]! };
}
