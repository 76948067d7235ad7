/**
 * How well predictions fit: Pearson's and Spearman's correlation, R2 and mean squared error of one column.
 *
 * What is not defined (a constant column, a single row) is null, with a reason beside it.
 *
 * Source: scipy's `pearsonr` and `spearmanr`, scikit-learn's `r2_score`; ordinal ranks as two argsorts give them, which the
 * reference of SEAL uses for its batch metrics.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";

/** A number, or null with the reason why there is none. */
export type Score = { readonly value: number; readonly reason?: undefined } | {
  readonly value: null;
  readonly reason: Undefined;
};

/** Why a score is not defined. */
export type Undefined = "fewer than two spots" | "constant target" | "constant prediction" | "not finite";

/** Shares of the mean below which a deviation is rounding, as scipy sees it. */
const ROUNDING = 1e-13;

/** What a column is before anything is computed of it. */
interface Centred {
  readonly values: Float64Array;
  /** Length of the centred column; 0 where it is constant up to rounding. */
  readonly norm: number;
}

function centred(x: ArrayLike<number>): Centred {
  const n = x.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[i]!;
  const mean = sum / n;
  const values = new Float64Array(n);
  let most = 0;
  for (let i = 0; i < n; i++) {
    values[i] = x[i]! - mean;
    most = Math.max(most, Math.abs(values[i]!));
  }
  if (most === 0) return { values, norm: 0 };
  let square = 0;
  for (let i = 0; i < n; i++) square += (values[i]! / most) ** 2;
  const norm = most * Math.sqrt(square);
  return { values, norm: norm > ROUNDING * Math.abs(mean) ? norm : 0 };
}

function checkLengths(prediction: ArrayLike<number>, target: ArrayLike<number>): void {
  if (prediction.length !== target.length) {
    throw new ShapeError(`Cannot compare ${prediction.length} predictions with ${target.length} targets`);
  }
}

function isFinite(x: ArrayLike<number>): boolean {
  for (let i = 0; i < x.length; i++) if (!Number.isFinite(x[i]!)) return false;
  return true;
}

/**
 * Pearson's correlation.
 *
 * @throws {ShapeError} If the columns differ in length.
 */
export function pearson(prediction: ArrayLike<number>, target: ArrayLike<number>): Score {
  checkLengths(prediction, target);
  if (target.length < 2) return { value: null, reason: "fewer than two spots" };
  if (!isFinite(prediction) || !isFinite(target)) return { value: null, reason: "not finite" };
  const [a, b] = [centred(prediction), centred(target)];
  if (b.norm === 0) return { value: null, reason: "constant target" };
  if (a.norm === 0) return { value: null, reason: "constant prediction" };
  let dot = 0;
  for (let i = 0; i < target.length; i++) dot += (a.values[i]! / a.norm) * (b.values[i]! / b.norm);
  return { value: Math.max(-1, Math.min(1, dot)) };
}

/** How equal values are ranked: all the same, the mean of their places; or by where they stand. */
export type Ties = "average" | "ordinal";

/** Ranks from 1. */
export function ranks(x: ArrayLike<number>, ties: Ties = "average"): Float64Array {
  const n = x.length;
  const sorted = Float64Array.from(x).sort();
  const below = (value: number, orEqual: boolean): number => {
    let [low, high] = [0, n];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < value || (orEqual && sorted[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  if (ties === "average") return Float64Array.from(x, (value) => (below(value, false) + below(value, true) + 1) / 2);
  const seen = new Map<number, number>();
  return Float64Array.from(x, (raw) => {
    const value = raw + 0; // The two zeros are one value.
    const place = seen.get(value) ?? below(value, false);
    seen.set(value, place + 1);
    return place + 1;
  });
}

/**
 * Spearman's correlation: Pearson's of the ranks.
 *
 * @throws {ShapeError} If the columns differ in length.
 */
export function spearman(
  prediction: ArrayLike<number>,
  target: ArrayLike<number>,
  options: { readonly ties?: Ties } = {},
): Score {
  checkLengths(prediction, target);
  if (!isFinite(prediction) || !isFinite(target)) return { value: null, reason: "not finite" };
  return pearson(ranks(prediction, options.ties), ranks(target, options.ties));
}

/**
 * Mean squared error.
 *
 * @throws {ShapeError} If the columns differ in length.
 */
export function meanSquaredError(prediction: ArrayLike<number>, target: ArrayLike<number>): number {
  checkLengths(prediction, target);
  let sum = 0;
  for (let i = 0; i < target.length; i++) sum += (prediction[i]! - target[i]!) ** 2;
  return sum / target.length;
}

/**
 * Share of the targets' variance that is explained: 1 - SSE / SST. Negative where the mean would predict better.
 *
 * @throws {ShapeError} If the columns differ in length.
 */
export function rSquared(prediction: ArrayLike<number>, target: ArrayLike<number>): Score {
  checkLengths(prediction, target);
  if (target.length < 2) return { value: null, reason: "fewer than two spots" };
  if (!isFinite(prediction) || !isFinite(target)) return { value: null, reason: "not finite" };
  const { norm } = centred(target);
  if (norm === 0) return { value: null, reason: "constant target" };
  return { value: 1 - meanSquaredError(prediction, target) * target.length / (norm * norm) };
}
