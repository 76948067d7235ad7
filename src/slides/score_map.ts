/**
 * Scores of tiles as colours over the small image of their slide, with a legend below, and as measurements of squares.
 *
 * Source: TRIDENT for how scores become ranks, cover pixels and are blended.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import { type ColourMap, colourOf } from "../core/colour_maps.ts";
import type { DrawingScale } from "./drawing.ts";
import { type Legend, type ScoredTile, tileSide, withLegend } from "./legend.ts";

/** How scores become colours. */
export interface ScoreStyle {
  /** By rank, or linearly from the lowest to the highest score. */
  readonly scale: "percentile" | "minmax";
  /** Scores of the two ends of the colours, in place of `scale`; those beyond have the colours of the ends. */
  readonly range?: readonly [low: number, high: number] | undefined;
  readonly colours: ColourMap;
  /** Share of the colours, the rest is the slide's. */
  readonly opacity: number;
  /** Deviation of the Gaussian that the colours are smoothed by, in sides of a tile; 0: not smoothed. */
  readonly smooth: number;
}

/** As TRIDENT draws them. */
export const SCORE_STYLE: ScoreStyle = { scale: "percentile", colours: "coolwarm", opacity: 0.4, smooth: 0 };

/** Squares on the small image of a slide. */
export interface MappedTiles {
  /** Left upper corners, `[tiles, 2]`, and side, pixels of level 0. */
  readonly coords: ArrayLike<number>;
  readonly side: number;
  /** Pixels of the image a pixel of level 0. */
  readonly scale: DrawingScale;
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

/** Lowest and highest score; undefined where there are none. */
export function rangeOf(scores: ArrayLike<number>): readonly [low: number, high: number] | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (score < low) low = score;
    if (score > high) high = score;
  }
  return low <= high ? [low, high] : undefined;
}

/** Places of scores among the colours, 0 to 1; of scores that are all equal the middle. */
export function sharesOf(scores: ArrayLike<number>, { scale, range }: ScoreStyle): Float64Array {
  if (range === undefined && scale === "percentile") return percentiles(scores);
  const [low, high] = range ?? rangeOf(scores) ?? [0, 1];
  return Float64Array.from(scores, (score) => {
    if (low === high) return Number.isNaN(score) ? NaN : 0.5;
    return Math.min(1, Math.max(0, (score - low) / (high - low)));
  });
}

/**
 * The image under a map of its tiles' scores, where there are tiles: of tiles that overlap the mean.
 *
 * @param shares Between 0 and 1, from {@linkcode sharesOf}; NaN where a tile has none.
 */
export function heatMap(
  image: RgbImage,
  { coords, side, scale: [sx, sy] }: MappedTiles,
  shares: ArrayLike<number>,
  { colours, opacity, smooth }: ScoreStyle = SCORE_STYLE,
): RgbImage {
  const { width, height } = image;
  const [sums, counts] = [new Float64Array(width * height), new Float64Array(width * height)];
  const [across, down] = [Math.ceil(side * sx), Math.ceil(side * sy)];
  for (let i = 0; i < shares.length; i++) {
    if (Number.isNaN(shares[i]!)) continue;
    const [left, top] = [Math.ceil(coords[2 * i]! * sx), Math.ceil(coords[2 * i + 1]! * sy)];
    for (let y = Math.max(0, top); y < Math.min(height, top + down); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, left + across); x++) {
        sums[y * width + x]! += shares[i]!;
        counts[y * width + x]!++;
      }
    }
  }
  const covered = Uint8Array.from(counts, (count) => count > 0 ? 1 : 0);
  for (let i = 0; i < sums.length; i++) if (covered[i]) [sums[i], counts[i]] = [sums[i]! / counts[i]!, 1];
  if (smooth > 0) { for (const plane of [sums, counts]) blur(plane, { width, height }, [across, down], smooth); }
  const data = image.data.slice();
  // Pixels of a tile follow each other.
  let [share, colour] = [NaN, colourOf(0, colours)];
  for (let i = 0; i < covered.length; i++) {
    if (!covered[i]) continue;
    const own = sums[i]! / counts[i]!;
    if (own !== share) [share, colour] = [own, colourOf(own, colours)];
    for (let c = 0; c < 3; c++) data[3 * i + c] = Math.round((1 - opacity) * data[3 * i + c]! + opacity * colour[c]!);
  }
  return { width, height, data };
}

