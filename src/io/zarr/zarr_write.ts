/**
 * Writing zarr: groups, arrays filled at once, by rows or by chunks, texts and attributes. Version 2, which every release of
 * anndata, spatialdata and OME-Zarr readers opens, packs chunks with zlib and lists everything at the root; version 3 packs the
 * same data as gzip, and has no texts.
 *
 * Source: https://zarr-specs.readthedocs.io; numcodecs' vlen-utf8.
 *
 * @module
 */

import { FormatError, type SealError } from "../../core/errors.ts";
import { crc32, deflate } from "../../host/zlib.ts";
import type { H5Layout, H5NewValue, H5Writable } from "../hdf5/h5_write.ts";

/** Where the files go: one at a path, whose folder is made when it is missing. */
export type ZarrPut = (path: string, data: Uint8Array | string) => void;

/** An array to write. */
export interface NewZarr {
  readonly dtype: keyof typeof TYPES;
  readonly shape: readonly number[];
  readonly chunks: readonly number[];
  /** Between the numbers of a chunk's name: `/` makes folders of them. */
  readonly separator?: "." | "/";
  /** Of chunks that are left out; 0 if not given. */
  readonly fill?: number;
  /** Names of the axes, which version 3 has. */
  readonly axes?: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/** Elements of a chunk of rows, at the least. */
const CHUNK = 1 << 20;
/** Names of types in versions 2 and 3. */
const TYPES = {
  bool: ["|b1", "bool"],
  u1: ["|u1", "uint8"],
  i1: ["|i1", "int8"],
  u2: ["<u2", "uint16"],
  i2: ["<i2", "int16"],
  u4: ["<u4", "uint32"],
  i4: ["<i4", "int32"],
  i8: ["<i8", "int64"],
  u8: ["<u8", "uint64"],
  f2: ["<f2", "float16"],
  f4: ["<f4", "float32"],
  f8: ["<f8", "float64"],
  str: ["|O", "string"],
} as const;

/** Rows that wait until a chunk is full. */
interface Growing {
  readonly array: NewZarr;
  readonly waiting: Uint8Array<ArrayBuffer>;
  used: number;
  chunk: number;
}

/**
 * A store being written; it is complete when closed. It is filled by the calls that also fill a file of HDF5. An array can be read
 * as soon as it is declared.
 */
export class ZarrWriter {
  readonly #metadata = new Map<string, Json>();
  readonly #attributes = new Map<string, Record<string, unknown>>();
  readonly #arrays = new Map<string, NewZarr>();
  readonly #growing = new Map<string, Growing>();

  /** @param name Of the store, for messages. */
  constructor(readonly name: string, private readonly put: ZarrPut, readonly version: 2 | 3 = 2) {
    this.group("");
  }

  /** An error of a place in the store. */
  fail(path: string, found: string, expected: string): SealError {
    return new FormatError(`Cannot write ${this.name}:${path}: ${found}, expected ${expected}`, {
      context: { file: this.name, path, found, expected },
    });
  }

  /** Makes a group. */
  group(path: string): void {
    if (this.version === 2) this.#metadata.set(`${key(path)}.zgroup`, { zarr_format: 2 });
    else this.#metadata.set(`${key(path)}zarr.json`, { zarr_format: 3, node_type: "group", attributes: {} });
  }

  /** Notes an attribute. */
  attribute(path: string, name: string, value: H5NewValue | boolean | Json | readonly Json[]): void {
    const own = this.#attributes.get(key(path)) ?? {};
    // What HDF5 cannot write: whether categories have an order is true or false.
    own[name] = name === "ordered" ? value === 1 || value === true : value;
    this.#attributes.set(key(path), own);
  }

  /** Declares an array whose chunks follow. */
  array(path: string, array: NewZarr): void {
    const file = `${key(path)}${this.version === 2 ? ".zarray" : "zarr.json"}`;
    const metadata = this.version === 2 ? second(array) : third(array);
    this.#arrays.set(key(path), array);
    this.#metadata.set(file, metadata);
    this.put(file, text(metadata));
  }

  /** Path of a chunk of an array that was declared. */
  file(path: string, at: readonly number[]): string {
    const { separator = "." } = this.#arrays.get(key(path))!;
    const parts = this.version === 3 ? ["c", ...at] : at.length === 0 ? [0] : at;
    return `${key(path)}${parts.join(separator)}`;
  }

  /** Writes a chunk of an array; what of it lies outside of the array is any number. */
  chunk(path: string, at: readonly number[], bytes: Uint8Array): void {
    const zlib = deflate(bytes);
    this.put(this.file(path, at), this.version === 2 ? zlib : gzipOf(zlib, bytes));
  }

  /** Makes an array; without `data` it is to be filled by {@linkcode ZarrWriter.rows}, from the first to the last. */
  dataset<T extends keyof H5Writable>(
    path: string,
    dtype: T,
    shape: readonly number[],
    data?: H5Writable[T],
    _layout: H5Layout = {},
  ): void {
    const elements = shape.reduce((a, b) => a * b, 1);
    if (data !== undefined) {
      if (data.length !== elements) throw this.fail(path, `${data.length} elements`, `shape ${shape.join("x")}`);
      this.array(path, { dtype, shape, chunks: shape.map((extent) => Math.max(1, extent)) });
      if (elements > 0) this.chunk(path, shape.map(() => 0), bytesOf(data));
      return;
    }
    const width = shape.slice(1).reduce((a, b) => a * b, 1);
    const count = Math.max(1, Math.min(shape[0]!, Math.ceil(CHUNK / Math.max(1, width))));
    const array = { dtype, shape, chunks: [count, ...shape.slice(1).map((extent) => Math.max(1, extent))] };
    this.array(path, array);
    const size = Number(dtype.slice(1));
    this.#growing.set(path, { array, waiting: new Uint8Array(count * width * size), used: 0, chunk: 0 });
  }

