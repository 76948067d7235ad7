/**
 * Mean and variance of columns, two passes in f64, zeros of compressed rows included.
 *
 * @module
 */

import { columnSums, type Matrix, visitRow } from "../matrix.ts";

/** Moments of each column. */
export interface Moments {
  readonly mean: Float64Array;
  /** Divided by `rows - 1`; NaN for a single row. */
  readonly variance: Float64Array;
}

/** Moments of each column, `[columns]`. */
export function columnMoments(matrix: Matrix): Moments {
  const { rows, columns } = matrix;
  const mean = columnSums(matrix).map((sum) => sum / rows);
  const squares = new Float64Array(columns);
  const seen = new Uint32Array(columns);
  for (let i = 0; i < rows; i++) {
    visitRow(matrix, i, (column, value) => {
      squares[column]! += (value - mean[column]!) ** 2;
      seen[column]!++;
    });
  }
  const variance = squares.map((sum, j) => (sum + (rows - seen[j]!) * mean[j]! ** 2) / (rows - 1));
  return { mean, variance };
}

/**
 * Column numbers by descending score: equal scores in column order, NaN last.
 *
 * @param scores One for each column.
 */
export function descending(scores: ArrayLike<number>): Uint32Array {
  const key = (j: number): number => Number.isNaN(scores[j]!) ? -Infinity : scores[j]!;
  return Uint32Array.from({ length: scores.length }, (_, j) => j).sort((a, b) => {
    const [p, q] = [key(a), key(b)];
    if (p !== q) return q > p ? 1 : -1;
    const [nan, other] = [Number.isNaN(scores[a]!), Number.isNaN(scores[b]!)];
    return nan !== other ? Number(nan) - Number(other) : a - b;
  });
}
