/**
 * Zarr of versions 2 and 3 in a folder: attributes of groups, and arrays by chunks. The library (zarrita) unpacks chunks; its
 * metadata is checked here before memory is taken, and compressed data may not become more than a chunk holds.
 *
 * Source: https://zarr-specs.readthedocs.io
 *
 * @module
 */

import * as zarrita from "zarrita";
import { FormatError, LimitError, type SealError } from "../../core/errors.ts";
import { type Disk, readBytes } from "../disk.ts";
import { parseJson } from "../json.ts";
import { isPlainName } from "../random_access.ts";
import { guardCodecs } from "./zarr_codecs.ts";

/** Most bytes of a metadata file, and of a chunk once it is unpacked. */
const MOST_METADATA = 1 << 24;
const MOST_CHUNK = 2 ** 28;
/** Most inner chunks of a shard, whose index is read whole. */
const MOST_INNER = 1 << 22;

/** Elements of a chunk. */
export type ZarrElements = ArrayLike<number | bigint | string | boolean>;

/** An array. */
export interface ZarrArray {
  readonly path: string;
  readonly shape: readonly number[];
  /** Extents of what is read at once. */
  readonly chunks: readonly number[];
  /** As Zarr 3 has it: `uint16`, `float32`, `bool`; zarrita's names for what only version 2 has. */
  readonly dtype: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly dimensions: readonly string[] | undefined;
  readonly fill: unknown;
  /** Where chunks are without compression, in C order, so that parts of one can be read. */
  readonly plain: { readonly little: boolean } | undefined;
  /** Path of the file of a chunk. */
  file(index: readonly number[]): string;
  /**
   * Reads a chunk, whole also where it reaches over the end of the array; of one that is left out, the fill value.
   *
   * @throws {FormatError} If it is damaged.
   * @throws {LimitError} If it is too large.
   */
  read(index: readonly number[]): Promise<ZarrElements>;
}

/** What one file of metadata says. */
interface Node {
  readonly version: 2 | 3;
  readonly kind: "array" | "group";
  readonly metadata: Record<string, unknown>;
  readonly attributes: Record<string, unknown>;
}

/** A hierarchy in a folder. */
export class ZarrFolder {
  readonly #store: { get(key: string): Promise<Uint8Array | undefined> };

