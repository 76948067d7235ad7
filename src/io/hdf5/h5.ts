/**
 * Reading HDF5: groups, datasets by rows, strings, attributes. The library (h5wasm) is not trusted: filters are checked
 * before every read, since an absent one would give garbage without a word, and sizes before every allocation.
 *
 * Booleans are read as 0 and 1, half precision as f32, big-endian as little-endian.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { checkDataset, deflatedBytes, lzfBytes, mendOf, tooLarge } from "./h5_checks.ts";
import { H5Session, type H5Storage, type Metadata, OBJECT } from "./h5_library.ts";
import { dtypeOf, type H5Array, type H5Dtype, toF64, typed } from "./h5_types.ts";

export type { H5Array, H5Dtype };

/** Value of an attribute; integers beyond 2^53 are bigint. */
export type H5Value = string | number | bigint | boolean | string[] | (number | bigint)[];

/** What a dataset holds. */
export interface H5Dataset {
  readonly path: string;
  /** Extents; empty for a scalar, undefined where the dataset has no space at all. */
  readonly shape: readonly number[] | undefined;
  readonly dtype: H5Dtype;
  /** Extents of a chunk, undefined where the dataset is contiguous. */
  readonly chunks: readonly number[] | undefined;
  /** Names of its filters, in order of writing. */
  readonly filters: readonly string[];
}

/** Most bytes one read gives. */
const MOST_BYTES = 2 ** 30;
/** Most bytes of an attribute. */
const MOST_ATTRIBUTE = 2 ** 24;
/** Most strings read at once. */
const MOST_STRINGS = 2 ** 24;

/** A file open for reading. */
export class H5File extends H5Session {
  /** Of datasets that were asked for: asking takes as long as reading a patch does. */
  private readonly known = new Map<string, Metadata>();

  /**
   * Opens a file.
   *
   * @param source A file of the host, or bytes by range; closing the result closes it.
   * @throws {FormatError} If it is no HDF5 file, or damaged.
   */
  static async open(source: H5Storage): Promise<H5File> {
    const library = await H5Session.library();
    const head = new Uint8Array(64);
    source.read(0, head);
    try {
      return new H5File(library, source, 0);
    } catch (error) {
      const hint = error instanceof FormatError ? mendOf(head) : undefined;
      if (hint !== undefined) (error as { hint: string | undefined }).hint = hint;
      throw error;
    }
  }

  /** Names in a group. */
  keys(path: string = "/"): string[] {
    if (this.kind(path) !== "group") throw this.fail(path, this.kind(path) ?? "nothing", "a group");
    return this.run(path, () => this.hdf5.get_names(this.id, path, false), Array.isArray);
  }

  /** What lies at `path`; links within the file are followed, those out of it lead nowhere. */
  kind(path: string): "group" | "dataset" | undefined {
    if (path === "/") return "group";
    const type = this.run(path, () => this.hdf5.get_type(this.id, path), () => true);
    return type === OBJECT.group ? "group" : type === OBJECT.dataset ? "dataset" : undefined;
  }

  /** The first of `paths` that is a dataset. */
  find(paths: readonly string[]): string | undefined {
    return paths.find((path) => this.kind(path) === "dataset");
  }

  /** Shape, type and filters of a dataset. */
  info(path: string): H5Dataset {
    const metadata = this.metadata(path);
    const filters = this.run(path, () => this.hdf5.get_dataset_filters(this.id, path), Array.isArray);
    return {
      path,
      shape: metadata.shape ?? undefined,
      dtype: dtypeOf(metadata),
      chunks: metadata.chunks ?? undefined,
      filters: filters.map(({ id, name }) => name || String(id)),
    };
  }

  /**
   * Checks a dataset before its rows are read: that this library unpacks it, that its chunks fit in memory, and that the file
   * is large enough for what it declares.
   *
   * @throws {FormatError} Of a filter that is not there, or more elements than the file can hold.
   * @throws {LimitError} If a chunk is too large.
   */
  check(path: string): void {
    this.checkLayout(path, this.metadata(path));
  }

