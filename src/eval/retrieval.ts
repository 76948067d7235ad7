/**
 * Cross-modal retrieval: does the image of a spot find its own expression among all others, and the other way round.
 *
 * Both sides are divided by their length and S = image geneT. Image to gene: the rank of spot i is one more than
 * #{j: S_ij > S_ii}; recall@k is the share of ranks up to k; gene to image the same on columns. Only strictly greater scores
 * count, so spots with equal embeddings do not push each other down; how many queries tie is reported, and so is the recall
 * that breaking ties at random would give, which is what a collapsed model is worth (its strict recall would be 1).
 * Source: HESCAPE, arXiv 2508.01490.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import { cpuRanks, type RankInput, type Ranks } from "./ranks.ts";

/** Values by k, `"1"`, `"5"` …; null where they would mean nothing (the reason is beside them). */
export type ByK = Readonly<Record<string, number | null>>;

/** One direction over one pool. */
export interface Direction {
  /** Share of queries whose partner is among the best k, strictly greater scores counted. */
  readonly recall: ByK;
  /** The same if equal scores were put in random order: never above `recall`. */
  readonly recallTies: ByK;
  /** Median of ranks, the best being 1. */
  readonly medianRank: number | null;
  /** Mean of 1 / rank. */
  readonly mrr: number | null;
  /** Queries whose partner scores the same as another row. */
  readonly tied: number;
  /** Queries without a rank, since an embedding of the pair has length zero or is not finite; each counts as a miss. */
  readonly invalid: number;
  /** Why values are null or to be doubted. */
  readonly reason?: string;
}

/** Both directions over one pool. */
export interface PoolMetrics {
  /** Pairs, which is also the size of the gallery. */
  readonly pairs: number;
  /** Recall of guessing, k / pairs and at most 1. */
  readonly chance: ByK;
  readonly imageToGene: Direction;
  readonly geneToImage: Direction;
}

/** What {@linkcode retrieval} finds. */
export interface RetrievalReport {
  /** The values of k. */
  readonly ks: readonly number[];
  /** What scores were compared in; the large pool and small ones may differ. */
  readonly precision: string;
  /** One pool of all pairs. */
  readonly across: PoolMetrics;
  /** Pools of one slide each; `mean` is over slides that have values, each counting once. */
  readonly within?: {
    readonly slides: number;
    readonly mean: PoolMetrics;
    readonly bySlide: Readonly<Record<string, PoolMetrics>>;
  };
}

/** Embeddings of N spots. */
export interface RetrievalInput {
  /** Image embeddings `[N, width]`. */
  readonly image: Float32Array;
  /** Gene embeddings `[N, width]`, of the same spots. */
  readonly gene: Float32Array;
  /** Numbers an embedding. */
  readonly width: number;
  /** Slide of each spot; leave out to have one pool only. */
  readonly slides?: readonly string[];
}

/** Options of {@linkcode retrieval}. */
export interface RetrievalOptions {
  /** Values of k; default 1, 5, 10, 50. */
  ks?: readonly number[];
  /** How ranks are found; default in f64 on the processor. See `ranker` for large pools. */
  rank?: (input: RankInput) => Ranks | Promise<Ranks>;
}

/** Recall is reported at these by default. */
export const RECALL_AT: readonly number[] = [1, 5, 10, 50];

/**
 * Metrics of cross-modal retrieval, within slides and across them.
 *
 * A pool in which every query ties with every row (equal embeddings, or one pair only) has null for recall, rank and mrr, with
 * the reason; so has an empty one. Nothing is NaN.
 *
 * @throws {ShapeError} If the sides or the slide names differ in length.
 * @throws {ConfigError} If a k is not a positive whole number.
 */
export async function retrieval(input: RetrievalInput, options: RetrievalOptions = {}): Promise<RetrievalReport> {
  const { image, gene, width, slides } = input;
  const { ks = RECALL_AT, rank = cpuRanks } = options;
  if (!ks.every((k) => Number.isInteger(k) && k > 0)) {
    throw new ConfigError(`Cannot compute recall at ${ks.join(", ")}: wanted positive whole numbers`);
  }
  if (image.length !== gene.length || (slides && slides.length * width !== image.length)) {
    throw new ShapeError(
      `Cannot compute retrieval: ${image.length} image and ${gene.length} gene numbers of width ${width}` +
        `${slides ? ` for ${slides.length} slide names` : ""}, wanted as many of each`,
    );
  }
  const precisions = new Set<string>();
  const pool = async (a: Float32Array, b: Float32Array): Promise<PoolMetrics> => {
    const forward = await rank({ queries: a, gallery: b, width });
    const back = await rank({ queries: b, gallery: a, width });
    precisions.add(forward.precision);
    const pairs = a.length / width;
    return {
      pairs,
      chance: byK(ks, (k) => (pairs ? Math.min(1, k / pairs) : null)),
      imageToGene: summary(forward, ks),
      geneToImage: summary(back, ks),
    };
  };
  const across = await pool(image, gene);
  if (!slides) return { ks, precision: [...precisions].join(", "), across };
  const bySlide: Record<string, PoolMetrics> = {};
  for (const [slide, rows] of rowsBySlide(slides)) {
    bySlide[slide] = await pool(pick(image, width, rows), pick(gene, width, rows));
  }
  const pools = Object.values(bySlide);
  const precision = [...precisions].join(", ");
  return { ks, precision, across, within: { slides: pools.length, mean: meanOf(pools, ks), bySlide } };
}

