/**
 * Whether scores of tiles are of a slide: its name, its size, places within it, finite numbers.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import type { Slide } from "../data/image/slide.ts";
import { positive } from "../io/tile_places.ts";
import { slideScale } from "./scale.ts";
import type { TileScores } from "./tile_scores.ts";

/** What the user says. */
export interface FitOptions {
  /** Side of a tile, pixels of level 0. */
  readonly side?: number | undefined;
  /** µm a pixel of the slide. */
  readonly mpp?: number | undefined;
  /** What is done with tiles whose score is no finite number. */
  readonly missing: "fail" | "skip";
}

/** Scores on their slide. */
export interface FittedScores {
  readonly names: readonly string[];
  /** Left upper corners, `[n, 2]`, and side, pixels of level 0. */
  readonly coords: Float64Array;
  readonly side: number;
  readonly columns: ReadonlyMap<string, Float64Array>;
  /** What a user ought to know, in words. */
  readonly notes: readonly string[];
}

type Refuse = (code: string, found: string, expected: string, hint: string) => DataError;
type SlideFacts = Pick<Slide, "name" | "levels" | "pixelSize">;

/**
 * Puts scores onto their slide.
 *
 * @param name What the slide is called.
 * @throws {DataError} If they are of another slide, lie beyond it, are no numbers, or the side of a tile is not known.
 */
export function fitScores(scores: TileScores, slide: SlideFacts, name: string, options: FitOptions): FittedScores {
  const { file, columns, places, tiles } = scores;
  const refuse: Refuse = (code, found, expected, hint) =>
    new DataError(`Cannot draw scores of ${file} over ${name}: ${found}, expected ${expected}`, {
      code,
      hint,
      context: { file, slide: name, found, expected },
    });
  const notes = [...places.notes, ...checkSlide(scores, slide, name, refuse)];
  const { coords, side } = squaresOf(places, slide, options, refuse);
  checkInside(coords, side, slide, refuse);
  const kept = keptRows(columns, coords.length / 2, options.missing, refuse);
  const left = coords.length / 2 - kept.length;
  if (left > 0) notes.push(`${count(left, "tile")} without a finite score left out`);
  return {
    names: kept.map((i) => tiles?.[i] ?? `x${coords[2 * i]}y${coords[2 * i + 1]}`),
    coords: Float64Array.from(kept.flatMap((i) => [coords[2 * i]!, coords[2 * i + 1]!])),
    side,
    columns: new Map([...columns].map(([key, all]) => [key, Float64Array.from(kept, (i) => all[i]!)])),
    notes,
  };
}

/** Refuses tiles that say they are of another slide. @returns What a user ought to know. */
function checkSlide({ places: { said } }: TileScores, { levels }: SlideFacts, name: string, refuse: Refuse): string[] {
  const { width, height } = levels[0]!;
  const [w, h] = [positive(said["level0_width"]), positive(said["level0_height"])];
  if (w !== undefined && h !== undefined && (w !== width || h !== height)) {
    const found = `they are of a slide of ${w}x${h} pixels`;
    throw refuse("other-slide", found, `${width}x${height}`, "Give the slide that these tiles were cut from");
  }
  const other = said["name"];
  if (typeof other !== "string" || other === "" || other === name) return [];
  if (w !== undefined) return [`its tiles are of a slide called ${other}, of the same size`];
  const hint = `Give the slide ${other}, or name this one's file so if it is the same`;
  throw refuse("other-slide", `they are of the slide ${other}`, name, hint);
}

/** Tiles in pixels of level 0, by their left upper corners. */
function squaresOf(
  places: TileScores["places"],
  slide: SlideFacts,
  { side: given, mpp }: FitOptions,
  refuse: Refuse,
): { coords: Float64Array; side: number } {
  const um = places.unit === "um" ? slideScale(slide, { flag: mpp }).um : 1;
  const corners = places.coords.map((value) => value / um);
  const side = given ?? (places.side === undefined ? undefined : places.side / um);
  if (side === undefined) {
    const step = smallestStep(corners);
    const hint = "Pass --tile-side, pixels of the largest level" +
      (step === undefined ? "" : `; ${step} is the smallest step between tiles`);
    throw refuse("no-side", "nothing says how large a tile is", "patch_size_level0 at the coordinates", hint);
  }
  const half = places.said["coords_of"] === "centre" ? side / 2 : 0;
  return { coords: corners.map((value) => value - half), side };
}

function checkInside(coords: Float64Array, side: number, { levels }: SlideFacts, refuse: Refuse): void {
  const { width, height } = levels[0]!;
  const tiles = coords.length / 2;
  const beyond = Array.from({ length: tiles }, (_, i) => i).filter((i) => {
    const [x, y] = [coords[2 * i]!, coords[2 * i + 1]!];
    return !(x + side > 0 && y + side > 0 && x < width && y < height);
  });
  if (beyond.length === 0) return;
  const first = `the first, row ${beyond[0]}, at ${coords[2 * beyond[0]!]}, ${coords[2 * beyond[0]! + 1]}`;
  const found = `${beyond.length} of ${count(tiles, "tile")} lie beyond it, ${first}`;
  const hint = "Coordinates are left upper corners in pixels of the largest level";
  throw refuse("coordinates-outside", found, `places within ${width}x${height} pixels`, hint);
}

/** Rows whose scores are all finite. */
function keptRows(
  columns: TileScores["columns"],
  rows: number,
  missing: FitOptions["missing"],
  refuse: Refuse,
): number[] {
  const kept: number[] = [];
  let bad = 0;
  let first: string | undefined;
  for (let i = 0; i < rows; i++) {
    const wrong = [...columns].find(([, column]) => !Number.isFinite(column[i]!));
    if (wrong === undefined) kept.push(i);
    else first ??= `the first, row ${i}, has ${wrong[1][i]} in ${wrong[0]}`;
    if (wrong !== undefined) bad++;
  }
  if (bad > 0 && missing === "fail") {
    const hint = "Pass --missing skip to leave those tiles out, which stay without colour";
    throw refuse(
      "scores-nan",
      `${bad} of ${count(rows, "tile")} have no finite score, ${first}`,
      "a number a tile",
      hint,
    );
  }
  if (kept.length > 0) return kept;
  const hint = "No tissue was found on it, or nothing was scored";
  throw refuse("no-tiles", `none of ${count(rows, "tile")} has a score`, "one at least", hint);
}

/** The smallest distance between neighbouring corners along an axis; undefined where there are none. */
export function smallestStep(corners: Float64Array): number | undefined {
  let step = Infinity;
  for (const axis of [0, 1]) {
    const places = [...new Set(corners.filter((_, i) => i % 2 === axis))].sort((a, b) => a - b);
    for (let i = 1; i < places.length; i++) step = Math.min(step, places[i]! - places[i - 1]!);
  }
  return Number.isFinite(step) ? step : undefined;
}

/**
 * Scores of the two ends of the colours, as text `LOW,HIGH`.
 *
 * @throws {ConfigError} If it is not two numbers, the second the larger.
 */
export function parseRange(text: string): readonly [low: number, high: number] {
  const [low, high, ...more] = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (more.length === 0 && low !== undefined && high !== undefined && low < high && Number.isFinite(high - low)) {
    return [low, high];
  }
  throw new ConfigError(`Cannot use --range ${text}: wanted LOW,HIGH, two numbers, the second the larger`, {
    hint: "For example --range 0,1",
    context: { given: text },
  });
}
