/**
 * Tables of anndata copied between zarr and HDF5, every element with its encoding, in bands of rows.
 *
 * HDF5's library cannot write booleans: flags become 0 and 1, and what may be missing becomes numbers with NaN or categories,
 * which every release of anndata opens.
 *
 * Source: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import type { H5Array, H5Dtype, H5File } from "../hdf5/h5.ts";
import { H5ad } from "../hdf5/h5ad.ts";
import { encode } from "../hdf5/h5ad_write.ts";
import { MemoryStorage } from "../hdf5/h5_library.ts";
import { type H5Writable, H5Writer } from "../hdf5/h5_write.ts";
import type { ZarrFolder } from "./zarr.ts";
import { below, isText, namesOf, ZarrBoxes, type ZarrData } from "./zarr_box.ts";
import { type NewZarr, texts, type ZarrWriter } from "./zarr_write.ts";

/** What the copy has otherwise than the original, by place. */
export interface CopyNotes {
  /** Flags that are 0 and 1 now. */
  readonly flags: string[];
  /** Columns whose missing values are NaN, or no category, now. */
  readonly missing: string[];
  /** What of `uns` is of a kind that is not copied. */
  readonly leftOut: string[];
}

/** Elements that are read at once, and those of a chunk. */
const BAND = 1 << 22;
const CHUNK = 1 << 16;
const ZARR_CHUNK = 1 << 20;
/** Groups within each other, at most. */
const DEPTH = 32;

/** Notes of nothing. */
export function noNotes(): CopyNotes {
  return { flags: [], missing: [], leftOut: [] };
}

function product(list: readonly number[]): number {
  return list.reduce((a, b) => a * b, 1);
}

/**
 * The parts of a table of a store, opened as a file is; they are held in memory.
 *
 * @param path The table's group.
 * @param parts Those that are read, as far as they are there; if not given all that data are made of.
 * @throws {FormatError} If it is no table of anndata, or damaged.
 */
export async function openStoreTable(
  store: ZarrFolder,
  path: string = "",
  parts: readonly string[] = ["X", "obs", "var", "obsm", "layers", "raw", "uns/spatial"],
): Promise<H5ad> {
  checkTable(store, path);
  const storage = new MemoryStorage(path === "" ? store.name : `${store.name}/${path}`);
  const h5 = await H5Writer.create(storage);
  try {
    copyAttributes(h5, store, path, "/");
    for (const part of parts) {
      const place = below(path, part);
      if (store.kind(place) === undefined) continue;
      const group = part.replace(/\/?[^/]*$/, "");
      if (group !== "") h5.group(`/${group}`);
      await copyNode({ store, h5, notes: noNotes() }, place, `/${part}`, 0);
    }
  } finally {
    h5.close();
  }
  return await H5ad.open(storage);
}

/** Copies a whole table from zarr into a file. @throws {FormatError} If it is no table of anndata, or damaged. */
export async function copyToHdf5(store: ZarrFolder, h5: H5Writer): Promise<CopyNotes> {
  checkTable(store, "");
  const notes = noNotes();
  copyAttributes(h5, store, "", "/");
  for (const name of namesOf(store, "")) await copyNode({ store, h5, notes }, name, `/${name}`, 0);
  return notes;
}

/** Refuses what is no table of anndata. */
function checkTable(store: ZarrFolder, path: string): void {
  const kind = store.kind(path);
  const encoding = kind === "group" ? store.attributes(path)["encoding-type"] : undefined;
  if (encoding === "anndata" && ["obs", "var"].every((part) => store.kind(below(path, part)) === "group")) return;
  const tables = store.kind(below(path, "tables")) === "group" ? namesOf(store, below(path, "tables")) : [];
  const found = kind === undefined
    ? "has no zarr.json or .zgroup"
    : tables.length > 0
    ? `is a store of SpatialData (tables/${tables.join(", tables/")})`
    : "has no table";
  throw store.fail(path, found, "a table of anndata: encoding-type anndata, obs and var");
}

interface Copy {
  readonly store: ZarrFolder;
  readonly h5: H5Writer;
  readonly notes: CopyNotes;
}

