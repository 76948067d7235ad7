/**
 * Features of slides in the forms of other programs: CLAM, STAMP, eva and plain npy, from TRIDENT's and this program's, and back.
 *
 * Coordinates are left upper corners in pixels of level 0, but in STAMP's files in micrometres.
 *
 * @module
 */

import { f16FromF32, f32FromF16 } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { csvLine } from "../io/csv.ts";
import { type Disk, randomAccess, recording } from "../io/disk.ts";
import { checkContent, CONTENT_SUM, type Features, openFeatures, readBeside } from "../io/features.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { h5Places, LEGACY_STAMP } from "../io/tile_places.ts";
import { npyHeader, readNpy, readNpyHeader } from "../io/npy.ts";
import { tensorChunks } from "../io/torch/pth_write.ts";
import { slideName } from "../slides/names.ts";
import { writeFeatures } from "./formats.ts";

/** Whose form. */
export type FeatureForm = "trident" | "clam" | "stamp" | "npy" | "eva";
/** All forms. */
export const FEATURE_FORMS: readonly FeatureForm[] = ["trident", "clam", "stamp", "npy", "eva"];

/** Options of {@linkcode convertFeatures}. */
export interface ConvertOptions {
  /** µm a pixel of level 0, where the file does not say. */
  readonly mpp?: number | undefined;
  /** Side of a tile, pixels of level 0, where the file does not say. */
  readonly tileSide?: number | undefined;
  /** With `trident`: a row a chunk, as TRIDENT stores them. */
  readonly strict?: boolean;
}

/** What became of one file. */
export interface ConvertedFeatures {
  readonly name: string;
  readonly rows: number;
  readonly dim: number;
  /** Files that were written; none of a slide without tiles, where the form has no file for it. */
  readonly files: readonly string[];
  /** What the form cannot hold or had to be assumed, in words. */
  readonly notes: readonly string[];
}

/** A feature file as all forms need it. */
interface Source {
  readonly name: string;
  readonly count: number;
  readonly dim: number;
  readonly features: Features;
  readonly encoder: string;
  /** `[count, 2]`, pixels of level 0, or µm. */
  readonly coords: Float64Array | undefined;
  readonly unit: "px" | "um";
  /** Side of a tile: pixels of its own, and in the coordinates' unit. */
  readonly patch: number | undefined;
  readonly side: number | undefined;
  readonly mpp: number | undefined;
  /** Attributes of the coordinates as they are in the file. */
  readonly said: Readonly<Record<string, unknown>>;
  readonly notes: string[];
}

/** The version STAMP compares with its own; files of newer ones are refused. */
const STAMP_VERSION = "2.0.0";

/** Paths below the output that a slide's files can have. */
const PATHS: Readonly<Record<FeatureForm, (name: string) => readonly string[]>> = {
  trident: (name) => [`${name}.h5`],
  clam: (name) => [`h5_files/${name}.h5`, `pt_files/${name}.pt`],
  stamp: (name) => [`${name}.h5`],
  npy: (name) => [`${name}_coords.npy`, `${name}.npy`],
  eva: (name) => [`${name}.pt`],
};

/** Name of the slide whose features are in a file. */
export function featuresName(path: string): string {
  return slideName(path).replace(/_patches$/, "");
}

/** Files that {@linkcode convertFeatures} can write of a slide, below the output; the last one is always among them. */
export function featurePaths(form: FeatureForm, name: string): readonly string[] {
  return PATHS[form](name);
}

/**
 * Coordinates that belong to a file of features and lie beside it.
 *
 * @returns Their path; undefined where there are none.
 */
export function besidePath(disk: Disk, path: string): string | undefined {
  const beside = path.replace(/(\.npy)$/i, "_coords$1");
  return beside === path || disk.look(beside)?.kind !== "file" ? undefined : beside;
}

/**
 * Writes the features of one slide in another form. Of a slide that fails while its files are written none stays.
 *
 * @param out Folder, below which the form has its own.
 * @throws {FormatError} If the file is damaged.
 * @throws {DataError} If it is not what its checksum says, or lacks what the form needs.
 */
export async function convertFeatures(
  disk: Disk,
  path: string,
  out: string,
  form: FeatureForm,
  options: ConvertOptions = {},
): Promise<ConvertedFeatures> {
  const source = await openSource(disk, path, options);
  const { name, count, dim, notes } = source;
  const written: string[] = [];
  try {
    const files = await WRITERS[form](recording(disk, written), out, source, options);
    return { name, rows: count, dim, files, notes };
  } catch (error) {
    // Nor one of before, beside a new one.
    if (written.length > 0) { for (const path of featurePaths(form, name)) disk.remove(`${out}/${path}`); }
    throw error;
  } finally {
    source.features.close();
  }
}

