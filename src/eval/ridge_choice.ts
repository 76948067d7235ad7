/**
 * Ridge regression for fewer rows than features, its penalty chosen on the training rows by leaving out each group in turn.
 *
 * With centred rows X, K = X XT = V diag(l) VT and the hat matrix H = V diag(l / (l + alpha)) VT + 1/n, the residuals of a
 * group that is left out are (I - Hgg)^-1 (Y - H Y)g: every penalty is judged from one decomposition, no model is refitted.
 *
 * Source: scikit-learn's `RidgeCV`, which leaves out single rows.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { ALPHAS } from "./cross_validate.ts";
import { cholesky, choleskySolve } from "./linalg/cholesky.ts";
import { crossProduct, multiply, rowProducts } from "./linalg/product.ts";
import { columnMoments, fitCentring, standardize, type Standardized } from "./linalg/standardize.ts";
import { symmetricEigen } from "./linalg/symmetric_eigen.ts";
import type { Table } from "./linalg/table.ts";
import { type LinearModel, transposed } from "./ridge.ts";

/** A fitted model and its penalty. */
export interface ChosenRidge extends LinearModel {
  readonly alpha: number;
  /** Mean squared error of what was left out, by penalty; all targets together. */
  readonly errors: readonly number[];
  /** Whether the penalty is the first or last of the grid, so that a better one may lie outside. */
  readonly atEdge: boolean;
}

/**
 * Fits a ridge regression with intercept.
 *
 * @param x `[n, features]`.
 * @param y `[n, targets]`.
 * @param groups What each row belongs to; rows of one are left out together. Default: each by itself.
 * @param alphas Penalties to choose from, above 0.
 * @throws {ShapeError} If there are fewer than two groups, or rows differ in number.
 */
export function fitChosenRidge(
  x: Table,
  y: Table,
  groups: ArrayLike<string | number> = Array.from({ length: x.rows }, (_, r) => r),
  alphas: readonly number[] = ALPHAS,
): ChosenRidge {
  const n = x.rows;
  const members = [...Map.groupBy(Array.from({ length: n }, (_, r) => r), (r) => groups[r]!).values()];
  if (y.rows !== n || groups.length !== n || members.length < 2) {
    throw new ShapeError(
      `Cannot choose a penalty: ${y.rows} rows of targets and ${members.length} groups of ${n} rows, as many rows and 2 groups wanted`,
    );
  }
  const centred = standardize(x, fitCentring(x));
  const basis = basisOf(centred);
  const means = columnMoments(y).mean;
  const targets = y.columns;
  const centredY = Float64Array.from(y.data, (value, at) => value - means[at % targets]!);
  const turned = multiply(basis.vectors, transposed(centredY, targets)).data as Float64Array;
  const errors = alphas.map((alpha) => leftOut({ ...basis, turned, centredY, members, targets }, alpha));
  const best = errors.reduce((least, error, i) => error < errors[least]! ? i : least, 0);
  const alpha = alphas[best]!;
  // W = XT V diag(1 / (l + alpha)) VT Y.
  const scaled = turned.map((value, at) => value / (basis.values[Math.floor(at / targets)]! + alpha));
  const dual = crossProduct(basis.vectors, { rows: basis.values.length, columns: targets, data: scaled });
  const weights = transposed(crossProduct(centred, { rows: n, columns: targets, data: dual }), targets);
  const intercept = means.map((mean, k) => {
    let offset = 0;
    for (let j = 0; j < x.columns; j++) offset += centred.mean[j]! * weights.data[k * x.columns + j]!;
    return mean - offset;
  });
  return { weights, intercept, alpha, errors, atEdge: best === 0 || best === alphas.length - 1 };
}

interface Basis {
  /** Eigenvalues of X XT above rounding. */
  readonly values: Float64Array;
  /** Their vectors, `[values, n]`. */
  readonly vectors: Table;
}

/** Decomposes the smaller of X XT and XT X. */
function basisOf(x: Standardized): Basis {
  const tall = x.rows > x.columns;
  const size = tall ? x.columns : x.rows;
  const { values, vectors } = symmetricEigen(tall ? crossProduct(x, x) : rowProducts(x), size);
  const rank = values.filter((value) => value > Number.EPSILON * x.rows * values[0]!).length;
  const kept = { rows: rank, columns: size, data: vectors.slice(0, rank * size) };
  if (!tall) return { values: values.slice(0, rank), vectors: kept };
  const data = transposed(multiply(x, kept).data as Float64Array, rank).data;
  for (let at = 0; at < data.length; at++) data[at]! /= Math.sqrt(values[Math.floor(at / x.rows)]!);
  return { values: values.slice(0, rank), vectors: { rows: rank, columns: x.rows, data } };
}

interface Judged extends Basis {
  /** Targets in the basis, `[values, targets]`. */
  readonly turned: Float64Array;
  readonly centredY: Float64Array;
  readonly members: readonly (readonly number[])[];
  readonly targets: number;
}

/** Mean squared error of the rows, each predicted without its group. */
function leftOut({ values, vectors, turned, centredY, members, targets }: Judged, alpha: number): number {
  const n = vectors.columns;
  const share = values.map((value) => value / (value + alpha));
  const inBasis = turned.map((value, at) => value * share[Math.floor(at / targets)]!);
  const fitted = crossProduct(vectors, { rows: values.length, columns: targets, data: inBasis });
  let sum = 0;
  for (const rows of members) {
    const size = rows.length;
    const rest = new Float64Array(size * size);
    for (let a = 0; a < size; a++) {
      for (let b = 0; b <= a; b++) {
        let hat = 1 / n;
        for (let i = 0; i < values.length; i++) {
          hat += share[i]! * vectors.data[i * n + rows[a]!]! * vectors.data[i * n + rows[b]!]!;
        }
        rest[a * size + b] = rest[b * size + a] = (a === b ? 1 : 0) - hat;
      }
    }
    const residual = new Float64Array(size * targets);
    rows.forEach((row, a) => {
      for (let k = 0; k < targets; k++) {
        residual[a * targets + k] = centredY[row * targets + k]! - fitted[row * targets + k]!;
      }
    });
    for (const value of choleskySolve(cholesky(rest, size), residual)) sum += value * value;
  }
  return sum / (n * targets);
}
