/**
 * The middle of a square image made as large as the whole: a resized crop whose centre is the image's.
 *
 * Pixel `o` of the result is the image at `size / 2 + (o + 0.5 - size / 2) * side`, interpolated linearly: for sides up to
 * 1 no average over several pixels is needed. The same as Pillow's `resize(..., BILINEAR, box)` before its rounding.
 *
 * @module
 */

/**
 * Enlarges the middle.
 *
 * @param rgb `[size, size, 3]`.
 * @param side Side of the part that is kept, as a share of the whole; above 0, at most 1.
 * @returns A new array.
 */
export function zoom(rgb: Float32Array, size: number, side: number): Float32Array<ArrayBuffer> {
  const from = new Uint32Array(size);
  const share = new Float64Array(size);
  for (let o = 0; o < size; o++) {
    const place = size / 2 + (o + 0.5 - size / 2) * side - 0.5;
    from[o] = Math.floor(place);
    share[o] = place - from[o]!;
  }
  const width = size * 3;
  const step = (at: number): number => at + 1 < size ? 1 : 0;
  const out = new Float32Array(rgb.length);
  const row = new Float64Array(width);
  for (let y = 0; y < size; y++) {
    const [above, t] = [from[y]! * width, share[y]!];
    const below = above + step(from[y]!) * width;
    for (let i = 0; i < width; i++) row[i] = rgb[above + i]! + t * (rgb[below + i]! - rgb[above + i]!);
    for (let x = 0; x < size; x++) {
      const [left, u] = [from[x]! * 3, share[x]!];
      const right = left + step(from[x]!) * 3;
      for (let c = 0; c < 3; c++) out[y * width + x * 3 + c] = row[left + c]! + u * (row[right + c]! - row[left + c]!);
    }
  }
  return out;
}