  /** Attributes of a group or dataset; those of kinds that are not read are left out. */
  attributes(path: string = "/"): Record<string, H5Value> {
    if (this.kind(path) === undefined) throw this.fail(path, "nothing", "a group or dataset");
    const names = this.run(path, () => this.hdf5.get_attribute_names(this.id, path), Array.isArray);
    const out: Record<string, H5Value> = Object.create(null);
    for (const name of names) {
      const value = this.attribute(path, name);
      if (value !== undefined) out[name] = value;
    }
    return out;
  }

  private attribute(path: string, name: string): H5Value | undefined {
    const place = `${path}@${name}`;
    const metadata = this.run(place, () => this.hdf5.get_attribute_metadata(this.id, path, name), isMetadata);
    const dtype = dtypeOf(metadata);
    if (metadata.shape === null || dtype === "other") return undefined;
    const count = metadata.shape.reduce((a, b) => a * b, 1);
    if (count * metadata.size > MOST_ATTRIBUTE) throw this.fail(place, `${count} values`, "an attribute");
    const read = (at: bigint) => this.hdf5.get_attribute_data(this.id, path, name, at);
    const reclaim = (at: bigint) => this.hdf5.reclaim_vlen_memory(this.id, path, name, at);
    const values = dtype === "str"
      ? this.stringsFrom(place, metadata, count, read, reclaim)
      : [...typed(this.bytesFrom(place, count * metadata.size, read), dtype)].map((v) =>
        typeof v === "bigint" && v === BigInt(Number(v)) && Number.isSafeInteger(Number(v)) ? Number(v) : v
      );
    if (metadata.shape.length > 0) return values as H5Value;
    return dtype === "bool" ? values[0] !== 0 : values[0];
  }

  /**
   * Rows `from` up to `to` of a numeric dataset, row-major; without them all of it.
   *
   * @param axis The dimension that counts rows; all of the others is read.
   * @throws {FormatError} Of a filter that is not there, another type, or damage.
   * @throws {LimitError} If the rows do not fit in memory.
   */
  read(path: string, from?: number, to?: number, axis = 0): H5Array {
    return this.selected(path, this.select(path, from, to, axis));
  }

  /**
   * The box of a numeric dataset from `from` up to but without `to`, an index of each dimension; row-major.
   *
   * @throws {FormatError} Of a filter that is not there, another type, or damage.
   * @throws {LimitError} If it does not fit in memory.
   */
  box(path: string, from: readonly number[], to: readonly number[]): H5Array {
    return this.selected(path, this.selectBox(path, (shape) => shape.map((_, i) => [from[i] ?? -1, to[i] ?? -1])));
  }

  private selected(path: string, { metadata, count, offset, size }: ReturnType<H5File["selectBox"]>): H5Array {
    const dtype = dtypeOf(metadata);
    if (dtype === "str" || dtype === "other") throw this.fail(path, `elements of type ${dtype}`, "numbers");
    const read = this.reader(path, count, offset);
    return typed(this.bytesFrom(path, size * metadata.size, read), dtype);
  }

  /** As {@linkcode H5File.read}, as f64; integers beyond 2^53 are refused. */
  numbers(path: string, from?: number, to?: number): Float64Array<ArrayBuffer> {
    const values = this.read(path, from, to);
    const out = toF64(values);
    if (!(values instanceof BigInt64Array) && !(values instanceof BigUint64Array)) return out;
    const large = out.findIndex((value) => !Number.isSafeInteger(value));
    if (large >= 0) throw this.fail(path, `the number ${values[large]}`, "one below 2^53");
    return out;
  }

