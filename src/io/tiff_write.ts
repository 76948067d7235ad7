/**
 * Writing pyramidal TIFF: RGB of 8 bits in tiles of 256, Deflate, each level half the one before, rounded down.
 *
 * @module
 */

import type { Disk, HostFile } from "./disk.ts";
import { deflate } from "./zlib.ts";

const TILE = 256;
/** Field types. */
const [SHORT, LONG, RATIONAL] = [3, 4, 5];

/** A picture to write. */
export interface NewTiff {
  readonly width: number;
  readonly height: number;
  /** µm a pixel, for the resolution tags. */
  readonly pixelSize: number;
  /** RGB bytes `[count, width, 3]` of rows from `top` on; asked from the top down. */
  rows(top: number, count: number): Uint8Array;
  /** Makes the next level of two bands of rows; `[height >> 1, width >> 1, 3]`. */
  halve(rgb: Uint8Array, width: number, height: number): Uint8Array;
}

interface Level {
  readonly width: number;
  readonly height: number;
  readonly offsets: number[];
  readonly lengths: number[];
}

/** Writes a pyramid, whole or not at all. Memory: a quarter of the picture. */
export function writeTiff(disk: Pick<Disk, "writeAnywhere">, path: string, tiff: NewTiff): void {
  disk.writeAnywhere(path, (file) => {
    // The header points at the first directory, whose place is known at the end.
    let at = 8;
    const levels: Level[] = [];
    const append = (level: Level, rows: Uint8Array) => {
      for (let x = 0; x < level.width; x += TILE) {
        const bytes = deflate(tileOf(rows, level.width, x));
        file.write(at, bytes);
        level.offsets.push(at);
        level.lengths.push(bytes.length);
        at += bytes.length + (bytes.length & 1);
      }
    };
    let { width, height } = tiff;
    let rows = (top: number, count: number) => tiff.rows(top, count);
    while (true) {
      const level: Level = { width, height, offsets: [], lengths: [] };
      levels.push(level);
      const next = new Uint8Array((width >> 1) * (height >> 1) * 3);
      for (let top = 0; top < height; top += TILE) {
        const band = rows(top, Math.min(TILE, height - top));
        append(level, band);
        next.set(tiff.halve(band, width, Math.min(TILE, height - top)), (top >> 1) * (width >> 1) * 3);
      }
      if (width <= TILE && height <= TILE) break;
      [width, height] = [width >> 1, height >> 1];
      const stride = width * 3;
      rows = (top, count) => next.subarray(top * stride, (top + count) * stride);
    }
    writeDirectories(file, levels, tiff.pixelSize, at);
  });
}

/** A tile of a band of rows, padded with black. */
function tileOf(rows: Uint8Array, width: number, x: number): Uint8Array {
  const tile = new Uint8Array(TILE * TILE * 3);
  const count = rows.length / (width * 3);
  const across = Math.min(TILE, width - x) * 3;
  for (let y = 0; y < count; y++) {
    const from = (y * width + x) * 3;
    tile.set(rows.subarray(from, from + across), y * TILE * 3);
  }
  return tile;
}

function writeDirectories(file: HostFile, levels: readonly Level[], pixelSize: number, start: number): void {
  let at = start;
  /** Where the place of the next directory is to be noted. */
  let link = 4;
  file.write(0, new Uint8Array([0x49, 0x49, 42, 0, 0, 0, 0, 0]));
  for (const [number, level] of levels.entries()) {
    const perCentimetre = Math.round(1e8 / (pixelSize * level0Scale(levels, number)));
    const fields: [tag: number, type: number, values: readonly number[]][] = [
      [254, LONG, [number === 0 ? 0 : 1]],
      [256, LONG, [level.width]],
      [257, LONG, [level.height]],
      [258, SHORT, [8, 8, 8]],
      [259, SHORT, [8]],
      [262, SHORT, [2]],
      [277, SHORT, [3]],
      [282, RATIONAL, [perCentimetre, 10000]],
      [283, RATIONAL, [perCentimetre, 10000]],
      [284, SHORT, [1]],
      [296, SHORT, [3]],
      [322, SHORT, [TILE]],
      [323, SHORT, [TILE]],
      [324, LONG, level.offsets],
      [325, LONG, level.lengths],
    ];
    const bytes = directory(fields, at);
    file.write(at, bytes);
    file.write(link, new Uint8Array(Uint32Array.of(at).buffer));
    link = at + 2 + 12 * fields.length;
    at += bytes.length;
  }
}

function level0Scale(levels: readonly Level[], number: number): number {
  return levels[0]!.width / levels[number]!.width;
}

/** A directory at `at`, with what does not fit in its fields behind it. */
function directory(fields: readonly [number, number, readonly number[]][], at: number): Uint8Array {
  const size = (type: number, values: readonly number[]) => values.length * (type === SHORT ? 2 : 4);
  const head = 2 + 12 * fields.length + 4;
  const extra = fields.map(([, type, values]) => size(type, values)).map((n) => n > 4 ? n + (n & 1) : 0);
  const view = new DataView(new ArrayBuffer(head + extra.reduce((a, b) => a + b, 0)));
  view.setUint16(0, fields.length, true);
  let behind = head;
  for (const [i, [tag, type, values]] of fields.entries()) {
    const field = 2 + 12 * i;
    view.setUint16(field, tag, true);
    view.setUint16(field + 2, type, true);
    view.setUint32(field + 4, type === RATIONAL ? values.length / 2 : values.length, true);
    let to = field + 8;
    if (extra[i]! > 0) {
      view.setUint32(to, at + behind, true);
      to = behind;
      behind += extra[i]!;
    }
    for (const value of values) {
      if (type === SHORT) view.setUint16(to, value, true);
      else view.setUint32(to, value, true);
      to += type === SHORT ? 2 : 4;
    }
  }
  return new Uint8Array(view.buffer);
}
