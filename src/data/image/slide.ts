/**
 * A slide: a pyramid of images of which regions are read, from TIFF files or from one flat image.
 *
 * @module
 */

import { ByteCache } from "../../core/byte_cache.ts";
import { DataError, FormatError, LimitError } from "../../core/errors.ts";
import { decodeImage } from "../../io/image/image.ts";
import { HEAD, refusal, refusedByEnding, refusedByHead } from "../../io/image/slide_formats.ts";
import { openJpegRgb, pngToRgb } from "../../io/image/raster.ts";
import { isSideways, type Orientation, storedRegion, turned, TURNS } from "../../io/image/orientation.ts";
import { MAX_PIXELS, type RgbImage } from "../../io/image/rgb_image.ts";
import { streamPng } from "../../io/image/png.ts";
import type { RandomAccess } from "../../io/random_access.ts";
import { isTiff, openTiff, type TiffLevel } from "../../io/image/tiff.ts";
import { NO_PIXEL_SIZE, type PixelSize } from "../../io/image/tiff_pixel_size.ts";

export type { PixelSize };

/** Most pixels a side of a flat image may have: beyond that it belongs into a pyramid. */
export const MAX_FLAT_SIDE = 20_000;
/** Largest file of a flat image that is read, bytes. */
const MAX_FLAT_BYTES = 2 ** 30;
/** Rows of a flat image that are put together at once. */
const BAND = 256;

/** One level of a slide. */
export interface SlideLevel {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** How many pixels of level 0 a pixel is wide. */
  readonly downsample: number;
}

/** A slide. */
export interface Slide {
  /** Name of the file. */
  readonly name: string;
  /** From large to small. */
  readonly levels: readonly SlideLevel[];
  /** Side of a pixel of level 0, as far as the file can be believed. */
  readonly pixelSize: PixelSize;
  /** Sizes of images beside the pyramid, which are not read: label, macro, thumbnail. */
  readonly associated: readonly { readonly width: number; readonly height: number }[];
  /** How the file says its stored pixels are to be turned. All else here is of the slide as it is shown. */
  readonly orientation: Orientation;
  /** What a user ought to know of how the file was read, in words. */
  readonly notes: readonly string[];
  /** Tiles that were met and could not be decoded, in the order in which they were; only where the options say so. */
  readonly damaged: readonly DamagedTile[];
  /**
   * Reads a region as RGB. What lies outside of the level is black. A tile that the file leaves out is made of the next
   * coarser level, or white where there is none.
   *
   * @param x Left edge, pixels of the level.
   * @param y Upper edge, pixels of the level.
   * @throws {LimitError} If there is no such level, or the region is no rectangle of at most 178,956,970 pixels.
   * @throws {FormatError} If what is read is damaged.
   */
  read(level: number, x: number, y: number, width: number, height: number): Promise<RgbImage>;
  /** Closes the file. */
  close(): void;
}

/** A tile that could not be decoded. */
export interface DamagedTile {
  readonly level: number;
  /** Of the level, counted row by row. */
  readonly tile: number;
  /** Pixels of the level that it has. */
  readonly pixels: number;
  readonly error: FormatError;
}

/** What opening a slide takes. */
export interface SlideOptions {
  /** What a damaged tile is: an error by default, or white and told in `damaged`. */
  readonly damagedTiles?: "fail" | "white";
  /** Bytes of decoded tiles that are kept; by default 128 MiB, of strips that are shown sideways 512 MiB. */
  readonly cacheBytes?: number;
}

/**
 * Opens a slide: a TIFF pyramid, of which only what is asked for is read, or a JPEG or PNG, which is decoded now. It is
 * turned as TIFF's orientation tag or the EXIF of the others says.
 *
 * @throws {FormatError} If the file is damaged or of a kind not read here.
 */
export async function openSlide(source: RandomAccess, options: SlideOptions = {}): Promise<Slide> {
  const head = await source.read(0, Math.min(HEAD, source.size));
  const refused = refusedByHead(head, source.name) ?? refusedByEnding(source.name);
  if (refused !== undefined) throw refusal(source.name, refused, "a TIFF pyramid, SVS, OME-TIFF, JPEG or PNG");
  const { levels, pixelSize, associated, orientation, notes } = isTiff(head)
    ? await openTiff(source)
    : await openFlat(source, head);
  // What is read row by row and stored in columns needs more rows at hand.
  const across = isSideways(orientation) && levels[0]!.chunkWidth >= levels[0]!.width;
  const damaged: DamagedTile[] = [];
  const cache = new ByteCache<Uint8Array<ArrayBuffer>>(options.cacheBytes ?? (across ? 1 << 29 : 1 << 27));
  const from = isTiff(head) ? "tag 274 (Orientation)" : "the orientation in EXIF";
  const slide: Slide = {
    name: source.name,
    levels: levels.map(({ width, height, downsample }) => ({ width, height, downsample })),
    pixelSize,
    associated,
    orientation,
    notes: orientation === 1 ? notes : [...notes, `it is ${TURNS[orientation]}, as ${from} = ${orientation} says`],
    read: async (level, x, y, width, height) => {
      checkRegion(source.name, levels.length, level, x, y, width, height);
      return await readRegion({ levels, cache, damaged: options.damagedTiles === "white" ? damaged : undefined }, {
        ...{ level, x, y, width, height },
      });
    },
    damaged,
    close: () => source.close?.(),
  };
  return turnedSlide(slide, orientation);
}

