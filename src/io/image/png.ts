/**
 * PNG: all colour types and depths, plain and interlaced, to the samples the file stores.
 *
 * Source: W3C PNG (third edition). Checksums are verified and an image that ends early is refused, as PIL does; Adam7 is
 * read pass by pass. Of ancillary chunks the orientation in EXIF is reported; gamma and profiles have no effect.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { exifOrientation, type Orientation } from "./orientation.ts";
import { FLAT, type ImageLimit, MAX_PIXELS, overLimit, WHOLE } from "./rgb_image.ts";
import { crc32, inflate } from "../../host/zlib.ts";

/** A decoded PNG. */
export interface Png {
  readonly width: number;
  readonly height: number;
  /** Bits of a stored sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** 1 grey or palette, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  /** RGB of the palette's entries, for images of that kind. */
  readonly palette: Uint8Array | undefined;
  /** How the image is to be turned, by its EXIF; samples are as stored. */
  readonly orientation: Orientation;
  /** One byte a sample, unscaled: 0 or 1 for depth 1; of 16 bits the upper eight. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Colour type: channels, and the depths it may have. */
const TYPES: Readonly<Record<number, { channels: 1 | 2 | 3 | 4; depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};

/** First column and row, and steps between them, of the Adam7 passes. */
const ADAM7: readonly (readonly [x: number, y: number, dx: number, dy: number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

interface Header {
  width: number;
  height: number;
  depth: number;
  channels: 1 | 2 | 3 | 4;
  indexed: boolean;
  interlaced: boolean;
}

type Fail = (offset: number, found: string, expected: string, hint?: string) => never;

/** Bytes that deflate makes of one at most: what claims more is refused before memory is taken. */
const EXPANSION = 1032;

/**
 * Decodes a PNG.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function decodePng(bytes: Uint8Array, name: string, limit: ImageLimit = WHOLE): Png {
  return decodeSamples(bytes, name, limit, false);
}

/**
 * As {@linkcode decodePng}, but of 16 bits a sample `data` has both bytes of each, the upper one first.
 *
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function decodePngWhole(bytes: Uint8Array, name: string, limit: ImageLimit = WHOLE): Png {
  return decodeSamples(bytes, name, limit, true);
}

function decodeSamples(bytes: Uint8Array, name: string, limit: ImageLimit, whole: boolean): Png {
  const fail: Fail = failing(name);
  const { header, palette, parts, at, orientation } = readChunks(bytes, fail, MAX_PIXELS);
  const { width, height, depth, channels } = header;
  checkSize(header, width * height * Math.max(3, Math.ceil(channels * depth / 8)), limit, fail);
  const passes = (header.interlaced ? ADAM7 : [[0, 0, 1, 1] as const]).map(([x, y, dx, dy]) => {
    const across = Math.ceil((width - x) / dx);
    const down = Math.ceil((height - y) / dy);
    const stride = Math.ceil(across * channels * depth / 8);
    return { x, y, dx, dy, across, down, stride, bytes: across > 0 && down > 0 ? (stride + 1) * down : 0 };
  });
  const expected = passes.reduce((sum, pass) => sum + pass.bytes, 0);
  checkCompressed(parts, expected, at, fail);
  // One byte more than wanted is let through, so that a stream that is too long is distinguished from a damaged one.
  const raw = inflate(joined(parts), expected + 1);
  if (raw === undefined) fail(at, "ends damaged compressed data", "a zlib stream");
  if (raw.length !== expected) fail(at, `ends data of ${raw.length} bytes`, `${expected}`);
  // Samples of two bytes are spread as two of one.
  const spreadAs = whole && depth === 16 ? { ...header, depth: 8, channels: 2 * channels } : header;
  const data = new Uint8Array(width * height * spreadAs.channels);
  let from = 0;
  for (const pass of passes) {
    if (pass.bytes === 0) continue;
    const rows = raw.subarray(from, from + pass.bytes);
    const bad = unfilter(rows, pass.stride, pass.down, Math.max(1, channels * depth >> 3));
    if (bad !== undefined) fail(at, `ends data whose row ${bad} has filter ${rows[bad * (pass.stride + 1)]}`, "0 to 4");
    spread(rows, pass, spreadAs, data);
    from += pass.bytes;
  }
  return { width, height, depth, channels, palette: header.indexed ? palette : undefined, orientation, data };
}

/** Place of width and height in the file: behind the magic and the head of IHDR. */
const SIZE_AT = 16;

function checkSize({ width, height }: Header, bytes: number, limit: ImageLimit, fail: Fail): void {
  const large = overLimit({ width, height, bytes }, limit);
  if (large !== undefined) fail(SIZE_AT, large.found, large.expected, limit.hint);
}

function checkCompressed(parts: readonly Uint8Array[], expected: number, at: number, fail: Fail): void {
  const compressed = parts.reduce((sum, part) => sum + part.length, 0);
  if (compressed * EXPANSION < expected) fail(at, `ends ${compressed} bytes of data`, `enough for ${expected}`);
}

function failing(name: string): Fail {
  return (offset, found, expected, hint) => {
    throw new FormatError(`Cannot decode ${name} as PNG: byte ${offset} ${found}, expected ${expected}`, {
      ...(hint === undefined ? {} : { hint }),
      context: { file: name, offset, found, expected },
    });
  };
}

/** Rows that are inflated before they are unfiltered, and compressed bytes given to the inflater at once. */
const STREAM_ROWS = 64;
const STREAM_BYTES = 1 << 16;

/**
 * As {@linkcode decodePng}, with no more memory than the result takes, for images of up to `most` pixels. Interlaced
 * ones must be small enough for `decodePng`.
 *
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export async function streamPng(bytes: Uint8Array, name: string, most: number): Promise<Png> {
  const fail: Fail = failing(name);
  const { header, palette, parts, at, orientation } = readChunks(bytes, fail, most);
  if (header.interlaced) return decodePng(bytes, name);
  const { width, height, depth, channels } = header;
  checkSize(header, width * height * channels, FLAT, fail);
  const stride = Math.ceil(width * channels * depth / 8);
  const expected = (stride + 1) * height;
  checkCompressed(parts, expected, at, fail);
  const data = new Uint8Array(width * height * channels);
  // Above the new rows stands the last one, which a filter of 0 leaves as it is.
  const rows = new Uint8Array((stride + 1) * (STREAM_ROWS + 1));
  let filled = stride + 1;
  let y = 0;
  const take = (): void => {
    const down = filled / (stride + 1) - 1;
    const bad = unfilter(rows, stride, down + 1, Math.max(1, channels * depth >> 3));
    if (bad !== undefined) {
      fail(at, `ends data whose row ${y + bad - 1} has filter ${rows[bad * (stride + 1)]}`, "0 to 4");
    }
    spread(rows.subarray(stride + 1), { x: 0, y, dx: 1, dy: 1, across: width, down, stride }, header, data);
    rows.copyWithin(0, filled - stride - 1, filled);
    rows[0] = 0;
    filled = stride + 1;
    y += down;
  };
  let total = 0;
  for await (const piece of inflated(parts, () => fail(at, "ends damaged compressed data", "a zlib stream"))) {
    total += piece.length;
    if (total > expected) fail(at, `ends data of more than ${expected} bytes`, `${expected}`);
    for (let from = 0; from < piece.length;) {
      const part = piece.subarray(from, from + rows.length - filled);
      rows.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled === rows.length) take();
    }
  }
  if (total !== expected) fail(at, `ends data of ${total} bytes`, `${expected}`);
  if (filled > stride + 1) take();
  return { width, height, depth, channels, palette: header.indexed ? palette : undefined, orientation, data };
}

/** What the chunks inflate to, piece by piece. */
async function* inflated(parts: readonly Uint8Array[], damaged: () => never): AsyncGenerator<Uint8Array> {
  function* slices(): Generator<Uint8Array<ArrayBuffer>> {
    for (const part of parts) {
      for (let i = 0; i < part.length; i += STREAM_BYTES) yield part.slice(i, i + STREAM_BYTES);
    }
  }
  const each = slices();
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const { value, done } = each.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  const reader = source.pipeThrough(new DecompressionStream("deflate")).getReader();
  try {
    while (true) {
      const { value, done } = await reader.read().catch(damaged);
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {}); // It may have failed already.
  }
}

interface Chunks {
  header: Header;
  palette: Uint8Array | undefined;
  parts: Uint8Array[];
  orientation: Orientation;
  /** End of the last chunk read. */
  at: number;
}

function readChunks(bytes: Uint8Array, fail: Fail, most: number): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (![0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10].every((b, i) => bytes[i] === b)) fail(0, "begins no PNG", "its magic");
  let header: Header | undefined;
  let palette: Uint8Array | undefined;
  const parts: Uint8Array[] = [];
  let orientation: Orientation = 1;
  let at = 8;
  while (true) {
    if (at + 12 > bytes.length) fail(bytes.length, "is the end of the file", "an IEND chunk");
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length) {
      fail(at, `gives chunk ${JSON.stringify(type)} ${length} bytes`, `at most ${bytes.length - at - 12}`);
    }
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      fail(end, "has a wrong checksum", `that of ${type}`);
    }
    if (header === undefined && type !== "IHDR") fail(at, `begins chunk ${type}`, "IHDR first");
    const body = bytes.subarray(at + 8, end);
    if (type === "IHDR") header = readHeader(body, at + 8, fail, most);
    else if (type === "PLTE") {
      if (length === 0 || length % 3 !== 0 || length > 768) {
        fail(at, `has a palette of ${length} bytes`, "1 to 256 colours");
      }
      palette = body;
    } else if (type === "IDAT") {
      if (length > 0) parts.push(body);
    } else if (type === "eXIf") orientation = exifOrientation(body);
    else if (type !== "IEND" && (bytes[at + 4]! & 0x20) === 0) {
      fail(at, `has critical chunk ${JSON.stringify(type)}`, "one of the standard");
    }
    at = end + 4;
    if (type !== "IEND") continue;
    if (header!.indexed && palette === undefined) fail(at, "ends a palette image without palette", "a PLTE chunk");
    return { header: header!, palette, parts, orientation, at };
  }
}

