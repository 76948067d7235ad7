/**
 * Writing HDF5: groups, datasets filled at once or by rows, strings, attributes. The same calls give the same bytes. What the
 * library cannot write (booleans, references) is not offered.
 *
 * @module
 */

import { makeHalf, singleShape } from "./h5_half.ts";
import { CLASS, H5Session, type H5Storage, type NewMetadata } from "./h5_library.ts";

/** Element types that are written, with their arrays. */
export interface H5Writable {
  u1: Uint8Array;
  u2: Uint16Array;
  i4: Int32Array;
  i8: BigInt64Array;
  /** The numbers' bits; only datasets that are filled at once, without chunks. */
  f2: Uint16Array;
  f4: Float32Array;
  f8: Float64Array;
}

/** How a dataset is stored. */
export interface H5Layout {
  /** Extents of a chunk; without them the dataset is contiguous and filled at once. */
  readonly chunks?: readonly number[];
  /** Level of gzip, 1 to 9; needs chunks. */
  readonly gzip?: number;
  /** Whether the first extent may grow, in files that others append to; needs chunks. */
  readonly growing?: boolean;
}

/** An attribute to write: whole numbers become int64, others float64. */
export type H5NewValue = string | number | readonly string[] | readonly number[];

const UNLIMITED = 2n ** 64n - 1n;

function typeOf(dtype: keyof H5Writable): { type: number; size: number; signed: boolean } {
  const type = dtype[0] === "f" ? CLASS.float : CLASS.integer;
  return { type, size: Number(dtype[1]), signed: dtype[0] === "i" };
}

/** A file being written; it is complete when closed. */
export class H5Writer extends H5Session {
  readonly #halves: { readonly path: string; readonly header: number; readonly shape: readonly number[] }[] = [];

  /** Begins a file in `storage`, whose content is lost. */
  static async create(storage: H5Storage): Promise<H5Writer> {
    return new H5Writer(await H5Session.library(), storage, 2);
  }

  /** Loads the library, so that files can then be begun synchronously. */
  static async prepare(): Promise<(storage: H5Storage) => H5Writer> {
    const library = await H5Session.library();
    return (storage) => new H5Writer(library, storage, 2);
  }

  /** Makes a group; its parents must exist. */
  group(path: string): void {
    this.run(path, () => this.hdf5.create_group(this.id, path, false), good);
  }

  /**
   * Makes a dataset. Without `data` it is to be filled by {@linkcode H5Writer.rows} and needs chunks.
   *
   * @param shape Extents; none for a scalar.
   */
  dataset<T extends keyof H5Writable>(
    path: string,
    dtype: T,
    shape: readonly number[],
    data?: H5Writable[T],
    layout: H5Layout = {},
  ): void {
    if (dtype === "f2") return this.#half(path, shape, data as Uint16Array | undefined, layout);
    const metadata = newMetadata(typeOf(dtype), shape, layout);
    if (data !== undefined && data.length !== shape.reduce((a, b) => a * b, 1)) {
      throw this.fail(path, `${data.length} elements`, `shape ${shape.join("x")}`);
    }
    if (data === undefined && layout.chunks === undefined) throw this.fail(path, "no data", "data or chunks");
    const grown = data === undefined;
    const first = grown
      ? { ...metadata, shape: [0n, ...metadata.shape.slice(1)], maxshape: unlimited(metadata) }
      : metadata;
    this.withBytes(path, data, (at) => this.hdf5.create_dataset(this.id, path, at, first));
    if (grown) this.run(path, () => this.hdf5.resize_dataset(this.id, path, metadata.shape), good);
    // The library does not say whether making it succeeded.
    this.run(path, () => this.hdf5.get_type(this.id, path), (type) => type === 1);
  }

