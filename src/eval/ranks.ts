/**
 * Rank of the true partner among all rows of a gallery by cosine, in double precision. The rank of query i is one more than
 * the number of gallery rows whose cosine is strictly greater than its partner's; rows that score the same are counted apart.
 * `gallery.ts` does the same for galleries too large for this.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";

/** Row i of `queries` belongs to row i of `gallery`. Rows need not have length one. */
export interface RankInput {
  /** `[N, width]`. */
  readonly queries: Float32Array;
  /** `[N, width]`. */
  readonly gallery: Float32Array;
  /** Numbers a row. */
  readonly width: number;
}

/** How often each query's partner is beaten and met. */
export interface Ranks {
  /** Gallery rows with a strictly greater cosine, a query. */
  readonly above: Uint32Array;
  /** Other gallery rows with the same cosine, a query. */
  readonly equal: Uint32Array;
  /** 1 where query or partner has no direction (length zero, NaN, infinity): such a query has no rank. */
  readonly invalid: Uint8Array;
  /** Gallery rows that have a direction. */
  readonly valid: number;
  /** What the comparison was made in. */
  readonly precision: string;
}

/** Cosines closer than this are the same: the rounding of a sum of thousands of products. */
export const TIE = 1e-12;

/** Unit vectors whose components differ by no more are the same to a model in f32. */
const SAME = 1e-6;

/**
 * Rows divided by their length, f64; zeros where a row has none.
 *
 * @returns The rows, and 1 for each row without a direction.
 * @throws {ShapeError} If the data does not divide into rows.
 */
export function unitRows(data: ArrayLike<number>, width: number): { unit: Float64Array; bad: Uint8Array } {
  if (!(width > 0) || data.length % width !== 0) {
    throw new ShapeError(`Cannot normalise rows: ${data.length} numbers, wanted a multiple of width ${width}`);
  }
  const rows = data.length / width;
  const unit = new Float64Array(data.length);
  const bad = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    let square = 0;
    for (let e = i * width; e < (i + 1) * width; e++) square += data[e]! * data[e]!;
    const length = Math.sqrt(square);
    if (!(length > 0 && length < Infinity)) bad[i] = 1;
    else for (let e = i * width; e < (i + 1) * width; e++) unit[e] = data[e]! / length;
  }
  return { unit, bad };
}

/** Whether all rows that have a direction have the same, up to the rounding of a model's output. */
export function collapsed(data: ArrayLike<number>, width: number): boolean {
  let first: Float64Array | undefined;
  for (let at = 0; at < data.length; at += width) {
    const { unit, bad } = unitRows(Float32Array.from({ length: width }, (_, e) => data[at + e]!), width);
    if (bad[0]) continue;
    first ??= unit;
    if (unit.some((value, e) => Math.abs(value - first![e]!) > SAME)) return false;
  }
  return first !== undefined;
}

/** Ranks in a gallery that has collapsed: every row meets every other. */
export function equalRanks(invalid: Uint8Array, valid: number, precision: string): Ranks {
  const equal = Uint32Array.from(invalid, (flag) => (flag ? 0 : valid - 1));
  return { above: new Uint32Array(invalid.length), equal, invalid, valid, precision };
}

/** Refuses inputs whose rows cannot be paired. */
export function expectPairs({ queries, gallery, width }: RankInput): number {
  if (queries.length !== gallery.length || !(width > 0) || queries.length % width !== 0) {
    throw new ShapeError(
      `Cannot rank pairs: ${queries.length} and ${gallery.length} numbers, wanted as many of both and a multiple of width ${width}`,
      { context: { queries: queries.length, gallery: gallery.length, width } },
    );
  }
  return queries.length / width;
}

/**
 * Exact ranks in f64, by all N x N products.
 *
 * @throws {ShapeError} If the rows do not pair.
 */
export function cpuRanks(input: RankInput): Ranks {
  const N = expectPairs(input);
  const { width } = input;
  const [a, b] = [unitRows(input.queries, width), unitRows(input.gallery, width)];
  const dot = (i: number, j: number): number => {
    let sum = 0;
    for (let e = 0; e < width; e++) sum += a.unit[i * width + e]! * b.unit[j * width + e]!;
    return sum;
  };
  const invalid = a.bad.map((flag, i) => flag | b.bad[i]!);
  const valid = b.bad.filter((flag) => !flag).length;
  if (collapsed(input.gallery, width)) return equalRanks(invalid, valid, "f64");
  const above = new Uint32Array(N);
  const equal = new Uint32Array(N);
  for (let i = 0; i < N; i++) {
    if (invalid[i]) continue;
    const own = dot(i, i);
    for (let j = 0; j < N; j++) {
      if (j === i || b.bad[j]) continue;
      const difference = dot(i, j) - own;
      if (difference > TIE) above[i]!++;
      else if (difference >= -TIE) equal[i]!++;
    }
  }
  return { above, equal, invalid, valid, precision: "f64" };
}
