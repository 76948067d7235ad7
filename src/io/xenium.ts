/**
 * Output bundles of Xenium, releases 1 to 4: what the experiment's file says, and transcripts, cells and outlines in Parquet,
 * which all releases have. Names may have a prefix, as downloads have it.
 *
 * Source: https://www.10xgenomics.com/support/software/xenium-onboard-analysis/latest/analysis/xoa-output-understanding-outputs
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { parseJson } from "./json.ts";
import { cellName } from "./nuclei.ts";
import { openParquet, parquetError, type ParquetFile, type ParquetRows, type ParquetValue } from "./parquet.ts";
import type { RandomAccess } from "./random_access.ts";

/** What the experiment's file says. */
export interface XeniumExperiment {
  /** µm a pixel of the morphology image. */
  readonly pixelSize: number;
  /** Version of the software that made it. */
  readonly software: string | undefined;
  readonly cells: number | undefined;
}

/** Sizes of a pixel that a morphology image may have, µm. */
const PIXELS = [0.01, 10] as const;

/** Reads `experiment.xenium`. @throws {FormatError} If it is no JSON, or lacks the pixel size. */
export function readExperiment(bytes: Uint8Array, file: string): XeniumExperiment {
  const fail = (path: string, found: string, expected: string) =>
    new FormatError(`Cannot read ${file}${path && `:${path}`}: ${found}, expected ${expected}`, {
      context: { file, path, found, expected },
    });
  const tree = parseJson(bytes, (offset, found, expected) => fail("", `byte ${offset} ${found}`, expected));
  const values = tree !== null && typeof tree === "object" && !Array.isArray(tree)
    ? tree as Record<string, unknown>
    : {};
  const { pixel_size: size, analysis_sw_version: software, num_cells: cells } = values;
  if (typeof size !== "number" || !(size >= PIXELS[0] && size <= PIXELS[1])) {
    throw fail("pixel_size", JSON.stringify(size)?.slice(0, 40) ?? "nothing", `µm a pixel from ${PIXELS.join(" to ")}`);
  }
  return {
    pixelSize: size,
    software: typeof software === "string" ? software : undefined,
    cells: typeof cells === "number" ? cells : undefined,
  };
}

/** Transcripts of a row group. */
export interface Transcripts {
  readonly from: number;
  /** µm in the frame of the morphology image. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Phred-scaled quality. */
  readonly quality: Float64Array;
  readonly names: readonly string[];
}

/** Open transcripts. */
export interface TranscriptFile {
  readonly name: string;
  readonly rows: number;
  /** Places alone, a row group at a time. */
  places(): AsyncGenerator<Pick<Transcripts, "from" | "x" | "y">>;
  /** All that is counted by. */
  read(): AsyncGenerator<Transcripts>;
}

/** Opens `transcripts.parquet`. @throws {FormatError} If it is damaged or lacks a column. */
export async function openTranscripts(source: RandomAccess): Promise<TranscriptFile> {
  const file = await openParquet(source);
  need(file, ["x_location", "y_location", "feature_name", "qv"]);
  return {
    name: file.name,
    rows: file.rows,
    async *places() {
      for await (const rows of file.read(["x_location", "y_location"])) {
        yield { from: rows.from, x: numbers(file, rows, "x_location"), y: numbers(file, rows, "y_location") };
      }
    },
    async *read() {
      for await (const rows of file.read(["x_location", "y_location", "feature_name", "qv"])) {
        yield {
          from: rows.from,
          x: numbers(file, rows, "x_location"),
          y: numbers(file, rows, "y_location"),
          quality: numbers(file, rows, "qv"),
          names: texts(file, rows, "feature_name"),
        };
      }
    },
  };
}

/** Cells with what is measured of each. */
export interface XeniumCells {
  readonly ids: readonly string[];
  /** Centres `[cells, 2]`, µm in the frame of the morphology image. */
  readonly places: Float64Array;
  /** Further columns of numbers, such as areas. */
  readonly columns: Readonly<Record<string, Float64Array>>;
}

/** Columns of cells that are kept where they are. */
const CELL_COLUMNS = ["transcript_counts", "total_counts", "cell_area", "nucleus_area", "nucleus_count"];