  /** Adds rows behind those that were added. */
  rows(path: string, _from: number, _rowShape: readonly number[], data: H5Writable[keyof H5Writable]): void {
    const growing = this.#growing.get(path);
    if (growing === undefined) throw this.fail(path, "rows", "a dataset that waits for some");
    const bytes = bytesOf(data);
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + growing.waiting.length - growing.used);
      growing.waiting.set(part, growing.used);
      growing.used += part.length;
      at += part.length;
      if (growing.used === growing.waiting.length) this.#flush(path, growing);
    }
  }

  #flush(path: string, growing: Growing): void {
    growing.waiting.fill(0, growing.used);
    this.chunk(path, growing.array.chunks.map((_, k) => k === 0 ? growing.chunk : 0), growing.waiting);
    growing.chunk++;
    growing.used = 0;
  }

  /** Writes texts. */
  strings(path: string, values: readonly string[], shape: readonly number[] = [values.length]): void {
    this.array(path, { dtype: "str", shape, chunks: shape.map((extent) => Math.max(1, extent)) });
    if (values.length > 0) this.chunk(path, shape.map(() => 0), texts(values));
  }

  /** Writes what was noted; the root, or the list of all, comes last: a store without it is not whole. */
  close(): void {
    for (const [path, growing] of this.#growing) if (growing.used > 0) this.#flush(path, growing);
    for (const [path, attributes] of this.#attributes) {
      const file = `${path}${this.version === 2 ? ".zattrs" : "zarr.json"}`;
      this.#metadata.set(file, this.version === 2 ? attributes : { ...this.#metadata.get(file), attributes });
    }
    const sorted = [...this.#metadata].sort(([a], [b]) => a < b ? -1 : 1);
    for (const [path, json] of sorted) if (path !== "zarr.json") this.put(path, text(json));
    if (this.version === 3) return this.put("zarr.json", text(this.#metadata.get("zarr.json")!));
    this.put(".zmetadata", text({ zarr_consolidated_format: 1, metadata: Object.fromEntries(sorted) }));
  }
}

/** What version 2 says of an array. */
function second({ dtype, shape, chunks, separator = ".", fill = 0 }: NewZarr): Json {
  return {
    ...{ zarr_format: 2, shape, chunks, dtype: TYPES[dtype][0], fill_value: fillOf(dtype, fill) },
    ...{ order: "C", filters: dtype === "str" ? [{ id: "vlen-utf8" }] : null, dimension_separator: separator },
    compressor: { id: "zlib", level: 1 },
  };
}

/** What version 3 says of an array. */
function third({ dtype, shape, chunks, separator = ".", fill = 0, axes }: NewZarr): Json {
  return {
    ...{ zarr_format: 3, node_type: "array", shape, data_type: TYPES[dtype][1], fill_value: fillOf(dtype, fill) },
    chunk_grid: { name: "regular", configuration: { chunk_shape: chunks } },
    chunk_key_encoding: { name: "default", configuration: { separator } },
    codecs: [
      { name: "bytes", configuration: { endian: "little" } },
      { name: "gzip", configuration: { level: 1 } },
    ],
    ...{ attributes: {}, ...(axes !== undefined && { dimension_names: axes }) },
  };
}

function fillOf(dtype: NewZarr["dtype"], fill: number): string | number | boolean {
  return dtype === "str" ? "" : dtype === "bool" ? fill !== 0 : numberOf(fill);
}

/** A number, or what JSON has in its place. */
function numberOf(fill: number): number | string {
  return Number.isNaN(fill) ? "NaN" : fill;
}

/** zlib's stream of some bytes as gzip's. */
function gzipOf(zlib: Uint8Array, bytes: Uint8Array): Uint8Array {
  const data = zlib.subarray(2, zlib.length - 4);
  const out = new Uint8Array(data.length + 18);
  // No name, no time, so that the same bytes give the same file.
  out.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
  out.set(data, 10);
  const view = new DataView(out.buffer);
  view.setUint32(out.length - 8, crc32(bytes), true);
  view.setUint32(out.length - 4, bytes.length, true);
  return out;
}

function text(json: Json): string {
  return `${JSON.stringify(json, null, 1)}\n`;
}

/** A path as the start of its files' names: nothing at the root. */
function key(path: string): string {
  const plain = path.replace(/^\/+/, "");
  return plain === "" ? "" : `${plain}/`;
}

function bytesOf({ buffer, byteOffset, byteLength }: H5Writable[keyof H5Writable]): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Texts as numcodecs packs them: how many, then of each its bytes behind their number. */
export function texts(values: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = values.map((value) => encoder.encode(value));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 4));
  const view = new DataView(out.buffer);
  view.setUint32(0, parts.length, true);
  let at = 4;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    out.set(part, at + 4);
    at += 4 + part.length;
  }
  return out;
}
