/**
 * Maps of tiles' scores over their slides: `NAME.SCORE.png` with a legend, and `NAME.geojson` with all scores as measurements.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { count } from "../core/text_table.ts";
import { openSlide } from "../data/image/slide.ts";
import { shrink } from "../data/hest_sample.ts";
import { disk, makeFolder, openFile } from "../io/fs.ts";
import { encodePng } from "../io/image/png_write.ts";
import { checkFolder, endsAll } from "../io/output.ts";
import { textChunks } from "../io/text_chunks.ts";
import { type FitOptions, fitScores, type FittedScores } from "../slides/fit_scores.ts";
import { type GeoJsonFlavour, tilesGeoJson } from "../slides/outlines.ts";
import { measurementsOf, rangeOf, scoreMap, type ScoreStyle } from "../slides/score_map.ts";
import { findSlides, type SlideInput } from "../slides/slide_inputs.ts";
import { cutSmall } from "../slides/tile_reader.ts";
import { readPlaces, readTileScores, type TileScores } from "../slides/tile_scores.ts";
import { contentHash } from "./content_hash.ts";
import { checkConvertFolder, ConvertFolder } from "./convert_folder.ts";

/** What is drawn, and how. */
export interface OverlayRequest extends FitOptions {
  /** A file of scores, or a folder with one a slide. */
  readonly scores: string;
  /** Slides, or folders of them. */
  readonly slides: readonly string[];
  readonly nameFrom: "file" | "relative";
  /** File of coordinates, or a folder with one a slide. */
  readonly coords?: string | undefined;
  /** Names of scores; by default all. */
  readonly wanted: readonly string[];
  readonly style: ScoreStyle;
  /** Tiles of the highest, and of the lowest scores below a map. */
  readonly strip: number;
  /** Most pixels of a map's longer side. */
  readonly longSide: number;
  readonly geojson: GeoJsonFlavour | "none";
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the folder's record keeps them. */
  readonly settings: Facts;
}

/** A slide that was drawn. */
export interface DrawnSlide {
  readonly name: string;
  readonly tiles: number;
  /** By the score's name: its lowest and highest, and the map below the output. */
  readonly scores: Readonly<Record<string, { readonly low: number; readonly high: number; readonly file: string }>>;
  /** Below the output. */
  readonly geojson?: string;
  readonly notes: readonly string[];
}

/** What became of the slides. */
export interface OverlayResult {
  readonly slides: readonly DrawnSlide[];
  readonly failed: readonly { readonly slide: string; readonly error: string }[];
  /** Slides without scores, where these are a folder. */
  readonly without: readonly string[];
}

/** A slide with its files. */
interface Job {
  readonly slide: SlideInput;
  readonly scores: string;
  readonly coords: string | undefined;
  /** Whether other slides have the same file. */
  readonly shared: boolean;
}

/** Endings of scores and coordinates after the slide's name, TRIDENT's and CLAM's among them. */
const ENDINGS: readonly string[] = [
  ...[".h5", ".hdf5", "_blockmap.h5", "_patches.h5", ".npy", ".pt", ".safetensors", ".csv", ".tsv", ".txt"],
];
const PLACE_ENDINGS: readonly string[] = ["_patches.h5", ".h5", ".hdf5", "_coords.npy", ".npy", ".csv", ".tsv"];

/** The file of a slide: the one given, or in a folder that of its name, CLAM's in a folder of its own. */
function fileOf(given: string, name: string, endings: readonly string[]): string | undefined {
  const entry = disk.look(given);
  if (entry === undefined) {
    throw new DataError(`Cannot draw scores of ${given}: there is no such file or folder`, {
      code: "input",
      context: { path: given },
    });
  }
  if (entry.kind === "file") return given;
  const root = given.replace(/[/\\]+$/, "");
  const found = endings.find((ending) => entry.names.includes(`${name}${ending}`));
  if (found !== undefined) return `${root}/${name}${found}`;
  const inner = entry.names.includes(name) ? disk.look(`${root}/${name}`) : undefined;
  return inner?.kind === "folder" ? fileOf(`${root}/${name}`, name, endings) : undefined;
}