function readHeader(body: Uint8Array, at: number, fail: Fail, most: number): Header {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.length !== 13) fail(at, `has a header of ${body.length} bytes`, "13");
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  if (width === 0 || height === 0 || width * height > most) {
    fail(at, `claims ${width}x${height} pixels`, `1 to ${most}`);
  }
  const depth = body[8]!;
  const type = TYPES[body[9]!];
  if (!type?.depths.includes(depth)) {
    fail(at + 8, `has depth ${depth}, colour type ${body[9]}`, "a pair of the standard");
  }
  if (body[10] !== 0 || body[11] !== 0 || body[12]! > 1) {
    fail(at + 10, `has methods ${body[10]}, ${body[11]}, ${body[12]}`, "0, 0, and 0 or 1");
  }
  const { channels } = type!;
  return { width, height, depth, channels, indexed: body[9] === 3, interlaced: body[12] === 1 };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Undoes the filters in place. @returns The first row whose filter does not exist. */
function unfilter(rows: Uint8Array, stride: number, down: number, pixel: number): number | undefined {
  for (let y = 0, at = 1; y < down; y++, at += stride + 1) {
    const filter = rows[at - 1]!;
    const above = y > 0 ? at - stride - 1 : -1;
    const end = at + stride;
    if (filter > 4) return y;
    if (filter === 1) { for (let i = at + pixel; i < end; i++) rows[i] = rows[i]! + rows[i - pixel]!; }
    else if (filter === 2 && above >= 0) {
      for (let i = at, a = above; i < end; i++, a++) rows[i] = rows[i]! + rows[a]!;
    } else if (filter >= 3) {
      for (let i = at; i < end; i++) {
        const left = i >= at + pixel ? rows[i - pixel]! : 0;
        const up = above >= 0 ? rows[above + i - at]! : 0;
        const corner = above >= 0 && i >= at + pixel ? rows[above + i - at - pixel]! : 0;
        rows[i] = rows[i]! + (filter === 3 ? (left + up) >> 1 : paeth(left, up, corner));
      }
    }
  }
  return undefined;
}