/** Opens a file; one of this program is compared with its checksum. */
async function openSource(disk: Disk, path: string, { mpp, tileSide }: ConvertOptions): Promise<Source> {
  readBeside(disk, path);
  const features = await openFeatures(disk.open(path, "read"));
  const name = featuresName(path);
  const { count, dim, attributes } = features;
  const plain = { name, count, dim, features, encoder: String(attributes["encoder"] ?? "unknown"), mpp };
  try {
    await checkContent(features);
    if (/\.h5$|\.hdf5$/i.test(path)) {
      using file = await H5File.open(disk.open(path, "read"));
      const places = h5Places(file, features.coords);
      const scale = mpp ?? places.mpp;
      const given = places.unit === "px" ? tileSide : scale && tileSide && scale * tileSide;
      return { ...plain, ...places, side: places.side ?? given, notes: [...places.notes], mpp: scale };
    }
    const coords = features.coords ?? await besideCoords(disk, path, count);
    const notes = coords === undefined ? ["it has no coordinates"] : [];
    return { ...plain, coords, unit: "px", patch: undefined, side: tileSide, said: {}, notes };
  } catch (error) {
    features.close();
    throw error;
  }
}

/** Coordinates in a file beside one of npy. */
async function besideCoords(disk: Disk, path: string, count: number): Promise<Float64Array | undefined> {
  const beside = besidePath(disk, path);
  if (beside === undefined) return undefined;
  const file = randomAccess(disk.open(beside, "read"));
  try {
    const header = await readNpyHeader(file);
    if (header.shape.length !== 2 || header.shape[0] !== count || header.shape[1] !== 2) {
      throw new DataError(`Cannot read ${beside}: its shape is ${header.shape.join("x")}, ${count}x2 wanted`, {
        context: { file: beside, shape: header.shape },
      });
    }
    return Float64Array.from(await readNpy(file, header) as ArrayLike<number>, Number);
  } finally {
    file.close?.();
  }
}

/** Coordinates in pixels of level 0, and the side of a tile there. */
function inPixels(source: Source): { coords: Float64Array; side: number } {
  const { name, coords, unit, mpp, side, count } = source;
  const scale = unit === "px" ? 1 : mpp === undefined ? undefined : 1 / mpp;
  if (coords !== undefined && side !== undefined && scale !== undefined) {
    return { coords: coords.map((value) => Math.round(value * scale)), side: side * scale };
  }
  if (count === 0) return { coords: new Float64Array(0), side: (side ?? 0) * (scale ?? 1) };
  const lacks = coords === undefined ? "coordinates" : side === undefined ? "the side of a tile" : "the pixel size";
  throw lacking(name, lacks);
}

function lacking(name: string, lacks: string): DataError {
  return new DataError(`Cannot convert features of ${name}: ${lacks} is wanted and not there`, {
    code: "features-lack",
    hint: lacks === "the pixel size"
      ? "Pass --mpp, µm a pixel of the slide's largest level"
      : lacks === "the side of a tile"
      ? "Pass --tile-side, pixels of the slide's largest level"
      : "Convert from a form that has it",
    context: { slide: name, lacks },
  });
}

/** All rows. */
async function rowsOf({ features }: Source): Promise<Float32Array<ArrayBuffer>> {
  return Float32Array.from(await features.read());
}

/**
 * All rows as numbers of 16 bits, which STAMP stores, the nearest ones.
 *
 * @throws {DataError} If one is larger than any of these.
 */
async function halvesOf(source: Source): Promise<Uint16Array> {
  const rows = await rowsOf(source);
  const halves = Uint16Array.from(rows, f16FromF32);
  const inexact = rows.findIndex((value, i) => Number.isFinite(value) && !Number.isFinite(f32FromF16(halves[i]!)));
  if (inexact >= 0) {
    const row = Math.floor(inexact / source.dim);
    throw new DataError(
      `Cannot convert features of ${source.name} to STAMP: row ${row} has ${rows[inexact]}, 16 bits hold at most 65504`,
      { code: "features-range", hint: "Convert to clam, npy or eva, which keep 32 bits", context: { row } },
    );
  }
  if (!rows.every((value, i) => Object.is(value, f32FromF16(halves[i]!)))) {
    source.notes.push("features are rounded to 16 bits, as STAMP stores them");
  }
  return halves;
}

