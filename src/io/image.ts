/**
 * Picture files to RGB bytes, exactly as PIL's `Image.open(...).convert("RGB")` gives them: alpha is dropped and not
 * blended, greys are repeated, palettes looked up. Colour profiles have no effect. TIFF is turned as its orientation tag
 * says; the EXIF of JPEG and PNG is told and not applied, as in every reference pipeline of tiles. Slides, whose pixels have
 * places, are turned by both (`src/data/slide.ts`).
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { type JpegRows, openJpeg } from "./jpeg.ts";
import type { Orientation } from "./orientation.ts";
import { FLAT, type Picture, type PictureLimit, WHOLE } from "./picture.ts";
import { decodePng, type Png } from "./png.ts";
import { decodeTiff, isTiff } from "./tiff.ts";
import { withoutInk } from "./tiff_codecs.ts";

/** A picture and what its file held. */
export interface DecodedImage extends Picture {
  /** PIL's name of the mode before conversion: `1`, `L`, `LA`, `P`, `RGB`, `RGBA` or `CMYK`. */
  readonly mode: string;
  /** How EXIF says that the picture is still to be turned. */
  readonly orientation: Orientation;
}

/** Endings of file names that are taken for pictures. */
export const IMAGE_ENDINGS: readonly string[] = [".png", ".jpg", ".jpeg", ".tif", ".tiff"];

/** First bytes of formats that are recognised and not read. */
const OTHERS: readonly (readonly [magic: string, name: string])[] = [
  ["ZISRAWFILE", "Zeiss CZI"],
  ["GIF8", "GIF"],
  ["BM", "BMP"],
  ["RIFF", "WebP"],
  ["\0\0\0\x0cjP", "JPEG 2000"],
  ["\xff\x4f\xff\x51", "JPEG 2000"],
];

/** Bytes of a file beside its pixels: metadata, thumbnails. */
const BESIDE = 2 ** 24;

/**
 * Checks a file before it is read whole: the widest samples take a little more than twice the bytes of RGB.
 *
 * @throws {FormatError} If it is larger than any picture within the limit.
 */
export function checkFileSize(name: string, bytes: number, limit: PictureLimit = WHOLE): void {
  const most = 3 * limit.bytes + BESIDE;
  if (bytes <= most) return;
  throw new FormatError(`Cannot decode ${name}: it has ${bytes} bytes, expected at most ${most} for ${limit.of}`, {
    hint: limit.hint,
    context: { file: name, offset: 0, found: `${bytes} bytes`, expected: `at most ${most}` },
  });
}

/**
 * Decodes a PNG, JPEG or TIFF, told apart by its first bytes.
 *
 * @param name Name of the file for error messages.
 * @param limit How large it may be; by default {@linkcode WHOLE}.
 * @throws {FormatError} Of what is damaged or cannot be read, naming the file.
 */
export function decodeImage(bytes: Uint8Array, name: string, limit: PictureLimit = WHOLE): DecodedImage {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  if (head.startsWith("\x89PNG")) return pngToRgb(decodePng(bytes, name, limit), name);
  if (head.startsWith("\xff\xd8")) return jpegToRgb(bytes, name, limit);
  if (isTiff(bytes)) return { ...decodeTiff(bytes, name, limit), orientation: 1 };
  const dicom = String.fromCharCode(...bytes.subarray(128, 132)) === "DICM" ? "DICOM" : undefined;
  const other = dicom ?? OTHERS.find(([magic]) => head.startsWith(magic))?.[1];
  const found = other ?? (bytes.length === 0 ? "an empty file" : `bytes ${hex(bytes.subarray(0, 8))}`);
  throw new FormatError(`Cannot decode ${name}: it begins as ${found}, expected PNG, JPEG or TIFF`, {
    hint: other === "DICOM" || other === "Zeiss CZI"
      ? "Convert it with libvips and OpenSlide: vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --Q 90 --bigtiff"
      : "Convert it to PNG, which loses nothing",
    context: { file: name, offset: 0, found, expected: "PNG, JPEG or TIFF" },
  });
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
}

function jpegToRgb(bytes: Uint8Array, name: string, limit: PictureLimit): DecodedImage {
  const { width, height, mode, orientation, readRow } = rowsToRgb(openJpeg(bytes, name, { limit }));
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0; y < height; y++) readRow(y, data, y * width * 3);
  return { width, height, data: new Uint8Array(data.buffer), mode, orientation };
}

/** A picture whose rows are put together on demand. */
export interface ImageRows extends Omit<DecodedImage, "data"> {
  /** Writes row `y` as RGB to `out` at `at`. */
  readonly readRow: (y: number, out: Uint8ClampedArray, at: number) => void;
}

/**
 * Opens a JPEG for reading by rows, which takes half of the memory of all of them.
 *
 * @param most Pixels it may have.
 * @throws {FormatError} Of what is damaged or cannot be read, naming the file.
 */
export function openJpegRgb(bytes: Uint8Array, name: string, most: number): ImageRows {
  return rowsToRgb(openJpeg(bytes, name, { most, limit: FLAT, byRows: true }));
}

function rowsToRgb({ width, height, channels, orientation, readRow }: JpegRows): ImageRows {
  if (channels === 3) return { width, height, mode: "RGB", orientation, readRow };
  const row = new Uint8ClampedArray(width * channels);
  const readRgb = (y: number, out: Uint8ClampedArray, to: number): void => {
    readRow(y, row, 0);
    if (channels === 1) { for (let x = 0; x < width; x++, to += 3) out[to] = out[to + 1] = out[to + 2] = row[x]!; }
    else {
      // PIL takes every CMYK JPEG for Adobe's, which are inverted, and mixes without a profile.
      for (let i = 0; i < row.length; i += 4) {
        for (let c = 0; c < 3; c++) out[to++] = withoutInk(255 - row[i + c]!, 255 - row[i + 3]!);
      }
    }
  };
  return { width, height, mode: channels === 1 ? "L" : "CMYK", orientation, readRow: readRgb };
}

/** Samples of a PNG, or of some rows of it, to RGB. */
export function pngToRgb(png: Png, name: string): DecodedImage {
  const { width, height, depth, channels, palette, orientation, data } = png;
  if (depth === 16 && channels === 1) {
    throw new FormatError(`Cannot decode ${name}: it is 16-bit grey, expected 8 bits a sample`, {
      hint: "Scale it to 8 bits first: PIL would cut it at 255 and lose the picture",
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
