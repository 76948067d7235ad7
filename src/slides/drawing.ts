/**
 * Small images of slides: outlines of tissue, and places of tiles.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Outline } from "../data/image/polygons.ts";
import type { Colour } from "../core/colour_maps.ts";

/** Colours of tissue's outlines, of its holes, and of tiles. */
const TISSUE: Colour = [0, 160, 60];
const HOLE: Colour = [30, 90, 220];
const TILE: Colour = [20, 20, 20];

/** Pixels of the small image a pixel of level 0, across and down. */
export type DrawingScale = readonly [x: number, y: number];

function put({ width, height, data }: RgbImage, x: number, y: number, colour: Colour): void {
  if (x >= 0 && y >= 0 && x < width && y < height) data.set(colour, (y * width + x) * 3);
}

/** A line two pixels wide. */
function line(image: RgbImage, x0: number, y0: number, x1: number, y1: number, colour: Colour): void {
  const steps = Math.max(1, Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0))));
  for (let i = 0; i <= steps; i++) {
    const [x, y] = [Math.floor(x0 + (x1 - x0) * i / steps), Math.floor(y0 + (y1 - y0) * i / steps)];
    for (const [dx, dy] of [[0, 0], [-1, 0], [0, -1], [-1, -1]] as const) put(image, x + dx, y + dy, colour);
  }
}

/** The image with outlines of tissue, holes in another colour. */
export function drawOutlines(image: RgbImage, outlines: readonly Outline[], [sx, sy]: DrawingScale): RgbImage {
  const out = { ...image, data: image.data.slice() };
  const ring = (points: Float64Array, colour: Colour) => {
    for (let i = 0; i + 3 < points.length; i += 2) {
      line(out, points[i]! * sx, points[i + 1]! * sy, points[i + 2]! * sx, points[i + 3]! * sy, colour);
    }
  };
  for (const { exterior, holes } of outlines) {
    ring(exterior, TISSUE);
    for (const hole of holes) ring(hole, HOLE);
  }
  return out;
}

/** The image with the edges of tiles. @param side Of a tile, pixels of level 0. */
export function drawTiles(image: RgbImage, coords: ArrayLike<number>, side: number, [sx, sy]: DrawingScale): RgbImage {
  const out = { ...image, data: image.data.slice() };
  for (let i = 0; i + 1 < coords.length; i += 2) {
    const [left, top] = [Math.floor(coords[i]! * sx), Math.floor(coords[i + 1]! * sy)];
    const [right, bottom] = [Math.floor((coords[i]! + side) * sx), Math.floor((coords[i + 1]! + side) * sy)];
    for (let x = left; x <= right; x++) for (const y of [top, bottom]) put(out, x, y, TILE);
    for (let y = top; y <= bottom; y++) for (const x of [left, right]) put(out, x, y, TILE);
  }
  return out;
}