async function copyNode(copy: Copy, path: string, place: string, depth: number): Promise<void> {
  const { store, h5, notes } = copy;
  const kind = store.kind(path);
  if (kind === undefined) throw store.fail(path, "is missing", "a group or an array");
  if (depth > DEPTH) throw store.fail(path, `lies ${depth} groups deep`, `at most ${DEPTH}`);
  if (kind === "group") {
    const { "encoding-type": encoding } = store.attributes(path);
    if (/^nullable-/.test(String(encoding))) return await copyNullable(copy, path, place);
    h5.group(place);
    for (const name of namesOf(store, path)) await copyNode(copy, below(path, name), `${place}/${name}`, depth + 1);
  } else {
    let array: ZarrBoxes;
    try {
      array = await ZarrBoxes.open(store, path);
    } catch (error) {
      // What nobody computes with may be of a kind that nobody reads.
      if (!(error instanceof FormatError) || !place.startsWith("/uns/")) throw error;
      notes.leftOut.push(place.slice(1));
      return;
    }
    if (array.dtype === "bool") notes.flags.push(place.slice(1));
    await copyArray(copy, array, path, place);
  }
  copyAttributes(h5, store, path, place);
}

async function copyArray({ store, h5 }: Copy, array: ZarrBoxes, path: string, place: string): Promise<void> {
  const { shape, dtype } = array;
  const [rows = 1, ...rest] = shape;
  const width = product(rest);
  if (isText(dtype)) return h5.strings(place, await array.read() as readonly string[], shape);
  const type = TYPES[dtype]!;
  const make = (data: ZarrData) => numbersOf(type, data, (value) => store.fail(path, `has ${value}`, "less than 2^63"));
  if (rows * width <= BAND || width > BAND) return h5.dataset(place, type, shape, make(await array.read()));
  h5.dataset(place, type, shape, undefined, {
    chunks: [Math.max(1, Math.min(rows, Math.floor(CHUNK / width))), ...rest],
  });
  const step = Math.max(1, Math.floor(BAND / width));
  for (let from = 0; from < rows; from += step) {
    const ranges = [[from, Math.min(rows, from + step)] as const, ...rest.map((extent) => [0, extent] as const)];
    h5.rows(place, from, rest, make(await array.read(ranges)));
  }
}

/** Types of HDF5 that hold those of zarr. */
const TYPES: Readonly<Record<string, keyof H5Writable>> = {
  ...{ bool: "u1", int8: "i4", uint8: "u1", int16: "i4", uint16: "u2", int32: "i4", uint32: "i8" } as const,
  ...{ int64: "i8", uint64: "i8", float32: "f4", float64: "f8" } as const,
};

/** Numbers in the array of a type that holds them. */
function numbersOf(
  type: keyof H5Writable,
  data: ZarrData,
  fail: (value: bigint) => Error,
): H5Writable[keyof H5Writable] {
  if (type === "i4") return data instanceof Int32Array ? data : Int32Array.from(data as Int16Array);
  if (type !== "i8") return data as H5Writable[keyof H5Writable];
  if (data instanceof BigInt64Array) return data;
  return BigInt64Array.from(data as BigUint64Array | Uint32Array, (value: bigint | number) => {
    const whole = BigInt(value);
    if (whole >= 2n ** 63n) throw fail(whole);
    return whole;
  });
}

/** A column with missing values: numbers with NaN, or categories, where -1 is none. */
async function copyNullable({ store, h5, notes }: Copy, path: string, place: string): Promise<void> {
  const part = async (name: string) => await (await ZarrBoxes.open(store, below(path, name))).read();
  const values = await part("values");
  const mask = store.kind(below(path, "mask")) === undefined ? undefined : await part("mask");
  if (mask !== undefined && mask.length !== values.length) {
    throw store.fail(below(path, "mask"), `has ${mask.length} elements`, `${values.length}`);
  }
  const missing = (i: number) => mask !== undefined && Boolean(Number(mask[i]));
  notes.missing.push(place.slice(1));
  if (ArrayBuffer.isView(values)) {
    const numbers = Float64Array.from({ length: values.length }, (_, i) => missing(i) ? NaN : Number(values[i]));
    h5.dataset(place, "f8", [values.length], numbers);
    return encode(h5, place, "array", "0.2.0");
  }
  const categories = [...new Set(values.filter((_, i) => !missing(i)))].sort();
  const codes = new Map(categories.map((name, code) => [name, code]));
  h5.group(place);
  encode(h5, place, "categorical", "0.2.0");
  h5.attribute(place, "ordered", 0);
  h5.dataset(
    `${place}/codes`,
    "i4",
    [values.length],
    Int32Array.from(values, (text, i) => missing(i) ? -1 : codes.get(text)!),
  );
  encode(h5, `${place}/codes`, "array", "0.2.0");
  h5.strings(`${place}/categories`, categories);
  encode(h5, `${place}/categories`, "string-array", "0.2.0");
}

