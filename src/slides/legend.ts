/**
 * What stands below a map of scores: a bar of its colours with the scores they stand for, and the tiles of the highest and the
 * lowest scores.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import { drawText, textSize } from "../io/image/text.ts";
import { type ColourMap, colourOf } from "./colour_maps.ts";

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

const MARGIN = 12;
const BAR = { width: 400, height: 18 };
/** Side of a tile in the strip, pixels. */
export const TILE_SIDE = 96;

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
  const line = textSize("", 2).height;
  const strips = [["Highest", highest], ["Lowest", lowest]].filter(([, tiles]) => tiles!.length > 0) as [
    string,
    readonly ScoredTile[],
  ][];
  const strip = line + TILE_SIDE + 4 + line;
  const most = Math.max(0, ...strips.map(([, tiles]) => tiles.length));
  const width = Math.max(
    map.width,
    BAR.width + 2 * MARGIN + 60,
    textSize(title).width + 2 * MARGIN,
    most * (TILE_SIDE + 6) + 2 * MARGIN,
  );
  const height = map.height + MARGIN + 2 * line + BAR.height + 4 + MARGIN + strips.length * (strip + MARGIN);
  const out = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  paste(out, map, 0, 0);
  let top = map.height + MARGIN;
  drawText(out, title, MARGIN, top);
  top += line + 4;
  for (let x = 0; x < BAR.width; x++) {
    const colour = colourOf(x / (BAR.width - 1), colours);
    for (let y = 0; y < BAR.height; y++) out.data.set(colour, 3 * ((top + y) * width + MARGIN + x));
  }
  top += BAR.height + 4;
  for (const [i, score] of tickScores(scores, range).entries()) {
    const text = shown(score);
    const middle = MARGIN + TICKS[i]! * (BAR.width - 1);
    drawText(out, text, Math.max(MARGIN, Math.round(middle - textSize(text, 1).width / 2)), top, 1);
  }
  top += line + MARGIN;
  for (const [name, tiles] of strips) {
    drawText(out, name, MARGIN, top);
    for (const [i, { image, score }] of tiles.entries()) {
      const left = MARGIN + i * (TILE_SIDE + 6);
      paste(out, image, left, top + line);
      drawText(out, shown(score), left, top + line + TILE_SIDE + 4, 1);
    }
    top += strip + MARGIN;
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
