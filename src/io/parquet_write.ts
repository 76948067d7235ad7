/**
 * Writing Parquet: plain columns without nulls, as they are, a row group at a time. The same calls give the same bytes.
 *
 * Source: https://parquet.apache.org/docs/file-format/, its parquet.thrift, and the compact protocol of Thrift.
 *
 * @module
 */

import { assert } from "../core/errors.ts";
import type { HostFile } from "./disk.ts";

/** Values of a column by its type. */
export interface ParquetWritable {
  i4: Int32Array;
  i8: BigInt64Array;
  f8: Float64Array;
  str: readonly string[];
  bytes: readonly Uint8Array[];
}

/** Types of columns: name to one of {@linkcode ParquetWritable}. */
export type ParquetColumns = Readonly<Record<string, keyof ParquetWritable>>;

/** Of the format: physical types, and the kinds of fields of the compact protocol. */
const TYPES = { i4: 1, i8: 2, f8: 5, str: 6, bytes: 6 } as const;
const [I32, I64, BINARY, LIST, STRUCT] = [5, 6, 8, 9, 12] as const;

/** A field of a struct: its number, kind and value. */
type Field = readonly [id: number, kind: number, value: Value];
type Value = number | string | readonly Field[] | { readonly of: number; readonly items: readonly Value[] };

const encoder = new TextEncoder();

function unsigned(out: number[], value: number): void {
  for (; value >= 0x80; value = Math.floor(value / 128)) out.push(value % 128 + 128);
  out.push(value);
}

function put(out: number[], kind: number, value: Value): void {
  if (kind === I32 || kind === I64) unsigned(out, 2 * (value as number));
  else if (kind === BINARY) {
    const bytes = encoder.encode(value as string);
    unsigned(out, bytes.length);
    for (const byte of bytes) out.push(byte);
  } else if (kind === LIST) {
    const { of, items } = value as { of: number; items: readonly Value[] };
    if (items.length < 15) out.push(items.length * 16 + of);
    else {
      out.push(0xf0 + of);
      unsigned(out, items.length);
    }
    for (const item of items) put(out, of, item);
  } else {
    let before = 0;
    for (const [id, kind, inner] of value as readonly Field[]) {
      out.push((id - before) * 16 + kind);
      before = id;
      put(out, kind, inner);
    }
    out.push(0);
  }
}

function encoded(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  put(out, STRUCT, fields);
  return Uint8Array.from(out);
}

function plain<T extends keyof ParquetWritable>(type: T, values: ParquetWritable[T]): Uint8Array {
  if (type !== "str" && type !== "bytes") {
    const { buffer, byteOffset, byteLength } = values as Float64Array;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const parts = (values as readonly (string | Uint8Array)[]).map((value) =>
    typeof value === "string" ? encoder.encode(value) : value
  );
  const out = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    out.set(part, at + 4);
    at += 4 + part.length;
  }
  return out;
}

/** A file being written; it is complete when finished. */
export class ParquetWriter {
  readonly #groups: Field[][] = [];
  #at = 4;
  #rows = 0;

  /**
   * Begins a file.
   *
   * @param texts What stands beside the table, such as `geo` and `pandas`.
   */
  constructor(
    private readonly file: Pick<HostFile, "write">,
    private readonly columns: ParquetColumns,
    private readonly texts: Readonly<Record<string, string>> = {},
  ) {
    file.write(0, encoder.encode("PAR1"));
  }

  /** Adds rows as a group: values of every column, as many of each. */
  add(values: Readonly<Record<string, ParquetWritable[keyof ParquetWritable]>>): void {
    const count = Object.values(values)[0]?.length ?? 0;
    const chunks: Field[][] = [];
    let total = 0;
    for (const [name, type] of Object.entries(this.columns)) {
      const list = values[name];
      assert(list?.length === count, `column ${name} has ${list?.length} of ${count} values`);
      const data = plain(type, list as never);
      const page = encoded([
        [1, I32, 0],
        [2, I32, data.length],
        [3, I32, data.length],
        [5, STRUCT, [[1, I32, count], [2, I32, 0], [3, I32, 3], [4, I32, 3]]],
      ]);
      const bytes = page.length + data.length;
      this.file.write(this.#at, page);
      this.file.write(this.#at + page.length, data);
      const metadata: Field[] = [
        [1, I32, TYPES[type]],
        [2, LIST, { of: I32, items: [0, 3] }],
        [3, LIST, { of: BINARY, items: [name] }],
        [4, I32, 0],
        [5, I64, count],
        [6, I64, bytes],
        [7, I64, bytes],
        [9, I64, this.#at],
      ];
      chunks.push([[2, I64, this.#at], [3, STRUCT, metadata]]);
      this.#at += bytes;
      total += bytes;
    }
    this.#groups.push([[1, LIST, { of: STRUCT, items: chunks }], [2, I64, total], [3, I64, count]]);
    this.#rows += count;
  }

  /** Writes what is said at the end. */
  finish(): void {
    const columns = Object.entries(this.columns);
    const leaves = columns.map(([name, type]): Field[] => [
      [1, I32, TYPES[type]],
      [3, I32, 0],
      [4, BINARY, name],
      ...(type === "str" ? [[6, I32, 0], [10, STRUCT, [[1, STRUCT, []]]]] as const : []),
    ]);
    const footer = encoded([
      [1, I32, 2],
      [2, LIST, { of: STRUCT, items: [[[4, BINARY, "schema"], [5, I32, columns.length]], ...leaves] }],
      [3, I64, this.#rows],
      [4, LIST, { of: STRUCT, items: this.#groups }],
      [5, LIST, {
        of: STRUCT,
        items: Object.entries(this.texts).map(([key, value]) => [[1, BINARY, key], [2, BINARY, value]]),
      }],
      [6, BINARY, "seal-webgpu"],
    ]);
    const end = new Uint8Array(8);
    new DataView(end.buffer).setUint32(0, footer.length, true);
    end.set(encoder.encode("PAR1"), 4);
    this.file.write(this.#at, footer);
    this.file.write(this.#at + footer.length, end);
  }
}
