/**
 * Pictures made larger or smaller as Pillow's `resize` does: antialiased, integer weights, each pass rounded to 8 bits.
 *
 * Source: Pillow `Resample.c` (`ImagingResampleHorizontal_8bpc` and the vertical one).
 *
 * @module
 */

import { fixedTaps, type ResampleFilter, resampleTaps } from "../core/resample.ts";
import type { Picture } from "../io/image/picture.ts";

interface Axis {
  readonly width: number;
  readonly start: Uint32Array;
  readonly weights: Int32Array;
}

const axes: Map<string, Axis> = new Map();
/** Tables kept: a run resizes few sizes again and again. */
const MOST_AXES = 64;

function axisOf(from: number, to: number, filter: ResampleFilter): Axis {
  const key = `${from} ${to} ${filter}`;
  const known = axes.get(key);
  if (known !== undefined) return known;
  const taps = resampleTaps(from, to, { filter, antialias: true });
  const axis = { width: taps.width, start: taps.start, weights: fixedTaps(taps) };
  if (axes.size >= MOST_AXES) axes.clear();
  axes.set(key, axis);
  return axis;
}

/** Resizes RGB; bicubic is Pillow's default. The picture itself where nothing changes. */
export function resizePicture(
  picture: Picture,
  width: number,
  height: number,
  filter: ResampleFilter = "bicubic",
): Picture {
  const across = picture.width === width ? picture.data : pass(
    picture.data,
    axisOf(picture.width, width, filter),
    { lines: picture.height, count: width, step: 3, lineFrom: picture.width * 3, lineTo: width * 3 },
  );
  const data = picture.height === height ? across : pass(
    across,
    axisOf(picture.height, height, filter),
    { lines: width, count: height, step: width * 3, lineFrom: 3, lineTo: 3 },
  );
  return { width, height, data };
}

/** One pass over lines of `count` results; neighbours on a line are `step` bytes apart, lines begin `lineFrom` apart. */
function pass(
  from: Uint8Array,
  { width, start, weights }: Axis,
  { lines, count, step, lineFrom, lineTo }: {
    readonly lines: number;
    readonly count: number;
    readonly step: number;
    readonly lineFrom: number;
    readonly lineTo: number;
  },
): Uint8Array<ArrayBuffer> {
  const out = new Uint8ClampedArray(lines * count * 3);
  const half = 2 ** 21;
  for (let o = 0; o < count; o++) {
    const [first, row] = [start[o]! * step, o * width];
    for (let line = 0; line < lines; line++) {
      const [base, to] = [line * lineFrom + first, line * lineTo + o * step];
      let [r, g, b] = [half, half, half];
      for (let t = 0, at = base; t < width; t++, at += step) {
        const weight = weights[row + t]!;
        if (weight === 0) continue;
        r += weight * from[at]!;
        g += weight * from[at + 1]!;
        b += weight * from[at + 2]!;
      }
      out[to] = r >> 22;
      out[to + 1] = g >> 22;
      out[to + 2] = b >> 22;
    }
  }
  return new Uint8Array(out.buffer);
}
