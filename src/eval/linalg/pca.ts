/**
 * Principal components, exact: eigenvectors of the D x D scatter matrix in f64, or of the n x n products of rows where there
 * are fewer rows than columns.
 *
 * scikit-learn's PCA picks a randomised solver at the sizes of the benchmark (256 < 0.8 min(n, D), and more than 500 rows or
 * columns), which is why its scores differ from exact ones by about 1e-3.
 *
 * @module
 */

import type { GramOptions } from "./gram.ts";
import { gram, rowGram } from "./gram.ts";
import { crossProduct, multiply } from "./product.ts";
import type { Standardized } from "./standardize.ts";
import { symmetricEigen } from "./symmetric_eigen.ts";
import type { Table } from "./table.ts";

/** Components of training rows. */
export interface Pca {
  /** Directions of length 1, `[k, D]`; all zero where no variance is left. */
  readonly components: Table;
  /** Sums of squared scores over the training rows, largest first: (n - 1) times the explained variance. */
  readonly scatter: Float64Array;
  /** Components that have variance. */
  readonly rank: number;
  /** How it was computed, for records. */
  readonly solver: string;
}

/**
 * Fits at most `components` of them: min(components, n, D).
 *
 * @param train Centred while it is read: a table through its own standardiser.
 */
export async function fitPca(train: Standardized, components: number, options: GramOptions = {}): Promise<Pca> {
  const { rows, columns } = train;
  const k = Math.min(components, rows, columns);
  const wide = rows < columns;
  const { data, solver } = wide ? await rowGram(train, options) : await gram(train, options);
  const { values, vectors } = symmetricEigen(data, Math.min(rows, columns), k);
  const least = (values[0] ?? 0) * Math.max(rows, columns) * Number.EPSILON;
  const rank = values.findIndex((value) => !(value > least));
  const kept = rank < 0 ? k : rank;
  const scatter = values.map((value, i) => i < kept ? value : 0);
  const directions = wide ? fromRows(train, { rows: k, columns: rows, data: vectors }, scatter) : vectors;
  directions.fill(0, kept * columns);
  return { components: { rows: k, columns, data: directions }, scatter, rank: kept, solver: `pca ${solver}` };
}

/** Directions of the columns' space from eigenvectors of the rows' products: u X over its length. */
function fromRows(train: Standardized, u: Table, scatter: Float64Array): Float64Array {
  const turned = new Float64Array(u.data.length);
  for (let i = 0; i < u.rows; i++) {
    for (let r = 0; r < u.columns; r++) turned[r * u.rows + i] = u.data[i * u.columns + r]!;
  }
  const out = crossProduct({ rows: u.columns, columns: u.rows, data: turned }, train);
  for (let i = 0; i < u.rows; i++) {
    const length = Math.sqrt(scatter[i]!);
    for (let j = 0; j < train.columns; j++) out[i * train.columns + j]! /= length || 1;
  }
  return out;
}

/** Scores of rows, `[n, k]`. */
export function pcaScores(pca: Pca, x: Standardized): Table {
  return multiply(x, pca.components);
}
