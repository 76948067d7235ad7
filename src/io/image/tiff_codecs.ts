/**
 * Chunks of a TIFF (tiles and strips) to RGB bytes, as PIL gives them.
 *
 * Source: TIFF 6.0, sections 8, 9, 13, 14 and 22, and Adobe's technical note 2 for JPEG.
 *
 * @module
 */

import { expandLzw } from "./lzw.ts";
import { MAX_CHUNK } from "./rgb_image.ts";
import { codedSamples } from "./tiff_coded.ts";
import { type Reading, TAG, tiffError } from "./tiff_ifd.ts";
import { type Compression, isCoded, RECOMPRESS, type TiffLayout } from "./tiff_layout.ts";
import { expandZstd, inflate } from "../../host/zlib.ts";

/** Bytes that one byte of compressed data can become at most: what claims more is damaged, before memory is taken. */
const EXPANSION: Readonly<Record<Compression, number>> = {
  none: 1,
  LZW: 2731,
  Deflate: 1032,
  PackBits: 64,
  ZSTD: 65_536,
  JPEG: 4096,
  WebP: 65_536,
  "JPEG 2000": 65_536,
};

/** Rows of chunk `index` that lie in the file: tiles are stored whole, the last strip is cut. */
export function rowsOf({ tiled, chunkHeight, height, across, down }: TiffLayout, index: number): number {
  const row = Math.floor(index / across) % down;
  return tiled ? chunkHeight : Math.min(chunkHeight, height - row * chunkHeight);
}

/**
 * Reads chunk `index` (row by row) as RGB, `chunkWidth` pixels wide; the last strip has fewer rows than `chunkHeight`.
 *
 * @param layouts Of one directory, or of three that hold red, green and blue.
 * @throws {FormatError} If its data is damaged, ends early or lies outside of the file.
 */
export function* readImageChunk(
  layouts: readonly TiffLayout[],
  index: number,
  name: string,
): Reading<Uint8Array<ArrayBuffer>> {
  if (layouts.length === 1) return yield* readChunk(layouts[0]!, index, name);
  let rgb: Uint8Array<ArrayBuffer> | undefined;
  for (const [c, layout] of layouts.entries()) {
    const grey = yield* readChunk(layout, index, name);
    rgb ??= grey.slice();
    for (let i = c; i < grey.length; i += 3) rgb[i] = grey[i]!;
  }
  return rgb!;
}

/**
 * Refuses a directory whose chunks are too large before memory is taken for one, be it a white one in place of a damaged.
 *
 * @throws {FormatError} If they are.
 */
export function checkChunk({ chunkWidth, chunkHeight, samples, bits, ifd }: TiffLayout, name: string): void {
  const bytes = chunkWidth * chunkHeight * Math.max(3, Math.ceil(samples * bits / 8));
  if (bytes <= MAX_CHUNK) return;
  const found = `has chunks of ${chunkWidth}x${chunkHeight} pixels, ${bytes} bytes`;
  throw tiffError(name, ifd.place(TAG.rowsPerStrip), found, `at most ${MAX_CHUNK} bytes in one`, RECOMPRESS);
}

function* readChunk(layout: TiffLayout, index: number, name: string): Reading<Uint8Array<ArrayBuffer>> {
  const { chunkWidth, across, down, samples } = layout;
  const pixels = chunkWidth * rowsOf(layout, index);
  if (!layout.planar) return toRgb(layout, yield* readSamples(layout, index, samples, name), pixels);
  let all: Uint8Array | undefined;
  for (let s = 0; s < samples; s++) {
    const plane = yield* readSamples(layout, s * across * down + index, 1, name);
    all ??= new Uint8Array(pixels * samples);
    for (let i = 0, to = s; i < pixels; i++, to += samples) all[to] = plane[i]!;
  }
  return toRgb(layout, all!, pixels);
}

