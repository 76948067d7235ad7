/**
 * Images of a sample in HEST's layout: the slide made small, patches cut around spots, and an image that shows where
 * they lie.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import { resizeSquare } from "./image/resize.ts";
import { bestLevel, type Slide } from "./image/slide.ts";
import type { Generation, PatchScale, Window } from "./image/windows.ts";

/** Rows of a slide read at once while it is made small. */
const STRIP = 256;
const GREEN = [0, 160, 0] as const;
const RED = [220, 0, 0] as const;

/** An image made small, and its share of the full size. */
export interface Thumbnail extends RgbImage {
  readonly scale: number;
}

/** A slide made small: the level it is made from, and the share of that which is damaged and white. */
export interface SmallSlide extends Thumbnail {
  readonly level: number;
  readonly lost: number;
}

/** Share of a level that may be damaged before a finer one is looked at. */
const MOST_LOST = 0.01;

/**
 * Makes a slide small: means of the pixels of the coarsest level that is fine enough. Never larger than the slide. Where much of
 * that level is damaged, and damaged tiles are white, the finer level with the least damage is taken.
 *
 * @param onRows Told which share of a level was read.
 */
export async function shrink(slide: Slide, longEdge: number, onRows?: (done: number) => void): Promise<SmallSlide> {
  const full = slide.levels[0]!;
  const scale = Math.min(1, longEdge / Math.max(full.width, full.height));
  let best: SmallSlide | undefined;
  for (let number = bestLevel(slide, 1 / scale); number >= 0; number--) {
    const image = await shrinkLevel(slide, number, scale, onRows);
    const { width, height } = slide.levels[number]!;
    const white = slide.damaged.reduce((sum, { level, pixels }) => sum + (level === number ? pixels : 0), 0);
    const found = { ...image, scale, level: number, lost: white / (width * height) };
    if (best === undefined || found.lost < best.lost) best = found;
    if (found.lost <= MOST_LOST) break;
  }
  return best!;
}

async function shrinkLevel(
  slide: Slide,
  number: number,
  scale: number,
  onRows?: (done: number) => void,
): Promise<RgbImage> {
  const full = slide.levels[0]!;
  const level = slide.levels[number]!;
  const [width, height] = [full.width, full.height].map((n) => Math.max(1, Math.round(n * scale))) as [number, number];
  const sums = new Float64Array(width * height * 3);
  const counts = new Uint32Array(width * height);
  const column = Uint32Array.from({ length: level.width }, (_, x) => Math.floor(x * width / level.width));
  for (let top = 0; top < level.height; top += STRIP) {
    const rows = Math.min(STRIP, level.height - top);
    const { data } = await slide.read(number, 0, top, level.width, rows);
    for (let r = 0, from = 0; r < rows; r++) {
      const line = Math.floor((top + r) * height / level.height) * width;
      for (let x = 0; x < level.width; x++, from += 3) {
        const to = line + column[x]!;
        counts[to]!++;
        sums[3 * to]! += data[from]!;
        sums[3 * to + 1]! += data[from + 1]!;
        sums[3 * to + 2]! += data[from + 2]!;
      }
    }
    onRows?.((top + rows) / level.height);
  }
  const data = Uint8Array.from(sums, (sum, i) => Math.round(sum / Math.max(1, counts[Math.floor(i / 3)]!)));
  return { width, height, data };
}

/**
 * Cuts the patches of windows. The slide is read from top to bottom, so they come in another order than the windows.
 *
 * @param take Called with the number of the window and its patch, RGB bytes `[size, size, 3]`.
 */
export async function cutPatches(
  slide: Slide,
  pixelSize: number,
  windows: readonly Window[],
  generation: Generation,
  patch: PatchScale,
  take: (window: number, rgb: Uint8Array) => void,
): Promise<void> {
  const number = generation === "current" ? bestLevel(slide, patch.pixelSize / pixelSize) : 0;
  const { downsample } = slide.levels[number]!;
  const order = windows.map((_, i) => i).sort((a, b) => windows[a]!.y - windows[b]!.y);
  for (const i of order) {
    const { x, y, side } = windows[i]!;
    const n = Math.max(1, Math.round(side / downsample));
    const { data } = await slide.read(number, Math.floor(x / downsample), Math.floor(y / downsample), n, n);
    take(i, resizeSquare(data, n, patch.size, generation === "current" ? "linear" : "cubic"));
  }
}

/**
 * The small image with a ring around every spot, green where it has a patch and red where not.
 *
 * @param radius Of a spot, level-0 pixels.
 */
export function drawSpots(
  { width, height, data, scale }: Thumbnail,
  spatial: Float64Array,
  patched: ReadonlySet<number>,
  radius: number,
): RgbImage {
  const out = data.slice();
  const steps = Math.max(16, Math.ceil(radius * scale * 8));
  for (let spot = 0; 2 * spot < spatial.length; spot++) {
    for (let k = 0; k < steps; k++) {
      const angle = 2 * Math.PI * k / steps;
      const x = Math.floor((spatial[2 * spot]! + radius * Math.cos(angle)) * scale);
      const y = Math.floor((spatial[2 * spot + 1]! + radius * Math.sin(angle)) * scale);
      if (x >= 0 && y >= 0 && x < width && y < height) out.set(patched.has(spot) ? GREEN : RED, (y * width + x) * 3);
    }
  }
  return { width, height, data: out };
}
