/**
 * TIFF images and pyramids: generic ones as libvips writes them, Aperio's SVS, and OME-TIFF.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { type Orientation, orientationOf, turned, TURNS } from "./orientation.ts";
import { type ImageLimit, MAX_SIDE, overLimit, type RgbImage, WHOLE } from "./rgb_image.ts";
import type { RandomAccess } from "../random_access.ts";
import { JPEG2000_RATE } from "./jpeg2000.ts";
import { checkScanner } from "./slide_formats.ts";
import { checkFirstChunk, isLoaded, prepareCodec } from "./tiff_coded.ts";
import { checkChunk, readImageChunk } from "./tiff_codecs.ts";
import { type Ifd, isTiff, readFrom, readFromBytes, readIfds, TAG, tiffError } from "./tiff_ifd.ts";
import { RECOMPRESS, type TiffLayout, tiffLayout } from "./tiff_layout.ts";
import { type PixelSize, tiffPixelSize } from "./tiff_pixel_size.ts";
import { type TiffImage, tiffImage } from "./tiff_planes.ts";

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
  /** Images that are no level: label, macro, thumbnail. */
  readonly associated: readonly { width: number; height: number }[];
  /** How the levels are to be turned, which are given as stored: tag 274. */
  readonly orientation: Orientation;
  /** What a user ought to know of how the file was read, in words. */
  readonly notes: readonly string[];
}

/**
 * Opens the pyramid of a TIFF file. Chunks are read when they are asked for.
 *
 * @throws {FormatError} If the file is damaged, or its largest level is in a format not read here.
 * @throws {DataError} If its first directory is one of a stack.
 */
export async function openTiff(source: RandomAccess): Promise<TiffPyramid> {
  const { name } = source;
  const ifds = await readFrom(source, readIfds(name, source.size));
  checkScanner(ifds, name);
  const image = tiffImage(ifds, name);
  const full = layoutsOf(image.planes, name);
  const [first] = image.planes;
  checkSlide(full[0]!, name);
  if (image.ome !== undefined && full[0]!.bits === 16) {
    const found = "begins an image of OME-TIFF of 16 bits a sample, which is no brightfield image of a scanner";
    throw tiffError(name, full[0]!.ifd.place(TAG.bits), found, "8 bits a sample", "Scale it to 8 bits first");
  }
  const stored = orientationTag(first!);
  const levels = [full];
  const associated: { width: number; height: number }[] = [];
  const notes = [...image.notes];
  for (const { planes, beside } of lowerDirectories(ifds, image)) {
    const [ifd] = planes;
    const below = !beside && planes.every((plane) => isBelow(plane, full[0]!, levels.at(-1)![0]!));
    if (below && orientationTag(ifd!) === stored) levels.push(layoutsOf(planes, name));
    else associated.push({ width: ifd!.number(TAG.width) ?? 0, height: ifd!.number(TAG.height) ?? 0 });
    if (!below || orientationTag(ifd!) === stored) continue;
    const size = `${ifd!.number(TAG.width)}x${ifd!.number(TAG.height)}`;
    notes.push(`its level of ${size} pixels is ${TURNS[orientationTag(ifd!)]}, the largest is not: it is left out`);
  }
  for (const [number, [layout]] of levels.entries()) notes.push(...await lookInto(layout!, number, source));
  if (levels.some((layouts) => layouts[0]!.compression === "JPEG 2000")) {
    const rate = JPEG2000_RATE / 1e6;
    notes.push(`its tiles are JPEG 2000, of which a processor decodes about ${rate} million pixels a second`);
  }
  return {
    levels: levels.map((layouts) => levelOf(layouts, full[0]!, source)),
    pixelSize: tiffPixelSize(first!, image),
    associated,
    orientation: stored,
    notes,
  };
}

