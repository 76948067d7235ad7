/**
 * Highly expressed genes: those of the largest mean.
 *
 * @module
 */

import { columnSums, type Matrix } from "../matrix.ts";
import { descending } from "./moments.ts";

/** Means of a matrix `[spots, genes]`, and its columns by descending mean (ties in column order). */
export function expressedGenes(matrix: Matrix): { means: Float64Array; order: Uint32Array } {
  const means = columnSums(matrix).map((sum) => sum / matrix.rows);
  return { means, order: descending(means) };
}
