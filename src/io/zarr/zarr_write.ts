/**
 * Writing zarr, version 2, which every release of anndata, spatialdata and OME-Zarr readers opens: groups, arrays filled at once
 * or by rows, texts, attributes, and the list of all of them at the root. Chunks are packed with zlib.
 *
 * Source: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html; numcodecs' vlen-utf8.
 *
 * @module
 */

import { FormatError, type SealError } from "../../core/errors.ts";
import { deflate } from "../../host/zlib.ts";
import type { H5Layout, H5NewValue, H5Writable } from "../hdf5/h5_write.ts";

/** Where the files go: one at a path, whose folder is made when it is missing. */
export type ZarrPut = (path: string, data: Uint8Array | string) => void;

/** An array to write. */
export interface NewZarr {
  readonly dtype: keyof H5Writable | "str";
  readonly shape: readonly number[];
  readonly chunks: readonly number[];
  /** Between the numbers of a chunk's name: `/` makes folders of them. */
  readonly separator?: "." | "/";
}

type Json = Readonly<Record<string, unknown>>;

/** Elements of a chunk of rows, at the least. */
const CHUNK = 1 << 20;
const TYPES: Readonly<Record<NewZarr["dtype"], string>> = {
  u1: "|u1",
  u2: "<u2",
  i4: "<i4",
  i8: "<i8",
  f2: "<f2",
  f4: "<f4",
  f8: "<f8",
  str: "|O",
};

/** Rows that wait until a chunk is full. */
interface Growing {
  readonly array: NewZarr;
  readonly waiting: Uint8Array<ArrayBuffer>;
  used: number;
  chunk: number;
}

/** A store being written; it is complete when closed. It is filled by the calls that also fill a file of HDF5. */
export class ZarrWriter {
  readonly #metadata = new Map<string, Json>();
  readonly #attributes = new Map<string, Record<string, unknown>>();
  readonly #growing = new Map<string, Growing>();

  /** @param name Of the store, for messages. */
  constructor(readonly name: string, private readonly put: ZarrPut) {
    this.#metadata.set(".zgroup", { zarr_format: 2 });
  }

  /** An error of a place in the store. */
  fail(path: string, found: string, expected: string): SealError {
    return new FormatError(`Cannot write ${this.name}:${path}: ${found}, expected ${expected}`, {
      context: { file: this.name, path, found, expected },
    });
  }

  /** Makes a group. */
  group(path: string): void {
    this.#metadata.set(`${key(path)}.zgroup`, { zarr_format: 2 });
  }

  /** Notes an attribute. */
  attribute(path: string, name: string, value: H5NewValue | Json | readonly Json[]): void {
    const own = this.#attributes.get(key(path)) ?? {};
    // What HDF5 cannot write: whether categories have an order is true or false.
    own[name] = name === "ordered" ? value === 1 : value;
    this.#attributes.set(key(path), own);
  }

  /** Declares an array whose chunks follow. */
  array(path: string, array: NewZarr): void {
    const { dtype, shape, chunks, separator = "." } = array;
    this.#metadata.set(`${key(path)}.zarray`, {
      zarr_format: 2,
      shape,
      chunks,
      dtype: TYPES[dtype],
      compressor: { id: "zlib", level: 6 },
      fill_value: dtype === "str" ? "" : 0,
      order: "C",
      filters: dtype === "str" ? [{ id: "vlen-utf8" }] : null,
      dimension_separator: separator,
    });
  }

  /** Writes a chunk of an array; what of it lies outside of the array is any number. */
  chunk(path: string, at: readonly number[], bytes: Uint8Array, separator: "." | "/" = "."): void {
    this.put(`${key(path)}${at.length === 0 ? "0" : at.join(separator)}`, deflate(bytes));
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

  /** Writes what was noted, and the list of all at last: a store without it is not whole. */
  close(): void {
    for (const [path, growing] of this.#growing) if (growing.used > 0) this.#flush(path, growing);
    for (const [path, attributes] of this.#attributes) this.#metadata.set(`${path}.zattrs`, attributes);
    const sorted = [...this.#metadata].sort(([a], [b]) => a < b ? -1 : 1);
    for (const [path, json] of sorted) this.put(path, JSON.stringify(json, null, 2));
    const all = { zarr_consolidated_format: 1, metadata: Object.fromEntries(sorted) };
    this.put(".zmetadata", JSON.stringify(all, null, 2));
  }
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
function texts(values: readonly string[]): Uint8Array {
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