/** A Gaussian as three means over runs of pixels, whose variances add up to its own. @param sides Of a tile, pixels. */
function blur(
  plane: Float64Array,
  { width, height }: { width: number; height: number },
  [across, down]: readonly [number, number],
  tiles: number,
): void {
  for (let pass = 0; pass < 3; pass++) {
    for (let y = 0; y < height; y++) runningMean(plane, y * width, 1, width, halfOf(tiles * across));
    for (let x = 0; x < width; x++) runningMean(plane, x, width, height, halfOf(tiles * down));
  }
}

/** Pixels on each side of one, of three runs that make a Gaussian: a run of n has the variance (n² - 1)/12. */
function halfOf(deviation: number): number {
  return Math.max(0, Math.round((Math.sqrt(4 * deviation * deviation + 1) - 1) / 2));
}

/** Means over runs around each element; nothing lies beyond the ends. */
function runningMean(plane: Float64Array, from: number, step: number, count: number, half: number): void {
  if (half === 0) return;
  const line = Float64Array.from({ length: count }, (_, i) => plane[from + i * step]!);
  let sum = 0;
  for (let i = 0; i < Math.min(count, half); i++) sum += line[i]!;
  for (let i = 0; i < count; i++) {
    if (i + half < count) sum += line[i + half]!;
    if (i - half - 1 >= 0) sum -= line[i - half - 1]!;
    plane[from + i * step] = Math.max(0, sum) / (2 * half + 1);
  }
}

/** Which tiles stand below a map. */
export interface TileStrip {
  /** Most of the highest, and of the lowest scores. */
  readonly most: number;
  /** The small image of a tile. @param size Of its sides, pixels. */
  of(row: number, size: number): Promise<RgbImage>;
}

/**
 * A map with its legend below: colours with the scores they stand for, and tiles of the highest and lowest scores.
 *
 * @param title Name of the score, with its unit.
 */
export async function scoreMap(
  image: RgbImage,
  tiles: MappedTiles,
  { title, scores }: Pick<Legend, "title" | "scores">,
  style: ScoreStyle = SCORE_STYLE,
  strip?: TileStrip,
): Promise<RgbImage> {
  const map = heatMap(image, tiles, sharesOf(scores, style), style);
  const range = style.range ?? (style.scale === "minmax" ? rangeOf(scores) : undefined);
  const ranked = style.range === undefined && style.scale === "percentile";
  return withLegend(map, {
    title: `${title}; colours ${ranked ? "by rank" : "by score"}`,
    scores,
    colours: style.colours,
    range,
    ...await extremes(scores, tileSide(image.width), strip),
  });
}

/** The tiles of the highest and the lowest scores, each once; equal ones in the order of the rows. */
async function extremes(
  scores: ArrayLike<number>,
  size: number,
  strip: TileStrip | undefined,
): Promise<{ highest: ScoredTile[]; lowest: ScoredTile[] }> {
  const rows = Array.from({ length: scores.length }, (_, row) => row).filter((row) => !Number.isNaN(scores[row]!));
  const count = Math.min(strip?.most ?? 0, Math.ceil(rows.length / 2));
  if (strip === undefined || count === 0) return { highest: [], lowest: [] };
  rows.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const tiles = (of: readonly number[]) =>
    Promise.all(of.map(async (row) => ({ image: await strip.of(row, size), score: scores[row]! })));
  return {
    highest: await tiles(rows.slice(0, count)),
    lowest: await tiles(rows.slice(Math.max(count, rows.length - count)).reverse()),
  };
}

/** Measurements of squares for QuPath: scores by their names, and their ranks beside them. */
export function measurementsOf(
  scores: ReadonlyMap<string, ArrayLike<number>>,
): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    [...scores].flatMap(([name, column]) => [[name, column], [`${name}_percentile`, percentiles(column)]]),
  );
}