function copyAttributes(h5: H5Writer, store: ZarrFolder, path: string, place: string): void {
  for (const [name, value] of Object.entries(store.attributes(path))) {
    if (typeof value === "boolean") h5.attribute(place, name, Number(value));
    else if (typeof value === "string" || typeof value === "number") h5.attribute(place, name, value);
    else if (Array.isArray(value) && value.every((one) => typeof one === typeof value[0])) {
      if (value.length === 0 || /^(string|number)$/.test(typeof value[0])) h5.attribute(place, name, value as string[]);
    }
  }
}

/**
 * Copies a whole file into zarr.
 *
 * @throws {FormatError} If it is no file of anndata 0.8 or later, or damaged.
 */
export function copyToZarr(file: H5File, zarr: ZarrWriter): CopyNotes {
  const { "encoding-type": encoding } = file.attributes("/");
  if (encoding !== "anndata") {
    const error = file.fail(
      "/",
      `encoding-type ${String(encoding ?? "none")}`,
      "anndata, as releases from 0.8 on write",
    );
    (error as { hint: string | undefined }).hint =
      "Write it again: python -c \"import anndata; anndata.read_h5ad('IN.h5ad').write_h5ad('OUT.h5ad')\"";
    throw error;
  }
  const notes = noNotes();
  zarrNode({ file, zarr, notes }, "/", 0);
  return notes;
}

interface ToZarr {
  readonly file: H5File;
  readonly zarr: ZarrWriter;
  readonly notes: CopyNotes;
}

function zarrNode(to: ToZarr, path: string, depth: number): void {
  const { file, zarr, notes } = to;
  if (depth > DEPTH) throw file.fail(path, `groups ${depth} deep`, `at most ${DEPTH}`);
  if (file.kind(path) === "group") {
    if (path !== "/") zarr.group(path);
    for (const name of file.keys(path)) zarrNode(to, path === "/" ? `/${name}` : `${path}/${name}`, depth + 1);
  } else if (file.kind(path) === "dataset") {
    const { shape, dtype } = file.info(path);
    if (dtype === "other") {
      if (!path.startsWith("/uns/")) throw file.fail(path, "elements of another kind", "numbers, flags or texts");
      notes.leftOut.push(path.slice(1));
      return;
    }
    // What is nothing at all has no other form in zarr than a number that is not looked at.
    if (shape === undefined) zarrArray(to, path, [], "f8", () => new Float64Array(1));
    else {
      const read = (from: number, to: number) => {
        const ranges: [number, number] | [] = shape.length === 0 ? [] : [from, to];
        return dtype === "str" ? file.strings(path, ...ranges) : file.read(path, ...ranges);
      };
      zarrArray(to, path, shape, dtype, read);
    }
  }
  for (const [name, value] of Object.entries(file.attributes(path))) {
    const plain = (one: unknown) => typeof one === "bigint" ? Number(one) : one;
    zarr.attribute(path, name, (Array.isArray(value) ? value.map(plain) : plain(value)) as string);
  }
}

function zarrArray(
  { zarr }: ToZarr,
  path: string,
  shape: readonly number[],
  dtype: Exclude<H5Dtype, "other">,
  read: (from: number, to: number) => H5Array | string[],
): void {
  const [rows = 1, ...rest] = shape;
  const width = product(rest);
  const count = Math.max(1, Math.min(rows, Math.floor((dtype === "str" ? CHUNK : ZARR_CHUNK) / Math.max(1, width))));
  const chunks = shape.length === 0 ? [] : [count, ...rest.map((extent) => Math.max(1, extent))];
  // Half precision is read as f32.
  zarr.array(path, { dtype: (dtype === "f2" ? "f4" : dtype) as NewZarr["dtype"], shape, chunks });
  if (rows * width === 0) return;
  for (let from = 0, n = 0; from < rows; from += count, n++) {
    const values = read(from, Math.min(rows, from + count));
    const bytes = ArrayBuffer.isView(values)
      ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      : texts([...values, ...Array<string>(count * width - values.length).fill("")]);
    const whole = ArrayBuffer.isView(values) ? count * width * values.BYTES_PER_ELEMENT : bytes.length;
    const padded = bytes.length === whole ? bytes : new Uint8Array(whole);
    if (padded !== bytes) padded.set(bytes);
    zarr.chunk(path, chunks.map((_, k) => k === 0 ? n : 0), padded);
  }
}
