/**
 * Small images of slides: outlines of tissue, places of tiles, and scores of tiles laid over them.
 *
 * Source: TRIDENT for how scores become ranks, cover pixels and are blended; K. Moreland, "Diverging color maps for scientific
 * visualization" (2009) for the colours.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Outline } from "../data/image/polygons.ts";

type Colour = readonly [number, number, number];

/** Colours of tissue's outlines, of its holes, and of tiles. */
const TISSUE: Colour = [0, 160, 60];
const HOLE: Colour = [30, 90, 220];
const TILE: Colour = [20, 20, 20];

/** From the lowest rank over the middle to the highest. */
const DIVERGING: readonly Colour[] = [[59, 76, 192], [124, 159, 249], [221, 221, 221], [245, 152, 122], [180, 4, 38]];

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

/** Ranks as shares of the number of scores, those of equal scores averaged; scores that are none have none. */
export function percentiles(scores: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: scores.length }, (_, i) => i).filter((i) => !Number.isNaN(scores[i]!));
  order.sort((a, b) => scores[a]! - scores[b]!);
  const out = new Float64Array(scores.length).fill(NaN);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) to++;
    const rank = (from + 1 + to) / 2 / order.length;
    for (let k = from; k < to; k++) out[order[k]!] = rank;
    from = to;
  }
  return out;
}

/** The colour of a rank between 0 and 1. */
export function rankColour(rank: number): [number, number, number] {
  const place = Math.min(1, Math.max(0, rank)) * (DIVERGING.length - 1);
  const below = Math.min(DIVERGING.length - 2, Math.floor(place));
  const [a, b] = [DIVERGING[below]!, DIVERGING[below + 1]!];
  return [0, 1, 2].map((c) => Math.round(a[c]! + (b[c]! - a[c]!) * (place - below))) as [number, number, number];
}

/**
 * The image under a map of its tiles' ranks, where there are tiles: of tiles that overlap the mean.
 *
 * @param coords Left upper corners, `[tiles, 2]`, pixels of level 0.
 * @param side Of a tile, pixels of level 0.
 * @param ranks Between 0 and 1, from {@linkcode percentiles}.
 */
export function heatMap(
  image: RgbImage,
  coords: ArrayLike<number>,
  side: number,
  ranks: ArrayLike<number>,
  [sx, sy]: DrawingScale,
): RgbImage {
  const { width, height } = image;
  const [sums, counts] = [new Float64Array(width * height), new Uint16Array(width * height)];
  const [across, down] = [Math.ceil(side * sx), Math.ceil(side * sy)];
  for (let i = 0; i < ranks.length; i++) {
    if (Number.isNaN(ranks[i]!)) continue;
    const [left, top] = [Math.ceil(coords[2 * i]! * sx), Math.ceil(coords[2 * i + 1]! * sy)];
    for (let y = top; y < Math.min(height, top + down); y++) {
      for (let x = left; x < Math.min(width, left + across); x++) {
        sums[y * width + x]! += ranks[i]!;
        counts[y * width + x]!++;
      }
    }
  }
  const data = image.data.slice();
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    const colour = rankColour(sums[i]! / counts[i]!);
    for (let c = 0; c < 3; c++) data[3 * i + c] = Math.round(0.6 * data[3 * i + c]! + 0.4 * colour[c]!);
  }
  return { width, height, data };
}