function paeth(left: number, up: number, corner: number): number {
  const a = Math.abs(up - corner);
  const b = Math.abs(left - corner);
  const c = Math.abs(left + up - 2 * corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Puts the samples of a pass where they belong. */
function spread(
  rows: Uint8Array,
  pass: { x: number; y: number; dx: number; dy: number; across: number; down: number; stride: number },
  { width, depth, channels }: { width: number; depth: number; channels: number },
  out: Uint8Array,
): void {
  const bytes = depth === 16 ? 2 : 1;
  for (let r = 0; r < pass.down; r++) {
    const from = r * (pass.stride + 1) + 1;
    const row = (pass.y + r * pass.dy) * width + pass.x;
    if (depth >= 8 && bytes === 1 && pass.dx === 1) {
      out.set(rows.subarray(from, from + pass.stride), row * channels);
    } else if (depth >= 8) {
      for (let i = 0, at = from; i < pass.across; i++) {
        for (let c = 0, to = (row + i * pass.dx) * channels; c < channels; c++, at += bytes) out[to + c] = rows[at]!;
      }
    } else {
      const mask = (1 << depth) - 1;
      for (let i = 0; i < pass.across; i++) {
        const bit = i * depth;
        out[row + i * pass.dx] = (rows[from + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
      }
    }
  }
}