/** Refuses what no scanner makes. */
function checkSlide({ ifd, width, height, lengths, across, down }: TiffLayout, name: string): void {
  if (Math.max(width, height) > MAX_SIDE) {
    throw tiffError(name, ifd.place(TAG.width), `claims ${width}x${height} pixels`, `at most ${MAX_SIDE} a side`);
  }
  if (Array.from(lengths).slice(0, across * down).every((length) => length === 0)) {
    throw tiffError(name, ifd.at, "begins an image without any tile or strip", "one at least");
  }
}

/** Loads what decodes a level, looks at its first chunk, and says how many lie beyond the end of the file. */
async function lookInto(layout: TiffLayout, level: number, source: RandomAccess): Promise<string[]> {
  const { offsets, lengths, compression } = layout;
  const { size, name } = source;
  checkChunk(layout, name);
  await prepareCodec(compression);
  await readFrom(source, checkFirstChunk(layout, name));
  let [beyond, there] = [0, 0];
  for (let i = 0; i < lengths.length; i++) {
    if (lengths[i]! > 0) there++;
    if (lengths[i]! > 0 && offsets[i]! + lengths[i]! > size) beyond++;
  }
  if (beyond === 0) return [];
  return [`${beyond} of the ${there} tiles of its level ${level} lie beyond its end at ${size} bytes: it is truncated`];
}

function orientationTag(ifd: Ifd): Orientation {
  return orientationOf(ifd.number(TAG.orientation));
}

/** Directories that may be levels: OME-TIFF has them below those of the image, all others one after the other. */
function* lowerDirectories(
  ifds: readonly Ifd[],
  { planes, ome }: TiffImage,
): Generator<{ readonly planes: readonly Ifd[]; readonly beside: boolean }> {
  const [first] = planes;
  for (const [i, child] of first!.children.entries()) {
    const below = planes.map((plane) => plane.children[i]);
    yield { planes: below.every((ifd) => ifd !== undefined) ? below : [child], beside: false };
  }
  if (planes.length > 1) return;
  // Beside an image with levels below it, further ones of OME-TIFF are labels and overviews, whatever their shape.
  const beside = ome !== undefined && first!.children.length > 0;
  const others = ifds.filter((ifd) => ifd !== first);
  // From large to small, wherever in the file they stand.
  const width = (ifd: Ifd) => ifd.number(TAG.width) ?? 0;
  for (const ifd of others.toSorted((a, b) => width(b) - width(a))) yield { planes: [ifd], beside };
}

/** Layouts of one image's directories, which must be stored alike. */
function layoutsOf(planes: readonly Ifd[], name: string): TiffLayout[] {
  const layouts = planes.map((ifd) => tiffLayout(ifd, name));
  const [first, ...others] = layouts;
  if (others.length === 0) refuseDeepGrey(first!, name);
  const facts = ["width", "height", "chunkWidth", "chunkHeight", "bits"] as const;
  for (const other of others) {
    const differs = facts.find((fact) => other[fact] !== first![fact]) ??
      (orientationTag(other.ifd) !== orientationTag(first!.ifd) ? "orientation" : undefined);
    if (differs === undefined) continue;
    throw tiffError(name, other.ifd.at, `begins a channel of another ${differs}`, "three channels that are alike");
  }
  return layouts;
}

function refuseDeepGrey({ bits, photometric, ifd }: TiffLayout, name: string): void {
  if (bits !== 16 || (photometric !== "black is zero" && photometric !== "white is zero")) return;
  throw new FormatError(`Cannot decode ${name}: it is 16-bit grey, expected 8 bits a sample`, {
    hint: "Scale it to 8 bits first: PIL would cut it at 255 and lose the image",
    context: { file: name, offset: ifd.place(TAG.bits), found: "16-bit grey", expected: "8 bits a sample" },
  });
}

function levelOf(layouts: readonly TiffLayout[], full: TiffLayout, source: RandomAccess): TiffLevel {
  const [{ width, height, chunkWidth, chunkHeight }] = layouts as [TiffLayout];
  return {
    width,
    height,
    downsample: (full.width / width + full.height / height) / 2,
    chunkWidth,
    chunkHeight,
    read: async (index) => {
      if (layouts.some(({ lengths }) => lengths[index] === 0)) return undefined;
      await prepareCodec(layouts[0]!.compression);
      return await readFrom(source, readImageChunk(layouts, index, source.name));
    },
  };
}

