/** The one closeness matcher: normalised mean squared error and worst element. */

import type { Tolerance } from "./case.ts";

/** Result of a comparison; `text` is empty when all is well. */
export interface Closeness {
  readonly nmse: number;
  readonly max: number;
  readonly text: string;
}

/** How close is close enough. */
type Closest = Tolerance & Required<Pick<Tolerance, "nmse" | "max">>;

/** Compares `got` with `wanted`; NaN never passes. Infinite wanted values must be met exactly. */
export function compare(got: ArrayLike<number>, wanted: ArrayLike<number>, tol: Closest): Closeness {
  if (got.length !== wanted.length) {
    return { nmse: NaN, max: NaN, text: `length ${got.length}, wanted ${wanted.length}` };
  }
  let error = 0;
  let power = 0;
  let worst = 0;
  let at = 0;
  let bad = -1;
  for (let i = 0; i < wanted.length; i++) {
    const w = wanted[i]!;
    const y = got[i]!;
    if (!Number.isFinite(w) || !Number.isFinite(y)) {
      if (!Object.is(w, y) && bad < 0) bad = i;
      continue;
    }
    const d = y === 0 && Math.abs(w) < (tol.tiny ?? 0) ? 0 : Math.abs(y - w);
    error += d * d;
    power += w * w;
    if (d > worst) {
      worst = d;
      at = i;
    }
  }
  const rms = Math.sqrt(power / Math.max(1, wanted.length));
  // An all-zero reference is compared absolutely.
  const nmse = power > 0 ? error / power : error;
  const max = rms > 0 ? worst / rms : worst;
  if (bad >= 0) return { nmse: NaN, max: NaN, text: `element ${bad} is ${got[bad]}, wanted ${wanted[bad]}` };
  if (nmse <= tol.nmse && max <= tol.max) return { nmse, max, text: "" };
  const text =
    `nmse ${nmse.toExponential(2)} (allowed ${tol.nmse}), worst element ${at} is ${got[at]}, wanted ${wanted[at]}, ` +
    `${max.toExponential(2)} rms (allowed ${tol.max})`;
  return { nmse, max, text };
}

/**
 * Compares whole numbers that were rounded: each at most 1 off, and no larger share of them than `share`.
 *
 * @returns A sentence, empty when all is well.
 */
export function compareRounded(got: ArrayLike<number>, wanted: ArrayLike<number>, share: number): string {
  if (got.length !== wanted.length) return `length ${got.length}, wanted ${wanted.length}`;
  let off = 0;
  for (let i = 0; i < wanted.length; i++) {
    const d = Math.abs(got[i]! - wanted[i]!);
    if (!(d <= 1)) return `element ${i} is ${got[i]}, wanted ${wanted[i]} or one beside it`;
    off += d;
  }
  return off <= share * wanted.length ? "" : `${off} of ${wanted.length} elements are 1 off (allowed ${share} of them)`;
}

/** Whether two results are the same bits. */
export function sameBits(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
