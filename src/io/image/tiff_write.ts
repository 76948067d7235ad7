/**
 * Writing pyramidal TIFF: RGB of 8 bits in tiles of 256, each level half the one before, rounded down. Level 0 is given from
 * the top down, and all levels grow with it: memory is 256 rows of each. Files that might pass 4 GB are BigTIFF.
 *
 * Source: TIFF 6.0 with technical note 2; https://www.awaresystems.be/imaging/tiff/bigtiff.html
 *
 * @module
 */

import type { Disk, HostFile } from "../disk.ts";
import { encodeJpeg } from "./jpeg_write.ts";
import type { RgbImage } from "./rgb_image.ts";
import { type Field, LONG, LONG8, RATIONAL, SHORT, writeDirectory } from "./tiff_directory.ts";
import { deflate } from "../../host/zlib.ts";

/** Side of a tile, and rows of a band. */
export const TILE = 256;
/** Bytes of pixels from which on offsets have 64 bits. */
const BIG = 2.9e9;
const QUALITY = 90;

/** How tiles are packed: without loss, or with the losses of JPEG at quality 90. */
export type TiffPacking = "deflate" | "jpeg";

/** What a pyramid is to be. */
export interface TiffOptions {
  readonly width: number;
  readonly height: number;
  /** µm a pixel, for the resolution tags. */
  readonly pixelSize: number;
  /** `deflate` if not given. */
  readonly packing?: TiffPacking;
  /** 64-bit offsets; where more than 2.9 GB of pixels are to come if not given. */
  readonly big?: boolean;
}

/** An image to write. */
export interface NewTiff extends TiffOptions {
  /** RGB bytes `[count, width, 3]` of rows from `top` on; asked from the top down. */
  rows(top: number, count: number): Uint8Array;
}

/** Writes a pyramid, whole or not at all. */
export function writeTiff(disk: Pick<Disk, "writeAnywhere">, path: string, tiff: NewTiff): void {
  disk.writeAnywhere(path, (file) => {
    const writer = new TiffWriter(file, tiff);
    for (let top = 0; top < tiff.height; top += TILE) writer.add(tiff.rows(top, Math.min(TILE, tiff.height - top)));
    writer.finish();
  });
}

/** The next level of a pyramid: rounded means of two by two pixels; an odd last row or column is dropped. */
export function halve(rgb: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const [w, h] = [width >> 1, height >> 1];
  const out = new Uint8Array(w * h * 3);
  for (let y = 0, to = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const from = (2 * y * width + 2 * x) * 3;
      for (let c = 0; c < 3; c++, to++) {
        const below = from + 3 * width + c;
        out[to] = (rgb[from + c]! + rgb[from + 3 + c]! + rgb[below]! + rgb[below + 3]! + 2) >> 2;
      }
    }
  }
  return out;
}

interface Level {
  readonly width: number;
  readonly height: number;
  readonly offsets: number[];
  readonly lengths: number[];
  /** Rows that wait for a whole band, and how many they are; of level 0, none. */
  readonly band: Uint8Array;
  waiting: number;
  /** Rows that came so far. */
  done: number;
}

/** A pyramid being written; it is complete when finished. */
export class TiffWriter {
  readonly #file: HostFile;
  readonly #options: TiffOptions;
  readonly #big: boolean;
  readonly #levels: Level[] = [];
  #at: number;

