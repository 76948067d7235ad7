/**
 * The eight flips and rotations of a square, which keep its centre where it is.
 *
 * Element `k` is `numpy.rot90(k < 4 ? image : image[:, ::-1], k % 4)`: for k from 4 on a mirror image of left and right,
 * then k % 4 quarter turns against the clock. Element 0 changes nothing.
 *
 * @module
 */

/** Number of elements. */
export const DIHEDRAL = 8;

/** Applies `second` after `first`: the one element that does both. */
export function compose(first: number, second: number): number {
  // A turn after a mirror image is the opposite turn before it.
  const turns = second < 4 ? first + second : second - first;
  return ((first ^ second) & 4) | (turns & 3);
}

/** The element that undoes `k`. */
export function inverse(k: number): number {
  return k < 4 ? (4 - k) & 3 : k;
}

/** Where the pixels of a turned image were: pixel `[y, x]` was number `first + y * down + x * right`, counted by rows. */
export interface Turned {
  readonly first: number;
  readonly down: number;
  readonly right: number;
}

/** Where the pixels of a square image were before element `k`, 0 to 7. */
export function turnedFrom(size: number, k: number): Turned {
  // The pixel at row y, column x comes from a place that is linear in both: turned back, then mirrored.
  const last = size - 1;
  const [row0, rowY, rowX] = ([[0, 1, 0], [0, 0, 1], [last, -1, 0], [last, 0, -1]] as const)[(k & 3) as 0];
  const [column0, columnY, columnX] = ([[0, 0, 1], [last, -1, 0], [last, 0, -1], [0, 1, 0]] as const)[(k & 3) as 0];
  const [start, across] = k < 4 ? [column0, 1] : [last - column0, -1];
  return { first: row0 * size + start, down: rowY * size + across * columnY, right: rowX * size + across * columnX };
}

/**
 * Applies an element to a square image.
 *
 * @param rgb `[size, size, 3]`.
 * @param k 0 to 7.
 * @returns A new array.
 */
export function turn<T extends Uint8Array | Float32Array>(rgb: T, size: number, k: number): T {
  const out = rgb.slice() as T;
  if (k === 0) return out;
  const { first, down, right } = turnedFrom(size, k);
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0, from = 3 * (first + y * down); x < size; x++, from += 3 * right, to += 3) {
      out[to] = rgb[from]!;
      out[to + 1] = rgb[from + 1]!;
      out[to + 2] = rgb[from + 2]!;
    }
  }
  return out;
}