  /** @param name Path of the folder. */
  constructor(readonly disk: Pick<Disk, "look" | "open">, readonly name: string) {
    const file = (key: string) => this.#file(key);
    this.#store = Object.assign({
      // Async, so that what they throw rejects.
      // deno-lint-ignore require-await
      get: async (key: string) => {
        const found = file(key);
        return found === undefined ? undefined : readBytes(disk, found.path);
      },
      // deno-lint-ignore require-await
      getRange: async (key: string, range: { offset?: number; length?: number; suffixLength?: number }) =>
        this.#range(key, range),
    });
  }

  #file(key: string): { path: string; size: number } | undefined {
    const path = `${this.name}${key}`;
    const entry = this.disk.look(path);
    if (entry?.kind !== "file") return undefined;
    if (entry.size > 2 * MOST_CHUNK) throw this.#large(path, `a file of ${entry.size} bytes`);
    return { path, size: entry.size };
  }

  #range(key: string, { offset, length, suffixLength }: { offset?: number; length?: number; suffixLength?: number }) {
    const path = `${this.name}${key}`;
    const entry = this.disk.look(path);
    if (entry?.kind !== "file") return undefined;
    const from = offset ?? entry.size - suffixLength!;
    const count = length ?? suffixLength!;
    if (!(from >= 0 && count >= 0 && from + count <= entry.size && count <= MOST_CHUNK)) {
      throw this.fail(key, `names ${count} bytes at ${from}`, `a range within its ${entry.size} bytes`);
    }
    const file = this.disk.open(path, "read");
    try {
      const out = new Uint8Array(count);
      file.read(from, out);
      return out;
    } finally {
      file.close();
    }
  }

  #large(path: string, what: string): LimitError {
    return new LimitError(`Cannot read ${path}: it is ${what}, at most ${MOST_CHUNK} bytes are unpacked at once`, {
      code: "zarr-chunk",
      hint: "Write it again in smaller chunks: zarr.create_array(OUT, data=zarr.open(IN)[:], chunks=(64, 256, 256))",
      context: { file: path, most: MOST_CHUNK },
    });
  }

  /** An error that names the folder and the place in it. */
  fail(path: string, found: string, expected: string, cause?: unknown): FormatError {
    const place = path === "" || path === "/" ? this.name : `${this.name}:${path.replace(/^\//, "")}`;
    return new FormatError(`Cannot read ${place} as Zarr: it ${found}, expected ${expected}`, {
      context: { file: this.name, path, found, expected },
      cause,
    });
  }

  /** What lies at a path. */
  kind(path: string = ""): "array" | "group" | undefined {
    return this.#node(path)?.kind;
  }

  /** Attributes of a group or array. @throws {FormatError} If there is none, or its metadata is damaged. */
  attributes(path: string = ""): Readonly<Record<string, unknown>> {
    const node = this.#node(path);
    if (node === undefined) throw this.fail(path, "has no zarr.json, .zarray or .zgroup", "a group or an array");
    return node.attributes;
  }

  #key(path: string, file: string): string {
    const parts = path.split("/").filter((part) => part !== "");
    const outside = parts.find((part) => !isPlainName(part));
    if (outside !== undefined) throw this.fail(path.slice(0, 200), "leads out of the folder", "a path within it");
    return `/${[...parts, file].join("/")}`;
  }

  #json(path: string, file: string): Record<string, unknown> | undefined {
    const key = this.#key(path, file);
    const entry = this.disk.look(`${this.name}${key}`);
    if (entry?.kind !== "file") return undefined;
    if (entry.size > MOST_METADATA) {
      throw this.fail(key, `has ${entry.size} bytes`, `metadata of at most ${MOST_METADATA}`);
    }
    const fail = (at: number, found: string, expected: string) => this.fail(key, `at byte ${at} ${found}`, expected);
    // Zarr 2 writes NaN as it is, which JSON does not have.
    const bytes = readBytes(this.disk, `${this.name}${key}`);
    const value = parseJson(bytes, fail);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.fail(key, "is no object", "metadata");
  }

  #node(path: string): Node | undefined {
    const third = this.#json(path, "zarr.json");
    if (third !== undefined) {
      const { node_type: kind, zarr_format: version, attributes = {} } = third;
      if (version !== 3 || (kind !== "array" && kind !== "group") || !isObject(attributes)) {
        throw this.fail(
          this.#key(path, "zarr.json"),
          "has another zarr_format, node_type or attributes",
          "those of Zarr 3",
        );
      }
      return { version: 3, kind, metadata: third, attributes };
    }
    const array = this.#json(path, ".zarray");
    const found = array ?? this.#json(path, ".zgroup");
    const attributes = this.#json(path, ".zattrs");
    // Some writers leave the file of a group away that has attributes.
    if (found === undefined && attributes === undefined) return undefined;
    return {
      ...{ version: 2, kind: array === undefined ? "group" : "array" },
      ...{ metadata: found ?? {}, attributes: attributes ?? {} },
    };
  }

  /**
   * Opens an array.
   *
   * @throws {FormatError} If there is none, or its metadata is damaged or not read here.
   */
  async array(path: string = ""): Promise<ZarrArray> {
    const node = this.#node(path);
    if (node?.kind !== "array") throw this.fail(path, node === undefined ? "is missing" : "is a group", "an array");
    const { shape, chunks, plain, file } = layoutOf(node, (found, expected) => this.fail(path, found, expected));
    guardCodecs();
    const opened = await this.#run(path, () => {
      const open = node.version === 2 ? zarrita.open.v2 : zarrita.open.v3;
      const place = zarrita.root(this.#store as never).resolve(this.#key(path, "").slice(1).replace(/\/$/, ""));
      return open(place as never, { kind: "array" });
    });
    const key = this.#key(path, "");
    const { dtype, dimensionNames, fillValue } = opened;
    // Of a shard the library gives its inner chunks.
    const own = opened.chunks;
    const inner = own.reduce((product, extent, i) => product * Math.ceil(chunks[i]! / extent), 1);
    if (own.length !== shape.length || !own.every(isExtent) || inner > MOST_INNER) {
      throw this.fail(
        path,
        `has shards of ${chunks.join("x")} in chunks of ${own.join("x")}`,
        `at most ${MOST_INNER} a shard`,
      );
    }
    const bytes = own.reduce((a, b) => a * b, 1) * elementBytes(String(dtype));
    return {
      ...{ path, shape, chunks: own, dtype: String(dtype), attributes: node.attributes, fill: fillValue },
      ...{ dimensions: dimensionNames, plain: inner === 1 ? plain : undefined },
      file: (index) => `${this.name}${key}${file(index)}`,
      read: async (index) => {
        if (bytes > MOST_CHUNK) throw this.#large(`${this.name}${key}`, `chunks of ${bytes} bytes`);
        const { data, stride } = await this.#run(path, () => opened.getChunk([...index]));
        const count = own.reduce((a, b) => a * b, 1);
        const elements = data as unknown as ZarrElements & { get?(i: number): boolean | string };
        if (elements.length !== count) throw this.fail(path, `has ${elements.length} elements in a chunk`, `${count}`);
        const listed = Array.isArray(elements) || ArrayBuffer.isView(elements) || elements.get === undefined
          ? elements
          : Array.from({ length: count }, (_, i) => elements.get!(i));
        return inOrder(listed, own, stride);
      },
    };
  }

  /** Runs the library; what it throws becomes an error of this project. */
  async #run<T>(path: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      for (let at: unknown = error; at instanceof Error; at = at.cause) {
        if ((at as Partial<SealError>).exitCode !== undefined) throw at;
      }
      const reason = error instanceof Error ? error.message : String(error);
      const inner = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
      throw this.fail(path, `cannot be unpacked (${reason}${inner})`.slice(0, 400), "undamaged Zarr", error);
    }
  }
}

