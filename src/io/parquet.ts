/**
 * Parquet by columns and row groups, with every compression in use: with `parquet_pages.ts`, the only module that knows the
 * package which does it. What the package would believe of a damaged file is checked before it is asked to decode.
 *
 * Source: https://parquet.apache.org/docs/file-format/
 *
 * @module
 */

import { parquetMetadataAsync, parquetSchema } from "hyparquet/src/metadata.js";
import { parquetReadColumn } from "hyparquet/src/read.js";
import type { SealError } from "../core/errors.ts";
import { type ColumnPages, handing, parquetError, unpackPages } from "./parquet_pages.ts";
import type { RandomAccess } from "./random_access.ts";

export { parquetError };

/** Most bytes of a column of one row group, and rows of a group. */
const MOST_CHUNK = 1 << 30;
const MOST_ROWS = 1 << 26;
const MOST_FOOTER = 1 << 27;
const MAGIC = "PAR1";

type FileMetaData = Awaited<ReturnType<typeof parquetMetadataAsync>>;

/** A value as files have it; bytes where a column is not marked as text, null where there is none. */
export type ParquetValue = string | number | bigint | boolean | Uint8Array | null;

/** Values of a column; of numbers of one kind a typed array. */
export type ParquetColumn = ArrayLike<ParquetValue>;

/** Rows of one group. */
export interface ParquetRows {
  /** Number of the first row. */
  readonly from: number;
  readonly count: number;
  /** Values by column. */
  readonly values: Readonly<Record<string, ParquetColumn>>;
}

/** An open file. */
export interface ParquetFile {
  readonly name: string;
  readonly rows: number;
  /** Names of the columns that are not nested. */
  readonly columns: readonly string[];
  /** Texts beside the table: `geo`, `pandas`, and whatever a writer added. */
  readonly texts: ReadonlyMap<string, string>;
  /**
   * Reads columns, a row group at a time.
   *
   * @throws {FormatError} If there is no such column, or what is stored is damaged.
   */
  read(columns: readonly string[]): AsyncGenerator<ParquetRows>;
}

/** Runs the package, whose errors have no type. */
async function guarded<T>(name: string, path: string, act: () => Promise<T> | T): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if ((cause as Partial<SealError>).exitCode !== undefined) throw cause;
    throw parquetError(name, path, `damage (${(cause as Error).message})`, "undamaged Parquet", cause);
  }
}

/**
 * Opens a file: reads what is said at its end.
 *
 * @throws {FormatError} If it is no Parquet, is truncated, or contradicts itself.
 */
export async function openParquet(source: RandomAccess): Promise<ParquetFile> {
  const { name, size } = source;
  const [head, foot] = [
    await source.read(0, Math.min(4, size)),
    await source.read(Math.max(0, size - 8), Math.min(8, size)),
  ];
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  if (size < 12 || text(head) !== MAGIC) {
    throw parquetError(name, "", `a file that begins ${JSON.stringify(text(head))}`, MAGIC);
  }
  if (text(foot.subarray(4)) !== MAGIC) throw parquetError(name, "", "no end of Parquet: it is truncated", MAGIC);
  const footer = new DataView(foot.buffer).getUint32(0, true);
  if (footer > Math.min(size - 12, MOST_FOOTER)) {
    throw parquetError(name, "", `a footer of ${footer} bytes`, `at most ${Math.min(size - 12, MOST_FOOTER)}`);
  }
  const file = {
    byteLength: size,
    slice: async (from: number, to: number = size) => (await source.read(from, to - from)).buffer,
  };
  const metadata = await guarded(name, "footer", () => parquetMetadataAsync(file, { geoparquet: false }));
  const groups = await guarded(name, "footer", () => checkGroups(name, size, metadata));
  const columns = [...(groups[0]?.keys() ?? [])];
  const texts = await guarded(name, "footer", () => textsOf(metadata));
  return {
    name,
    rows: metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0),
    columns,
    texts,
    async *read(wanted) {
      const missing = wanted.find((column) => !columns.includes(column));
      if (missing !== undefined) throw parquetError(name, missing, `columns ${columns.join(", ")}`, `one ${missing}`);
      let from = 0;
      for (const [i, group] of groups.entries()) {
        const count = Number(metadata.row_groups[i]!.num_rows);
        const values: Record<string, ParquetColumn> = {};
        for (const column of wanted) {
          const path = `group ${i}, ${column}`;
          values[column] = await guarded(name, path, async () => {
            const pages = await unpackPages(source, path, group.get(column)!, count);
            const range = { columns: [column], rowStart: from, rowEnd: from + count };
            const options = { file, metadata, compressors: handing(pages), utf8: false, geoparquet: false, ...range };
            return compact(await parquetReadColumn(options) as ArrayLike<ParquetValue | undefined>);
          });
          const found = values[column]!.length;
          if (found !== count) throw parquetError(name, path, `${found} values`, `${count}, one a row`);
        }
        if (count > 0) yield { from, count, values };
        from += count;
      }
    },
  };
}

/** Values as the package gives them, a million objects a group, in a typed array where they are all of one kind of number. */
function compact(values: ArrayLike<ParquetValue | undefined>): ParquetColumn {
  const all = (fits: (value: ParquetValue | undefined) => boolean) => {
    for (let i = 0; i < values.length; i++) if (!fits(values[i])) return false;
    return values.length > 0;
  };
  if (all((value) => typeof value === "number")) return Float64Array.from(values as ArrayLike<number>);
  if (all((value) => typeof value === "bigint" && value < 2n ** 63n)) {
    return BigInt64Array.from(values as ArrayLike<bigint>);
  }
  return Array.from(values, (value) => value ?? null);
}

/** Texts beside the table. */
function textsOf({ key_value_metadata: pairs }: FileMetaData): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { key, value } of pairs ?? []) texts.set(String(key), String(value ?? ""));
  return texts;
}

/** Checks sizes and places. @returns Of every row group its columns that are neither nested nor lists, by name. */
function checkGroups(name: string, size: number, metadata: FileMetaData): Map<string, ColumnPages>[] {
  const kinds = new Map(parquetSchema(metadata).children.map(({ element: e }) => [e.name, e.repetition_type]));
  return metadata.row_groups.map((group, i) => {
    const rows = Number(group.num_rows);
    if (!(rows >= 0 && rows <= MOST_ROWS)) {
      throw parquetError(name, `group ${i}`, `${rows} rows`, `0 to ${MOST_ROWS}`);
    }
    const columns = new Map<string, ColumnPages>();
    for (const { meta_data: column } of group.columns) {
      const [own, ...more] = column?.path_in_schema ?? [];
      if (column === undefined || own === undefined || more.length > 0 || kinds.get(own) === "REPEATED") continue;
      const from = Number(column.dictionary_page_offset || column.data_page_offset);
      const to = from + Number(column.total_compressed_size);
      if (!(from >= 4 && to >= from && to <= size && to - from <= MOST_CHUNK)) {
        throw parquetError(name, `group ${i}, ${own}`, `bytes ${from} to ${to}`, `a range in the file's ${size}`);
      }
      columns.set(own, { from, to, codec: column.codec, optional: kinds.get(own) === "OPTIONAL" });
    }
    return columns;
  });
}