/** Slides with their scores, and those without any. */
function jobsOf({ scores, slides, nameFrom, coords }: OverlayRequest): { jobs: Job[]; without: string[] } {
  const all = findSlides(disk, slides, undefined, nameFrom, "draw over");
  const jobs: Job[] = [];
  const without: string[] = [];
  for (const slide of all) {
    const own = fileOf(scores, slide.name, ENDINGS);
    if (own === undefined) without.push(slide.name);
    else {jobs.push({
        slide,
        scores: own,
        coords: placesFile(coords, own, slide.name),
        shared: own === scores && all.length > 1,
      });}
  }
  if (jobs.length > 0) return { jobs, without };
  throw new DataError(`Cannot draw scores of ${scores}: it has no file of ${without.slice(0, 5).join(", ")}`, {
    code: "input",
    hint: `Files are called by their slides: NAME${ENDINGS.join(", NAME")}`,
    context: { path: scores, slides: without.slice(0, 50) },
  });
}

/** The file of coordinates: given, or beside an array of NumPy. */
function placesFile(coords: string | undefined, scores: string, name: string): string | undefined {
  if (coords === undefined) {
    const beside = scores.replace(/\.npy$/i, "_coords.npy");
    return beside !== scores && disk.look(beside)?.kind === "file" ? beside : undefined;
  }
  const found = fileOf(coords, name, PLACE_ENDINGS);
  if (found !== undefined) return found;
  throw new DataError(`Cannot draw scores of ${scores}: ${coords} has no coordinates of ${name}`, {
    code: "input",
    hint: `Files are called by their slides: NAME${PLACE_ENDINGS.join(", NAME")}`,
    context: { path: coords, slide: name },
  });
}

async function readScores(
  { slide: { name }, scores, coords, shared }: Job,
  { wanted }: OverlayRequest,
): Promise<TileScores> {
  const places = coords === undefined ? undefined : { file: coords, places: await readPlaces(disk, coords, name) };
  const found = await readTileScores(disk, scores, { slide: name, wanted, places });
  if (!shared || found.named) return found;
  throw new DataError(`Cannot draw scores of ${scores} over several slides: nothing says of which they are`, {
    code: "other-slide",
    hint: "Give one slide, a folder with a file a slide, or a table with a column slide_id",
    context: { file: scores, slide: name },
  });
}

/** Files of a slide below the output, in the order they are written; scores' names may hold anything. */
function pathsOf(name: string, scores: Iterable<string>, geojson: OverlayRequest["geojson"]): string[] {
  const maps = [...scores].map((score) => `${name}.${score.replaceAll(/[^\w.-]+/g, "_")}.png`);
  return [...maps, ...(geojson === "none" ? [] : [`${name}.geojson`])];
}

/**
 * Draws scores over slides; of several slides over those that can be.
 *
 * @throws {ConfigError} If the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If there are no scores, or those of the only slide do not fit it.
 */
