/**
 * Pairs of patch and expression of opened data, as training reads them.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { PairStream, StreamPair } from "../data/pair_stream.ts";
import type { HoldOut } from "../data/holdout.ts";
import { checkChoice, checkCount, checkOptions, checkSignal, checkTexts, type Known } from "./check.ts";
import { type HestSampleInfo, infoOf } from "./hest.ts";
import { type HestSource, rememberSource } from "./hest_source.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { LISTENER, type Listener, listener } from "./listener.ts";

/** What is held out; what is named and what is drawn add up. */
export interface PairsHoldOut {
  /** Donors by name, as `patient` of the metadata or `dataset / patient`; or so many, drawn by the seed. */
  readonly donors?: number | readonly string[] | undefined;
  /** Ids of samples. */
  readonly samples?: readonly string[] | undefined;
  /** About this share of the samples, in whole donors, drawn by the seed. */
  readonly share?: number | undefined;
}

/** Which pairs, in which columns. */
export interface PairsOptions extends Listener {
  /** So many genes, the best of what trains (default 2000); or these, in this order. */
  readonly genes?: number | readonly string[] | undefined;
  /** Genes that are among them whatever their rank. */
  readonly include?: readonly string[] | undefined;
  /** Most variable (`hvg`, default) or most expressed genes (`heg`). */
  readonly criterion?: "hvg" | "heg" | undefined;
  /** Genes that evaluation reports on, which are among them too; default 50. */
  readonly panelGenes?: number | undefined;
  /** `context` (default): half of it the mean of the spot's neighbours; or `own`. */
  readonly layer?: "context" | "own" | undefined;
  /** What does not train; nothing by default. */
  readonly holdOut?: PairsHoldOut | undefined;
  /** Of what is drawn; default 42. */
  readonly seed?: number | undefined;
  /** Samples that measured a smaller share of the genes are refused; default 0.2. */
  readonly leastCoverage?: number | undefined;
  /** Stops between samples. */
  readonly signal?: AbortSignal | undefined;
}

const PAIRS_OPTIONS: Known<PairsOptions> = {
  ...LISTENER,
  genes: true,
  include: true,
  criterion: true,
  panelGenes: true,
  layer: true,
  holdOut: true,
  seed: true,
  leastCoverage: true,
  signal: true,
};

/** A sample of {@linkcode HestPairs}. */
export interface PairsSample extends HestSampleInfo {
  /** Whether it trains or is held out. */
  readonly part: "train" | "test";
  /** Name of its group of donors. */
  readonly donor: string;
  /** Its pairs. */
  readonly count: number;
}

/** Pairs in order; row `i` of everything is one pair. */
export interface PairBatch {
  /** Pairs. */
  readonly rows: number;
  /** Ids of the samples, one a row. */
  readonly samples: readonly string[];
  /** Names of the spots. */
  readonly barcodes: readonly string[];
  /** Patches. */
  readonly images: readonly RgbImage[];
  /** `[rows, genes]`, ln(1 + counts per ten thousand) in the columns of {@linkcode HestPairs.genes}. */
  readonly expression: Float32Array;
  /** Centres `[rows, 2]`, x then y, pixels of the slide's largest level. */
  readonly coords: Float64Array;
}

/** How pairs are read. */
export interface PairBatchOptions {
  /** Those that train, those held out, or all (default). */
  readonly part?: "train" | "test" | undefined;
  /** Pairs a batch; default 64. The last has what is left. */
  readonly batchSize?: number | undefined;
  /** Stops between samples and between blocks of pairs. */
  readonly signal?: AbortSignal | undefined;
}

/** Pairs of patch and expression. Nothing is held open, and nothing needs to be closed. */
export interface HestPairs {
  /** Samples, those that train first. */
  readonly samples: readonly PairsSample[];
  /** Pairs of all samples. */
  readonly count: number;
  /** Symbols of the columns, as the data write them. */
  readonly genes: readonly string[];
  /** Those of them that evaluation reports on, in upper case. */
  readonly panel: readonly string[];
  /** Means of the columns over the pairs that train, of each spot alone. */
  readonly mean: Float64Array;
  /** Their deviations, ddof 1. */
  readonly std: Float64Array;
  /** What to know of the data. */
  readonly warnings: readonly string[];
  /**
   * Pairs in order of samples and patches, from the first each time it is called; one sample's counts are in memory.
   *
   * @throws {DataError | FormatError} If files changed, or are damaged.
   */
  batches(options?: PairBatchOptions): AsyncGenerator<PairBatch>;
}

/** Keys of training that stand for how pairs were chosen. */
export type PairsConfig = Readonly<Record<string, string | number | boolean | readonly string[]>>;

const CONFIGS: WeakMap<object, PairsConfig> = new WeakMap();

/** Keys of training that choose the same pairs; undefined of what is not {@linkcode HestPairs}. */
export function configOfPairs(pairs: object): PairsConfig | undefined {
  return CONFIGS.get(pairs);
}

function named(genes: number | readonly string[] | undefined): readonly string[] | undefined {
  return typeof genes === "object" ? genes.map((gene) => gene.toUpperCase()) : undefined;
}

function heldOut({ donors, samples, share }: PairsHoldOut): HoldOut {
  return {
    samples,
    share,
    ...(typeof donors === "number" ? { groups: donors } : { donors }),
  };
}

