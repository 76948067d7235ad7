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

/**
 * Applies an element to a square picture.
 *
 * @param rgb `[size, size, 3]`.
 * @param k 0 to 7.
 * @returns A new array.
 */
export function turn<T extends Uint8Array | Float32Array>(rgb: T, size: number, k: number): T {
  const out = rgb.slice() as T;
  if (k === 0) return out;
  const last = size - 1;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      // Where the pixel at row y, column x comes from: turn back, then mirror.
      const [row, column] = ([[y, x], [x, last - y], [last - y, last - x], [last - x, y]] as const)[(k & 3) as 0];
      const from = (row * size + (k < 4 ? column : last - column)) * 3;
      const to = (y * size + x) * 3;
      out[to] = rgb[from]!;
      out[to + 1] = rgb[from + 1]!;
      out[to + 2] = rgb[from + 2]!;
    }
  }
  return out;
}