  /** Rows of a dataset of strings, of variable or fixed length, as one list. */
  strings(path: string, from?: number, to?: number): string[] {
    const { metadata, count, offset, size } = this.select(path, from, to);
    if (dtypeOf(metadata) !== "str") throw this.fail(path, `elements of type ${dtypeOf(metadata)}`, "strings");
    if (size > MOST_STRINGS) throw this.fail(path, `${size} strings`, `at most ${MOST_STRINGS} at once`);
    const reclaim = (at: bigint) => this.hdf5.reclaim_vlen_memory_count(this.id, path, "", at, count);
    return this.stringsFrom(path, metadata, size, this.reader(path, count, offset), reclaim);
  }

  /** Names of the fields of a compound dataset; none of any other. */
  fields(path: string): string[] {
    return this.metadata(path).compound_type?.members.map(({ name }) => name) ?? [];
  }

  /**
   * One field of all records of a compound dataset: strings, or numbers as f64.
   *
   * @throws {FormatError} If there is no such field, or it is of another kind.
   */
  field(path: string, name: string): string[] | Float64Array<ArrayBuffer> {
    const { metadata, count, offset, size } = this.select(path);
    const member = metadata.compound_type?.members.find((m) => m.name === name);
    const dtype = member && dtypeOf(member);
    if (member === undefined || dtype === undefined || dtype === "other") {
      throw this.fail(`${path}.${name}`, member ? "elements of another kind" : "no such field", "strings or numbers");
    }
    const width = metadata.size;
    const packed = (heap: Uint8Array): Uint8Array<ArrayBuffer> => {
      const out = new Uint8Array(size * member.size);
      for (let i = 0; i < size; i++) {
        const from = i * width + member.offset;
        const element = heap.subarray(from, from + member.size);
        out.set(member.littleEndian || dtype === "str" ? element : element.slice().reverse(), i * member.size);
      }
      return out;
    };
    const read = this.reader(path, count, offset);
    if (dtype !== "str") {
      return Float64Array.from(typed(packed(this.bytesFrom(path, size * width, read)), dtype), Number);
    }
    const at = size === 0 ? 0 : this.allocate(path, size * width);
    try {
      if (size > 0) this.run(path, () => read(BigInt(at)), (status) => status >= 0);
      return this.texts(packed(this.hdf5.HEAPU8.subarray(at, at + size * width)), member, size);
    } finally {
      if (size > 0) {
        this.run(path, () => this.hdf5.reclaim_vlen_memory_count(this.id, path, "", BigInt(at), count), () => true);
        this.hdf5._free(at);
      }
    }
  }

  private reader(path: string, count: bigint[], offset: bigint[]): (at: bigint) => number {
    if (count.length === 0) return (at) => this.hdf5.get_dataset_data(this.id, path, null, null, null, at);
    const stride = count.map(() => 1n);
    return (at) => this.hdf5.get_dataset_data(this.id, path, count, offset, stride, at);
  }

