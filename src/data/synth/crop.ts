/**
 * Patches around spots by HEST's two rules: that of HEST-1k today, and that of 2024 which the benchmark's files follow.
 *
 * Source: HEST-Library, `patching` and `segmentation`; OpenCV's resize for the interpolation.
 *
 * @module
 */

import { halve } from "../../io/image/tiff_write.ts";
import { resizeSquare } from "../image/resize.ts";
import { type Generation, PATCH_PIXEL_SIZE, placeWindows, type Window } from "../image/windows.ts";
import type { Renderer } from "./render.ts";
import { type Slide, tissueCoverage } from "./slide.ts";

export { type Generation, PATCH_PIXEL_SIZE, type Window };

/** The windows of a slide's patches, by {@linkcode placeWindows}. */
export function windows(
  slide: Slide,
  generation: Generation,
  size: number,
  spatial: Float64Array,
): readonly Window[] {
  const patch = { size, pixelSize: PATCH_PIXEL_SIZE };
  return placeWindows(slide, generation, patch, spatial, (x, y, side) => tissueCoverage(slide, x, y, side)).kept;
}

/** RGB bytes `[size, size, 3]` of a window's patch. */
export function cutPatch(renderer: Renderer, { x, y, side }: Window, generation: Generation, size: number): Uint8Array {
  const { slide } = renderer;
  // OpenSlide's choice of a level: the slides' second is half as wide and high, rounded down.
  const half = (slide.width / (slide.width >> 1) + slide.height / (slide.height >> 1)) / 2;
  if (generation === "current" && half <= PATCH_PIXEL_SIZE / slide.pixelSize) {
    const [u, v, n] = [Math.floor(x / 2), Math.floor(y / 2), Math.round(side / half)];
    return resizeSquare(halve(renderer.render(2 * u, 2 * v, 2 * n, 2 * n), 2 * n, 2 * n), n, size, "linear");
  }
  return resizeSquare(renderer.render(x, y, side, side), side, size, generation === "current" ? "linear" : "cubic");
}
