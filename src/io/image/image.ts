/**
 * Image files to RGB bytes, exactly as PIL's `Image.open(...).convert("RGB")` gives them: alpha is dropped and not
 * blended, greys are repeated, palettes looked up. Colour profiles have no effect. TIFF is turned as its orientation tag
 * says; the EXIF orientation of JPEG and PNG is reported and not applied, as in every reference pipeline of tiles. Slides, whose pixels have
 * places, are turned by both (`src/data/image/slide.ts`).
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { type ImageLimit, WHOLE } from "./rgb_image.ts";
import { type DecodedImage, decodeRaster, isRaster } from "./raster.ts";
import { HEAD, refusal, refusedByEnding, refusedByHead } from "./slide_formats.ts";
import { decodeTiff, isTiff } from "./tiff.ts";

/** Endings of file names that are taken for images. */
export const IMAGE_ENDINGS: readonly string[] = [".png", ".jpg", ".jpeg", ".tif", ".tiff"];

/** Bytes of a file beside its pixels: metadata, thumbnails. */
const BESIDE = 2 ** 24;

/**
 * Checks a file before it is read whole: the widest samples take a little more than twice the bytes of RGB.
 *
 * @throws {FormatError} If it is larger than any image within the limit.
 */
export function checkFileSize(name: string, bytes: number, limit: ImageLimit = WHOLE): void {
  const most = 3 * limit.bytes + BESIDE;
  if (bytes <= most) return;
  throw new FormatError(`Cannot decode ${name}: it has ${bytes} bytes, expected at most ${most} for ${limit.of}`, {
    hint: limit.hint,
    context: { file: name, offset: 0, found: `${bytes} bytes`, expected: `at most ${most}` },
  });
}

/**
 * Decodes a PNG, JPEG or TIFF, recognised by its first bytes.
 *
 * @param name Name of the file for error messages.
 * @param limit How large it may be; by default {@linkcode WHOLE}.
 * @throws {FormatError} Of what is damaged or cannot be read, naming the file.
 */
export function decodeImage(bytes: Uint8Array, name: string, limit: ImageLimit = WHOLE): DecodedImage {
  const expected = "PNG, JPEG or TIFF";
  const refused = refusedByHead(bytes.subarray(0, HEAD), name) ?? refusedByEnding(name);
  if (refused !== undefined) throw refusal(name, refused, expected);
  if (isRaster(bytes)) return decodeRaster(bytes, name, limit);
  if (isTiff(bytes)) return { ...decodeTiff(bytes, name, limit), orientation: 1 };
  const found = bytes.length === 0 ? "an empty file" : `bytes ${hex(bytes.subarray(0, 8))}`;
  throw new FormatError(`Cannot decode ${name}: it begins as ${found}, expected ${expected}`, {
    hint: bytes.length === 0 ? "Fetch it again" : "Convert it to PNG, which loses nothing",
    context: { file: name, offset: 0, found, expected },
  });
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
}