  #half(path: string, shape: readonly number[], bits: Uint16Array | undefined, layout: H5Layout): void {
    if (bits === undefined || layout.chunks !== undefined || bits.length !== shape.reduce((a, b) => a * b, 1)) {
      throw this.fail(
        path,
        `${bits?.length ?? "no"} elements of half precision`,
        `all of ${shape.join("x")}, no chunks`,
      );
    }
    const room = new Uint16Array(bits.length + bits.length % 2);
    room.set(bits);
    this.dataset(path, "f4", singleShape(shape), new Float32Array(room.buffer));
    this.#halves.push({ path, header: this.address(path), shape });
  }

  protected override closing(): void {
    for (const { path, header, shape } of this.#halves) {
      if (!makeHalf(this.storage, header, shape)) {
        throw this.fail(path, "another header", "the one that the library writes");
      }
    }
  }

  /** Writes rows from `from` on into a dataset whose rows have `rowShape`. */
  rows(path: string, from: number, rowShape: readonly number[], data: H5Writable[keyof H5Writable]): void {
    const width = rowShape.reduce((a, b) => a * b, 1);
    if (data.length === 0 || width === 0) return;
    const count = [data.length / width, ...rowShape].map(BigInt);
    const offset = count.map((_, i) => i === 0 ? BigInt(from) : 0n);
    const stride = count.map(() => 1n);
    this.withBytes(path, data, (at) => this.hdf5.set_dataset_data(this.id, path, count, offset, stride, at));
  }

  /** Writes strings of variable length in UTF-8. */
  strings(
    path: string,
    values: readonly string[],
    shape: readonly number[] = [values.length],
    layout: H5Layout = {},
  ): void {
    const metadata = newMetadata({ type: CLASS.string, size: 4, signed: false }, shape, layout);
    const text = { ...metadata, vlen: true, cset: 1 };
    this.run(path, () => this.hdf5.create_vlen_str_dataset(this.id, path, [...values], text), good);
    this.run(path, () => this.hdf5.get_type(this.id, path), (type) => type === 1);
  }

  /**
   * Writes an attribute.
   *
   * @param dtype Type of numbers, where what it is called for is to have it whatever the value.
   */
  attribute(path: string, name: string, value: H5NewValue, dtype?: "i8" | "f8"): void {
    const list = (Array.isArray(value) ? value : [value]) as readonly (string | number)[];
    const shape = Array.isArray(value) ? [list.length] : [];
    const place = `${path}@${name}`;
    if (list.length > 0 && list.every((v) => typeof v === "string")) {
      const text = { ...newMetadata({ type: CLASS.string, size: 4, signed: false }, shape, {}), vlen: true, cset: 1 };
      this.run(place, () => this.hdf5.create_vlen_str_attribute(this.id, path, name, list as string[], text), good);
      return;
    }
    // anndata stores an empty list of columns as float64 of length 0.
    const whole = dtype === undefined ? list.length > 0 && list.every((v) => Number.isSafeInteger(v)) : dtype === "i8";
    const data = whole ? BigInt64Array.from(list, BigInt) : Float64Array.from(list as number[]);
    const metadata = newMetadata(typeOf(whole ? "i8" : "f8"), shape, {});
    this.withBytes(place, data, (at) => this.hdf5.create_attribute(this.id, path, name, at, metadata));
  }

  private withBytes(path: string, data: H5Writable[keyof H5Writable] | undefined, act: (at: bigint) => number): void {
    const bytes = data === undefined
      ? new Uint8Array(0)
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const at = this.run(path, () => this.hdf5._malloc(Math.max(8, bytes.length)), (address) => address > 0);
    try {
      this.hdf5.HEAPU8.set(bytes, at);
      this.run(path, () => act(BigInt(at)), good);
    } finally {
      this.hdf5._free(at);
    }
  }
}

function good(status: number): boolean {
  return status >= 0;
}

function unlimited({ maxshape }: NewMetadata): bigint[] {
  return [UNLIMITED, ...maxshape.slice(1)];
}

function newMetadata(
  type: { type: number; size: number; signed: boolean },
  shape: readonly number[],
  { chunks, gzip, growing }: H5Layout,
): NewMetadata {
  const extents = shape.map(BigInt);
  const metadata = {
    ...type,
    vlen: false,
    littleEndian: true,
    shape: extents,
    maxshape: extents,
    chunks: chunks?.map(BigInt) ?? null,
    ...(gzip === undefined ? {} : { compression: 1, compression_opts: [gzip] }),
  };
  return growing ? { ...metadata, maxshape: unlimited(metadata) } : metadata;
}
