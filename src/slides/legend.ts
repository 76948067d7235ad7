/**
 * What stands below a map of scores: a bar of its colours with the scores they stand for, and the tiles of the highest and the
 * lowest scores.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import { drawText, textSize } from "../io/image/text.ts";
import { type ColourMap, colourOf } from "../core/colour_maps.ts";

/** A tile with its score. */
export interface ScoredTile {
  readonly image: RgbImage;
  readonly score: number;
}

/** What is said below a map. */
export interface Legend {
  /** Name of the score, with its unit. */
  readonly title: string;
  readonly scores: ArrayLike<number>;
  readonly colours: ColourMap;
  /** Scores of the two ends of the colours, which are linear between; undefined where colours go by rank. */
  readonly range?: readonly [low: number, high: number] | undefined;
  /** From the best on, and from the worst. */
  readonly highest: readonly ScoredTile[];
  readonly lowest: readonly ScoredTile[];
}

/** Pixels of a legend below a small map. */
const MARGIN = 12;
const BAR = { width: 480, height: 18 };
const GAP = 4;
const TILE = 96;
/** Width of a map at which its legend begins to be drawn twice as large. */
const LARGE = 1650;

/** How many times as large a legend is below a map of that many pixels across. */
function timesOf(width: number): number {
  return Math.max(1, Math.round(width / (LARGE / 1.5)));
}

/** Side of a tile below a map, pixels. @param width Of the map. */
export function tileSide(width: number): number {
  return TILE * timesOf(width);
}

/** Places of the bar below which scores are written; ranks where colours go by rank. */
const TICKS = [0, 0.25, 0.5, 0.75, 1] as const;

/** Scores at those places; by rank, by linear interpolation between sorted ones. None where there are no scores. */
export function tickScores(scores: ArrayLike<number>, range?: readonly [low: number, high: number]): number[] {
  if (range !== undefined) return TICKS.map((place) => range[0] + place * (range[1] - range[0]));
  const sorted = Float64Array.from(scores).filter((score) => !Number.isNaN(score)).sort();
  if (sorted.length === 0) return [];
  return TICKS.map((rank) => {
    const at = rank * (sorted.length - 1);
    const below = Math.floor(at);
    const next = sorted[Math.min(sorted.length - 1, below + 1)]!;
    return sorted[below]! + (next - sorted[below]!) * (at - below);
  });
}

/** Four digits are enough to read off a colour. */
function shown(score: number): string {
  return String(Number(score.toPrecision(4)));
}

/** The map with its legend below; the map stays where it is, in the left upper corner. */
export function withLegend(map: RgbImage, { title, scores, colours, range, highest, lowest }: Legend): RgbImage {
  const times = timesOf(map.width);
  const [margin, gap, side] = [MARGIN * times, GAP * times, TILE * times];
  const bar = { width: BAR.width * times, height: BAR.height * times };
  const [large, small] = [2 * times, Math.floor(1.5 * times)];
  const line = textSize("", large).height;
  const strips = [["Highest", highest], ["Lowest", lowest]].filter(([, tiles]) => tiles!.length > 0) as [
    string,
    readonly ScoredTile[],
  ][];
  const strip = line + side + gap + line;
  const most = Math.max(0, ...strips.map(([, tiles]) => tiles.length));
  const width = Math.max(
    map.width,
    bar.width + 2 * margin + 60 * times,
    textSize(title, large).width + 2 * margin,
    most * (side + gap + 2) + 2 * margin,
  );
  const height = map.height + margin + 2 * line + bar.height + 2 * gap + margin + strips.length * (strip + margin);
  const out = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  paste(out, map, 0, 0);
  let top = map.height + margin;
  drawText(out, title, margin, top, large);
  top += line + gap;
  for (let x = 0; x < bar.width; x++) {
    const colour = colourOf(x / (bar.width - 1), colours);
    for (let y = 0; y < bar.height; y++) out.data.set(colour, 3 * ((top + y) * width + margin + x));
  }
  top += bar.height + gap;
  for (const [i, score] of tickScores(scores, range).entries()) {
    const text = shown(score);
    const middle = margin + TICKS[i]! * (bar.width - 1);
    drawText(out, text, Math.max(margin, Math.round(middle - textSize(text, small).width / 2)), top, small);
  }
  top += line + margin;
  for (const [name, tiles] of strips) {
    drawText(out, name, margin, top, large);
    for (const [i, { image, score }] of tiles.entries()) {
      const left = margin + i * (side + gap + 2);
      paste(out, image, left, top + line);
      drawText(out, shown(score), left, top + line + side + gap, small);
    }
    top += strip + margin;
  }
  return out;
}

/** Puts an image into another, cut at its edge. */
function paste(out: RgbImage, { width, height, data }: RgbImage, left: number, top: number): void {
  const columns = Math.min(width, out.width - left);
  for (let y = 0; y < Math.min(height, out.height - top); y++) {
    out.data.set(data.subarray(3 * y * width, 3 * (y * width + columns)), 3 * ((top + y) * out.width + left));
  }
}
