/**
 * Largest eigenvalues of a symmetric matrix and their vectors, in f64.
 *
 * Householder's reduction to tridiagonal form, all eigenvalues by implicit QL steps, vectors of those that are wanted by
 * inverse iteration with orthogonalisation among close ones, and back. For k vectors of n this costs 4/3 n^3 + 2 n^2 k
 * operations, against 9 n^3 and more where QL turns all vectors along: what matters for the 256 largest of 2560.
 *
 * Source: Golub and Van Loan, "Matrix computations", 8.3; LAPACK's dsytd2, dsterf and dstein.
 *
 * @module
 */

import { NumericsError } from "../../core/errors.ts";
import { inverseIteration } from "./tridiagonal_vectors.ts";

/** Eigenvalues, largest first, and their vectors of length 1, one a row: `[k, n]`. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/** A matrix as Q T QT. The vectors of Q's reflections stay in the rows of `a`. */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Entry i joins i - 1 and i; the first is 0. */
  readonly off: Float64Array;
}

/**
 * The `k` largest eigenvalues and their vectors. Vectors are unique up to their sign, which makes the largest component
 * positive.
 *
 * @param a `[n, n]`; its lower half is read, nothing is changed.
 * @throws {NumericsError} If the matrix is not finite.
 */
export function symmetricEigen(a: Float64Array, n: number, k: number = n): SymmetricEigen {
  const scale = largest(a, n);
  const count = Math.min(k, n);
  if (scale === 0 || n < 2) {
    const vectors = new Float64Array(count * n);
    for (let i = 0; i < count; i++) vectors[i * n + i] = 1;
    return { values: Float64Array.from({ length: count }, () => n === 1 ? a[0]! : 0), vectors };
  }
  const work = a.map((value) => value / scale);
  const taus = new Float64Array(n);
  const t = tridiagonalise(work, n, taus);
  const all = tridiagonalValues(t);
  const values = all.subarray(0, count);
  const vectors = inverseIteration(t, values);
  for (let i = 0; i < count; i++) {
    const vector = vectors.subarray(i * n, (i + 1) * n);
    turnBack(work, taus, vector);
    fixSign(vector);
  }
  return { values: values.map((value) => value * scale), vectors };
}

/** All eigenvalues, largest first. As {@linkcode symmetricEigen}, without vectors. */
export function symmetricEigenvalues(a: Float64Array, n: number): Float64Array {
  const scale = largest(a, n);
  if (scale === 0 || n < 2) return Float64Array.from({ length: n }, () => a[0]!);
  const values = tridiagonalValues(tridiagonalise(a.map((value) => value / scale), n, new Float64Array(n)));
  return values.map((value) => value * scale);
}

/** Largest size of an entry of the lower half. */
function largest(a: Float64Array, n: number): number {
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const size = Math.abs(a[i * n + j]!);
      if (!(size < Infinity)) {
        throw new NumericsError(`Cannot find eigenvalues of a ${n} x ${n} matrix: it holds ${a[i * n + j]}`);
      }
      most = Math.max(most, size);
    }
  }
  return most;
}

/**
 * Reduces from the last row up, so that every reflection reads one row. Row i keeps the vector v of its reflection
 * I - tau v vT in columns 0..i-1.
 */
function tridiagonalise(a: Float64Array, n: number, taus: Float64Array): Tridiagonal {
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const p = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const row = i * n;
    diagonal[i] = a[row + i]!;
    let sum = 0;
    for (let j = 0; j < i - 1; j++) sum += a[row + j]! ** 2;
    const last = a[row + i - 1]!;
    if (sum === 0) {
      off[i] = last;
      continue;
    }
    const beta = last > 0 ? -Math.sqrt(sum + last * last) : Math.sqrt(sum + last * last);
    off[i] = beta;
    a[row + i - 1] = last - beta;
    const tau = 2 / (sum + (last - beta) ** 2);
    taus[i] = tau;
    multiplyLower(a, n, i, p);
    let dot = 0;
    for (let j = 0; j < i; j++) dot += (p[j] = tau * p[j]!) * a[row + j]!;
    for (let j = 0; j < i; j++) p[j]! -= tau / 2 * dot * a[row + j]!;
    for (let r = 0; r < i; r++) {
      const [v, w] = [a[row + r]!, p[r]!];
      for (let j = 0, at = r * n, of = row; j <= r; j++, at++, of++) a[at]! -= v * p[j]! + w * a[of]!;
    }
  }
  diagonal[0] = a[0]!;
  return { diagonal, off };
}

/** out = A v for the leading `i` rows, of which the lower half is read; v stands in row i. */
function multiplyLower(a: Float64Array, n: number, i: number, out: Float64Array): void {
  const v = a.subarray(i * n, i * n + i);
  out.fill(0, 0, i);
  for (let r = 0; r < i; r++) {
    const factor = v[r]!;
    let sum = 0;
    let at = r * n;
    for (let j = 0; j < r; j++, at++) {
      const value = a[at]!;
      sum += value * v[j]!;
      out[j]! += value * factor;
    }
    out[r]! += sum + a[at]! * factor;
  }
}

/** All eigenvalues, largest first: QL steps with Wilkinson's shift, no vectors. */
function tridiagonalValues({ diagonal, off }: Tridiagonal): Float64Array {
  const n = diagonal.length;
  const d = diagonal.slice();
  const e = new Float64Array(n + 1);
  e.set(off.subarray(1));
  for (let l = 0; l < n; l++) {
    for (let turn = 0;; turn++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      if (turn === 60) throw new NumericsError(`Cannot find eigenvalue ${l} of ${n}: no convergence in ${turn} steps`);
      qlStep(d, e, l, m);
    }
  }
  return d.sort().reverse();
}

function qlStep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g < 0 ? -r : r));
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}

/** Applies the reflections to an eigenvector of T, which makes it one of the matrix. */
function turnBack(a: Float64Array, taus: Float64Array, x: Float64Array): void {
  const n = x.length;
  for (let i = 1; i < n; i++) {
    if (taus[i] === 0) continue;
    let dot = 0;
    for (let j = 0, at = i * n; j < i; j++, at++) dot += a[at]! * x[j]!;
    dot *= taus[i]!;
    for (let j = 0, at = i * n; j < i; j++, at++) x[j]! -= dot * a[at]!;
  }
}

function fixSign(x: Float64Array): void {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (Math.abs(x[i]!) > Math.abs(x[best]!)) best = i;
  if (x[best]! < 0) { for (let i = 0; i < x.length; i++) x[i] = -x[i]!; }
}