/** Metrics of one direction from its ranks. */
export function summary(ranks: Ranks, ks: readonly number[]): Direction {
  const { above, equal, invalid, valid } = ranks;
  const N = above.length;
  const bad = invalid.reduce((sum, flag) => sum + flag, 0);
  const tied = equal.reduce((sum, ties) => sum + (ties > 0 ? 1 : 0), 0);
  const nothing = { recall: byK(ks, () => null), recallTies: byK(ks, () => null), medianRank: null, mrr: null };
  const why = meaningless(ranks, bad);
  if (why) return { ...nothing, tied, invalid: bad, reason: why };
  const rank = Float64Array.from(above, (count, i) => (invalid[i] ? N : count + 1));
  const share = (value: (i: number) => number): number =>
    rank.reduce((sum, _, i) => sum + (invalid[i] ? 0 : value(i)), 0) / N;
  const sorted = rank.toSorted();
  const reasons = [
    tied * 2 > N ? `${tied} of ${N} queries tie with another row: strict recall flatters them, see recallTies` : "",
    bad ? `${bad} of ${N} queries have an embedding of length zero or not finite; each counts as a miss` : "",
  ].filter(Boolean);
  return {
    recall: byK(ks, (k) => share((i) => (above[i]! < k ? 1 : 0))),
    recallTies: byK(ks, (k) => share((i) => Math.min(1, Math.max(0, (k - above[i]!) / (equal[i]! + 1))))),
    medianRank: (sorted[(N - 1) >> 1]! + sorted[N >> 1]!) / 2,
    mrr: share((i) => 1 / (above[i]! + 1)),
    tied,
    invalid: bad,
    ...(reasons.length ? { reason: reasons.join("; ") } : {}),
  };

  function meaningless({ equal }: Ranks, bad: number): string | undefined {
    if (N === 0) return "the pool is empty";
    if (bad === N) return `all ${N} pairs have an embedding of length zero or not finite`;
    if (N === 1) return "the pool is one pair, which always finds itself";
    const all = equal.every((ties, i) => invalid[i] || ties === valid - 1);
    return all ? `every query scores the same with all ${valid} rows: the embeddings have collapsed` : undefined;
  }
}

function byK(ks: readonly number[], value: (k: number) => number | null): Record<string, number | null> {
  return Object.fromEntries(ks.map((k) => [String(k), value(k)]));
}

/** Rows of each slide, slides in order of appearance. */
export function rowsBySlide(slides: readonly string[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  slides.forEach((slide, row) => {
    const rows = groups.get(slide);
    if (rows) rows.push(row);
    else groups.set(slide, [row]);
  });
  return groups;
}

function pick(data: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(data.subarray(row * width, (row + 1) * width), i * width));
  return out;
}

/** Mean of the values that are not null; null where none is. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

function meanOf(pools: readonly PoolMetrics[], ks: readonly number[]): PoolMetrics {
  const direction = (of: (pool: PoolMetrics) => Direction): Direction => {
    const all = pools.map(of);
    const missing = all.filter(({ mrr }) => mrr === null).length;
    const doubted = all.filter(({ mrr, reason }) => mrr !== null && reason).length;
    const reason = [
      missing ? `${missing} of ${all.length} slides have no value and are left out` : "",
      doubted ? `${doubted} of ${all.length} slides have many ties or invalid embeddings` : "",
    ].filter(Boolean).join("; ");
    return {
      recall: byK(ks, (k) => mean(all.map(({ recall }) => recall[k]!))),
      recallTies: byK(ks, (k) => mean(all.map(({ recallTies }) => recallTies[k]!))),
      medianRank: mean(all.map(({ medianRank }) => medianRank)),
      mrr: mean(all.map(({ mrr }) => mrr)),
      tied: all.reduce((sum, { tied }) => sum + tied, 0),
      invalid: all.reduce((sum, { invalid }) => sum + invalid, 0),
      ...(reason ? { reason } : {}),
    };
  };
  const used = pools.filter(({ imageToGene }) => imageToGene.mrr !== null);
  return {
    pairs: pools.reduce((sum, { pairs }) => sum + pairs, 0),
    chance: byK(ks, (k) => mean(used.map(({ chance }) => chance[k]!))),
    imageToGene: direction(({ imageToGene }) => imageToGene),
    geneToImage: direction(({ geneToImage }) => geneToImage),
  };
}
