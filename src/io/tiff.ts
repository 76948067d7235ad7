/**
 * TIFF pictures and pyramids: generic ones as libvips writes them, Aperio's SVS, and OME-TIFF.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { MAX_PIXELS, type Picture } from "./picture.ts";
import type { RandomAccess } from "./random_access.ts";
import { readChunk } from "./tiff_codecs.ts";
import { type Ifd, isTiff, readFrom, readFromBytes, readIfds, TAG, tiffError } from "./tiff_ifd.ts";
import { type TiffLayout, tiffLayout } from "./tiff_layout.ts";
import { type PixelSize, tiffPixelSize } from "./tiff_pixel_size.ts";

export { isTiff };

/** One level of a pyramid. */
export interface TiffLevel {
  readonly width: number;
  readonly height: number;
  /** How much smaller than the first level. */
  readonly downsample: number;
  /** Size of chunks; the last strip is lower. */
  readonly chunkWidth: number;
  readonly chunkHeight: number;
  /**
   * Reads chunk `index`, counted row by row, as RGB. One that the file leaves out is undefined.
   *
   * @throws {FormatError} If it is damaged.
   */
  readonly read: (index: number) => Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** A slide in a TIFF file. */
export interface TiffPyramid {
  /** From large to small. */
  readonly levels: readonly TiffLevel[];
  readonly pixelSize: PixelSize;
  /** Pictures that are no level: label, macro, thumbnail. */
  readonly associated: readonly { width: number; height: number }[];
}

/**
 * Opens the pyramid of a TIFF file. Chunks are read when they are asked for.
 *
 * @throws {FormatError} If the file is damaged, or its largest level is in a format not read here.
 */
export async function openTiff(source: RandomAccess): Promise<TiffPyramid> {
  const { name } = source;
  const ifds = await readFrom(source, readIfds(name, source.size));
  const first = ifds[0]!;
  const full = tiffLayout(first, name);
  const layouts = [full];
  const associated: { width: number; height: number }[] = [];
  // OME-TIFF has levels below the first directory; all others one after the other.
  for (const ifd of [...first.children, ...ifds.slice(1)]) {
    const layout = levelBelow(ifd, full, layouts.at(-1)!, name);
    if (layout !== undefined) layouts.push(layout);
    else associated.push({ width: ifd.number(TAG.width) ?? 0, height: ifd.number(TAG.height) ?? 0 });
  }
  const levels = layouts.map((layout): TiffLevel => ({
    width: layout.width,
    height: layout.height,
    downsample: (full.width / layout.width + full.height / layout.height) / 2,
    chunkWidth: layout.chunkWidth,
    chunkHeight: layout.chunkHeight,
    read: async (index) =>
      layout.lengths[index] === 0 ? undefined : await readFrom(source, readChunk(layout, index, name)),
  }));
  return { levels, pixelSize: tiffPixelSize(first), associated };
}

/** The layout of a directory that shows the same as `full`, smaller than the level before it; otherwise undefined. */
function levelBelow(ifd: Ifd, full: TiffLayout, before: TiffLayout, name: string): TiffLayout | undefined {
  const [width, height] = [ifd.number(TAG.width) ?? 0, ifd.number(TAG.height) ?? 0];
  if (!(width >= 1 && height >= 1 && width < before.width && height <= before.height)) return undefined;
  // Labels, macros and thumbnails of scanners are in strips beside tiled levels, or of another shape.
  if (ifd.has(TAG.tileWidth) !== full.tiled) return undefined;
  if (!full.tiled && ((ifd.number(TAG.subfileType) ?? 0) & 1) === 0) return undefined;
  // Sizes are rounded, at worst once a level, so that a level fits between one pixel less and one more.
  const [least, most] = [full.width / (width + 1), full.width / Math.max(0.5, width - 1)];
  if (full.height / most - 1 > height || full.height / least + 1 < height) return undefined;
  return tiffLayout(ifd, name);
}

/**
 * Decodes the first picture of a TIFF held in memory, turned as its orientation tag says, as PIL does.
 *
 * @param name Name of the file for error messages.
 * @returns The picture, and PIL's name of its mode before conversion to RGB.
 * @throws {FormatError} Of what is damaged or cannot be read.
 */
export function decodeTiff(bytes: Uint8Array, name: string): Picture & { mode: string } {
  const [ifd] = readFromBytes(bytes, name, readIfds(name, bytes.length, 1));
  const layout = tiffLayout(ifd!, name);
  const { width, height, chunkWidth, chunkHeight, across, down, bits, photometric } = layout;
  if (width * height > MAX_PIXELS) {
    throw tiffError(name, ifd!.place(TAG.width), `claims ${width}x${height} pixels`, `1 to ${MAX_PIXELS}`);
  }
  const grey = photometric === "black is zero" || photometric === "white is zero";
  if (bits === 16 && grey) {
    throw new FormatError(`Cannot decode ${name}: it is 16-bit grey, expected 8 bits a sample`, {
      hint: "Scale it to 8 bits first: PIL would cut it at 255 and lose the picture",
      context: { file: name, offset: ifd!.place(TAG.bits), found: "16-bit grey", expected: "8 bits a sample" },
    });
  }
  let data: Uint8Array<ArrayBuffer> | undefined;
  for (let index = 0; index < across * down; index++) {
    const chunk = readFromBytes(bytes, name, readChunk(layout, index, name, MAX_PIXELS));
    // Memory is taken once a chunk proved to hold what it claims.
    data ??= new Uint8Array(width * height * 3);
    const [x, y] = [index % across * chunkWidth, Math.floor(index / across) * chunkHeight];
    const row = 3 * Math.min(chunkWidth, width - x);
    for (let r = 0; r < Math.min(chunkHeight, height - y); r++) {
      const from = r * chunkWidth * 3;
      data.set(chunk.subarray(from, from + row), ((y + r) * width + x) * 3);
    }
  }
  return { ...turned({ width, height, data: data! }, ifd!.number(TAG.orientation) ?? 1), mode: modeOf(layout) };
}

function modeOf({ photometric, bits, samples, extra }: TiffLayout): string {
  if (photometric === "CMYK") return "CMYK";
  if (photometric === "palette") return samples > 1 ? "PA" : "P";
  // A further sample of no stated meaning is no alpha.
  const alpha = extra === undefined || extra === 0 ? "" : "A";
  if (photometric === "RGB" || photometric === "YCbCr") return `RGB${alpha}`;
  return bits === 1 ? "1" : `L${alpha}`;
}

/** Turns and mirrors a picture by the eight orientations of the tag. */
function turned(picture: Picture, orientation: number): Picture {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const { width, height, data } = picture;
  const sideways = orientation >= 5;
  // Whether the stored picture runs from right to left, and from the bottom up.
  const left = [2, 3, 7, 8].includes(orientation);
  const up = [3, 4, 6, 7].includes(orientation);
  const [wide, high] = sideways ? [height, width] : [width, height];
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++, to += 3) {
      const [column, row] = sideways ? [y, x] : [x, y];
      const from = ((up ? height - 1 - row : row) * width + (left ? width - 1 - column : column)) * 3;
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width: wide, height: high, data: out };
}