  private metadata(path: string): Metadata {
    const before = this.known.get(path);
    if (before !== undefined) return before;
    if (this.kind(path) !== "dataset") throw this.fail(path, this.kind(path) ?? "nothing", "a dataset");
    const metadata = this.run(path, () => this.hdf5.get_dataset_metadata(this.id, path), isMetadata);
    const whole = (list: readonly number[] | null) =>
      list === null || list.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!whole(metadata.shape) || !whole(metadata.chunks)) throw this.fail(path, "impossible extents", "whole numbers");
    this.known.set(path, metadata);
    return metadata;
  }

  /** Rows along one dimension, all of the others. */
  private select(path: string, from?: number, to?: number, axis = 0) {
    return this.selectBox(
      path,
      (shape) => shape.map((extent, i) => i === axis ? [from ?? 0, to ?? extent] : [0, extent]),
    );
  }

  /** Checks all that must hold before a box is read. */
  private selectBox(path: string, boundsOf: (shape: readonly number[]) => [from: number, to: number][]) {
    const metadata = this.metadata(path);
    const { shape } = metadata;
    if (shape === null) throw this.fail(path, "no elements at all", "a dataset with extents");
    this.checkLayout(path, metadata);
    const bounds = boundsOf(shape);
    for (const [i, [first, end]] of bounds.entries()) {
      if (first >= 0 && first <= end && end <= shape[i]!) continue;
      throw this.fail(path, `${shape[i]} rows`, `rows ${first} to ${end}`);
    }
    const counts = bounds.map(([first, end]) => end - first);
    const size = counts.reduce((a, b) => a * b, 1);
    if (size * metadata.size > MOST_BYTES) {
      const hint = "The file is not damaged: split it into several";
      throw tooLarge(this, path, `${size * metadata.size} bytes at once`, MOST_BYTES, hint);
    }
    return { metadata, size, count: counts.map(BigInt), offset: bounds.map(([first]) => BigInt(first)) };
  }

  private checkLayout(path: string, metadata: Metadata): void {
    const filters = this.run(path, () => this.hdf5.get_dataset_filters(this.id, path), Array.isArray);
    checkDataset(this, path, metadata, filters);
    const ids = filters.map(({ id }) => id);
    this.expectChunk(lzfBytes(metadata, ids), deflatedBytes(metadata, ids));
  }

  /** Runs a read into memory of the library and copies the bytes out. */
  private bytesFrom(path: string, bytes: number, read: (at: bigint) => number): Uint8Array<ArrayBuffer> {
    if (bytes === 0) return new Uint8Array(0);
    const at = this.allocate(path, bytes);
    try {
      this.run(path, () => read(BigInt(at)), (status) => status >= 0);
      return this.hdf5.HEAPU8.slice(at, at + bytes) as Uint8Array<ArrayBuffer>;
    } finally {
      this.hdf5._free(at);
    }
  }

  private allocate(path: string, bytes: number): number {
    const at = this.run(path, () => this.hdf5._malloc(bytes), (address) => address > 0);
    // Whatever the library leaves unwritten must not be an old pointer.
    this.hdf5.HEAPU8.fill(0, at, at + bytes);
    return at;
  }

  private stringsFrom(
    path: string,
    metadata: Metadata,
    count: number,
    read: (at: bigint) => number,
    reclaim: (at: bigint) => number,
  ): string[] {
    const { size, vlen } = metadata;
    if (count === 0) return [];
    if (!vlen) return this.texts(this.bytesFrom(path, count * size, read), metadata, count);
    const at = this.allocate(path, count * size);
    try {
      this.run(path, () => read(BigInt(at)), (status) => status >= 0);
      return this.texts(this.hdf5.HEAPU8.slice(at, at + count * size) as Uint8Array<ArrayBuffer>, metadata, count);
    } finally {
      this.run(path, () => reclaim(BigInt(at)), () => true);
      this.hdf5._free(at);
    }
  }

  /** Strings from fixed-length text, or from pointers into memory of the library. */
  private texts(bytes: Uint8Array<ArrayBuffer>, { size, vlen, strpad }: Metadata, count: number): string[] {
    const decoder = new TextDecoder();
    const text = (part: Uint8Array): string => {
      const end = part.indexOf(0);
      const value = decoder.decode(part.slice(0, end < 0 ? part.length : end));
      return strpad === 2 && !vlen ? value.trimEnd() : value;
    };
    if (!vlen) return Array.from({ length: count }, (_, i) => text(bytes.subarray(i * size, (i + 1) * size)));
    const heap = this.hdf5.HEAPU8;
    return Array.from(new Uint32Array(bytes.buffer), (from) => {
      const end = from === 0 ? 0 : heap.indexOf(0, from);
      return from === 0 ? "" : text(heap.subarray(from, end < 0 ? heap.length : end));
    });
  }
}

function isMetadata(value: Metadata | null): boolean {
  return value !== null;
}
