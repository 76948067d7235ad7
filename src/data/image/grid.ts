/**
 * Windows in a regular grid over a slide, where there is tissue.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { PATCH_PIXEL_SIZE, placeWindows, type Window } from "./windows.ts";

/** A cell of the grid and its window. */
export interface GridWindow extends Window {
  /** Place in the grid. */
  readonly column: number;
  readonly row: number;
  /** Centre, level-0 pixels. */
  readonly centreX: number;
  readonly centreY: number;
}

/**
 * Places windows every `step` µm, by the rule HEST cuts patches with, keeping those that lie within the picture.
 *
 * @param slide Extent in level-0 pixels, and µm of such a pixel.
 * @param step µm between centres; smaller than the window's 112 µm (of 224 pixels) they overlap.
 * @param size Side of a patch in pixels of 0.5 µm.
 * @param coverage Share of tissue in a square.
 * @throws {ConfigError} If the step is not positive or makes more than 2^24 cells.
 */
export function gridWindows(
  slide: { readonly width: number; readonly height: number; readonly pixelSize: number },
  step: number,
  size: number,
  coverage: (x: number, y: number, side: number) => number,
): GridWindow[] {
  const { width, height, pixelSize } = slide;
  const pitch = step / pixelSize;
  const side = Math.round(size * PATCH_PIXEL_SIZE / pixelSize);
  const count = (length: number) => (length < side ? 0 : Math.floor((length - side) / pitch) + 1);
  const [columns, rows] = [count(width), count(height)];
  if (!(step > 0) || !(columns * rows <= 1 << 24)) {
    throw new ConfigError(
      `Cannot lay a grid of ${step} µm over ${width} x ${height} pixels of ${pixelSize} µm: ` +
        `${step > 0 ? `${columns * rows} cells, at most ${1 << 24}` : "a positive step"} wanted`,
      { context: { step, pixelSize } },
    );
  }
  // Centred: what is left over is divided between the edges.
  const start = (length: number, n: number) => (length - (n - 1) * pitch) / 2;
  const [x0, y0] = [start(width, columns), start(height, rows)];
  const spatial = new Float64Array(2 * columns * rows);
  for (let i = 0; i < columns * rows; i++) {
    spatial[2 * i] = x0 + (i % columns) * pitch;
    spatial[2 * i + 1] = y0 + Math.floor(i / columns) * pitch;
  }
  const { kept } = placeWindows(slide, "current", size, spatial, coverage);
  return kept.filter(({ x, y }) => x >= 0 && y >= 0 && x + side <= width && y + side <= height).map((window) => ({
    ...window,
    column: window.spot % columns,
    row: Math.floor(window.spot / columns),
    centreX: spatial[2 * window.spot]!,
    centreY: spatial[2 * window.spot + 1]!,
  }));
}