/** Reads `cells.parquet`. @throws {FormatError} If it is damaged, lacks a column, or names a cell twice. */
export async function readCells(source: RandomAccess): Promise<XeniumCells> {
  const file = await openParquet(source);
  need(file, ["cell_id", "x_centroid", "y_centroid"]);
  const own = CELL_COLUMNS.filter((name) => file.columns.includes(name));
  const ids: string[] = [];
  const seen = new Set<string>();
  const places = new Float64Array(2 * file.rows);
  const columns = Object.fromEntries(own.map((name) => [name, new Float64Array(file.rows)]));
  for await (const rows of file.read(["cell_id", "x_centroid", "y_centroid", ...own])) {
    const [x, y] = [numbers(file, rows, "x_centroid"), numbers(file, rows, "y_centroid")];
    for (let i = 0; i < rows.count; i++) {
      const id = idOf(file, rows, i);
      if (seen.has(id)) throw parquetError(file.name, `cell_id, row ${rows.from + i}`, `cell ${id} again`, "each once");
      seen.add(id);
      ids.push(id);
      places.set([x[i]!, y[i]!], 2 * (rows.from + i));
    }
    // Areas of cells without a nucleus are not there.
    for (const name of own) {
      columns[name]!.set(Float64Array.from(rows.values[name]!, (v) => v === null ? NaN : Number(v)), rows.from);
    }
  }
  return { ids, places, columns };
}

/** An outline. */
export interface XeniumOutline {
  readonly cell: string;
  /** `[n, 2]`, µm in the frame of the morphology image. */
  readonly ring: Float64Array;
}

/**
 * Reads `cell_boundaries.parquet` or `nucleus_boundaries.parquet`, whose rows are vertices, outline by outline.
 *
 * @throws {FormatError} If it is damaged, lacks a column, or an outline has fewer than three vertices.
 */
export async function* readOutlines(source: RandomAccess): AsyncGenerator<XeniumOutline> {
  const file = await openParquet(source);
  need(file, ["cell_id", "vertex_x", "vertex_y"]);
  // From release 2 on a cell may have several nuclei, told apart by their label or, before it came, by where a ring closes.
  const label = file.columns.includes("label_id") ? ["label_id"] : [];
  let open: { key: string; cell: string; points: number[]; row: number } | undefined;
  const finish = (): XeniumOutline[] => {
    if (open === undefined) return [];
    const { cell, points, row } = open;
    if (points.length < 6) {
      throw parquetError(file.name, `row ${row}`, `an outline of ${points.length / 2} vertices`, "3 or more");
    }
    return [{ cell, ring: Float64Array.from(points) }];
  };
  for await (const rows of file.read(["cell_id", "vertex_x", "vertex_y", ...label])) {
    const [x, y] = [numbers(file, rows, "vertex_x"), numbers(file, rows, "vertex_y")];
    for (let i = 0; i < rows.count; i++) {
      const cell = idOf(file, rows, i);
      const key = label.length > 0 ? `${cell} ${rows.values["label_id"]![i]}` : cell;
      if (open?.key !== key || isClosed(open.points)) {
        yield* finish();
        open = { key, cell, points: [], row: rows.from + i };
      }
      open.points.push(x[i]!, y[i]!);
    }
  }
  yield* finish();
}

function isClosed(points: readonly number[]): boolean {
  const n = points.length;
  return n >= 8 && points[0] === points[n - 2] && points[1] === points[n - 1];
}

function need({ name, columns }: ParquetFile, wanted: readonly string[]): void {
  const missing = wanted.find((column) => !columns.includes(column));
  if (missing !== undefined) {
    throw parquetError(name, "", `columns ${columns.join(", ").slice(0, 200)}`, `one ${missing}`);
  }
}

function numbers({ name }: ParquetFile, { from, count, values }: ParquetRows, column: string): Float64Array {
  const out = new Float64Array(count);
  const given = values[column]!;
  for (let i = 0; i < count; i++) {
    const value = given[i]!;
    const number = typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN;
    if (!Number.isFinite(number)) {
      throw parquetError(name, `${column}, row ${from + i}`, String(value).slice(0, 40), "a finite number");
    }
    out[i] = number;
  }
  return out;
}

/** Texts, also where the file does not mark bytes as text; equal bytes of a dictionary are decoded once. */
function texts({ name }: ParquetFile, { from, count, values }: ParquetRows, column: string): string[] {
  const known = new Map<ParquetValue, string>();
  const decoder = new TextDecoder();
  const given = values[column]!;
  return Array.from({ length: count }, (_, i) => {
    const value = given[i]!;
    if (typeof value === "string") return value;
    if (!(value instanceof Uint8Array)) throw parquetError(name, `${column}, row ${from + i}`, String(value), "a name");
    const before = known.get(value);
    if (before !== undefined) return before;
    const text = decoder.decode(value);
    known.set(value, text);
    return text;
  });
}

function idOf({ name }: ParquetFile, { from, values }: ParquetRows, i: number): string {
  const id = cellName(values["cell_id"]![i]);
  if (id !== undefined) return id;
  throw parquetError(name, `cell_id, row ${from + i}`, "no cell", "the name of one");
}
