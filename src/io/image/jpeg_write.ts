/**
 * Writing JPEG: baseline, YCbCr without subsampling, the standard's tables of luminance for all codes.
 *
 * Source: ITU-T T.81, annexes A, F and K; Y. Arai, T. Agui, M. Nakajima, "A fast DCT-SQ scheme for images", Trans. IEICE
 * E-71 (1988) 1095, for the transform.
 *
 * @module
 */

import { LimitError } from "../../core/errors.ts";
import { ZIGZAG } from "./jpeg_scan.ts";
import { HUFFMAN_COUNTS, STANDARD_AC, STANDARD_DC } from "./jpeg_tables.ts";
import type { RgbImage } from "./rgb_image.ts";

/** Steps of the coefficients at quality 50, in zigzag order: tables K.1 and K.2. */
const STEPS = {
  luminance: [
    ...[16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51],
    ...[61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62],
    ...[77, 113, 121, 112, 100, 120, 92, 101, 103, 99],
  ],
  chrominance: [
    ...[17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99],
    ...new Array<number>(36).fill(99),
  ],
};
/** What the transform leaves undone along one axis. */
const AXIS = [1, 1.387039845, 1.306562965, 1.175875602, 1, 0.785694958, 0.5411961, 0.275899379];

interface Codes {
  readonly code: Uint16Array;
  readonly length: Uint8Array;
}

function codesOf(table: Uint8Array): Codes {
  const out = { code: new Uint16Array(256), length: new Uint8Array(256) };
  let [code, at] = [0, HUFFMAN_COUNTS];
  for (const [i, count] of table.subarray(0, HUFFMAN_COUNTS).entries()) {
    for (let k = 0; k < count; k++, at++, code++) {
      out.code[table[at]!] = code;
      out.length[table[at]!] = i + 1;
    }
    code <<= 1;
  }
  return out;
}

const DC_TABLE = STANDARD_DC[0]!;
const AC_TABLE = STANDARD_AC[0]!;
const DC = codesOf(DC_TABLE);
const AC = codesOf(AC_TABLE);

/** Bytes that grow, and bits before they are bytes. */
class Sink {
  bytes = new Uint8Array(1 << 16);
  length = 0;
  #bits = 0;
  #count = 0;

  push(...values: readonly number[]): void {
    for (const value of values) this.#byte(value);
  }

