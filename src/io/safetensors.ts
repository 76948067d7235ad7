/**
 * The safetensors format: eight bytes of header length, a JSON header, raw little-endian tensors.
 *
 * Source: huggingface/safetensors, README "Format". The reader accepts exactly what the reference accepts: tensors tile the
 * data without holes or overlap, lengths agree with shape and type.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

/** Element types of the format, with their bytes. */
const TYPES: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/** Longest header the reference implementation reads, bytes. */
const MAX_HEADER = 100_000_000;

/** One tensor of a file. */
export interface SafetensorsEntry {
  /** Type as the format names it, such as `F32`. */
  readonly dtype: string;
  readonly shape: Shape;
  /** First byte and end, within the data that follows the header. */
  readonly offsets: readonly [number, number];
}

/** A parsed header. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Byte of the file at which the data begins. */
  readonly dataStart: number;
}

function fail(file: string, offset: number, found: string, expected: string): never {
  throw new FormatError(`Cannot read ${file} as safetensors: byte ${offset} ${found}, expected ${expected}`, {
    context: { file, offset, found, expected },
  });
}

function entryOf(file: string, name: string, value: unknown): SafetensorsEntry {
  const where = `has tensor "${name.slice(0, 80)}"`;
  const entry = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown } | null;
  const whole = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((v) => Number.isSafeInteger(v) && v >= 0);
  if (typeof entry !== "object" || entry === null) fail(file, 8, `${where} described by ${typeof value}`, "an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype)) {
    fail(file, 8, `${where} of type ${String(dtype)}`, Object.keys(TYPES).join(" "));
  }
  if (!whole(shape)) fail(file, 8, `${where} with shape ${JSON.stringify(shape)}`, "a list of whole numbers");
  if (!whole(offsets) || offsets.length !== 2) {
    fail(file, 8, `${where} at ${JSON.stringify(offsets)}`, "two offsets");
  }
  const [from, to] = offsets as [number, number];
  const bytes = sizeOf(shape) * TYPES[dtype]!;
  if (!Number.isSafeInteger(bytes) || to - from !== bytes) {
    fail(file, 8, `${where} of ${to - from} bytes`, `${bytes} for ${dtype} [${shape.join(", ")}]`);
  }
  return { dtype, shape, offsets: [from, to] };
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
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < 8) fail(file, head.byteLength, "is the end of the file", "eight bytes of header length");
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER) fail(file, 0, `gives a header of ${length} bytes`, `at most ${MAX_HEADER}`);
  if (8 + length > fileBytes || 8 + length > head.byteLength) {
    fail(file, Math.min(fileBytes, head.byteLength), "is the end of the file", `a header up to byte ${8 + length}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(head.subarray(8, 8 + length)));
  } catch (cause) {
    fail(file, 8, `begins no JSON header (${(cause as Error).message})`, "a JSON object");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    fail(file, 8, "begins no object", "a JSON object");
  }
  const { __metadata__: metadata = {}, ...described } = json as Record<string, unknown>;
  const pairs = typeof metadata === "object" && metadata !== null ? Object.entries(metadata) : undefined;
  if (!pairs?.every(([, v]) => typeof v === "string")) fail(file, 8, "has __metadata__ that is no text map", "strings");
  const tensors = new Map(Object.entries(described).map(([name, value]) => [name, entryOf(file, name, value)]));
  const dataStart = 8 + length;
  let at = 0;
  for (
    const [name, { offsets }] of [...tensors].sort((a, b) =>
      a[1].offsets[0] - b[1].offsets[0] || a[1].offsets[1] - b[1].offsets[1]
    )
  ) {
    if (offsets[0] !== at) {
      fail(
        file,
        dataStart + offsets[0],
        `begins tensor "${name}"`,
        `it at byte ${dataStart + at}, without hole or overlap`,
      );
    }
    at = offsets[1];
  }
  if (dataStart + at !== fileBytes) fail(file, fileBytes, "is the end of the file", `it at byte ${dataStart + at}`);
  return { tensors, metadata: metadata as Record<string, string>, dataStart };
}

/** Tensors of a whole file in memory, as numbers. Large files are read by range with {@linkcode parseSafetensorsHeader}. */
export function readSafetensorsF32(
  bytes: Uint8Array,
  file: string,
): { tensors: Map<string, { shape: Shape; data: Float32Array }>; metadata: Readonly<Record<string, string>> } {
  const { tensors, metadata, dataStart } = parseSafetensorsHeader(bytes, bytes.byteLength, file);
  const out = new Map<string, { shape: Shape; data: Float32Array }>();
  for (const [name, { dtype, shape, offsets }] of tensors) {
    if (dtype !== "F32") fail(file, dataStart + offsets[0], `begins ${dtype} tensor "${name}"`, "F32");
    const raw = bytes.slice(dataStart + offsets[0], dataStart + offsets[1]);
    out.set(name, { shape, data: new Float32Array(raw.buffer) });
  }
  return { tensors: out, metadata };
}

/** Bytes of a file that holds f32 tensors, in the order given; the same input gives the same bytes. */
export function writeSafetensorsF32(
  tensors: ReadonlyMap<string, { shape: Shape; data: Float32Array }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length ? { __metadata__: metadata } : {};
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // The reference pads the header with spaces so that the data is aligned to eight bytes.
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const out = new Uint8Array(8 + padded + at).fill(0x20, 8, 8 + padded);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(json, 8);
  let to = 8 + padded;
  for (const { data } of tensors.values()) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), to);
    to += data.byteLength;
  }
  return out;
}
