/**
 * What a report shows of attention: maps and tiles of some test cases, over their slides where these are there, and what the model
 * says of cases without some of their tiles.
 *
 * @module
 */

import { openSlide, type Slide } from "../../data/image/slide.ts";
import { shrink } from "../../data/hest_sample.ts";
import { type Disk, randomAccess } from "../../io/disk.ts";
import type { RgbImage } from "../../io/image/rgb_image.ts";
import { encodePng } from "../../io/image/png_write.ts";
import { positive } from "../../io/tile_places.ts";
import {
  ATTENTION_SCHEMA,
  type AttentionCase,
  type AttentionFile,
  type AttentionSlide,
  type AttentionTile,
  type LeaveOut as LeaveOutFacts,
} from "../../report/attention_evidence.ts";
import { EVIDENCE } from "../../report/run_evidence.ts";
import { smallestStep } from "../../slides/fit_scores.ts";
import { tickScores } from "../../slides/legend.ts";
import { tilesGeoJson } from "../../slides/outlines.ts";
import { heatMap, measurementsOf, SCORE_STYLE, scoreMap, sharesOf } from "../../slides/score_map.ts";
import { findSlides, type SlideInput } from "../../slides/slide_inputs.ts";
import { cutSmall } from "../../slides/tile_reader.ts";
import type { FileContent } from "../method.ts";
import { bySlides, placed, type SlideAttention } from "./attention_files.ts";
import type { MilConfig } from "./config.ts";
import type { MilSession } from "./training.ts";

/** A test case with what is said of it. */
export interface ShownCase {
  readonly bag: number;
  /** Of each of its tiles. */
  readonly attention: Float32Array;
  /** What is true, and what the model says, in words. */
  readonly truth: string;
  readonly said: string;
  readonly right?: boolean;
}

/** What is made: `evaluation/attention.json` and the files beside it, by their paths below the folder of the run. */
export interface ShownAttention {
  readonly files: ReadonlyMap<string, FileContent>;
  /** What a user ought to know, in words. */
  readonly notes: readonly string[];
}

/** Tiles of a case that are shown on each side, and pixels of their sides. */
const TILES = { most: 4, side: 96 } as const;
/** Long sides of the maps, pixels: on the page, and with their legend as a file of their own. */
const LONG = { page: 640, file: 1600 } as const;

/** What is to be shown. */
export interface ShownRequest {
  /** Name of the model in sentences. */
  readonly model: string;
  /** How the shown cases were chosen, in words. */
  readonly chosen: string;
  readonly shown: readonly ShownCase[];
  /** What the model says of cases without some of their tiles. */
  readonly left: LeaveOutFacts | undefined;
}

/** Slides of a configuration by their names. @throws {DataError} If a path is not there, or holds none. */
export function findGiven({ input: { slides } }: MilConfig, disk: Disk): Map<string, SlideInput> {
  const found = slides.length > 0 ? findSlides(disk, slides, undefined, "file", "draw attention over") : [];
  return new Map(found.map((slide) => [slide.name, slide]));
}

/** Makes it. */
export async function shownAttention(
  session: MilSession,
  { model, chosen, shown, left }: ShownRequest,
  disk: Disk,
): Promise<ShownAttention> {
  const files = new Map<string, FileContent>();
  const notes: string[] = [];
  const slides = findGiven(session.config, disk);
  const cases: AttentionCase[] = [];
  const fold = session.data.fold;
  for (const one of shown) {
    const { name, count, files: own } = session.data.set.bags[one.bag]!;
    const tiles: SlideAttention[] = [];
    for (const tile of bySlides({ files: own }, one.attention)) tiles.push(await placed(disk, tile));
    const drawn = await drawCase(tiles, slides, disk, files, notes);
    const { truth, said, right } = one;
    cases.push({ case: name, fold, truth, said, ...(right !== undefined && { right }), tiles: count, ...drawn });
  }
  const file: AttentionFile = { schema: ATTENTION_SCHEMA, model, chosen, cases, ...(left && { leave_out: left }) };
  files.set(EVIDENCE.attentionCases, `${JSON.stringify(file, undefined, 1)}\n`);
  return { files, notes };
}

/** Slides of a case, drawn. */
async function drawCase(
  slides: readonly SlideAttention[],
  known: ReadonlyMap<string, SlideInput>,
  disk: Disk,
  files: Map<string, FileContent>,
  notes: string[],
): Promise<Pick<AttentionCase, "slides" | "highest" | "lowest">> {
  const own: AttentionSlide[] = [];
  const opened = new Map<string, Slide>();
  try {
    for (const one of slides) {
      const input = known.get(one.slide);
      const slide = input && await openFitting(input, one, disk, notes);
      if (slide) opened.set(one.slide, slide);
      own.push(await drawSlide(one, slide, files));
    }
    const all = slides.reduce((sum, { attention }) => sum + attention.length, 0);
    const count = Math.min(TILES.most, all >> 1 || 1);
    const tiles = async (sign: 1 | -1): Promise<AttentionTile[]> => {
      const made: AttentionTile[] = [];
      for (const { one, row } of extremes(slides, count, sign)) {
        made.push(await tileOf(one, row, opened.get(one.slide), files));
      }
      return made;
    };
    return {
      slides: own,
      highest: await tiles(1),
      lowest: all > 1 ? await tiles(-1) : [],
    };
  } finally {
    for (const slide of opened.values()) slide.close();
  }
}

/** A tile of a slide. */
interface Tile {
  readonly one: SlideAttention;
  readonly row: number;
}