function checked(options: PairsOptions): { readonly size: number; readonly panelGenes: number } {
  const what = "pair patches";
  checkOptions(what, options, PAIRS_OPTIONS);
  const { genes = 2000, panelGenes = 50, include, holdOut = {} } = options;
  checkOptions(what, holdOut, { donors: true, samples: true, share: true }, "holdOut");
  if (typeof genes !== "number") checkTexts(what, "genes", genes);
  const size = typeof genes === "number" ? genes : genes.length;
  checkCount(what, "genes", size);
  checkCount(what, "panelGenes", panelGenes);
  checkTexts(what, "include", include);
  checkChoice(what, "criterion", options.criterion, ["hvg", "heg"]);
  checkChoice(what, "layer", options.layer, ["context", "own"]);
  checkSignal(what, options.signal);
  if (typeof holdOut.donors !== "number") checkTexts(what, "holdOut.donors", holdOut.donors);
  checkTexts(what, "holdOut.samples", holdOut.samples);
  if (typeof genes === "object" && include !== undefined && include.length > 0) {
    throw new ConfigError("Cannot include genes: genes names all of them, wanted one of genes and include");
  }
  if (holdOut.share !== undefined && typeof holdOut.donors === "number") {
    throw new ConfigError("Cannot hold out a share and a number of donors: wanted one of them");
  }
  return { size, panelGenes };
}

/** Opens pairs of data. */
export async function openPairs({ disk, files, lenience }: HestSource, options: PairsOptions): Promise<HestPairs> {
  const { size, panelGenes } = checked(options);
  const { criterion = "hvg", layer = "context", include = [], holdOut = {}, seed = 42, leastCoverage, signal } =
    options;
  const names = named(options.genes);
  const upper = include.map((gene) => gene.toUpperCase());
  const [{ PairStream }, { writtenGenes }] = await Promise.all([
    import("../data/pair_stream.ts"),
    import("../data/genes/vocabulary.ts"),
  ]);
  const told = listener(options);
  const stream = await PairStream.open(disk, {
    folders: [...new Set(files.map(({ folder }) => folder))],
    samples: files.map(({ id }) => id),
    holdOut: { test: heldOut(holdOut), seed },
    genes: names === undefined ? { criterion, size, include: upper } : { genes: names },
    panel: { size: panelGenes },
    layer,
    load: lenience,
    leastCoverage,
    signal,
    // Samples named by hand may be of a donor that trains too, as serial sections are; the warnings say so.
    allowLeakage: (holdOut.samples ?? []).length > 0,
    onSample: (done, total, id) => told.update(`read ${id}`, done, total, "slides"),
  });
  stream.warnings.forEach(told.warn);
  const { vocabulary, panel, warnings } = stream;
  const samples = stream.samples.map(({ files, role, donor, count }): PairsSample => ({
    ...infoOf(files),
    part: role === "train" ? "train" : "test",
    donor,
    count,
  }));
  const pairs: HestPairs = {
    samples,
    count: samples.reduce((sum, { count }) => sum + count, 0),
    genes: writtenGenes(vocabulary),
    panel,
    mean: vocabulary.mean,
    std: vocabulary.std,
    warnings,
    batches: (how) => batchesOf(stream, how),
  };
  rememberSource(pairs, { disk, files, lenience });
  CONFIGS.set(pairs, {
    holdout_samples: samples.filter(({ part }) => part === "test").map(({ id }) => id),
    holdout_donors: [],
    holdout_fraction: 0,
    n_train_genes: size,
    genes_include: names ?? upper,
    gene_criterion: criterion,
    panel_genes: panelGenes,
    spot_context: layer === "context",
    ...(leastCoverage !== undefined && { least_coverage: leastCoverage }),
  });
  return pairs;
}

async function* batchesOf(
  stream: PairStream,
  options: PairBatchOptions = {},
): AsyncGenerator<PairBatch> {
  checkOptions("read pairs", options, { part: true, batchSize: true, signal: true });
  const { part, batchSize = 64, signal } = options;
  checkCount("read pairs", "batchSize", batchSize);
  checkChoice("read pairs", "part", part, ["train", "test"]);
  checkSignal("read pairs", signal);
  const chosen = stream.samples.filter(({ role }) => part === undefined || (role === "train") === (part === "train"));
  let waiting: StreamPair[] = [];
  for await (const pair of stream.pairs(chosen, signal)) {
    waiting.push(pair);
    if (waiting.length < batchSize) continue;
    yield batchOf(waiting);
    waiting = [];
  }
  if (waiting.length > 0) yield batchOf(waiting);
}

function batchOf(pairs: readonly StreamPair[]): PairBatch {
  const width = pairs[0]!.x.length;
  const expression = new Float32Array(pairs.length * width);
  pairs.forEach(({ x }, i) => expression.set(x, i * width));
  return {
    rows: pairs.length,
    samples: pairs.map(({ sample }) => sample),
    barcodes: pairs.map(({ barcode }) => barcode),
    images: pairs.map(({ side, rgb }) => ({ width: side, height: side, data: rgb })),
    expression,
    coords: Float64Array.from(pairs.flatMap(({ xy }) => xy)),
  };
}