/** A slide turned and mirrored further. */
export function turnedSlide(slide: Slide, orientation: Orientation): Slide {
  if (orientation === 1) return slide;
  const swap = ({ width, height, downsample }: SlideLevel): SlideLevel =>
    isSideways(orientation) ? { width: height, height: width, downsample } : { width, height, downsample };
  return {
    ...slide,
    levels: slide.levels.map(swap),
    read: async (level, x, y, width, height) => {
      const stored = slide.levels[level];
      checkRegion(slide.name, slide.levels.length, level, x, y, width, height);
      const region = storedRegion({ x, y, width, height }, orientation, stored!);
      return turned(await slide.read(level, region.x, region.y, region.width, region.height), orientation);
    },
  };
}

/** The smallest level that is at least as fine as `downsample`, as OpenSlide chooses; 0 where none is. */
export function bestLevel(slide: Pick<Slide, "levels">, downsample: number): number {
  const coarser = slide.levels.findIndex((level) => level.downsample > downsample);
  return Math.max(0, (coarser < 0 ? slide.levels.length : coarser) - 1);
}

function checkRegion(name: string, levels: number, ...region: [number, number, number, number, number]): void {
  const [level, x, y, width, height] = region;
  const whole = region.every((value) => Number.isSafeInteger(value));
  if (whole && level >= 0 && level < levels && width >= 1 && height >= 1 && width * height <= MAX_PIXELS) return;
  const given = `${width}x${height} pixels at ${x}, ${y} of level ${level}`;
  throw new LimitError(
    `Cannot read a region of ${name}: ${given}, whole numbers, levels 0 to ${
      levels - 1
    } and at most ${MAX_PIXELS} pixels`,
    { context: { file: name, level, x, y, width, height, levels } },
  );
}

