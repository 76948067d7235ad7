/**
 * The safetensors format: eight bytes of header length, a JSON header, raw little-endian tensors.
 *
 * Source: huggingface/safetensors, README "Format". As in the reference, tensors tile the data without holes or overlap and
 * lengths agree with shape and type. A name that comes twice, of which the reference takes the last, is refused.
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { formatShape, type Shape } from "../../core/shape.ts";
import { parseJson } from "../json.ts";
import type { RandomAccess } from "../random_access.ts";
import {
  countOf,
  isWeightDtype,
  MAX_NAME,
  toF32,
  WEIGHT_DTYPES,
  weightBytes,
  type WeightDtype,
  WeightTensor,
} from "./weight_tensor.ts";

/** Longest header the reference implementation reads, bytes. */
export const MAX_HEADER = 100_000_000;
/** Most dimensions of a tensor. */
const MAX_RANK = 64;

/** One tensor of a file. */
export interface SafetensorsEntry {
  /** Type as the format names it, such as `F32`. */
  readonly dtype: WeightDtype;
  /** Extents, outermost first. */
  readonly shape: Shape;
  /** First byte and end, within the data that follows the header. */
  readonly offsets: readonly [number, number];
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** Texts of `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Byte of the file at which the data begins. */
  readonly dataStart: number;
}

/** A tensor to be written: its elements as bytes, row-major and little-endian. */
export interface SafetensorsInput {
  /** Element type. */
  readonly dtype: WeightDtype;
  /** Extents, outermost first. */
  readonly shape: Shape;
  /** Elements. */
  readonly data: Uint8Array;
}

function error(file: string, offset: number, found: string, expected: string): FormatError {
  return new FormatError(`Cannot read ${file} as safetensors: byte ${offset} ${found}, expected ${expected}`, {
    context: { file, offset, found, expected },
  });
}

function fail(file: string, offset: number, found: string, expected: string): never {
  throw error(file, offset, found, expected);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

function entryOf(file: string, name: string, value: unknown): SafetensorsEntry {
  const where = `has tensor "${name.slice(0, 80)}"`;
  if (name.length > MAX_NAME) fail(file, 8, `${where}, a name of ${name.length} characters`, `at most ${MAX_NAME}`);
  if (typeof value !== "object" || value === null) fail(file, 8, `${where} described by ${typeof value}`, "an object");
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (!isWeightDtype(dtype)) fail(file, 8, `${where} of type ${String(dtype).slice(0, 40)}`, WEIGHT_DTYPES.join(" "));
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isWhole)) {
    fail(file, 8, `${where} with shape ${brief(shape)}`, `a list of at most ${MAX_RANK} whole numbers`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isWhole)) {
    fail(file, 8, `${where} at ${brief(offsets)}`, "two offsets");
  }
  const [from, to] = offsets as [number, number];
  const count = countOf(shape);
  const bytes = count === undefined ? undefined : weightBytes(dtype, count);
  if (bytes === undefined || to - from !== bytes) {
    fail(
      file,
      8,
      `${where} of ${to - from} bytes`,
      `${bytes ?? "a countable number"} for ${dtype} ${formatShape(shape)}`,
    );
  }
  return { dtype, shape, offsets: [from, to] };
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}

/** Bytes of the header, from the first eight of a file. */
function headerLength(head: Uint8Array, file: string): number {
  if (head.byteLength < 8) fail(file, head.byteLength, "is the end of the file", "eight bytes of header length");
  const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER) fail(file, 0, `gives a header of ${length} bytes`, `at most ${MAX_HEADER}`);
  return length;
}

/**
 * Parses and validates the header.
 *
 * @param head At least the first `8 + header length` bytes of the file.
 * @param fileBytes Length of the whole file.
 * @param file Name for error messages.
 * @throws {FormatError} Naming file, place, what was found and what was expected.
 */
export function parseSafetensorsHeader(head: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const length = headerLength(head, file);
  if (8 + length > fileBytes || 8 + length > head.byteLength) {
    fail(file, Math.min(fileBytes, head.byteLength), "is the end of the file", `a header up to byte ${8 + length}`);
  }
  const json = parseJson(
    head.subarray(8, 8 + length),
    (offset, found, expected) => error(file, 8 + offset, found, expected),
  );
  if (head[8] !== 0x7b || typeof json !== "object" || json === null) {
    fail(file, 8, "begins no object", "a JSON object");
  }
  const { __metadata__, ...described } = json as Record<string, unknown>;
  const metadata = __metadata__ ?? {};
  const pairs = typeof metadata === "object" && !Array.isArray(metadata) ? Object.entries(metadata) : undefined;
  if (!pairs?.every(([, v]) => typeof v === "string")) fail(file, 8, "has __metadata__ that is no text map", "strings");
  const tensors = new Map(Object.entries(described).map(([name, value]) => [name, entryOf(file, name, value)]));
  const dataStart = 8 + length;
  let at = 0;
  for (const [name, { offsets }] of [...tensors].sort((a, b) => byOffset(a[1], b[1]))) {
    if (offsets[0] !== at) {
      const expected = `it at byte ${dataStart + at}, without hole or overlap`;
      fail(file, dataStart + offsets[0], `begins tensor "${name}"`, expected);
    }
    at = offsets[1];
  }
  if (dataStart + at !== fileBytes) fail(file, fileBytes, "is the end of the file", `it at byte ${dataStart + at}`);
  return { tensors, metadata: metadata as Record<string, string>, dataStart };
}

function byOffset(a: SafetensorsEntry, b: SafetensorsEntry): number {
  return a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1];
}

/**
 * Tensors of a file, read when asked for.
 *
 * @throws {FormatError} If the header is not valid, or the file is longer or shorter than it says.
 */
export async function openSafetensors(
  source: RandomAccess,
): Promise<{ tensors: Map<string, WeightTensor>; metadata: Readonly<Record<string, string>> }> {
  const length = headerLength(await source.read(0, Math.min(8, source.size)), source.name);
  const head = await source.read(0, Math.min(8 + length, source.size));
  const { tensors, metadata, dataStart } = parseSafetensorsHeader(head, source.size, source.name);
  const out = new Map<string, WeightTensor>();
  for (const [name, { dtype, shape, offsets }] of tensors) {
    const start = dataStart + offsets[0];
    const size = weightBytes(dtype, 1);
    out.set(
      name,
      new WeightTensor(name, dtype, shape, (from, to) => source.read(start + from * size!, (to - from) * size!)),
    );
  }
  return { tensors: out, metadata };
}

/** Tensors of a whole file in memory, as numbers. Large files are read by range with {@linkcode openSafetensors}. */
export function readSafetensorsF32(
  bytes: Uint8Array,
  file: string,
): { tensors: Map<string, { shape: Shape; data: Float32Array }>; metadata: Readonly<Record<string, string>> } {
  const { tensors, metadata, dataStart } = parseSafetensorsHeader(bytes, bytes.byteLength, file);
  const out = new Map<string, { shape: Shape; data: Float32Array }>();
  for (const [name, { dtype, shape, offsets }] of tensors) {
    if (dtype !== "F32") fail(file, dataStart + offsets[0], `begins ${dtype} tensor "${name}"`, "F32");
    out.set(name, {
      shape,
      data: toF32(Uint8Array.from(bytes.subarray(dataStart + offsets[0], dataStart + offsets[1])), dtype, name),
    });
  }
  return { tensors: out, metadata };
}

/** A tensor's place in a file that is written: wide elements come first, so that every tensor is aligned to its element. */
function layOut<T extends { readonly dtype: WeightDtype }>(tensors: ReadonlyMap<string, T>): [string, T][] {
  return [...tensors].sort((a, b) => weightBytes(b[1].dtype, 8)! - weightBytes(a[1].dtype, 8)!);
}

/** Length and header of a file whose data are these tensors in this order. */
function headOf(
  tensors: readonly (readonly [name: string, tensor: { readonly dtype: WeightDtype; readonly shape: Shape }])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const header = new Map<string, unknown>(Object.keys(metadata).length ? [["__metadata__", metadata]] : []);
  let at = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const bytes = weightBytes(dtype, countOf(shape) ?? NaN);
    if (bytes === undefined || name === "__metadata__") {
      throw new DataError(
        `Cannot write tensor "${name}" as safetensors: ${dtype} ${
          formatShape(shape)
        }, wanted another name and whole bytes`,
        { context: { tensor: name, dtype, shape } },
      );
    }
    header.set(name, { dtype, shape, data_offsets: [at, at + bytes] });
    at += bytes;
  }
  // Not an object: keys such as "0" would move to the front of one.
  const text = [...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",");
  const json = new TextEncoder().encode(`{${text}}`);
  // The reference pads the header with spaces so that the data is aligned to eight bytes.
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return head;
}

/**
 * The file of these tensors in pieces: its head, then each tensor's bytes. Wide elements come first, else in the order
 * given, so that every tensor is aligned to its element; the same input gives the same bytes.
 *
 * @throws {DataError} If the bytes of a tensor are not those of its shape, or a name is taken by the format.
 */
export function* safetensorsChunks(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const sorted = layOut(tensors);
  for (const [name, { dtype, shape, data }] of sorted) {
    const bytes = weightBytes(dtype, countOf(shape) ?? NaN);
    if (bytes !== data.byteLength) {
      throw new DataError(
        `Cannot write tensor "${name}" as safetensors: ${data.byteLength} bytes, wanted ${bytes} for ${dtype} ${
          formatShape(shape)
        }`,
        { context: { tensor: name, dtype, shape, bytes: data.byteLength } },
      );
    }
  }
  yield headOf(sorted, metadata);
  for (const [, { data }] of sorted) yield data;
}

/**
 * As {@linkcode safetensorsChunks}, of tensors that are read while the file is written: one piece is in memory at a time.
 *
 * @param tensors Tensors by their names in the new file.
 * @throws {DataError} If a name is taken by the format.
 * @throws {FormatError} If the file of a tensor is damaged.
 */
export async function* safetensorsStream(
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array> {
  const sorted = layOut(tensors);
  yield headOf(sorted, metadata);
  for (const [, tensor] of sorted) {
    for await (const { data } of tensor.chunks()) yield data;
  }
}

/** As {@linkcode safetensorsChunks}, in one array. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const chunks = [...safetensorsChunks(tensors, metadata)];
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.byteLength;
  }
  return out;
}

/** Bytes of a file that holds f32 tensors, in the order given; the same input gives the same bytes. */
export function writeSafetensorsF32(
  tensors: ReadonlyMap<string, { shape: Shape; data: Float32Array }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const inputs = new Map<string, SafetensorsInput>();
  for (const [name, { shape, data }] of tensors) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    inputs.set(name, { dtype: "F32", shape, data: bytes });
  }
  return writeSafetensors(inputs, metadata);
}