/**
 * Samples of a chunk as they are stored, decompressed: differences to the pixel before and the byte order are the file's.
 *
 * @param samples Of a pixel: one where each has chunks of its own.
 * @throws {FormatError} If the data is damaged, ends early or lies outside of the file.
 */
export function* readStored(layout: TiffLayout, index: number, samples: number, name: string): Reading<Uint8Array> {
  const { chunkWidth, chunkHeight, compression, bits } = layout;
  const rows = rowsOf(layout, index);
  const [offset, length] = [layout.offsets[index]!, layout.lengths[index]!];
  const stride = Math.ceil(chunkWidth * samples * bits / 8);
  const expected = stride * rows;
  if (expected > length * EXPANSION[compression]) {
    throw tiffError(
      name,
      offset,
      `begins chunk ${index} of ${length} bytes`,
      `data of ${expected} bytes ${compression}`,
    );
  }
  const data = yield [offset, compression === "none" ? expected : length];
  if (isCoded(compression)) return codedSamples(layout, data, index, rows, name);
  // Before TIFF 5 codes began with their lowest bit; a stream begins with the code to clear, 256.
  if (compression === "LZW" && data[0] === 0 && (data[1]! & 1) === 1) {
    throw tiffError(name, offset, `begins LZW of chunk ${index} as before TIFF 5`, "the order of TIFF 5", RECOMPRESS);
  }
  const raw = expand(compression, data, expected, stride * chunkHeight);
  if (raw === undefined) {
    throw tiffError(name, offset, `begins damaged ${compression} data of chunk ${index}`, "a whole stream");
  }
  if (raw.length < expected) {
    throw tiffError(name, offset, `begins chunk ${index}, which gives ${raw.length} bytes`, `${expected}`);
  }
  return raw;
}

/** Samples of a chunk, one byte each: of 16 bits the upper eight, narrower ones unscaled. */
function* readSamples(layout: TiffLayout, index: number, samples: number, name: string): Reading<Uint8Array> {
  const raw = yield* readStored(layout, index, samples, name);
  const { chunkWidth, compression, bits, ifd } = layout;
  if (isCoded(compression)) return raw;
  const rows = rowsOf(layout, index);
  const stride = Math.ceil(chunkWidth * samples * bits / 8);
  if (bits === 8) {
    if (layout.differences) { for (let y = 0; y < rows; y++) sumBytes(raw, y * stride, stride, samples); }
    return raw;
  }
  const out = new Uint8Array(chunkWidth * samples * rows);
  if (bits === 16) upperBytes(raw, out, chunkWidth * samples, layout.differences ? samples : 0, ifd.little);
  else unpackBits(raw, out, chunkWidth, stride, bits);
  return out;
}

/** Decompressed bytes, of which `expected` are wanted; undefined where the data is damaged. */
function expand(compression: Compression, data: Uint8Array, expected: number, most: number): Uint8Array | undefined {
  if (compression === "LZW") return expandLzw(data, expected);
  if (compression === "PackBits") return expandPackBits(data, expected);
  // Some writers fill the last strip up to a whole one; what gives more is damaged.
  if (compression === "ZSTD") return expandZstd(data, most);
  return compression === "Deflate" ? inflate(data, most) : data;
}

/** Runs and literals of bytes. */
function expandPackBits(data: Uint8Array, most: number): Uint8Array {
  const out = new Uint8Array(most);
  let to = 0;
  for (let at = 0; at < data.length && to < most;) {
    const n = data[at++]!;
    if (n < 128) {
      const literal = data.subarray(at, at + Math.min(n + 1, most - to));
      out.set(literal, to);
      to += literal.length;
      at += n + 1;
    } else if (n > 128 && at < data.length) {
      const end = Math.min(most, to + 257 - n);
      out.fill(data[at++]!, to, end);
      to = end;
    }
  }
  return out.subarray(0, to);
}

