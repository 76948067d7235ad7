/**
 * Ridge regression in closed form: W = (XT X + alpha I)^-1 XT Y by Cholesky in f64.
 *
 * HEST-Benchmark and SEAL set alpha = 100 / (features x targets), which is next to nothing, and no intercept.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { cholesky, choleskySolve } from "./linalg/cholesky.ts";
import { crossProduct, type Factor, multiply } from "./linalg/product.ts";
import { columnMoments, standardize } from "./linalg/standardize.ts";
import type { Table } from "./linalg/table.ts";

/** A linear map from features to targets. */
export interface LinearModel {
  /** `[targets, features]`. */
  readonly weights: Table;
  /** One a target. */
  readonly intercept: Float64Array;
}

/** Options of {@linkcode fitRidge}. */
export interface RidgeOptions {
  /** Weight of the squared coefficients, 0 or more. */
  readonly alpha: number;
  /** Whether there is one; it is not penalised. Default false. */
  readonly intercept?: boolean;
}

/** Products a ridge is solved from. */
export interface RidgeProducts {
  /** XT X, `[features, features]`. */
  readonly gram: Float64Array;
  /** XT Y, `[features, targets]`. */
  readonly cross: Float64Array;
}

/** The penalty of HEST-Benchmark and SEAL. */
export function ridgeAlpha(features: number, targets: number): number {
  return 100 / (features * targets);
}

/**
 * Coefficients `[features, targets]` from products.
 *
 * @throws {LimitError} If alpha is negative or no number.
 * @throws {NumericsError} If columns depend on each other and alpha is too small to tell them apart.
 */
export function solveRidge({ gram, cross }: RidgeProducts, alpha: number): Float64Array {
  if (!(alpha >= 0 && alpha < Infinity)) {
    throw new LimitError(`Cannot solve a ridge regression: alpha is ${alpha}, 0 or more wanted`);
  }
  const n = Math.round(Math.sqrt(gram.length));
  const penalised = gram.slice();
  for (let i = 0; i < n; i++) penalised[i * n + i]! += alpha;
  return choleskySolve(cholesky(penalised, n), cross);
}

/**
 * Fits a ridge regression.
 *
 * @param x `[n, features]`.
 * @param y `[n, targets]`.
 * @throws {NumericsError} As {@linkcode solveRidge}.
 */
export function fitRidge(x: Table, y: Table, { alpha, intercept = false }: RidgeOptions): LinearModel {
  const [mx, my] = [columnMoments(x).mean, columnMoments(y).mean];
  const centred = (of: Table, mean: Float64Array): Factor =>
    intercept ? standardize(of, { mean, scale: new Float64Array(of.columns).fill(1) }) : of;
  const [cx, cy] = [centred(x, mx), centred(y, my)];
  const weights = transposed(solveRidge({ gram: crossProduct(cx, cx), cross: crossProduct(cx, cy) }, alpha), y.columns);
  const offset = multiply({ rows: 1, columns: x.columns, data: mx }, weights).data;
  return { weights, intercept: my.map((mean, j) => intercept ? mean - offset[j]! : 0) };
}

/** A table with its rows and columns exchanged. */
export function transposed(data: Float64Array, columns: number): Table {
  const rows = columns === 0 ? 0 : data.length / columns;
  const out = new Float64Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return { rows: columns, columns: rows, data: out };
}

/** Predictions for rows, `[n, targets]`. */
export function predictLinear({ weights, intercept }: LinearModel, x: Factor): Table {
  const out = multiply(x, weights);
  for (let at = 0; at < out.data.length; at++) out.data[at]! += intercept[at % weights.rows]!;
  return out;
}
