/**
 * Library-size normalisation and log1p, as scanpy's `normalize_total` and `log1p` do it on f32.
 *
 * Source: scanpy 1.10.3, `preprocessing/_normalization.py`.
 *
 * @module
 */

import { mapEntries, type Matrix, rowSums } from "../matrix.ts";

/** Counts a spot is scaled to. */
export const TARGET_SUM = 1e4;

/** Every row scaled to the same sum; a row of zeros stays as it is. `[spots, genes]`. */
export function normalizeTotal(matrix: Matrix, target: number = TARGET_SUM): Matrix {
  const sums = rowSums(matrix);
  return mapEntries(matrix, (value, row) => sums[row] === 0 ? value : value / (sums[row]! / target));
}

/** `ln(1 + x)` of every entry. */
export function log1p(matrix: Matrix): Matrix {
  return mapEntries(matrix, (value) => Math.log1p(value));
}

/** Both: ln(1 + counts per ten thousand). */
export function logNormalize(matrix: Matrix, target: number = TARGET_SUM): Matrix {
  return log1p(normalizeTotal(matrix, target));
}
