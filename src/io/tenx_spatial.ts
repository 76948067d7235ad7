/**
 * The folder `spatial/` of Space Ranger, of all versions: where the spots are, and how large.
 *
 * Files name the pixel row before the pixel column; here it is x before y, as in `obsm/spatial`.
 *
 * Source: https://www.10xgenomics.com/support/software/space-ranger/latest/analysis/outputs/spatial-outputs
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { decodeText, parseCsv } from "./csv.ts";
import { parseJson } from "./json.ts";
import { Names } from "./names.ts";
import { openParquet, parquetError } from "./parquet.ts";
import type { Folder, RandomAccess } from "./random_access.ts";
import { lineError, numberField, readLines } from "./text_lines.ts";

/** Spots of a slide, under tissue or not. */
export interface SpotPlaces {
  readonly barcodes: Names;
  readonly inTissue: Uint8Array;
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  /** Centres `[spots, 2]`, x then y, pixels of the full-size image. */
  readonly spatial: Float64Array;
}

/** Scale of the images. */
export interface ScaleFactors {
  /** Diameter of a spot in pixels of the full-size image. */
  readonly spotDiameter: number | undefined;
  readonly fiducialDiameter: number | undefined;
  /** Share of the full size the two small images have. */
  readonly hires: number | undefined;
  readonly lowres: number | undefined;
  /** Visium HD: micrometres a pixel, and of a bin. */
  readonly pixelSize: number | undefined;
  readonly binSize: number | undefined;
}

/** What the folder holds. */
export interface TenxSpatial {
  readonly spots: SpotPlaces;
  /** Undefined where there is no `scalefactors_json.json`. */
  readonly scale: ScaleFactors | undefined;
}

const COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"] as const;

/** Names of the positions' file, newest first: Visium HD, Space Ranger from 2.0 on, and before. */
const POSITIONS = ["tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"];

/**
 * Reads the folder. Files may be packed with gzip and have a prefix, as GEO gives them, where there is one of a kind.
 *
 * @throws {FormatError} If a file is damaged.
 * @throws {DataError} If there are no positions.
 */
export async function readTenxSpatial(folder: Folder): Promise<TenxSpatial> {
  const names = await folder.list();
  const positions = findFile(names, POSITIONS);
  if (positions === undefined) throw noPositions(folder, names);
  const scale = findFile(names, ["scalefactors_json.json"]);
  return {
    spots: await withFile(
      folder,
      positions,
      async (source) =>
        /\.parquet$/.test(positions)
          ? await readParquetPositions(source)
          : parsePositions(decodeText(await unpacked(source), source.name), source.name),
    ),
    scale: scale === undefined
      ? undefined
      : await withFile(folder, scale, async (source) => parseScaleFactors(await unpacked(source), source.name)),
  };
}

