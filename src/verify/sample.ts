/**
 * What samples of kernels are made of: which elements are looked at, and how they are collected.
 *
 * @module
 */

import type { Dispatch } from "../graph/plan.ts";

/**
 * Values of a dispatch's tensors by name, after it ran. Those that it changes in place are there too as they were before,
 * under {@linkcode beforeName}.
 */
export type Values = Readonly<Record<string, ArrayLike<number>>>;

/** Some elements of one result: as they are, and as they must be. */
export interface Sample {
  readonly name: string;
  readonly got: readonly number[];
  readonly right: readonly number[];
  /** Root mean square of the terms they are sums of, where these cancel: rounding is of their size. */
  readonly terms?: number;
}

/** Samples of a dispatch. */
export type Sampler = (values: Values, dispatch: Dispatch) => Sample[];

/** Name of the values a tensor had before. */
export function beforeName(name: string): string {
  return `${name}, before`;
}

/** Rows or columns sampled: the first and last, both sides of tiles of 32 to 128, and some between. */
export function places(n: number): number[] {
  const wanted = [0, 1, 31, 32, 63, 64, 127, 128, n >> 1, n - 2, n - 1];
  return [...new Set(wanted.filter((i) => i >= 0 && i < n))];
}

/** Elements sampled of a long row: all of a short one; of others both ends whole, and between them with a prime step. */
export function spread(n: number): number[] {
  if (n <= 4096) return Array.from({ length: n }, (_, i) => i);
  const ends = Array.from({ length: 512 }, (_, i) => [i, n - 1 - i]).flat();
  const step = Math.max(1, Math.floor((n - 1024) / 2048)) | 1;
  const between: number[] = [];
  for (let i = 512; i < n - 512; i += step) between.push(i);
  return [...ends, ...between];
}

/** Collects samples by name. */
export class Samples {
  readonly #rows: Map<string, { got: number[]; right: number[]; power: number }> = new Map();

  /** Adds an element. Where NaN is right, NaN must be there. @param term Size of the terms it is a sum of, if these cancel. */
  add(name: string, got: number, right: number, term: number = 0): void {
    let row = this.#rows.get(name);
    if (!row) this.#rows.set(name, row = { got: [], right: [], power: 0 });
    row.power += term * term;
    row.got.push(Number.isNaN(right) ? (Number.isNaN(got) ? 0 : NaN) : got);
    row.right.push(Number.isNaN(right) ? 0 : right);
  }

  /** All of them. */
  get list(): Sample[] {
    return [...this.#rows].map(([name, { got, right, power }]) => ({
      name,
      got,
      right,
      terms: Math.sqrt(power / got.length),
    }));
  }
}

/** Sum of `f(i)` for `from <= i < to`. */
export function sum(from: number, to: number, f: (i: number) => number): number {
  let total = 0;
  for (let i = from; i < to; i++) total += f(i);
  return total;
}

/** Largest difference in units of the root mean square of `right`, or of `least` if that is more. */
export function difference(got: ArrayLike<number>, right: ArrayLike<number>, least: number = 1e-30): number {
  let [power, worst] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    const [a, b] = [got[i]!, right[i]!];
    power += b * b;
    // NaN compares with nothing.
    const off = a === b ? 0 : Math.abs(a - b);
    worst = off <= worst ? worst : Number.isNaN(off) ? Infinity : off;
  }
  return worst === 0 ? 0 : worst / Math.max(Math.sqrt(power / right.length), least);
}