/** Elements with the last axis fastest; chunks may be stored in another order (Zarr 2's F, a transpose of Zarr 3). */
function inOrder(elements: ZarrElements, extents: readonly number[], stride: readonly number[]): ZarrElements {
  let own = 1;
  let same = true;
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    same &&= extents[axis] === 1 || stride[axis] === own;
    own *= extents[axis]!;
  }
  if (same) return elements;
  const sorted = (elements as unknown as unknown[]).slice(); // Of the same kind, be it numbers or texts.
  const index = extents.map(() => 0);
  for (let i = 0, from = 0; i < own; i++) {
    sorted[i] = elements[from];
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      from += stride[axis]!;
      if (++index[axis]! < extents[axis]!) break;
      from -= extents[axis]! * stride[axis]!;
      index[axis] = 0;
    }
  }
  return sorted as unknown as ZarrElements;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isExtent(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** Bytes of an element, at least. */
function elementBytes(dtype: string): number {
  const bits = Number(/(\d+)$/.exec(dtype)?.[1] ?? 8);
  return /^(?:u?int|float)/.test(dtype) ? bits / 8 : dtype.startsWith("v2:U") ? 4 * bits : 1;
}

type Fail = (found: string, expected: string) => FormatError;

/** Shape and chunks, and how chunks are named and packed. */
function layoutOf({ version, metadata }: Node, fail: Fail) {
  const shape = listOf(metadata.shape, "shape", fail, (n) => Number.isSafeInteger(n) && n >= 0);
  const grid = isObject(metadata.chunk_grid) ? metadata.chunk_grid : {};
  const configuration = isObject(grid.configuration) ? grid.configuration : {};
  if (version === 3 && grid.name !== "regular") {
    throw fail(`has a chunk grid ${JSON.stringify(grid.name)}`, '"regular"');
  }
  const chunks = listOf(version === 2 ? metadata.chunks : configuration.chunk_shape, "chunks", fail, isExtent);
  if (chunks.length !== shape.length || shape.length > 8) {
    throw fail(`has ${shape.length} axes and chunks of ${chunks.length}`, "as many, at most 8");
  }
  const { prefix, separator } = namesOf(version, metadata, fail);
  const file = (index: readonly number[]) => {
    if (index.length === 0) return prefix === "" ? "0" : prefix;
    return `${prefix === "" ? "" : `${prefix}${separator}`}${index.join(separator)}`;
  };
  return { shape, chunks, file, plain: version === 2 ? plainSecond(metadata) : plainThird(metadata) };
}

function listOf(value: unknown, name: string, fail: Fail, fine: (n: number) => boolean): number[] {
  if (Array.isArray(value) && value.every((n) => typeof n === "number" && fine(n))) return value;
  throw fail(`has ${name} ${JSON.stringify(value)?.slice(0, 80)}`, "a whole number for each axis");
}

function namesOf(version: 2 | 3, metadata: Record<string, unknown>, fail: Fail): { prefix: string; separator: string } {
  if (version === 2) return { prefix: "", separator: separatorOf(metadata.dimension_separator ?? ".", fail) };
  const encoding = isObject(metadata.chunk_key_encoding) ? metadata.chunk_key_encoding : {};
  const { separator } = isObject(encoding.configuration) ? encoding.configuration : {} as Record<string, unknown>;
  const second = encoding.name === "v2";
  return { prefix: second ? "" : "c", separator: separatorOf(separator ?? (second ? "." : "/"), fail) };
}

function separatorOf(value: unknown, fail: Fail): string {
  if (value === "." || value === "/") return value;
  throw fail(`separates chunks by ${JSON.stringify(value)?.slice(0, 20)}`, '"." or "/"');
}

function plainSecond({ compressor, filters, order, dtype }: Record<string, unknown>): ZarrArray["plain"] {
  const none = filters === null || filters === undefined || (Array.isArray(filters) && filters.length === 0);
  if (compressor !== null || !none || order !== "C" || typeof dtype !== "string") return undefined;
  return { little: !dtype.startsWith(">") };
}

function plainThird({ codecs }: Record<string, unknown>): ZarrArray["plain"] {
  if (!Array.isArray(codecs) || codecs.length !== 1 || !isObject(codecs[0]) || codecs[0].name !== "bytes") {
    return undefined;
  }
  const { configuration } = codecs[0];
  return { little: !isObject(configuration) || configuration.endian !== "big" };
}