interface Region {
  readonly level: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Chunks {
  readonly levels: readonly TiffLevel[];
  readonly cache: ByteCache<Uint8Array<ArrayBuffer>>;
  /** Where damaged tiles are listed; an error ends the reading where there is no such list. */
  readonly damaged: DamagedTile[] | undefined;
}

async function readRegion(chunks: Chunks, { level: number, x, y, width, height }: Region): Promise<RgbImage> {
  const level = chunks.levels[number]!;
  const { chunkWidth, chunkHeight } = level;
  const data = new Uint8Array(width * height * 3);
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const [right, bottom] = [Math.min(level.width, x + width), Math.min(level.height, y + height)];
  const across = Math.ceil(level.width / chunkWidth);
  for (let row = Math.floor(top / chunkHeight); row * chunkHeight < bottom; row++) {
    for (let column = Math.floor(left / chunkWidth); column * chunkWidth < right; column++) {
      const index = row * across + column;
      const chunk = await chunks.cache.get(`${number} ${index}`, () => readChunk(chunks, number, index, row, column));
      const [x0, y0] = [column * chunkWidth, row * chunkHeight];
      const [from, to] = [Math.max(left, x0), Math.min(right, x0 + chunkWidth)];
      for (let line = Math.max(top, y0); line < Math.min(bottom, y0 + chunkHeight); line++) {
        const at = (line - y0) * chunkWidth - x0;
        data.set(chunk.subarray((at + from) * 3, (at + to) * 3), ((line - y) * width + from - x) * 3);
      }
    }
  }
  return { width, height, data };
}

async function readChunk(
  chunks: Chunks,
  number: number,
  index: number,
  row: number,
  column: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { levels, damaged } = chunks;
  const level = levels[number]!;
  const [x, y] = [column * level.chunkWidth, row * level.chunkHeight];
  const [width, height] = [level.chunkWidth, Math.min(level.chunkHeight, level.height - y)];
  try {
    return await level.read(index) ?? await fromCoarser(chunks, { level: number, x, y, width, height });
  } catch (error) {
    if (damaged === undefined || !(error instanceof FormatError)) throw error;
    if (!damaged.some((before) => before.level === number && before.tile === index)) {
      damaged.push({ level: number, tile: index, pixels: Math.min(width, level.width - x) * height, error });
    }
    return new Uint8Array(width * height * 3).fill(255);
  }
}

/** A tile that is left out: the next coarser level enlarged, interpolated linearly; white below the coarsest. */
async function fromCoarser(chunks: Chunks, { level, x, y, width, height }: Region): Promise<Uint8Array<ArrayBuffer>> {
  const [fine, coarse] = [chunks.levels[level]!, chunks.levels[level + 1]];
  const data = new Uint8Array(width * height * 3).fill(255);
  if (coarse === undefined) return data;
  const axis = (from: number, count: number, size: number, smaller: number) => {
    const place = (i: number) =>
      Math.min(smaller - 1, Math.max(0, (Math.min(i, size - 1) + 0.5) * smaller / size - 0.5));
    const first = Math.floor(place(from));
    const last = Math.min(smaller - 1, Math.floor(place(from + count - 1)) + 1);
    const places = Float64Array.from({ length: count }, (_, i) => place(from + i) - first);
    return { first, count: last - first + 1, places };
  };
  // Of a tile that is larger than its level, what lies within.
  const [columns, rows] = [Math.min(width, fine.width - x), Math.min(height, fine.height - y)];
  const [h, v] = [axis(x, columns, fine.width, coarse.width), axis(y, rows, fine.height, coarse.height)];
  const region = { level: level + 1, x: h.first, y: v.first, width: h.count, height: v.count };
  const { data: from } = await readRegion(chunks, region);
  for (let r = 0; r < rows; r++) {
    const above = Math.floor(v.places[r]!);
    const [down, below] = [v.places[r]! - above, Math.min(above + 1, v.count - 1)];
    for (let c = 0, to = 3 * r * width; c < columns; c++) {
      const before = Math.floor(h.places[c]!);
      const [right, after] = [h.places[c]! - before, Math.min(before + 1, h.count - 1)];
      for (let k = 0; k < 3; k++, to++) {
        const at = (line: number, column: number) => from[(line * h.count + column) * 3 + k]!;
        const upper = at(above, before) * (1 - right) + at(above, after) * right;
        const lower = at(below, before) * (1 - right) + at(below, after) * right;
        data[to] = Math.round(upper * (1 - down) + lower * down);
      }
    }
  }
  return data;
}

interface Opened {
  levels: TiffLevel[];
  pixelSize: PixelSize;
  associated: [];
  orientation: Orientation;
  notes: [];
}

/** An image without levels: samples stay as JPEG has them, and bands of rows become RGB when they are asked for. */
async function openFlat(source: RandomAccess, head: Uint8Array): Promise<Opened> {
  const { name, size } = source;
  if (size > MAX_FLAT_BYTES) {
    throw new DataError(`Cannot open ${name} as a flat image: ${size} bytes, at most ${MAX_FLAT_BYTES}`, {
      hint: `Convert it: vips tiffsave ${name} OUT.tif --tile --pyramid --compression deflate --bigtiff`,
      context: { file: name, bytes: size, most: MAX_FLAT_BYTES },
    });
  }
  const bytes = await source.read(0, size);
  if (head[0] === 0xff && head[1] === 0xd8) {
    const { readRows, ...jpeg } = openJpegRgb(bytes, name, MAX_FLAT_SIDE ** 2);
    const { width } = jpeg;
    return flatLevel(name, jpeg, (y, rows) => {
      const band = new Uint8Array(rows * width * 3);
      readRows(y, rows, band, 0);
      return band;
    });
  }
  // What is neither, decodeImage() refuses by name.
  if (head[0] !== 0x89) decodeImage(bytes, name);
  const png = await streamPng(bytes, name, MAX_FLAT_SIDE ** 2);
  const { width, channels, data } = png;
  pngToRgb({ ...png, height: 0, data: new Uint8Array() }, name); // Refuses now what no band could show.
  return flatLevel(name, png, (y, rows) => {
    const samples = data.subarray(y * width * channels, (y + rows) * width * channels);
    return pngToRgb({ ...png, height: rows, data: samples }, name).data;
  });
}

function flatLevel(
  name: string,
  { width, height, orientation }: { width: number; height: number; orientation: Orientation },
  band: (y: number, rows: number) => Uint8Array<ArrayBuffer>,
): Opened {
  if (Math.max(width, height) > MAX_FLAT_SIDE) {
    const found = `${width}x${height} pixels`;
    const expected = `at most ${MAX_FLAT_SIDE} a side`;
    throw new FormatError(`Cannot open ${name} as a flat image: ${found}, expected ${expected}`, {
      hint: `Convert it: vips tiffsave ${name} OUT.tif --tile --pyramid --compression deflate --bigtiff`,
      context: { file: name, offset: 0, found, expected },
    });
  }
  const level: TiffLevel = {
    width,
    height,
    downsample: 1,
    chunkWidth: width,
    chunkHeight: BAND,
    read: (index) => Promise.resolve(band(index * BAND, Math.min(BAND, height - index * BAND))),
  };
  return { levels: [level], pixelSize: NO_PIXEL_SIZE, associated: [], orientation, notes: [] };
}
