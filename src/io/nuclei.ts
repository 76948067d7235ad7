/**
 * Nuclei and cells of HEST in GeoParquet: `cellvit_seg` with a class each, and `xenium_seg` with the vendor's cell names.
 *
 * Source: https://geoparquet.org/releases/v1.1.0/
 *
 * @module
 */

import type { Polygon } from "./geojson.ts";
import { parseJson } from "./json.ts";
import { openParquet, parquetError, type ParquetFile, type ParquetValue } from "./parquet.ts";
import type { RandomAccess } from "./random_access.ts";
import { polygonsOfWkb } from "./wkb.ts";

/** One nucleus or cell; one of several pieces has a polygon for each. */
export interface Nucleus extends Polygon {
  /** Name of the cell; undefined where the file has none. */
  readonly cell: string | undefined;
}

/** Columns that may name the cell: HEST's, and what pandas calls an index without a name. */
const CELL_COLUMNS = ["cell_id", "__index_level_0__", "index"];

/**
 * A cell's name whatever the file wrote it as: text, bytes, Python's text of bytes (`b'aaa-1'`), a number. What stands for no
 * cell (-1, UNASSIGNED, nothing) is undefined.
 */
export function cellName(value: ParquetValue | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = (value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value)).trim();
  const inner = /^b(['"])(.*)\1$/s.exec(text)?.[2]?.trim() ?? text;
  return /^(?:|-1(?:\.0)?|unassigned|nan|none)$/i.test(inner) ? undefined : inner;
}

/**
 * Reads nuclei, a row group at a time.
 *
 * @throws {FormatError} If the file is damaged, or its geometry is no polygons in well-known binary.
 */
export async function* readNuclei(source: RandomAccess): AsyncGenerator<Nucleus[]> {
  const file = await openParquet(source);
  const geometry = geometryColumn(file);
  const cell = CELL_COLUMNS.find((column) => file.columns.includes(column));
  const label = file.columns.includes("class") ? "class" : undefined;
  const columns = [geometry, cell, label].filter((column) => column !== undefined);
  for await (const { from, count, values } of file.read(columns)) {
    const out: Nucleus[] = [];
    for (let i = 0; i < count; i++) {
      const shape = values[geometry]![i]!;
      const path = `${geometry}, row ${from + i}`;
      const fail = (found: string, expected: string) => parquetError(file.name, path, found, expected);
      if (!(shape instanceof Uint8Array)) throw fail(shape === null ? "no geometry" : typeof shape, "a polygon");
      const name = cell === undefined ? undefined : cellName(values[cell]![i]);
      const kind = label === undefined ? undefined : values[label]![i] ?? undefined;
      for (const rings of polygonsOfWkb(shape, fail)) {
        out.push({ ...rings, tissueId: undefined, label: textOf(kind), cell: name });
      }
    }
    yield out;
  }
}

function textOf(value: ParquetValue | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

/** The geometry's column: what the file's own description says, else the one called so. */
function geometryColumn({ name, columns, texts }: ParquetFile): string {
  const text = texts.get("geo");
  const named = text === undefined ? { primary_column: "geometry" } : parseJson(
    new TextEncoder().encode(text),
    (offset, found, expected) => parquetError(name, "geo", `byte ${offset} ${found}`, expected),
  );
  const geo = named as { primary_column?: unknown; columns?: Record<string, { encoding?: unknown }> } | null;
  const column = geo?.primary_column;
  if (typeof column !== "string" || !columns.includes(column)) {
    throw parquetError(name, "", `columns ${columns.join(", ")}`, `a geometry ${String(column)}`);
  }
  const encoding = geo?.columns?.[column]?.encoding;
  if (encoding !== undefined && encoding !== "WKB") {
    throw parquetError(name, column, `geometry as ${JSON.stringify(encoding)}`, "WKB");
  }
  return column;
}
