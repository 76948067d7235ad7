/**
 * Images made larger or smaller as Pillow's `resize` does: antialiased, integer weights, each pass rounded to 8 bits.
 *
 * Source: Pillow `Resample.c` (`ImagingResampleHorizontal_8bpc` and the vertical one).
 *
 * @module
 */

import { fixedTaps, type ResampleFilter, resampleTaps } from "../core/resample.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";

/** Of each result along an axis: its first source, how many there are, and their weights, `width` apart. */
interface Axis {
  readonly width: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
}

const axes: Map<string, Axis> = new Map();
/** Tables kept: a run resizes few sizes again and again. */
const MOST_AXES = 64;

function axisOf(from: number, to: number, filter: ResampleFilter): Axis {
  const key = `${from} ${to} ${filter}`;
  const known = axes.get(key);
  if (known !== undefined) return known;
  const { width, start, ...taps } = resampleTaps(from, to, { filter, antialias: true });
  const all = fixedTaps({ width, start, ...taps });
  const axis = { width, first: new Int32Array(to), count: new Int32Array(to), weights: new Int32Array(to * width) };
  for (let o = 0; o < to; o++) {
    // At the edges weights are zero whose sources do not exist.
    const own = all.subarray(o * width, (o + 1) * width);
    const before = Math.max(0, own.findIndex((weight) => weight !== 0));
    const kept = own.subarray(before, own.findLastIndex((weight) => weight !== 0) + 1);
    axis.first[o] = start[o]! + before;
    axis.count[o] = kept.length;
    axis.weights.set(kept, o * width);
  }
  if (axes.size >= MOST_AXES) axes.clear();
  axes.set(key, axis);
  return axis;
}

/** Resizes RGB; bicubic is Pillow's default. The image itself where nothing changes. */
export function resizeImage(
  image: RgbImage,
  width: number,
  height: number,
  filter: ResampleFilter = "bicubic",
): RgbImage {
  const across = image.width === width
    ? image.data
    : alongRows(image.data, axisOf(image.width, width, filter), image.height, image.width);
  const data = image.height === height ? across : alongColumns(across, axisOf(image.height, height, filter), width);
  return { width, height, data };
}

/** Half of the unit that weights have: sums are rounded. They stay below 2^31. */
const HALF = 2 ** 21;
const UNIT_BITS = 22;

function alongRows(
  from: Uint8Array,
  { width, first, count, weights }: Axis,
  rows: number,
  extent: number,
): Uint8Array<ArrayBuffer> {
  const columns = first.length;
  const out = new Uint8ClampedArray(rows * columns * 3);
  for (let row = 0, to = 0; row < rows; row++) {
    const line = row * extent;
    for (let o = 0; o < columns; o++, to += 3) {
      let [r, g, b] = [HALF, HALF, HALF];
      const end = o * width + count[o]!;
      for (let k = o * width, at = 3 * (line + first[o]!); k < end; k++, at += 3) {
        const weight = weights[k]!;
        r = (r + Math.imul(weight, from[at]!)) | 0;
        g = (g + Math.imul(weight, from[at + 1]!)) | 0;
        b = (b + Math.imul(weight, from[at + 2]!)) | 0;
      }
      out[to] = r >> UNIT_BITS;
      out[to + 1] = g >> UNIT_BITS;
      out[to + 2] = b >> UNIT_BITS;
    }
  }
  return new Uint8Array(out.buffer);
}

/** A row of results at a time, so that sources are read in the order they lie in. */
function alongColumns(
  from: Uint8Array,
  { width, first, count, weights }: Axis,
  extent: number,
): Uint8Array<ArrayBuffer> {
  const line = 3 * extent;
  const rows = first.length;
  const out = new Uint8ClampedArray(rows * line);
  const sums = new Int32Array(line);
  for (let o = 0; o < rows; o++) {
    sums.fill(HALF);
    for (let t = 0; t < count[o]!; t++) {
      const [weight, base] = [weights[o * width + t]!, (first[o]! + t) * line];
      for (let i = 0; i < line; i++) sums[i] = (sums[i]! + Math.imul(weight, from[base + i]!)) | 0;
    }
    for (let i = 0; i < line; i++) out[o * line + i] = sums[i]! >> UNIT_BITS;
  }
  return new Uint8Array(out.buffer);
}
