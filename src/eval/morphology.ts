/**
 * Two metrics that need no trained gene encoder, for judging image features by a linear probe and by their neighbours.
 *
 * Expression retrieval: predict the expression of each spot (all genes), centre prediction and truth over each slide, divide
 * by the training rows' standard deviation, and ask at which rank the cosine puts the true spot among those of its slide.
 *
 * Neighbour agreement (MN10): the ten nearest spots of the same slide by cosine of features standardised by the training
 * rows; the mean cosine between the spot's true expression programme and theirs. Programme: per slide, each gene standardised;
 * per spot, centred over genes.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { cpuRanks, unitRows } from "./ranks.ts";
import { type Direction, RECALL_AT, rowsBySlide, summary } from "./retrieval.ts";

/** Rows of numbers. */
export interface Rows {
  /** `[rows, columns]`. */
  readonly data: ArrayLike<number>;
  readonly columns: number;
}

/** Mean and population standard deviation of each column. */
export interface ColumnMoments {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

/** Result of {@linkcode expressionRetrieval}. */
export interface ExpressionRetrieval {
  /** Spots of all slides together: ranks within a slide, shares over spots. */
  readonly recall: Direction["recall"];
  /** The same with equal scores in random order. */
  readonly recallTies: Direction["recallTies"];
  readonly medianRank: number | null;
  readonly mrr: number | null;
  /** Mean over spots of k / spots of the slide, at most 1. */
  readonly chance: Direction["recall"];
  readonly spots: number;
  readonly slides: number;
  /** Why values are null or to be doubted. */
  readonly reason?: string;
}

/** Mean and population standard deviation of each column, two passes; zeros for no rows. */
export function columnMoments({ data, columns }: Rows): ColumnMoments {
  const rows = data.length / columns;
  const mean = new Float64Array(columns);
  const std = new Float64Array(columns);
  for (let at = 0; at < data.length; at++) mean[at % columns]! += data[at]! / rows;
  for (let at = 0; at < data.length; at++) std[at % columns]! += (data[at]! - mean[at % columns]!) ** 2 / rows;
  return { mean, std: std.map(Math.sqrt) };
}

/**
 * Rank of each spot's true expression among those of its slide, by predicted expression.
 *
 * Genes that are constant in training are divided by 1. A slide of one spot has no rank and is left out with a reason.
 *
 * @param predicted `[spots, genes]`, any scale that differs from the truth's by a shift a gene.
 * @param truth `[spots, genes]`, log1p of counts.
 * @param options `slides`: slide of each spot; `trainStd`: standard deviation of each gene over training spots.
 * @throws {ShapeError} If lengths disagree.
 */
export function expressionRetrieval(
  predicted: Rows,
  truth: Rows,
  options: { slides: readonly string[]; trainStd: ArrayLike<number>; ks?: readonly number[] },
): ExpressionRetrieval {
  const { slides, trainStd, ks = RECALL_AT } = options;
  const G = truth.columns;
  const fits = predicted.columns === G && predicted.data.length === truth.data.length && trainStd.length === G &&
    slides.length * G === truth.data.length;
  if (!fits) {
    throw new ShapeError(
      `Cannot compute expression retrieval: ${predicted.data.length} predictions of ${predicted.columns} genes, ` +
        `${truth.data.length} truths of ${G}, ${trainStd.length} deviations, ${slides.length} slide names, wanted equal extents`,
    );
  }
  const groups = rowsBySlide(slides);
  const parts = [...groups.values()].filter((rows) => rows.length > 1);
  const skipped = groups.size - parts.length;
  const scale = Float32Array.from(trainStd, (value) => (value > 0 ? 1 / value : 1));
  const ranks = parts.map((rows) =>
    cpuRanks({ queries: centred(predicted, rows, scale), gallery: centred(truth, rows, scale), width: G })
  );
  const spots = ranks.reduce((sum, { above }) => sum + above.length, 0);
  const joined = summary({
    above: Uint32Array.from(ranks.flatMap(({ above }) => [...above])),
    equal: Uint32Array.from(ranks.flatMap(({ equal }) => [...equal])),
    invalid: Uint8Array.from(ranks.flatMap(({ invalid }) => [...invalid])),
    valid: Math.min(...ranks.map(({ valid }) => valid)),
    precision: "f64",
  }, ks);
  const { recall, recallTies, medianRank, mrr } = joined;
  const share = (k: number) => ranks.reduce((sum, { above: { length } }) => sum + Math.min(k, length), 0) / spots;
  const reason = [joined.reason ?? "", skipped ? `${skipped} slides of one spot are left out` : ""].filter(Boolean);
  return {
    recall,
    recallTies,
    medianRank,
    mrr,
    chance: Object.fromEntries(ks.map((k) => [String(k), spots ? share(k) : null])),
    spots,
    slides: parts.length,
    ...(reason.length ? { reason: reason.join("; ") } : {}),
  };
}

/** Result of {@linkcode neighbourAgreement}. */
export interface NeighbourAgreement {
  /** Mean cosine, −1 to 1; null where no slide has two spots. */
  readonly value: number | null;
  readonly spots: number;
  /** Slides with fewer than `k` + 1 spots, where all others are neighbours, and those of one spot, left out. */
  readonly reason?: string;
}

/**
 * Mean agreement of true expression programmes between each spot and its nearest spots of the same slide by features.
 *
 * Equal features: the neighbour with the lower row comes first. Spots whose programme is zero agree with nobody (cosine 0).
 *
 * @param features `[spots, D]`.
 * @param programme `[spots, genes]`, true log expression (its mean parameter where it is known).
 * @param options `slides`: slide of each spot; `train`: moments of the features of training rows; `k`: neighbours, default 10.
 * @throws {ShapeError} If lengths disagree.
 */
export function neighbourAgreement(
  features: Rows,
  programme: Rows,
  options: { slides: readonly string[]; train: ColumnMoments; k?: number },
): NeighbourAgreement {
  const { slides, train, k = 10 } = options;
  const [n, D] = [slides.length, features.columns];
  if (features.data.length !== n * D || programme.data.length !== n * programme.columns || train.mean.length !== D) {
    throw new ShapeError(
      `Cannot compute neighbour agreement: ${features.data.length} features of ${D}, ${programme.data.length} values of ` +
        `${programme.columns} genes, moments of ${train.mean.length}, for ${n} spots`,
    );
  }
  const scaled = Float64Array.from(
    features.data,
    (value, at) => (value - train.mean[at % D]!) / (train.std[at % D]! || 1),
  );
  const { unit } = unitRows(scaled, D);
  let total = 0;
  let spots = 0;
  let short = 0;
  for (const rows of rowsBySlide(slides).values()) {
    if (rows.length <= k) short++;
    if (rows.length < 2) continue;
    const truth = programmes(programme, rows);
    const G = programme.columns;
    rows.forEach((row, i) => {
      const near = nearest(unit, D, rows, row).slice(0, k);
      const agree = near.reduce((sum, j) => sum + dot(truth, i * G, j * G, G), 0) / near.length;
      total += agree;
      spots++;
    });
  }
  const reason = short ? `${short} slides have no more than ${k} spots: all others are neighbours there` : undefined;
  return { value: spots ? total / spots : null, spots, ...(reason ? { reason } : {}) };
}

/** Rows of one slide, each column less its mean there, times `scale`. */
function centred({ data, columns }: Rows, rows: readonly number[], scale: ArrayLike<number>): Float32Array {
  const mean = new Float64Array(columns);
  for (const row of rows) for (let j = 0; j < columns; j++) mean[j]! += data[row * columns + j]! / rows.length;
  const out = new Float32Array(rows.length * columns);
  rows.forEach((row, i) => {
    for (let j = 0; j < columns; j++) out[i * columns + j] = (data[row * columns + j]! - mean[j]!) * scale[j]!;
  });
  return out;
}

/** Unit rows of one slide: each gene standardised over its spots, then each spot centred over genes. */
function programmes({ data, columns }: Rows, rows: readonly number[]): Float64Array {
  const own = Float64Array.from(
    rows.flatMap((row) => Array.from({ length: columns }, (_, j) => data[row * columns + j]!)),
  );
  const { mean, std } = columnMoments({ data: own, columns });
  const scaled = own.map((
    value,
    at,
  ) => (std[at % columns]! > 0 ? (value - mean[at % columns]!) / std[at % columns]! : 0));
  for (let at = 0; at < scaled.length; at += columns) {
    const spot = scaled.subarray(at, at + columns);
    const centre = spot.reduce((a, b) => a + b, 0) / columns;
    for (let j = 0; j < columns; j++) spot[j]! -= centre;
  }
  return unitRows(scaled, columns).unit;
}

/** Places within `rows` of the others, nearest to `row` first. */
function nearest(unit: Float64Array, D: number, rows: readonly number[], row: number): number[] {
  return rows.map((other, place) => ({ other, place, score: dot(unit, row * D, other * D, D) }))
    .filter(({ other }) => other !== row)
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .map(({ place }) => place);
}

function dot(x: Float64Array, a: number, b: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[a + i]! * x[b + i]!;
  return sum;
}
