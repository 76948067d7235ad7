/** What the tests of weights files share: fixtures, archives and pickles made by hand, digests of what a reader gives. */

import { createHash } from "node:crypto";
import { fromBytes, type RandomAccess } from "../../src/io/random_access.ts";
import type { WeightTensor } from "../../src/io/torch/weight_tensor.ts";
import { crc32 } from "../../src/io/zip.ts";

export const FIXTURES: URL = new URL("../fixtures/weights/", import.meta.url);

export function fixtureBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, FIXTURES));
}

export function fixture(name: string): RandomAccess {
  return fromBytes(fixtureBytes(name), name);
}

/** What the library says a tensor is. */
export interface Expected {
  dtype: string;
  shape: number[];
  hex?: string;
  sha256?: string;
}

export const EXPECTED: {
  tensors: Record<string, Record<string, Expected>>;
  adapters: Record<string, Record<string, { scale: number; rank: number; delta: number[] }>>;
} = JSON.parse(new TextDecoder().decode(fixtureBytes("expected.json")));

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Type, shape and digest of every tensor; reads all of them. */
export async function digests(
  tensors: ReadonlyMap<string, WeightTensor>,
): Promise<Record<string, [string, readonly number[], string]>> {
  const out: Record<string, [string, readonly number[], string]> = Object.create(null);
  for (const [name, tensor] of tensors) out[name] = [tensor.dtype, tensor.shape, sha256(await tensor.read())];
  return out;
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Little-endian fields: [bytes, value] each. */
function fields(...list: [1 | 2 | 4 | 8, number][]): Uint8Array {
  const out = new DataView(new ArrayBuffer(list.reduce((sum, [width]) => sum + width, 0)));
  let at = 0;
  for (const [width, value] of list) {
    if (width === 8) out.setBigUint64(at, BigInt(value), true);
    else if (width === 4) out.setUint32(at, value, true);
    else out.setUint16(at, value, true);
    at += width;
  }
  return new Uint8Array(out.buffer);
}

/** How to write an archive. */
export interface ZipOptions {
  /** All sizes and offsets as zip64, and its end records. */
  zip64?: boolean;
  /** Bytes of zeros between the first entry and the others that are not stored but pretended. */
  hole?: number;
}

/** An archive as Python's zipfile writes it, or with zip64 records; a hole of zeros may push entries beyond 4 GiB. */
export function zipSource(
  files: readonly (readonly [string, Uint8Array])[],
  { zip64 = false, hole = 0 }: ZipOptions = {},
): RandomAccess {
  const pieces: [number, Uint8Array][] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const put = (bytes: Uint8Array) => {
    pieces.push([at, bytes]);
    at += bytes.length;
  };
  for (const [i, [name, content]] of files.entries()) {
    // The hole is the content of an entry of its own.
    const size = i === 1 && hole > 0 ? hole : content.length;
    const crc = size === content.length ? crc32(content) : 0;
    const path = utf8(name);
    const big = 0xffffffff;
    const header = at;
    const common = fields([2, 45], [2, 0], [2, 0], [4, 0], [4, crc]);
    put(
      concat(
        fields([4, 0x04034b50]),
        common,
        fields([4, zip64 ? big : size], [4, zip64 ? big : size]),
        fields([2, path.length], [2, zip64 ? 20 : 0]),
        path,
        zip64 ? fields([2, 1], [2, 16], [8, size], [8, size]) : new Uint8Array(0),
      ),
    );
    if (size === content.length) put(content);
    else at += size;
    const extra = zip64 ? fields([2, 1], [2, 24], [8, size], [8, size], [8, header]) : new Uint8Array(0);
    directory.push(
      concat(
        fields([4, 0x02014b50], [2, 45]),
        common,
        fields(
          [4, zip64 ? big : size],
          [4, zip64 ? big : size],
          [2, path.length],
          [2, extra.length],
          [2, 0],
          [2, 0],
          [2, 0],
          [4, 0],
          [4, zip64 ? big : header],
        ),
        path,
        extra,
      ),
    );
  }
  const start = at;
  for (const entry of directory) put(entry);
  const [count, length, end] = [files.length, at - start, at];
  if (zip64) {
    put(
      fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, length], [
        8,
        start,
      ]),
    );
    put(fields([4, 0x07064b50], [4, 0], [8, end], [4, 1]));
  }
  put(
    fields(
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, zip64 ? 0xffff : count],
      [2, zip64 ? 0xffff : count],
      [4, zip64 ? 0xffffffff : length],
      [4, zip64 ? 0xffffffff : start],
      [2, 0],
    ),
  );
  return {
    name: "made.pth",
    size: at,
    read(offset, length) {
      if (offset + length > at) throw new Error("out of the archive");
      const out = new Uint8Array(length);
      for (const [from, bytes] of pieces) {
        const [low, high] = [Math.max(from, offset), Math.min(from + bytes.length, offset + length)];
        if (low < high) out.set(bytes.subarray(low - from, high - from), low - offset);
      }
      return Promise.resolve(out);
    },
  };
}

export async function zipBytes(
  files: readonly (readonly [string, Uint8Array])[],
  options?: ZipOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = zipSource(files, options);
  return await source.read(0, source.size);
}

/** Bytes of a pickle from opcodes and operands: numbers are bytes, texts are ASCII. */
export function pickle(
  ...parts: (number | string | Uint8Array | (number | string | Uint8Array)[])[]
): Uint8Array<ArrayBuffer> {
  const flat = parts.flat() as (number | string | Uint8Array)[];
  return concat(
    ...flat.map((part) =>
      typeof part === "number" ? Uint8Array.of(part) : typeof part === "string" ? utf8(part) : part
    ),
  );
}

/** A torch file around a pickle, with storages "0" (24 bytes) and "1" (12 bytes). */
export function torchFiles(data: Uint8Array): [string, Uint8Array][] {
  return [
    ["x/data.pkl", data],
    ["x/byteorder", utf8("little")],
    ["x/data/0", Uint8Array.from({ length: 24 }, (_, i) => i)],
    ["x/data/1", Uint8Array.from({ length: 12 }, (_, i) => 100 + i)],
    ["x/version", utf8("3\n")],
  ];
}

/** u32, little-endian, as bytes of a pickle. */
export function le32(value: number): Uint8Array {
  return fields([4, value]);
}

/** BINUNICODE. */
export function text(value: string): Uint8Array {
  const bytes = utf8(value);
  return concat(Uint8Array.of(0x58), le32(bytes.length), bytes);
}

/** `_rebuild_tensor_v2` on a storage of `count` floats. */
export function tensorPickle(key: string, count: number, offset: number, size: number[], stride: number[]): Uint8Array {
  const tuple = (values: number[]) =>
    concat(utf8("("), ...values.map((value) => concat(utf8("J"), le32(value))), utf8("t"));
  return concat(
    utf8("ctorch._utils\n_rebuild_tensor_v2\n(("),
    text("storage"),
    utf8("ctorch\nFloatStorage\n"),
    text(key),
    text("cpu"),
    utf8("J"),
    le32(count),
    utf8("tQ"),
    utf8("J"),
    le32(offset),
    tuple(size),
    tuple(stride),
    Uint8Array.of(0x89),
    utf8("}tR"),
  );
}
