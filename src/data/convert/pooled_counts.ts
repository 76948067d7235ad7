/**
 * Sums of pooled counts as a compressed matrix.
 *
 * @module
 */

import { type Matrix, matrixOf } from "../../io/sparse.ts";

/**
 * Chosen rows of sums that were kept in full.
 *
 * @param name Of the matrix, for messages.
 * @param rows Their numbers, ascending.
 * @param sums `[any, width]`.
 */
export function countsOf(name: string, width: number, rows: readonly number[], sums: Uint32Array): Matrix {
  const indptr = new Uint32Array(rows.length + 1);
  let stored = 0;
  rows.forEach((row, i) => {
    for (let j = row * width; j < (row + 1) * width; j++) if (sums[j]! > 0) stored++;
    indptr[i + 1] = stored;
  });
  const indices = new Uint32Array(stored);
  const values = new Float32Array(stored);
  let to = 0;
  for (const row of rows) {
    for (let j = 0; j < width; j++) {
      const sum = sums[row * width + j]!;
      if (sum === 0) continue;
      indices[to] = j;
      values[to++] = sum;
    }
  }
  return matrixOf(name, width, { indptr, indices, values });
}
