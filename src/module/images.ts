/**
 * What the module's functions take for an image, and how it becomes RGB bytes.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { bytesAt } from "./bytes_at.ts";

/** RGB bytes `[height, width, 3]` in any memory, a `Buffer` of Node too. */
export type RgbBytes = Omit<RgbImage, "data"> & { readonly data: Uint8Array };

/**
 * An image: RGB in memory, the bytes of a PNG, JPEG or TIFF file, such a file as a `Blob` or `File`, or its path where there is
 * a file system, its address in a page.
 */
export type ImageInput = RgbBytes | Uint8Array | ArrayBuffer | Blob | string;

/** How errors call image `i`. */
function nameOf(image: ImageInput, i: number): string {
  if (typeof image === "string") return image;
  return image instanceof Blob && "name" in image && typeof image.name === "string" ? image.name : `image ${i}`;
}

async function bytesOf(image: Uint8Array | ArrayBuffer | Blob | string): Promise<Uint8Array> {
  if (image instanceof Uint8Array) return image;
  if (image instanceof ArrayBuffer) return new Uint8Array(image);
  if (image instanceof Blob) return new Uint8Array(await image.arrayBuffer());
  return await bytesAt(image);
}

/**
 * An image as RGB bytes, as Pillow's `Image.open(…).convert("RGB")` gives it.
 *
 * @param i Its place among others, for errors.
 * @throws {DataError} If bytes do not fit width and height, or the file cannot be read.
 * @throws {FormatError} If the file is damaged or of a kind not read here.
 */
export async function rgbOf(image: ImageInput, i = 0): Promise<RgbImage> {
  const name = nameOf(image, i);
  if (
    typeof image === "string" || image instanceof Uint8Array || image instanceof ArrayBuffer || image instanceof Blob
  ) {
    const { decodeImage } = await import("../io/image/image.ts");
    const { width, height, data } = decodeImage(await bytesOf(image), name);
    return { width, height, data };
  }
  const { width, height, data } = image ?? {};
  const side = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  if (
    !side(width) || !side(height) || !(data instanceof Uint8Array || (data as unknown) instanceof Uint8ClampedArray)
  ) {
    throw new DataError(`Cannot use ${name}: width ${width}, height ${height}, wanted an RgbImage with a Uint8Array`, {
      hint: "Pass { width, height, data } with RGB bytes, or the bytes of a PNG, JPEG or TIFF file",
      context: { image: i },
    });
  }
  if (data.length === width * height * 3) {
    const { buffer, byteOffset, length } = data;
    // Memory that is shared between threads is copied: others may write to it.
    return {
      width,
      height,
      data: buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(data),
    };
  }
  const pixel = data.length / (width * height);
  throw new DataError(
    `Cannot use ${name}: ${data.length} bytes for ${width} x ${height} pixels, wanted ${width * height * 3} (RGB)`,
    {
      hint: pixel === 4
        ? "Leave out the alpha of RGBA"
        : pixel === 1
        ? "Repeat grey three times"
        : "Bytes are [height, width, 3]",
      context: { image: i, given: data.length, wanted: width * height * 3 },
    },
  );
}