/** Whether a directory shows the same as `full`, smaller than the level before it. */
function isBelow(ifd: Ifd, full: TiffLayout, before: TiffLayout): boolean {
  const [width, height] = [ifd.number(TAG.width) ?? 0, ifd.number(TAG.height) ?? 0];
  if (!(width >= 1 && height >= 1 && width < before.width && height <= before.height)) return false;
  // Labels, macros and thumbnails of scanners are in strips beside tiled levels, or of another shape.
  if (ifd.has(TAG.tileWidth) !== full.tiled) return false;
  if (!full.tiled && ((ifd.number(TAG.subfileType) ?? 0) & 1) === 0) return false;
  // Sizes are rounded, at worst once a level, so that a level fits between one pixel less and one more.
  const [least, most] = [full.width / (width + 1), full.width / Math.max(0.5, width - 1)];
  return full.height / most - 1 <= height && full.height / least + 1 >= height;
}

/**
 * Decodes the image of a TIFF held in memory, turned as its orientation tag says, as PIL does.
 *
 * @param name Name of the file for error messages.
 * @returns The image, and PIL's name of its mode before conversion to RGB.
 * @throws {FormatError} Of what is damaged or cannot be read.
 * @throws {DataError} If its first directory is one of a stack.
 */
export function decodeTiff(file: Uint8Array, name: string, limit: ImageLimit = WHOLE): RgbImage & { mode: string } {
  const ifds = readFromBytes(file, name, readIfds(name, file.length));
  checkScanner(ifds, name);
  const layouts = layoutsOf(tiffImage(ifds, name).planes, name);
  const [layout] = layouts as [TiffLayout];
  if (isLoaded(layout.compression)) {
    const expected = "none, LZW, Deflate, ZSTD, JPEG or PackBits in an image that is no slide";
    const found = `has compression ${layout.compression}`;
    throw tiffError(name, layout.ifd.place(TAG.compression), found, expected, RECOMPRESS);
  }
  const { ifd, width, height, chunkWidth, chunkHeight, across, down, samples, bits } = layout;
  const bytes = width * height * Math.max(3, Math.ceil(samples * layouts.length * bits / 8));
  const large = overLimit({ width, height, bytes }, limit);
  if (large !== undefined) throw tiffError(name, ifd.place(TAG.width), large.found, large.expected, limit.hint);
  checkChunk(layout, name);
  let data: Uint8Array<ArrayBuffer> | undefined;
  for (let index = 0; index < across * down; index++) {
    const chunk = readFromBytes(file, name, readImageChunk(layouts, index, name));
    // Memory is taken once a chunk proved to hold what it claims.
    data ??= new Uint8Array(width * height * 3);
    const [x, y] = [index % across * chunkWidth, Math.floor(index / across) * chunkHeight];
    const row = 3 * Math.min(chunkWidth, width - x);
    for (let r = 0; r < Math.min(chunkHeight, height - y); r++) {
      const from = r * chunkWidth * 3;
      data.set(chunk.subarray(from, from + row), ((y + r) * width + x) * 3);
    }
  }
  const mode = layouts.length > 1 ? "RGB" : modeOf(layout);
  return { ...turned({ width, height, data: data! }, orientationTag(ifd)), mode };
}

function modeOf({ photometric, bits, samples, extra }: TiffLayout): string {
  if (photometric === "CMYK") return "CMYK";
  if (photometric === "palette") return samples > 1 ? "PA" : "P";
  // A further sample of no stated meaning is no alpha.
  const alpha = extra === undefined || extra === 0 ? "" : "A";
  if (photometric === "RGB" || photometric === "YCbCr") return `RGB${alpha}`;
  return bits === 1 ? "1" : `L${alpha}`;
}