  #byte(value: number): void {
    if (this.length === this.bytes.length) {
      const more = new Uint8Array(2 * this.length);
      more.set(this.bytes);
      this.bytes = more;
    }
    this.bytes[this.length++] = value;
  }

  /** Appends at most 16 bits. */
  put(value: number, count: number): void {
    this.#bits = (this.#bits << count) | value;
    this.#count += count;
    while (this.#count >= 8) {
      const byte = (this.#bits >> (this.#count - 8)) & 255;
      this.#byte(byte);
      if (byte === 255) this.#byte(0);
      this.#count -= 8;
    }
    this.#bits &= (1 << this.#count) - 1;
  }

  finish(): Uint8Array<ArrayBuffer> {
    if (this.#count > 0) this.put((1 << (8 - this.#count)) - 1, 8 - this.#count);
    this.push(0xff, 0xd9);
    return this.bytes.slice(0, this.length);
  }
}

/** Steps of a quality, in zigzag order, as libjpeg scales them. */
function stepsOf(base: readonly number[], quality: number): number[] {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return base.map((step) => Math.min(255, Math.max(1, Math.floor((step * scale + 50) / 100))));
}

/** By what the transform's outputs are multiplied, in the order of the block. */
function factorsOf(steps: readonly number[]): Float64Array {
  const out = new Float64Array(64);
  steps.forEach((step, k) => {
    const at = ZIGZAG[k]!;
    out[at] = 1 / (step * AXIS[at >> 3]! * AXIS[at & 7]! * 8);
  });
  return out;
}

/**
 * An image as JPEG.
 *
 * @param quality 1 to 100, as libjpeg counts.
 * @throws {LimitError} If a side has more than 65,535 pixels.
 */
export function encodeJpeg(image: RgbImage, quality: number = 90): Uint8Array<ArrayBuffer> {
  const { width, height } = image;
  if (Math.min(width, height) < 1 || Math.max(width, height) > 65_535) {
    throw new LimitError(`Cannot write a JPEG: ${width}x${height} pixels, 1 to 65535 a side`);
  }
  const steps = [stepsOf(STEPS.luminance, quality), stepsOf(STEPS.chrominance, quality)];
  const sink = new Sink();
  writeHead(sink, width, height, steps);
  const factors = steps.map(factorsOf);
  const planes = [0, 1, 2].map(() => new Float64Array(64));
  const before = [0, 0, 0];
  for (let y = 0; y < height; y += 8) {
    for (let x = 0; x < width; x += 8) {
      takeBlock(image, x, y, planes);
      for (let c = 0; c < 3; c++) before[c] = writeBlock(sink, planes[c]!, factors[c === 0 ? 0 : 1]!, before[c]!);
    }
  }
  return sink.finish();
}

function writeHead(sink: Sink, width: number, height: number, steps: readonly number[][]): void {
  const segment = (marker: number, content: readonly number[]) => {
    sink.push(0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content);
  };
  sink.push(0xff, 0xd8);
  segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
  steps.forEach((table, i) => segment(0xdb, [i, ...table]));
  const component = (id: number) => [id, 0x11, id === 1 ? 0 : 1];
  segment(0xc0, [8, height >> 8, height & 255, width >> 8, width & 255, 3, ...[1, 2, 3].flatMap(component)]);
  segment(0xc4, [0, ...DC_TABLE]);
  segment(0xc4, [0x10, ...AC_TABLE]);
  segment(0xda, [3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
}

/** Eight by eight pixels as Y, Cb and Cr about zero; edges go on beyond the image. */
function takeBlock({ width, height, data }: RgbImage, x: number, y: number, planes: readonly Float64Array[]): void {
  const [luma, blue, red] = planes as [Float64Array, Float64Array, Float64Array];
  for (let v = 0, at = 0; v < 8; v++) {
    const line = Math.min(y + v, height - 1) * width;
    for (let u = 0; u < 8; u++, at++) {
      const from = (line + Math.min(x + u, width - 1)) * 3;
      const [r, g, b] = [data[from]!, data[from + 1]!, data[from + 2]!];
      luma[at] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
      blue[at] = -0.168735892 * r - 0.331264108 * g + 0.5 * b;
      red[at] = 0.5 * r - 0.418687589 * g - 0.081312411 * b;
    }
  }
}

/** @returns The block's DC coefficient, from which the next one's differs. */
function writeBlock(sink: Sink, block: Float64Array, factors: Float64Array, before: number): number {
  for (let row = 0; row < 64; row += 8) transform(block, row, 1);
  for (let column = 0; column < 8; column++) transform(block, column, 8);
  const dc = Math.round(block[0]! * factors[0]!);
  writeValue(sink, DC, 0, dc - before);
  let zeros = 0;
  for (let k = 1; k < 64; k++) {
    const at = ZIGZAG[k]!;
    const value = Math.round(block[at]! * factors[at]!);
    if (value === 0) {
      zeros++;
      continue;
    }
    for (; zeros > 15; zeros -= 16) sink.put(AC.code[0xf0]!, AC.length[0xf0]!);
    writeValue(sink, AC, zeros << 4, value);
    zeros = 0;
  }
  if (zeros > 0) sink.put(AC.code[0]!, AC.length[0]!);
  return dc;
}

function writeValue(sink: Sink, codes: Codes, run: number, value: number): void {
  const size = 32 - Math.clz32(Math.abs(value));
  sink.put(codes.code[run | size]!, codes.length[run | size]!);
  if (size > 0) sink.put(value < 0 ? value + (1 << size) - 1 : value, size);
}

/** Eight samples from `at`, `step` apart, become coefficients, each times a factor of {@linkcode AXIS}. */
function transform(d: Float64Array, at: number, step: number): void {
  const i = (k: number) => at + k * step;
  const [s07, d07] = [d[i(0)]! + d[i(7)]!, d[i(0)]! - d[i(7)]!];
  const [s16, d16] = [d[i(1)]! + d[i(6)]!, d[i(1)]! - d[i(6)]!];
  const [s25, d25] = [d[i(2)]! + d[i(5)]!, d[i(2)]! - d[i(5)]!];
  const [s34, d34] = [d[i(3)]! + d[i(4)]!, d[i(3)]! - d[i(4)]!];
  const [e0, e3, e1, e2] = [s07 + s34, s07 - s34, s16 + s25, s16 - s25];
  d[i(0)] = e0 + e1;
  d[i(4)] = e0 - e1;
  const turned = (e2 + e3) * Math.SQRT1_2;
  d[i(2)] = e3 + turned;
  d[i(6)] = e3 - turned;
  const [o0, o1, o2] = [d34 + d25, d25 + d16, d16 + d07];
  const z5 = (o0 - o2) * 0.382683433;
  const [z2, z4, z3] = [0.5411961 * o0 + z5, 1.306562965 * o2 + z5, o1 * Math.SQRT1_2];
  const [z11, z13] = [d07 + z3, d07 - z3];
  d[i(5)] = z13 + z2;
  d[i(3)] = z13 - z2;
  d[i(1)] = z11 + z4;
  d[i(7)] = z11 - z4;
}