/** The first of `wanted` among names: as it is, packed, or behind a prefix where only one file has it. */
export function findFile(names: readonly string[], wanted: readonly string[]): string | undefined {
  for (const name of wanted.flatMap((name) => [name, `${name}.gz`])) {
    const prefixed = names.filter((other) => other.endsWith(`_${name}`));
    const found = names.includes(name) ? name : prefixed.length === 1 ? prefixed[0] : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

async function withFile<T>(folder: Folder, name: string, use: (source: RandomAccess) => Promise<T>): Promise<T> {
  const source = await folder.open(name);
  try {
    return await use(source);
  } finally {
    source.close?.();
  }
}

/** Most bytes of a text of positions. */
const MOST_TEXT = 1 << 27;

async function unpacked(source: RandomAccess): Promise<Uint8Array> {
  const head = await source.read(0, Math.min(2, source.size));
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    if (source.size > MOST_TEXT) throw lineError(source.name, 1, `${source.size} bytes`, `at most ${MOST_TEXT}`);
    return await source.read(0, source.size);
  }
  const lines: string[] = [];
  let bytes = 0;
  for await (const { line, text } of readLines(source)) {
    lines.push(text);
    bytes += text.length;
    if (bytes > MOST_TEXT) throw lineError(source.name, line, "yet more text", `at most ${MOST_TEXT} characters`);
  }
  return new TextEncoder().encode(lines.join("\n"));
}

function noPositions(folder: Folder, names: readonly string[]): DataError {
  const found = names.slice(0, 10).join(", ") || "nothing";
  const expected = POSITIONS.join(", ");
  return new DataError(`Cannot read spots of ${folder.name}: it has ${found}, one of ${expected} is wanted`, {
    hint: "Give the folder spatial/ of Space Ranger",
    context: { folder: folder.name, found: names, expected },
  });
}

/** Positions of bins, by columns. */
async function readParquetPositions(source: RandomAccess): Promise<SpotPlaces> {
  const file = await openParquet(source);
  const spots = emptyPlaces(file.rows);
  for await (const { from, count, values } of file.read(COLUMNS)) {
    for (let i = 0; i < count; i++) {
      const row = from + i;
      const fail = (column: string, found: string, expected: string) =>
        parquetError(file.name, `${column}, row ${row}`, found, expected);
      const barcode = values["barcode"]![i];
      if (typeof barcode !== "string") throw fail("barcode", String(barcode), "a text");
      const [, tissue, arrayRow, arrayCol, y, x] = COLUMNS.map((column, k) => {
        const value = values[column]![i];
        const number = typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN;
        if (k > 0 && !Number.isFinite(number)) throw fail(column, String(value), "a number");
        return number;
      }) as [number, number, number, number, number, number];
      if (arrayRow !== (arrayRow | 0) || arrayCol !== (arrayCol | 0)) {
        throw fail("array_row", `place ${arrayRow}, ${arrayCol}`, "whole numbers");
      }
      putPlace(spots, row, barcode, { tissue, arrayRow, arrayCol, x, y });
    }
  }
  if (file.rows === 0) throw parquetError(file.name, "", "no spots", "one a row");
  const again = spots.barcodes.repeated;
  if (again >= 0) {
    throw parquetError(
      file.name,
      `barcode, row ${again}`,
      `${spots.barcodes.at(again)} again`,
      "every barcode once",
    );
  }
  return spots;
}

function emptyPlaces(count: number): SpotPlaces {
  return {
    barcodes: new Names(),
    inTissue: new Uint8Array(count),
    arrayRow: new Int32Array(count),
    arrayCol: new Int32Array(count),
    spatial: new Float64Array(2 * count),
  };
}

function putPlace(
  spots: SpotPlaces,
  i: number,
  barcode: string,
  place: { tissue: number; arrayRow: number; arrayCol: number; x: number; y: number },
): void {
  spots.barcodes.add(barcode);
  spots.inTissue[i] = place.tissue === 0 ? 0 : 1;
  spots.arrayRow[i] = place.arrayRow;
  spots.arrayCol[i] = place.arrayCol;
  spots.spatial[2 * i] = place.x;
  spots.spatial[2 * i + 1] = place.y;
}

/**
 * Reads positions: with a header, whose order then counts, or without one in the order of Space Ranger before 2.0.
 *
 * @throws {FormatError} Naming the line.
 */
export function parsePositions(text: string, name: string): SpotPlaces {
  const records = parseCsv(text, name);
  const header = records[0]?.fields.includes("barcode") ? records.shift()!.fields.map((f) => f.trim()) : [...COLUMNS];
  const at = COLUMNS.map((column) => header.indexOf(column));
  const missing = COLUMNS.find((_, i) => at[i]! < 0);
  if (missing !== undefined) throw lineError(name, 1, `columns ${header.join(", ")}`, `a column ${missing}`);
  if (records.length === 0) throw lineError(name, 1, "no spots", "one a line");
  const spots = emptyPlaces(records.length);
  const seen = new Set<string>();
  records.forEach(({ line, fields }, i) => {
    if (fields.length !== header.length) throw lineError(name, line, `${fields.length} fields`, `${header.length}`);
    const barcode = fields[at[0]!]!;
    if (seen.has(barcode)) throw lineError(name, line, `barcode ${barcode} again`, "every barcode once");
    seen.add(barcode);
    const [tissue, arrayRow, arrayCol, y, x] = at.slice(1).map((k, j) =>
      numberField(name, line, fields[k], COLUMNS[j + 1]!)
    ) as [number, number, number, number, number];
    if (arrayRow !== (arrayRow | 0) || arrayCol !== (arrayCol | 0)) {
      throw lineError(name, line, `place ${arrayRow}, ${arrayCol}`, "whole numbers");
    }
    putPlace(spots, i, barcode, { tissue, arrayRow, arrayCol, x, y });
  });
  return spots;
}

/**
 * Reads `scalefactors_json.json`.
 *
 * @throws {FormatError} If it is no JSON object, or a factor is no positive number.
 */
export function parseScaleFactors(bytes: Uint8Array, name: string): ScaleFactors {
  const fail = (path: string, found: string, expected: string): FormatError =>
    new FormatError(`Cannot read ${name}${path && `:${path}`}: ${found}, expected ${expected}`, {
      context: { file: name, path, found, expected },
    });
  const tree = parseJson(bytes, (offset, found, expected) => fail("", `byte ${offset} ${found}`, expected));
  if (tree === null || typeof tree !== "object" || Array.isArray(tree)) throw fail("", "no object", "an object");
  const positive = (key: string): number | undefined => {
    const value = (tree as Record<string, unknown>)[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && value > 0) return value;
    throw fail(key, JSON.stringify(value), "a positive number");
  };
  return {
    spotDiameter: positive("spot_diameter_fullres"),
    fiducialDiameter: positive("fiducial_diameter_fullres"),
    hires: positive("tissue_hires_scalef"),
    lowres: positive("tissue_lowres_scalef"),
    pixelSize: positive("microns_per_pixel"),
    binSize: positive("bin_size_um"),
  };
}
