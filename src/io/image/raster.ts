/**
 * PNG and JPEG to RGB bytes: the images that tiles are, without what the metadata of slides needs.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { decodeJpeg, type Jpeg, openJpeg } from "./jpeg.ts";
import type { Orientation } from "./orientation.ts";
import { FLAT, type ImageLimit, type RgbImage, WHOLE } from "./rgb_image.ts";
import { decodePng, type Png } from "./png.ts";
import { withoutInk } from "./tiff_codecs.ts";

/** An image and what its file held. */
export interface DecodedImage extends RgbImage {
  /** PIL's name of the mode before conversion: `1`, `L`, `LA`, `P`, `RGB`, `RGBA` or `CMYK`. */
  readonly mode: string;
  /** How EXIF says that the image is still to be turned. */
  readonly orientation: Orientation;
}

/** Whether a file begins as PNG or JPEG. */
export function isRaster(bytes: Uint8Array): boolean {
  return isPng(bytes) || (bytes[0] === 0xff && bytes[1] === 0xd8);
}

function isPng(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 4)) === "\x89PNG";
}

/**
 * Decodes a PNG or JPEG as PIL's `Image.open(...).convert("RGB")` does.
 *
 * @param name Name of the file for error messages.
 * @param limit How large it may be; by default as large as PIL reads.
 * @throws {FormatError} Of what is damaged or neither, naming the file.
 */
export function decodeRaster(bytes: Uint8Array, name: string, limit: ImageLimit = WHOLE): DecodedImage {
  if (isPng(bytes)) return pngToRgb(decodePng(bytes, name, limit), name);
  if (isRaster(bytes)) return jpegToRgb(bytes, name, limit);
  throw new FormatError(`Cannot decode ${name}: byte 0 begins something else, expected PNG or JPEG`, {
    hint: "Convert it to PNG, which loses nothing",
    context: { file: name, offset: 0, expected: "PNG or JPEG" },
  });
}

function jpegToRgb(bytes: Uint8Array, name: string, limit: ImageLimit): DecodedImage {
  const jpeg = decodeJpeg(bytes, name, { limit });
  const { width, height, channels, orientation, data } = jpeg;
  const rgb = channels === 3 ? data : new Uint8Array(width * height * 3);
  if (channels !== 3) samplesToRgb(data, channels, rgb, 0);
  return { width, height, data: rgb, mode: modeOf(jpeg), orientation };
}

function modeOf({ channels }: Pick<Jpeg, "channels">): string {
  return channels === 1 ? "L" : channels === 3 ? "RGB" : "CMYK";
}

/** An image whose rows are put together on demand. */
export interface ImageRows extends Omit<DecodedImage, "data"> {
  /** Writes `count` rows from `y` on as RGB to `out` at `at`. */
  readonly readRows: (y: number, count: number, out: Uint8Array, at: number) => void;
}

/**
 * Opens a JPEG for reading by rows, which takes half of the memory of all of them.
 *
 * @param most Pixels it may have.
 * @throws {FormatError} Of what is damaged or cannot be read, naming the file.
 */
export function openJpegRgb(bytes: Uint8Array, name: string, most: number): ImageRows {
  const { readRows, ...jpeg } = openJpeg(bytes, name, { most, limit: FLAT, byRows: true });
  const { width, height, channels, orientation } = jpeg;
  const head = { width, height, mode: modeOf(jpeg), orientation };
  if (channels === 3) return { ...head, readRows };
  const row = new Uint8Array(width * channels);
  const readRgb = (y: number, count: number, out: Uint8Array, at: number): void => {
    for (const end = y + count; y < end; y++, at += width * 3) {
      readRows(y, 1, row, 0);
      samplesToRgb(row, channels, out, at);
    }
  };
  return { ...head, readRows: readRgb };
}

/** Samples of grey or of four inks to RGB. */
function samplesToRgb(samples: Uint8Array, channels: 1 | 4, out: Uint8Array, to: number): void {
  if (channels === 1) {
    for (const grey of samples) {
      out[to++] = grey;
      out[to++] = grey;
      out[to++] = grey;
    }
    return;
  }
  // PIL takes every CMYK JPEG for Adobe's, which are inverted, and mixes without a profile.
  for (let i = 0; i < samples.length; i += 4) {
    for (let c = 0; c < 3; c++) out[to++] = withoutInk(255 - samples[i + c]!, 255 - samples[i + 3]!);
  }
}

/** Samples of a PNG, or of some rows of it, to RGB. */
export function pngToRgb(png: Png, name: string): DecodedImage {
  const { width, height, depth, channels, palette, orientation, data } = png;
  if (depth === 16 && channels === 1) {
    throw new FormatError(`Cannot decode ${name}: it is 16-bit grey, expected 8 bits a sample`, {
      hint: "Scale it to 8 bits first: PIL would cut it at 255 and lose the image",
      context: { file: name, found: "16-bit grey", expected: "8 bits a sample" },
    });
  }
  if (channels === 3) return { width, height, data, mode: "RGB", orientation };
  const rgb = new Uint8Array(width * height * 3);
  if (channels === 4) {
    for (let i = 0, to = 0; i < data.length; i += 4) {
      rgb[to++] = data[i]!;
      rgb[to++] = data[i + 1]!;
      rgb[to++] = data[i + 2]!;
    }
    return { width, height, data: rgb, mode: "RGBA", orientation };
  }
  // A palette's missing entries are black in PIL.
  const shades = Uint8Array.from(
    { length: 768 },
    (_, i) => palette === undefined ? Math.floor(i / 3) : palette[i] ?? 0,
  );
  const scale = palette !== undefined || depth >= 8 ? 1 : 255 / ((1 << depth) - 1);
  for (let i = 0, to = 0; i < data.length; i += channels) {
    const from = data[i]! * scale * 3;
    rgb[to++] = shades[from]!;
    rgb[to++] = shades[from + 1]!;
    rgb[to++] = shades[from + 2]!;
  }
  const mode = palette !== undefined ? "P" : channels === 2 ? "LA" : depth === 1 ? "1" : "L";
  return { width, height, data: rgb, mode, orientation };
}
