/**
 * Which way up a slide lies beside a small image of the same: the eight orientations of one are compared with the other.
 *
 * Both are averaged to a coarse grid, whose channels are centred, and correlated. The right orientation of one image made
 * from the other reaches more than 0.95; a claim is made only where what lies beyond 1 is three times smaller than for the
 * slide as it is, so that symmetric and empty images give none. Images of neighbouring sections reach less than 0.8.
 *
 * @module
 */

import { type Orientation, ORIENTATIONS, turned } from "../../io/image/orientation.ts";
import type { RgbImage } from "../../io/image/rgb_image.ts";

/** Points of the grid a side. */
const GRID = 64;
/** Correlation from which images show the same. */
const SAME = 0.8;
/** How much nearer to 1 the best has to be than the one it is compared with. */
const NEARER = 3;

/** What a comparison found. */
export interface WayUp {
  /** Whether the images show the same, some way up. */
  readonly same: boolean;
  /** How the slide has to be turned to lie as the small image does; undefined where none or several ways fit. */
  readonly orientation: Orientation | undefined;
  /** Correlation as it is, and turned the best way. */
  readonly asIs: number;
  readonly best: number;
}

/**
 * Compares a thumbnail of the slide with the small image, of the same or another size.
 *
 * @returns What is wrong; undefined where the slide may lie right, which is where nothing is claimed.
 */
export function wayUp(thumbnail: RgbImage, small: RgbImage): WayUp | undefined {
  const wanted = coarse(small);
  const grid = coarse(thumbnail);
  const scores = ORIENTATIONS.map((orientation) => {
    const { data } = turned({ width: GRID, height: GRID, data: grid }, orientation);
    return correlation(data, wanted);
  });
  const asIs = scores[0]!;
  const order = ORIENTATIONS.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const [first, second] = order as [number, number];
  const best = scores[first]!;
  // Empty images correlate with nothing.
  if (best < SAME) return best > 0 ? { same: false, orientation: undefined, asIs, best } : undefined;
  const clear = (other: number): boolean => 1 - other >= NEARER * (1 - best) && best - other >= 0.02;
  if (first === 0 || !clear(asIs)) return undefined;
  return { same: true, orientation: clear(scores[second]!) ? ORIENTATIONS[first]! : undefined, asIs, best };
}

/** Means over a grid of equal cells, RGB. */
function coarse({ width, height, data }: RgbImage): Uint8Array<ArrayBuffer> {
  const sums = new Float64Array(GRID * GRID * 3);
  const counts = new Uint32Array(GRID * GRID);
  const [wide, high] = [Math.max(width, GRID), Math.max(height, GRID)];
  for (let v = 0; v < high; v++) {
    const y = Math.floor((v + 0.5) * height / high);
    const row = Math.floor((v + 0.5) * GRID / high) * GRID;
    for (let u = 0; u < wide; u++) {
      const from = (y * width + Math.floor((u + 0.5) * width / wide)) * 3;
      const cell = row + Math.floor((u + 0.5) * GRID / wide);
      counts[cell]!++;
      for (let c = 0; c < 3; c++) sums[3 * cell + c]! += data[from + c]!;
    }
  }
  return Uint8Array.from(sums, (sum, i) => Math.round(sum / counts[Math.floor(i / 3)]!));
}

/** Pearson's correlation of two images, each channel about its own mean; 0 where one is constant. */
function correlation(a: Uint8Array, b: Uint8Array): number {
  const mean = (data: Uint8Array, c: number): number => {
    let sum = 0;
    for (let i = c; i < data.length; i += 3) sum += data[i]!;
    return sum / (data.length / 3);
  };
  const [p, q] = [a, b].map((data) => [0, 1, 2].map((c) => mean(data, c))) as [number[], number[]];
  let [aa, ab, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - p[i % 3]!, b[i]! - q[i % 3]!];
    aa += x * x;
    ab += x * y;
    bb += y * y;
  }
  // An image that varies by less than a level has no way up.
  const least = a.length;
  return aa < least || bb < least ? 0 : ab / Math.sqrt(aa * bb);
}
