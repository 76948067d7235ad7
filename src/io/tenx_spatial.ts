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
import { parseCsv } from "./csv.ts";
import { parseJson } from "./json.ts";
import type { Folder } from "./random_access.ts";
import { lineError, numberField } from "./text_lines.ts";

/** Spots of a slide, under tissue or not. */
export interface SpotPlaces {
  readonly barcodes: readonly string[];
  readonly inTissue: Uint8Array;
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  /** Centres `[spots, 2]`, x then y, pixels of the full-size picture. */
  readonly spatial: Float64Array;
}

/** Scale of the pictures. */
export interface ScaleFactors {
  /** Diameter of a spot in pixels of the full-size picture. */
  readonly spotDiameter: number | undefined;
  readonly fiducialDiameter: number | undefined;
  /** Share of the full size the two small pictures have. */
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

/**
 * Reads the folder.
 *
 * @throws {FormatError} If a file is damaged.
 * @throws {DataError} If there are no positions, or only as parquet.
 */
export async function readTenxSpatial(folder: Folder): Promise<TenxSpatial> {
  const names = await folder.list();
  const bytesOf = async (file: string): Promise<Uint8Array> => {
    const source = await folder.open(file);
    try {
      return await source.read(0, source.size);
    } finally {
      source.close?.();
    }
  };
  const positions = ["tissue_positions.csv", "tissue_positions_list.csv"].find((file) => names.includes(file));
  if (positions === undefined) throw noPositions(folder, names);
  const text = new TextDecoder().decode(await bytesOf(positions));
  const scale = "scalefactors_json.json";
  return {
    spots: parsePositions(text, `${folder.name}/${positions}`),
    scale: names.includes(scale) ? parseScaleFactors(await bytesOf(scale), `${folder.name}/${scale}`) : undefined,
  };
}

function noPositions(folder: Folder, names: readonly string[]): DataError {
  const parquet = names.find((name) => name.endsWith("tissue_positions.parquet"));
  const found = parquet ? `${parquet} only` : names.join(", ") || "nothing";
  return new DataError(`Cannot read spots of ${folder.name}: it has ${found}, tissue_positions.csv is wanted`, {
    hint: parquet
      ? `Turn it into CSV: python -c "import pandas as p; p.read_parquet('${parquet}').to_csv('tissue_positions.csv', index=False)"`
      : "Give the folder spatial/ of Space Ranger",
    context: { folder: folder.name, found: names, expected: "tissue_positions.csv" },
  });
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
  const count = records.length;
  const spots = {
    barcodes: [] as string[],
    inTissue: new Uint8Array(count),
    arrayRow: new Int32Array(count),
    arrayCol: new Int32Array(count),
    spatial: new Float64Array(2 * count),
  };
  const seen = new Set<string>();
  records.forEach(({ line, fields }, i) => {
    if (fields.length !== header.length) throw lineError(name, line, `${fields.length} fields`, `${header.length}`);
    const barcode = fields[at[0]!]!;
    if (seen.has(barcode)) throw lineError(name, line, `barcode ${barcode} again`, "every barcode once");
    seen.add(barcode);
    const [tissue, row, column, y, x] = at.slice(1).map((k, j) =>
      numberField(name, line, fields[k], COLUMNS[j + 1]!)
    ) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (row !== (row | 0) || column !== (column | 0)) {
      throw lineError(name, line, `place ${row}, ${column}`, "whole numbers");
    }
    spots.barcodes.push(barcode);
    spots.inTissue[i] = tissue === 0 ? 0 : 1;
    spots.arrayRow[i] = row;
    spots.arrayCol[i] = column;
    spots.spatial.set([x, y], 2 * i);
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
