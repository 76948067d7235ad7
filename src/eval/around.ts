/**
 * Features of a spot beside the mean of those of the spots around it.
 *
 * @module
 */

import type { NearPairs } from "../data/sampler.ts";
import type { Table } from "./linalg/table.ts";

/**
 * Twice as wide features: a spot's own, then the mean over the spots near it; its own again where it has none.
 *
 * @param x `[spots, D]`.
 * @param near Of the same spots.
 * @returns `[spots, 2 D]`.
 */
export function withAround({ rows, columns, data }: Table, { indptr, indices }: NearPairs): Table {
  const out = new Float64Array(rows * 2 * columns);
  for (let i = 0; i < rows; i++) {
    const own = data.subarray(i * columns, (i + 1) * columns);
    const mean = out.subarray((2 * i + 1) * columns, (2 * i + 2) * columns);
    out.set(own, 2 * i * columns);
    const [from, end] = [indptr[i]!, indptr[i + 1]!];
    if (from === end) mean.set(own);
    for (let k = from; k < end; k++) {
      const at = indices[k]! * columns;
      for (let f = 0; f < columns; f++) mean[f]! += data[at + f]! / (end - from);
    }
  }
  return { rows, columns: 2 * columns, data: out };
}
