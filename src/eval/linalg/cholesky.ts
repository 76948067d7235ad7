/**
 * Linear systems with a symmetric positive definite matrix, by Cholesky's factorisation A = L LT in f64.
 *
 * @module
 */

import { NumericsError } from "../../core/errors.ts";

/**
 * The lower factor `[n, n]` of a symmetric matrix; what is above the diagonal is zero.
 *
 * @param a Its lower half is read.
 * @throws {NumericsError} If the matrix is not positive definite, or only by rounding.
 */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let m = 0, p = i * n, q = j * n; m < j; m++, p++, q++) sum -= l[p]! * l[q]!;
      if (i !== j) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > n * Number.EPSILON * a[i * n + i]!) l[i * n + i] = Math.sqrt(sum);
      else {
        throw new NumericsError(`Cannot factor a matrix: pivot ${i} is ${sum}, above rounding wanted`, {
          code: "not-positive-definite",
          hint: "Columns depend on each other; use a larger penalty",
          context: { pivot: i, n },
        });
      }
    }
  }
  return l;
}

/**
 * Solves A W = B.
 *
 * @param l The lower factor of A `[n, n]`.
 * @param b `[n, k]`.
 * @returns W `[n, k]`.
 */
export function choleskySolve(l: Float64Array, b: Float64Array): Float64Array {
  const n = Math.round(Math.sqrt(l.length));
  const k = n === 0 ? 0 : b.length / n;
  const w = b.slice();
  const subtract = (row: number, factor: number, other: number) => {
    for (let c = 0; c < k; c++) w[row * k + c]! -= factor * w[other * k + c]!;
  };
  const divide = (row: number) => {
    for (let c = 0; c < k; c++) w[row * k + c]! /= l[row * n + row]!;
  };
  for (let i = 0; i < n; i++) {
    for (let m = 0; m < i; m++) subtract(i, l[i * n + m]!, m);
    divide(i);
  }
  for (let i = n - 1; i >= 0; i--) {
    divide(i);
    for (let m = 0; m < i; m++) subtract(m, l[i * n + m]!, i);
  }
  return w;
}
