/**
 * Patches around spots by HEST's two rules: that of HEST-1k today, and that of 2024 which the benchmark's files follow.
 *
 * Source: HEST-Library, `patching` and `segmentation`; OpenCV's resize for the interpolation.
 *
 * @module
 */

import type { Renderer } from "./render.ts";
import { type Slide, tissueCoverage } from "./slide.ts";

/** µm a pixel of patches. */
export const PATCH_PIXEL_SIZE = 0.5;
/** Tissue that a window must hold. */
const TISSUE = { current: 0.15, v1: 0.7 } as const;

/** A window around a spot, in level-0 pixels. */
export interface Window {
  /** Number of the spot. */
  readonly spot: number;
  /** Left upper corner. */
  readonly x: number;
  readonly y: number;
  /** Side. */
  readonly side: number;
}

/** Which of the two rules. */
export type Generation = "current" | "v1";

/**
 * The windows of a slide's patches, in the order of the spots; those the rule drops are left out.
 *
 * @param size Side of a patch in pixels of 0.5 µm.
 * @param spatial Centres of the spots, `[n, 2]`, x then y in level-0 pixels.
 */
export function windows(slide: Slide, generation: Generation, size: number, spatial: Float64Array): Window[] {
  const length = size * PATCH_PIXEL_SIZE / slide.pixelSize;
  const side = Math.round(length);
  const kept: Window[] = [];
  for (let spot = 0; 2 * spot < spatial.length; spot++) {
    const [cx, cy] = [spatial[2 * spot]!, spatial[2 * spot + 1]!];
    const left = (centre: number) =>
      generation === "current" ? centre - Math.floor(length / 2) : Math.trunc(centre) - Math.floor(side / 2);
    const [x, y] = [left(cx), left(cy)];
    const { width, height } = slide;
    const inside = generation === "current"
      ? x + length >= 0 && y + length >= 0 && x < width && y < height
      : x >= 0 && y >= 0 && x + side <= width && y + side <= height;
    const window = { spot, x: Math.trunc(x), y: Math.trunc(y), side };
    if (inside && tissueCoverage(slide, window.x, window.y, side) >= TISSUE[generation]) kept.push(window);
  }
  return kept;
}

/** RGB bytes `[size, size, 3]` of a window's patch. */
export function cutPatch(renderer: Renderer, { x, y, side }: Window, generation: Generation, size: number): Uint8Array {
  const { slide } = renderer;
  // OpenSlide's choice of a level: the slides' second is half as wide and high, rounded down.
  const half = (slide.width / (slide.width >> 1) + slide.height / (slide.height >> 1)) / 2;
  if (generation === "current" && half <= PATCH_PIXEL_SIZE / slide.pixelSize) {
    const [u, v, n] = [Math.floor(x / 2), Math.floor(y / 2), Math.round(side / half)];
    return resize(halve(renderer.render(2 * u, 2 * v, 2 * n, 2 * n), 2 * n, 2 * n), n, size, linear);
  }
  return resize(renderer.render(x, y, side, side), side, size, generation === "current" ? linear : cubic);
}

/** The next level of a pyramid: rounded means of two by two pixels; an odd last row or column is dropped. */
export function halve(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const [w, h] = [width >> 1, height >> 1];
  const out = new Uint8Array(w * h * 3);
  for (let y = 0, to = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const from = (2 * y * width + 2 * x) * 3;
      for (let c = 0; c < 3; c++, to++) {
        const below = from + 3 * width + c;
        out[to] = (rgb[from + c]! + rgb[from + 3 + c]! + rgb[below]! + rgb[below + 3]! + 2) >> 2;
      }
    }
  }
  return out;
}

/** Weights of the pixels around a place: the first is `floor(place) + first`. */
type Kernel = { readonly first: number; weights(fraction: number): number[] };

const linear: Kernel = { first: 0, weights: (t) => [1 - t, t] };
/** OpenCV's bicubic, a = -0.75. */
const cubic: Kernel = {
  first: -1,
  weights(t) {
    const a = -0.75;
    const far = (d: number) => a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a;
    const near = (d: number) => (a + 2) * d * d * d - (a + 3) * d * d + 1;
    return [far(1 + t), near(t), near(1 - t), far(2 - t)];
  },
};

/** Resizes a square as OpenCV does: half-pixel centres, no antialias, edges repeated. */
function resize(rgb: Uint8Array, from: number, to: number, kernel: Kernel): Uint8Array {
  if (from === to) return rgb;
  const taps = Array.from({ length: to }, (_, i) => {
    const place = (i + 0.5) * from / to - 0.5;
    const base = Math.floor(place);
    return kernel.weights(place - base).map((weight, k) => ({
      weight,
      at: Math.min(Math.max(base + kernel.first + k, 0), from - 1),
    }));
  });
  const rows = new Float64Array(from * to * 3);
  for (let y = 0; y < from; y++) {
    for (const [x, around] of taps.entries()) {
      for (const { weight, at } of around) {
        for (let c = 0; c < 3; c++) rows[(y * to + x) * 3 + c]! += weight * rgb[(y * from + at) * 3 + c]!;
      }
    }
  }
  const out = new Uint8ClampedArray(to * to * 3);
  const sum = new Float64Array(to * 3);
  for (const [y, around] of taps.entries()) {
    sum.fill(0);
    for (const { weight, at } of around) {
      for (let i = 0; i < to * 3; i++) sum[i]! += weight * rows[at * to * 3 + i]!;
    }
    out.set(sum, y * to * 3);
  }
  return new Uint8Array(out.buffer);
}