  /** Begins a pyramid in an empty file. */
  constructor(file: HostFile, options: TiffOptions) {
    this.#file = file;
    this.#options = options;
    this.#big = options.big ?? options.width * options.height * 4 > BIG;
    // The header points at the first directory, whose place is known at the end.
    this.#at = this.#big ? 16 : 8;
    let { width, height } = options;
    while (true) {
      const band = new Uint8Array(this.#levels.length === 0 ? 0 : width * TILE * 3);
      this.#levels.push({ width, height, offsets: [], lengths: [], band, waiting: 0, done: 0 });
      if ((width <= TILE && height <= TILE) || Math.min(width, height) < 2) break;
      [width, height] = [width >> 1, height >> 1];
    }
  }

  /** Adds rows of level 0: 256 at a time, fewer only at the end. */
  add(rows: Uint8Array): void {
    this.#append(0, rows);
  }

  /** Writes the directories. */
  finish(): void {
    const { pixelSize, packing } = this.#options;
    const head = this.#big ? [0x49, 0x49, 43, 0, 8, 0, 0, 0] : [0x49, 0x49, 42, 0];
    this.#file.write(0, Uint8Array.of(...head));
    /** Where the place of the next directory is to be noted. */
    let link = this.#big ? 8 : 4;
    const offset = this.#big ? LONG8 : LONG;
    for (const [number, { width, height, offsets, lengths }] of this.#levels.entries()) {
      const perCentimetre = Math.round(1e8 * width / (pixelSize * this.#levels[0]!.width));
      const fields: Field[] = [
        [254, LONG, [number === 0 ? 0 : 1]],
        [256, LONG, [width]],
        [257, LONG, [height]],
        [258, SHORT, [8, 8, 8]],
        [259, SHORT, [packing === "jpeg" ? 7 : 8]],
        [262, SHORT, [packing === "jpeg" ? 6 : 2]],
        [277, SHORT, [3]],
        [282, RATIONAL, [perCentimetre, 10000]],
        [283, RATIONAL, [perCentimetre, 10000]],
        [284, SHORT, [1]],
        [296, SHORT, [3]],
        ...(packing === "jpeg" ? [] : [[317, SHORT, [2]] as const]),
        [322, SHORT, [TILE]],
        [323, SHORT, [TILE]],
        [324, offset, offsets],
        [325, LONG, lengths],
        ...(packing === "jpeg" ? [[530, SHORT, [1, 1]] as const] : []),
      ];
      ({ end: this.#at, link } = writeDirectory(this.#file, fields, { at: this.#at, link, big: this.#big }));
    }
  }

  #append(number: number, rows: Uint8Array): void {
    const level = this.#levels[number]!;
    const count = rows.length / (level.width * 3);
    level.done += count;
    for (let x = 0; x < level.width; x += TILE) this.#tile(level, tileOf(rows, level.width, x));
    const next = this.#levels[number + 1];
    if (next === undefined) return;
    const half = halve(rows, level.width, count);
    next.band.set(half, next.waiting * next.width * 3);
    next.waiting += count >> 1;
    if (next.waiting === TILE || (next.waiting > 0 && next.done + next.waiting === next.height)) {
      const band = next.band.subarray(0, next.waiting * next.width * 3);
      next.waiting = 0;
      this.#append(number + 1, band);
    }
  }

  #tile(level: Level, tile: RgbImage): void {
    const bytes = this.#options.packing === "jpeg" ? encodeJpeg(tile, QUALITY) : deflate(differences(tile));
    this.#file.write(this.#at, bytes);
    level.offsets.push(this.#at);
    level.lengths.push(bytes.length);
    this.#at += bytes.length + (bytes.length & 1);
  }
}

/** A tile of a band of rows, padded with black. */
function tileOf(rows: Uint8Array, width: number, x: number): RgbImage {
  const data = new Uint8Array(TILE * TILE * 3);
  const count = rows.length / (width * 3);
  const across = Math.min(TILE, width - x) * 3;
  for (let y = 0; y < count; y++) {
    const from = (y * width + x) * 3;
    data.set(rows.subarray(from, from + across), y * TILE * 3);
  }
  return { width: TILE, height: TILE, data };
}

/** Pixels as differences to those on their left, in place. */
function differences({ data }: RgbImage): Uint8Array {
  const stride = TILE * 3;
  for (let row = 0; row < data.length; row += stride) {
    for (let i = row + stride - 1; i >= row + 3; i--) data[i]! -= data[i - 3]!;
  }
  return data;
}