/** Tiles of most attention (`sign` 1) or of least (-1), the outermost first; of equal ones the highest are the first. */
function extremes(slides: readonly SlideAttention[], count: number, sign: 1 | -1): Tile[] {
  const found: (Tile & { readonly attention: number })[] = [];
  for (const one of slides) {
    for (const [row, attention] of one.attention.entries()) {
      const last = found.at(-1);
      const over = last === undefined ? 1 : sign * (attention - last.attention);
      if (found.length >= count && (sign > 0 ? over <= 0 : over < 0)) continue;
      const at = found.findIndex((tile) => sign > 0 ? attention > tile.attention : attention <= tile.attention);
      found.splice(at < 0 ? found.length : at, 0, { one, row, attention });
      found.length = Math.min(found.length, count);
    }
  }
  return found;
}

/** Opens the slide of tiles; undefined, with a note, where it cannot be read or is of another size. */
async function openFitting(
  { path }: SlideInput,
  { slide: name, places }: SlideAttention,
  disk: Disk,
  notes: string[],
): Promise<Slide | undefined> {
  let slide: Slide;
  try {
    slide = await openSlide(randomAccess(disk.open(path, "read")), { damagedTiles: "white" });
  } catch (error) {
    notes.push(`No map of ${name} over its slide: ${(error as Error).message}`);
    return undefined;
  }
  const { width, height } = slide.levels[0]!;
  const [w, h] = [positive(places?.said["level0_width"]), positive(places?.said["level0_height"])];
  if ((w === undefined || w === width) && (h === undefined || h === height)) return slide;
  notes.push(`No map of ${name} over ${path}: it has ${width}x${height} pixels, its tiles are of ${w}x${h}`);
  slide.close();
  return undefined;
}

/** File names of slides, which may hold anything. */
function plain(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "_");
}

/** Side of a tile in pixels of level 0, and size of the slide as far as it is known. */
function extentOf({ places }: SlideAttention): { side: number; width: number; height: number } | undefined {
  if (places === undefined || places.coords.length === 0) return undefined;
  const { coords, said } = places;
  const side = positive(said["patch_size_level0_exact"]) ?? positive(said["patch_size_level0"]) ?? smallestStep(coords);
  if (side === undefined) return undefined;
  const most = (axis: number) =>
    coords.reduce((top, value, i) => i % 2 === axis ? Math.max(top, value) : top, 0) + side;
  const [width, height] = [most(0), most(1)];
  return {
    side,
    width: Math.max(width, positive(said["level0_width"]) ?? 0),
    height: Math.max(height, positive(said["level0_height"]) ?? 0),
  };
}

/** The map of a slide for the page; with a slide also with its legend, and squares for QuPath. */
async function drawSlide(
  one: SlideAttention,
  slide: Slide | undefined,
  files: Map<string, FileContent>,
): Promise<AttentionSlide> {
  const { slide: name, attention, places } = one;
  const base = { slide: name, tiles: attention.length, over: slide !== undefined, quarters: tickScores(attention) };
  const extent = extentOf(one);
  if (extent === undefined) return base;
  const { side } = extent;
  const { width, height } = slide?.levels[0] ?? extent;
  const { coords } = places!;
  const ground = (most: number) => slide ? shrink(slide, most) : blank(width, height, most);
  const tilesOn = (image: RgbImage) => ({ coords, side, scale: [image.width / width, image.height / height] as const });
  const page = await ground(LONG.page);
  const map = `${plain(name)}.png`;
  const style = slide ? SCORE_STYLE : { ...SCORE_STYLE, opacity: 1 };
  files.set(
    `${EVIDENCE.attentionImages}/${map}`,
    encodePng(heatMap(page, tilesOn(page), sharesOf(attention, style), style)),
  );
  if (slide) {
    const large = await ground(LONG.file);
    const strip = {
      most: 8,
      of: (row: number, size: number) => cutSmall(slide, [coords[2 * row]!, coords[2 * row + 1]!], side, size),
    };
    const drawn = await scoreMap(large, tilesOn(large), { title: "attention", scores: attention }, style, strip);
    files.set(`${EVIDENCE.attentionMaps}/${name}.png`, encodePng(drawn));
  }
  files.set(`${EVIDENCE.attentionMaps}/${name}.geojson`, () => {
    const names = (function* () {
      for (let i = 0; i < attention.length; i++) yield `x${coords[2 * i]}y${coords[2 * i + 1]}`;
    })();
    return tilesGeoJson({ names, coords, side }, measurementsOf(new Map([["attention", attention]])));
  });
  return { ...base, map };
}

/** White, in the shape of a slide. */
function blank(width: number, height: number, most: number): RgbImage {
  const scale = Math.min(1, most / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  return { width: w, height: h, data: new Uint8Array(w * h * 3).fill(255) };
}

async function tileOf(
  one: SlideAttention,
  row: number,
  slide: Slide | undefined,
  files: Map<string, FileContent>,
): Promise<AttentionTile> {
  const { slide: name, attention, places } = one;
  const [x, y] = [places?.coords[2 * row], places?.coords[2 * row + 1]];
  const base = { slide: name, ...(x !== undefined && { x, y: y! }), attention: attention[row]! };
  const extent = extentOf(one);
  if (slide === undefined || extent === undefined) return base;
  const image = `${plain(name)}_${row}.png`;
  files.set(
    `${EVIDENCE.attentionImages}/${image}`,
    encodePng(await cutSmall(slide, [x!, y!], extent.side, TILES.side)),
  );
  return { ...base, image };
}
