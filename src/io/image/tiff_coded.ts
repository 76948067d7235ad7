/**
 * Chunks of a TIFF that are images in a format of their own (JPEG, JPEG 2000, WebP) to samples of a byte.
 *
 * Source: Adobe's technical note 2 for JPEG; OpenSlide and libtiff for what Aperio's JPEG 2000 and WebP hold.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { decodeJpeg } from "./jpeg.ts";
import { decodeJpeg2000, loadJpeg2000, readJpeg2000Header } from "./jpeg2000.ts";
import { MAX_CHUNK } from "./rgb_image.ts";
import { type Reading, TAG, tiffError } from "./tiff_ifd.ts";
import { type Compression, RECOMPRESS, type TiffLayout } from "./tiff_layout.ts";
import { decodeWebp, loadWebp } from "./webp.ts";

/** Bytes at the beginning of a chunk that its codestream's header may take. */
const HEADER = 1 << 16;

/** Loads what decodes a compression, where it is not at hand. */
export async function prepareCodec(compression: Compression): Promise<void> {
  if (compression === "JPEG 2000") await loadJpeg2000();
  if (compression === "WebP") await loadWebp();
}

/** Whether what decodes a compression is loaded only when it is met. */
export function isLoaded(compression: Compression): boolean {
  return compression === "JPEG 2000" || compression === "WebP";
}

/**
 * Looks at the first chunk that is there: what its kind of codestream is, the directory does not say.
 *
 * @throws {FormatError} Of a kind that is not read, by its name.
 */
export function* checkFirstChunk(layout: TiffLayout, name: string): Reading<void> {
  if (layout.compression !== "JPEG 2000") return;
  const index = Array.from(layout.lengths).findIndex((length) => length > 0);
  if (index < 0) return;
  const head = yield [layout.offsets[index]!, Math.min(layout.lengths[index]!, HEADER)];
  placed(layout, index, name, () => readJpeg2000Header(head, name));
}

/**
 * Decodes chunk `index`, of which `rows` rows lie in the image.
 *
 * @throws {FormatError} If it is damaged, or of another size or kind than the directory says.
 */
export function codedSamples(
  layout: TiffLayout,
  data: Uint8Array,
  index: number,
  rows: number,
  name: string,
): Uint8Array {
  if (layout.compression === "JPEG") return jpegSamples(layout, data, index, rows, name);
  const { chunkWidth, chunkHeight, samples, tiled, ifd, photometric } = layout;
  const decoded = placed(layout, index, name, () => {
    if (layout.compression === "JPEG 2000") return decodeJpeg2000(data, name);
    return { ...decodeWebp(data, name, chunkWidth * chunkHeight), components: 3, bits: 8, converted: true };
  });
  const { width, height, components, bits } = decoded;
  const highest = tiled ? chunkHeight : Math.max(chunkHeight, ifd.number(TAG.rowsPerStrip) ?? 0);
  if (components !== samples || bits !== 8 || width !== chunkWidth || height < rows || height > highest) {
    const found = `begins ${layout.compression} of ${width}x${height} pixels, ${components} samples of ${bits} bits`;
    const expected = `chunk ${index} of ${chunkWidth}x${rows} pixels, ${samples} samples of 8 bits`;
    throw tiffError(name, layout.offsets[index]!, found, expected, RECOMPRESS);
  }
  const bytes = decoded.data as Uint8Array;
  if (photometric === "YCbCr" && !decoded.converted) toColours(bytes);
  return bytes;
}

/** Runs a decoder, whose errors then tell the byte of the file and the chunk. */
function placed<T>(layout: TiffLayout, index: number, name: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    const { offset, found, expected } = cause.context;
    const at = typeof offset === "number" ? offset : 0;
    const place = layout.offsets[index]! + at;
    // The end of the stream is not the file's.
    const what = String(found).replace("is the end of the file", "is the end");
    throw tiffError(name, place, `of chunk ${index} ${what}`, String(expected), cause.hint ?? undefined);
  }
}

/** Luma and chroma to RGB in place, with libjpeg's rounding. */
function toColours(data: Uint8Array): void {
  const [red, blue] = [91_881, 116_130];
  const [greenBlue, greenRed] = [22_554, 46_802];
  const half = 1 << 15;
  const clamp = (value: number) => value < 0 ? 0 : value > 255 ? 255 : value;
  for (let i = 0; i < data.length; i += 3) {
    const [y, cb, cr] = [data[i]!, data[i + 1]! - 128, data[i + 2]! - 128];
    data[i] = clamp(y + ((red * cr + half) >> 16));
    data[i + 1] = clamp(y + ((half - greenBlue * cb - greenRed * cr) >> 16));
    data[i + 2] = clamp(y + ((blue * cb + half) >> 16));
  }
}

function jpegSamples(layout: TiffLayout, data: Uint8Array, index: number, rows: number, name: string): Uint8Array {
  const { chunkWidth, chunkHeight, samples, photometric, tiled, ifd } = layout;
  const offset = layout.offsets[index]!;
  const tables = ifd.bytes(TAG.jpegTables);
  // The last strip may be as high as the others, although the image ends.
  const highest = tiled ? chunkHeight : Math.max(chunkHeight, ifd.number(TAG.rowsPerStrip) ?? 0, 16);
  const most = Math.min(MAX_CHUNK / 3, chunkWidth * highest);
  // What samples mean is said by the tag alone, as in libtiff and OpenSlide: markers inside of the stream are passed over.
  const options = { ycc: photometric === "YCbCr", most, ...(tables === undefined ? {} : { tables }) };
  const jpeg = placed(layout, index, name, () => decodeJpeg(data, name, options));
  if (jpeg.subsampled && photometric !== "YCbCr") {
    const found = `begins a JPEG of chunk ${index} with subsampled components`;
    throw tiffError(name, offset, found, `as many samples of each, since the tag says ${photometric}`, RECOMPRESS);
  }
  if (jpeg.channels !== samples || jpeg.width !== chunkWidth || jpeg.height < rows || jpeg.height > highest) {
    const found = `begins a JPEG of ${jpeg.width}x${jpeg.height} pixels, ${jpeg.channels} samples`;
    throw tiffError(name, offset, found, `chunk ${index} of ${chunkWidth}x${rows} pixels, ${samples} samples`);
  }
  return jpeg.data;
}