function bytesOf(data: Float32Array | Int32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

type Write = (disk: Disk, out: string, source: Source, options: ConvertOptions) => Promise<string[]>;

const WRITERS: Readonly<Record<FeatureForm, Write>> = {
  trident: writeTrident,
  clam: writeClam,
  stamp: writeStamp,
  npy: writePlain,
  eva: writeEva,
};

async function writeTrident(
  disk: Disk,
  out: string,
  source: Source,
  { strict = false }: ConvertOptions,
): Promise<string[]> {
  const { name, count, dim, said, patch, encoder, features } = source;
  const { coords, side } = inPixels(source);
  const kept = Object.entries(said).flatMap(([key, value]) => {
    const plain = typeof value === "bigint" ? Number(value) : value;
    return typeof plain === "number" || typeof plain === "string" ? [[key, plain] as const] : [];
  });
  const own = Object.entries(features.attributes).flatMap(([key, value]) =>
    key !== CONTENT_SUM && (typeof value === "number" || typeof value === "string") ? [[key, value] as const] : []
  );
  const rows = await rowsOf(source);
  const path = `${out}/${name}.h5`;
  await writeFeatures(disk, path, "h5", {
    ...{ count, dim, coords: Int32Array.from(coords), trident: { strict } },
    attributes: { ...Object.fromEntries(own), name, savetodir: "", encoder },
    coordsAttributes: {
      ...Object.fromEntries(kept),
      ...(patch === undefined ? {} : { patch_size: patch }),
      patch_size_level0: Math.round(side),
      name,
      coords_of: "top-left",
    },
  }, (from, to) => rows.subarray(from * dim, to * dim));
  return [path];
}

async function writeClam(disk: Disk, out: string, source: Source): Promise<string[]> {
  const { name, count, dim, said } = source;
  const { coords, side } = inPixels(source);
  const rows = await rowsOf(source);
  const [h5, pt] = featurePaths("clam", name).map((path) => `${out}/${path}`) as [string, string];
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(h5, (file) => {
    const made = begin(file);
    made.dataset("/features", "f4", [count, dim], undefined, { chunks: [1, dim], growing: true });
    made.rows("/features", 0, [dim], rows);
    made.dataset("/coords", "i4", [count, 2], undefined, { chunks: [1, 2], growing: true });
    made.rows("/coords", 0, [2], Int32Array.from(coords));
    made.attribute("/coords", "patch_level", 0);
    made.attribute("/coords", "patch_size", Math.round(side));
    made.attribute("/coords", "downsample", [1, 1], "f8");
    const sides = [said["level0_width"], said["level0_height"]].map((value) => Number(value ?? 0));
    made.attribute("/coords", "level_dim", sides);
    made.attribute("/coords", "name", name);
    made.attribute("/coords", "save_path", "");
    made.close();
  });
  disk.writeChunks(pt, tensorChunks({ dtype: "F32", shape: [count, dim], data: bytesOf(rows) }));
  return [h5, pt];
}

async function writeStamp(disk: Disk, out: string, source: Source): Promise<string[]> {
  const { name, count, dim, coords, unit, mpp, side, patch, encoder } = source;
  // STAMP writes no file for a slide without tissue.
  if (count === 0) return [];
  const scale = unit === "um" ? 1 : mpp;
  if (coords === undefined || side === undefined) {
    throw lacking(name, coords === undefined ? "coordinates" : "the side of a tile");
  }
  if (scale === undefined) throw lacking(name, "the pixel size");
  const rows = await halvesOf(source);
  const path = `${out}/${name}.h5`;
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    h5.dataset("/feats", "f2", [count, dim], rows);
    h5.dataset("/coords", "f4", [count, 2], Float32Array.from(coords, (value) => value * scale));
    h5.attribute("/", "unit", "um");
    h5.attribute("/", "tile_size_um", side * scale, "f8");
    h5.attribute("/", "tile_size_px", patch ?? LEGACY_STAMP.px);
    h5.attribute("/", "extractor", encoder);
    h5.attribute("/", "stamp_version", STAMP_VERSION);
    h5.attribute("/", "code_hash", `seal-webgpu ${VERSION}`);
    h5.attribute("/", "feat_type", "tile");
    h5.close();
  });
  return [path];
}

async function writePlain(disk: Disk, out: string, source: Source): Promise<string[]> {
  const { name, count, dim, coords, unit } = source;
  const rows = await rowsOf(source);
  const [beside, path] = featurePaths("npy", name).map((path) => `${out}/${path}`) as [string, string];
  if (coords === undefined) disk.remove(beside);
  else {
    const places = unit === "px" || source.mpp !== undefined
      ? inPixels({ ...source, side: source.side ?? 1 }).coords
      : coords;
    disk.writeChunks(beside, [npyHeader("i4", [count, 2]), bytesOf(Int32Array.from(places))]);
    if (places === coords && unit === "um") {
      source.notes.push("coordinates are whole µm, not pixels: no pixel size is known");
    }
  }
  disk.writeChunks(path, [npyHeader("f4", [count, dim]), bytesOf(rows)]);
  return coords === undefined ? [path] : [path, beside];
}

async function writeEva(disk: Disk, out: string, source: Source): Promise<string[]> {
  const { name, count, dim } = source;
  const path = `${out}/${name}.pt`;
  disk.writeChunks(path, tensorChunks({ dtype: "F32", shape: [count, dim], data: bytesOf(await rowsOf(source)) }));
  return [path];
}

/** eva's list of the files, whose targets and splits are the user's to fill in. */
export function evaManifest(slides: readonly Pick<ConvertedFeatures, "name">[]): string {
  const head = csvLine(["origin", "embeddings", "target", "split", "wsi_id"]);
  return head + slides.map(({ name }) => csvLine([name, `${name}.pt`, "", "", name])).join("");
}
