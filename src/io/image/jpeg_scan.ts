/**
 * Entropy-coded data of JPEG: Huffman tables, and the order in which `jpeg_decode.c` decodes a scan.
 *
 * Source: ITU-T T.81, sections F.2 and G.2. Coefficients are exactly those libjpeg arrives at; where it would go on with a
 * warning (a code that does not exist, data that ends early) this reader stops, since a damaged tile must not be embedded.
 *
 * @module
 */

import type { JpegModule } from "./jpeg_module.ts";

/** Place in a block, row-major, of the k-th coefficient in zigzag order. */
export const ZIGZAG: Uint8Array = zigzag();

function zigzag(): Uint8Array {
  const order = new Uint8Array(64);
  let row = 0;
  let column = 0;
  for (let k = 0; k < 64; k++) {
    order[k] = row * 8 + column;
    const up = (row + column) % 2 === 0;
    if (up ? column === 7 : row < 7 && column === 0) row++;
    else if (up ? row === 0 : row === 7) column++;
    else [row, column] = up ? [row - 1, column + 1] : [row + 1, column - 1];
  }
  return order;
}

/** What a scan does to one component: `struct component` of the source, but for pointers addresses. */
export interface ScanComponent {
  /** Blocks of it in an MCU of this scan. */
  readonly h: number;
  readonly v: number;
  /** Blocks in a line of it. */
  readonly blocksPerLine: number;
  /** Addresses of samples, of the coefficients of all blocks in progressive images, of the steps of quantisation. */
  readonly plane: number;
  readonly coefficients: number;
  readonly steps: number;
  /** Addresses of tables; 0 where the scan needs none. */
  readonly dc: number;
  readonly ac: number;
}

/** One scan: its components, spectral band, bit positions, and how the MCUs are cut into restart intervals. */
export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly progressive: boolean;
  readonly from: number;
  readonly to: number;
  readonly high: number;
  readonly low: number;
  readonly restartInterval: number;
  /** MCUs. */
  readonly across: number;
  readonly down: number;
}

/** Where the file and what its scans need lie in the module's memory. */
export interface ScanMemory {
  /** The file's bytes. */
  readonly file: number;
  readonly length: number;
  /** End of the room for coded bytes. */
  readonly top: number;
  /** Room for {@linkcode SCAN_BYTES}. */
  readonly scan: number;
}

/** Bytes of `struct component` and `struct scan`. */
export const COMPONENT_BYTES = 36;
/** Bytes of `struct scan`. */
export const SCAN_BYTES: number = 13 * 4 + 4 * COMPONENT_BYTES;
/** Room for the coded bytes of a file of so many, without stuffing and with zeros behind them. */
export function codedRoom(length: number): number {
  return length + 1024;
}

/** Thrown within this reader; `jpeg.ts` adds the file's name. */
export class ScanError extends Error {
  /** Says at which byte what was found and what was expected. */
  constructor(readonly offset: number, readonly found: string, readonly expected: string, readonly hint?: string) {
    super(`byte ${offset} ${found}, expected ${expected}`);
  }
}

/** What may be wrong with a scan, from 1 as in the source; `found` is what it says of it. */
const FAULTS: readonly ((found: number, scan: Scan) => readonly [found: string, expected: string])[] = [
  () => ["ends the data of a scan early", "more coded data"],
  () => ["has a code that is in no table", "a Huffman code"],
  (to, { progressive }) =>
    progressive
      ? ["has a run beyond the band", `at most coefficient ${to}`]
      : ["has a run beyond the block", `at most ${to} coefficients`],
  (bits) => [`refines by ${bits} bits`, "one"],
  (markers) => [`has marker ${(markers & 255) === 0 ? "none" : hex(markers & 255)}`, hex(markers >> 8)],
];

function hex(marker: number): string {
  return `FF${marker.toString(16).padStart(2, "0")}`;
}

/** Offset of the next marker at or after `at`; the length of the data where there is none. */
export function markerAfter(data: Uint8Array, at: number): number {
  for (let i = data.indexOf(0xff, at); i >= 0 && i + 1 < data.length; i = data.indexOf(0xff, i + 1)) {
    if (data[i + 1] !== 0 && data[i + 1] !== 0xff) return i;
  }
  return data.length;
}

/**
 * Decodes one scan: into samples, or into coefficients where the image is progressive.
 *
 * @param start First byte of coded data, from the file's first.
 * @returns Offset of what ends the scan.
 * @throws {ScanError} Where the data is damaged or ends early.
 */
export function decodeScan(module: JpegModule, memory: ScanMemory, start: number, scan: Scan): number {
  const { components, progressive, from, to, high, low, restartInterval, across, down } = scan;
  const { file, length, top } = memory;
  const words = module.words(memory.scan, SCAN_BYTES / 4);
  words.set([components.length, Number(progressive), from, to, high, low, restartInterval, across, down]);
  words.set([file + start, file + length, top, 0], 9);
  components.forEach(({ h, v, blocksPerLine, plane, coefficients, steps, dc, ac }, i) => {
    words.set([h, v, blocksPerLine, plane, coefficients, steps, dc, ac, 0], 13 + i * COMPONENT_BYTES / 4);
  });
  const fault = module.call.scan(memory.scan);
  const at = words[9]! - file;
  if (fault === 0) return at;
  throw new ScanError(at, ...FAULTS[fault - 1]!(words[12]!, scan));
}
