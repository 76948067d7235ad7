/**
 * Eigenvectors of a symmetric tridiagonal matrix whose eigenvalues are known, by inverse iteration.
 *
 * Vectors of close eigenvalues (nearer than 1e-3 of the norm) are kept orthogonal to each other in every step.
 *
 * Source: LAPACK's dstein; Peters and Wilkinson, "Inverse iteration, ill-conditioned equations and Newton's method" (1979).
 *
 * @module
 */

import { Rng } from "../../core/rng.ts";
import type { Tridiagonal } from "./symmetric_eigen.ts";

/** Steps of inverse iteration; the second already gives all digits as a rule. */
const STEPS = 5;

/**
 * Vectors of length 1, one a row: `[values.length, n]`.
 *
 * @param values Eigenvalues, largest first.
 */
export function inverseIteration(t: Tridiagonal, values: Float64Array): Float64Array {
  const n = t.diagonal.length;
  let norm = 0;
  for (let i = 0; i < n; i++) {
    norm = Math.max(norm, Math.abs(t.diagonal[i]!) + Math.abs(t.off[i]!) + Math.abs(t.off[i + 1] ?? 0));
  }
  const out = new Float64Array(values.length * n);
  const rng = new Rng(n, values.length);
  let first = 0;
  let shift = Infinity;
  for (let k = 0; k < values.length; k++) {
    if (k > 0 && values[k - 1]! - values[k]! > 1e-3 * norm) first = k;
    // Equal eigenvalues are separated a little, or every vector would come out the same.
    shift = Math.min(values[k]!, shift - 4 * Number.EPSILON * norm);
    const solve = factor(t, shift, Number.EPSILON * norm);
    const x = out.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) x[i] = rng.uniform() - 0.5;
    normalise(x);
    for (let step = 0; step < STEPS; step++) {
      solve(x);
      const growth = normalise(x);
      for (let again = 0; again < 2; again++) {
        for (let other = first; other < k; other++) removePart(x, out.subarray(other * n, (other + 1) * n));
      }
      const left = normalise(x);
      if (step > 0 && growth * left > 0.1 / (Number.EPSILON * norm * Math.sqrt(n))) break;
    }
  }
  return out;
}

/** Divides by the length and returns it. */
function normalise(x: Float64Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]!));
  if (most === 0) return 0;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] = x[i]! / most) ** 2;
  const length = Math.sqrt(sum);
  for (let i = 0; i < x.length; i++) x[i]! /= length;
  return most * length;
}

function removePart(x: Float64Array, other: Float64Array): void {
  let dot = 0;
  for (let i = 0; i < x.length; i++) dot += x[i]! * other[i]!;
  for (let i = 0; i < x.length; i++) x[i]! -= dot * other[i]!;
}

/** Gaussian elimination of T - shift with exchanges of neighbouring rows. Returns what solves in place. */
function factor({ diagonal, off }: Tridiagonal, shift: number, tiny: number): (x: Float64Array) => void {
  const n = diagonal.length;
  const pivot = new Float64Array(n);
  const [upper, upper2, lower] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const swapped = new Uint8Array(n);
  let d = diagonal[0]! - shift;
  let u = off[1] ?? 0;
  for (let i = 0; i + 1 < n; i++) {
    const below = off[i + 1]!;
    const next = diagonal[i + 1]! - shift;
    const beyond = off[i + 2] ?? 0;
    if (Math.abs(below) > Math.abs(d)) {
      swapped[i] = 1;
      lower[i] = d / below;
      [pivot[i], upper[i], upper2[i]] = [below, next, beyond];
      [d, u] = [u - lower[i]! * next, -lower[i]! * beyond];
    } else {
      if (Math.abs(d) < tiny) d = d < 0 ? -tiny : tiny;
      lower[i] = below / d;
      [pivot[i], upper[i]] = [d, u];
      [d, u] = [next - lower[i]! * u, beyond];
    }
  }
  pivot[n - 1] = Math.abs(d) < tiny ? (d < 0 ? -tiny : tiny) : d;
  return (x) => {
    for (let i = 0; i + 1 < n; i++) {
      const [a, b] = swapped[i] ? [x[i + 1]!, x[i]!] : [x[i]!, x[i + 1]!];
      x[i] = a;
      x[i + 1] = b - lower[i]! * a;
    }
    for (let i = n - 1; i >= 0; i--) {
      x[i] = (x[i]! - upper[i]! * (x[i + 1] ?? 0) - upper2[i]! * (x[i + 2] ?? 0)) / pivot[i]!;
    }
  };
}
