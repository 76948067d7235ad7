/**
 * Images for the page: made smaller, as JPEG in the text of the page.
 *
 * @module
 */

import { resampleTaps } from "../core/resample.ts";
import { encodeJpeg } from "../io/image/jpeg_write.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { base64 } from "./html.ts";

/** An image whose longer side is at most `most` pixels, antialiased; itself where it is no larger. */
export function shrink(image: RgbImage, most: number): RgbImage {
  const factor = most / Math.max(image.width, image.height);
  if (!(factor < 1)) return image;
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * factor)));
  return resize(image, width!, height!);
}

/** A part of an image, which must lie within it. */
export function crop(
  { width, data }: RgbImage,
  part: { x: number; y: number; width: number; height: number },
): RgbImage {
  const out = new Uint8Array(part.width * part.height * 3);
  for (let row = 0; row < part.height; row++) {
    const from = 3 * ((part.y + row) * width + part.x);
    out.set(data.subarray(from, from + 3 * part.width), 3 * row * part.width);
  }
  return { width: part.width, height: part.height, data: out };
}

function resize({ width, height, data }: RgbImage, toWidth: number, toHeight: number): RgbImage {
  const across = resampleTaps(width, toWidth, { filter: "bilinear", antialias: true });
  const down = resampleTaps(height, toHeight, { filter: "bilinear", antialias: true });
  const wide = new Float64Array(toWidth * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      for (let t = 0; t < across.width; t++) {
        const weight = across.weights[x * across.width + t]!;
        const from = 3 * (y * width + across.start[x]! + t);
        if (weight !== 0) { for (let c = 0; c < 3; c++) wide[3 * (y * toWidth + x) + c]! += weight * data[from + c]!; }
      }
    }
  }
  const out = new Uint8Array(toWidth * toHeight * 3);
  const row = new Float64Array(toWidth * 3);
  for (let y = 0; y < toHeight; y++) {
    row.fill(0);
    for (let t = 0; t < down.width; t++) {
      const weight = down.weights[y * down.width + t]!;
      const from = 3 * (down.start[y]! + t) * toWidth;
      if (weight !== 0) { for (let i = 0; i < row.length; i++) row[i]! += weight * wide[from + i]!; }
    }
    for (let i = 0; i < row.length; i++) out[3 * y * toWidth + i] = Math.min(255, Math.max(0, Math.round(row[i]!)));
  }
  return { width: toWidth, height: toHeight, data: out };
}

/** An image as the address of itself. */
export function imageAddress(image: RgbImage, quality = 84): string {
  return `data:image/jpeg;base64,${base64(encodeJpeg(image, quality))}`;
}