/** Undoes the differences of a row of bytes. */
function sumBytes(row: Uint8Array, from: number, length: number, samples: number): void {
  for (let i = from + samples; i < from + length; i++) row[i] = row[i]! + row[i - samples]!;
}

/** Upper bytes of 16-bit samples; `samples` > 0 undoes differences between pixels of as many. */
function upperBytes(raw: Uint8Array, out: Uint8Array, row: number, samples: number, little: boolean): void {
  const sums = new Uint16Array(row);
  for (let y = 0, at = 0; y < out.length; y += row) {
    for (let i = 0; i < row; i++, at += 2) {
      const value = little ? raw[at]! | (raw[at + 1]! << 8) : (raw[at]! << 8) | raw[at + 1]!;
      sums[i] = samples > 0 && i >= samples ? value + sums[i - samples]! : value;
      out[y + i] = sums[i]! >> 8;
    }
  }
}

function unpackBits(raw: Uint8Array, out: Uint8Array, width: number, stride: number, bits: number): void {
  const mask = (1 << bits) - 1;
  for (let i = 0, y = 0; i < out.length; y += stride) {
    for (let x = 0; x < width; x++, i++) {
      const bit = x * bits;
      out[i] = (raw[y + (bit >> 3)]! >> (8 - bits - (bit & 7))) & mask;
    }
  }
}

/** Samples to RGB. */
function toRgb(layout: TiffLayout, from: Uint8Array, pixels: number): Uint8Array<ArrayBuffer> {
  const { photometric, samples } = layout;
  // What JPEG decoded is RGB already, and nobody else's.
  if (layout.compression === "JPEG" && samples === 3 && from.length === pixels * 3) {
    return from as Uint8Array<ArrayBuffer>;
  }
  const rgb = new Uint8Array(pixels * 3);
  if (photometric === "RGB" || photometric === "YCbCr") {
    if (samples === 3) rgb.set(from.subarray(0, pixels * 3));
    else dropAlpha(from, rgb, layout.extra === 1);
  } else if (photometric === "CMYK") {
    for (let i = 0, to = 0; to < rgb.length; i += 4) {
      for (let c = 0; c < 3; c++) rgb[to++] = withoutInk(from[i + c]!, from[i + 3]!);
    }
  } else {
    const shades = shadesOf(layout);
    for (let i = 0, to = 0; to < rgb.length; i += samples) {
      const shade = from[i]! * 3;
      rgb[to++] = shades[shade]!;
      rgb[to++] = shades[shade + 1]!;
      rgb[to++] = shades[shade + 2]!;
    }
  }
  return rgb;
}

function dropAlpha(from: Uint8Array, rgb: Uint8Array, multiplied: boolean): void {
  for (let i = 0, to = 0; to < rgb.length; i += 4) {
    const alpha = from[i + 3]!;
    for (let c = 0; c < 3; c++) {
      const value = from[i + c]!;
      // As PIL divides: nothing remains where alpha is nought.
      rgb[to++] = !multiplied || alpha === 255
        ? value
        : alpha === 0
        ? 0
        : Math.min(255, Math.floor(255 * value / alpha));
    }
  }
}

/** What ink and black leave of a colour of white light, without a profile, as PIL rounds it. */
export function withoutInk(ink: number, black: number): number {
  const light = 255 - black;
  const product = ink * light + 128;
  return Math.max(0, light - (((product >> 8) + product) >> 8));
}

/** RGB of each value a sample of grey or of a palette can have. */
function shadesOf({ photometric, bits, ifd }: TiffLayout): Uint8Array {
  const values = 1 << Math.min(bits, 8);
  const map = ifd.list(TAG.colourMap);
  return Uint8Array.from({ length: values * 3 }, (_, i) => {
    const value = Math.floor(i / 3);
    if (photometric === "palette") return (map?.[(i % 3) * (map.length / 3 | 0) + value] ?? 0) >> 8;
    return (photometric === "white is zero" ? values - 1 - value : value) * (255 / (values - 1));
  });
}