export async function drawOverlays(request: OverlayRequest, reporter: Reporter): Promise<OverlayResult> {
  const { out, geojson, overwrite, settings } = request;
  const { jobs, without } = jobsOf(request);
  checkFolder(out);
  const failed: { slide: string; error: string }[] = [];
  const fails = (name: string, error: unknown) => {
    if (jobs.length === 1 || endsAll(error)) throw error;
    const { message, hint } = error as SealError;
    failed.push({ slide: name, error: message });
    reporter.warn(`${name}: ${message}${hint ? `; ${hint}` : ""}`);
  };
  // All is read and compared with the slides before anything is written.
  const files = new Map<string, readonly string[]>();
  for (const job of jobs) {
    try {
      const slide = await openSlide(await openFile(job.slide.path), { damagedTiles: "white" });
      try {
        const { columns } = fitScores(await readScores(job, request), slide, job.slide.name, request);
        files.set(job.slide.name, distinct(pathsOf(job.slide.name, columns.keys(), geojson)));
      } finally {
        slide.close();
      }
    } catch (error) {
      fails(job.slide.name, error);
    }
  }
  const paths = (name: string) => files.get(name)!;
  checkConvertFolder({ out, paths }, [...files.keys()], overwrite);
  const able = jobs.filter(({ slide }) => files.has(slide.name));
  const samples: { id: string; input: string }[] = [];
  for (const { slide, scores, coords } of able) {
    samples.push({ id: slide.name, input: await contentHash([slide.path, scores, ...(coords ? [coords] : [])]) });
  }
  using folder = ConvertFolder.open<DrawnSlide>({
    ...{ out, what: "overlay", samples, settings, overwrite, paths },
    needed: (
      _,
      { scores, geojson },
    ) => [...Object.values(scores).map(({ file }) => file), ...(geojson ? [geojson] : [])],
  });
  makeFolder(out);
  const slides: DrawnSlide[] = [];
  for (const job of able) {
    try {
      slides.push(await folder.convert(job.slide.name, reporter, () => drawOne(job, request), lineOf));
    } catch (error) {
      fails(job.slide.name, error);
    }
  }
  for (const { name, notes } of slides) for (const note of notes) reporter.warn(`${name}: ${note}`);
  if (without.length > 0) reporter.say(`${count(without.length, "slide")} without scores`);
  return { slides, failed, without };
}

/** Refuses two files of one name. */
function distinct(paths: string[]): string[] {
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice === undefined) return paths;
  throw new ConfigError(`Cannot write ${twice} for two scores: every name once wanted`, {
    hint: "Draw them by two commands with --score",
    context: { path: twice },
  });
}

async function drawOne(job: Job, request: OverlayRequest): Promise<DrawnSlide> {
  const { out, geojson, style, strip, longSide } = request;
  const { name, path } = job.slide;
  const slide = await openSlide(await openFile(path), { damagedTiles: "white" });
  try {
    const fitted: FittedScores = fitScores(await readScores(job, request), slide, name, request);
    const { coords, side, columns, names, notes } = fitted;
    const paths = pathsOf(name, columns.keys(), geojson);
    // The last is written last: while it is there, what was drawn before is whole.
    disk.remove(`${out}/${paths.at(-1)!}`);
    const image = await shrink(slide, longSide);
    const { width, height } = slide.levels[0]!;
    const tiles = { coords, side, scale: [image.width / width, image.height / height] } as const;
    const tileOf = (row: number, size: number) => cutSmall(slide, [coords[2 * row]!, coords[2 * row + 1]!], side, size);
    const drawn: Record<string, { low: number; high: number; file: string }> = {};
    for (const [i, [score, numbers]] of [...columns].entries()) {
      const map = await scoreMap(image, tiles, { title: score, scores: numbers }, style, { most: strip, of: tileOf });
      disk.write(`${out}/${paths[i]!}`, encodePng(map));
      const [low, high] = rangeOf(numbers)!;
      drawn[score] = { low, high, file: paths[i]! };
    }
    if (geojson === "none") return { name, tiles: names.length, scores: drawn, notes };
    const squares = paths.at(-1)!;
    const text = tilesGeoJson({ names, coords, side }, measurementsOf(columns), geojson);
    disk.writeChunks(`${out}/${squares}`, textChunks(text));
    return { name, tiles: names.length, scores: drawn, geojson: squares, notes };
  } finally {
    slide.close();
  }
}

function lineOf({ name, tiles, scores }: DrawnSlide): string {
  const texts = Object.entries(scores).map(([score, { low, high }]) => `${score} ${shown(low)} to ${shown(high)}`);
  return `${name}: ${count(tiles, "tile")}, ${texts.join(", ")}`;
}

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}
