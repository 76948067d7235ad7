/**
 * JPEG files of the end-to-end comparison, and what they decode to.
 *
 * @module
 */

import { decodeJpeg } from "../../src/io/image/jpeg.ts";
import { encodeJpeg } from "../../src/io/image/jpeg_write.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { tensor } from "./seeded.ts";
import type { HostTensor, VitSpec } from "./types.ts";
import { IMAGES } from "./vit.ts";

type Size = Omit<VitSpec, "batch">;

/** Mean and standard deviation of all channels by which pixels are normalised. */
export const MEAN = 0.5, STD = 0.5;

/** Waves with grain: about 3 bits a pixel, as stained tissue at quality 90. */
function photograph(side: number, set: number, index: number): RgbImage {
  const grain = tensor([side, side, 3], 700 + IMAGES * set + index, 12).data, data = new Uint8Array(grain.length);
  const wave = (x: number, y: number, c: number): number =>
    60 * Math.sin(x / (9 + c) + index) * Math.cos(y / (13 - c) + set) + 30 * Math.sin((x + 2 * y) / 31);
  for (let i = 0; i < data.length; i++) {
    const c = i % 3, x = Math.floor(i / 3) % side, y = Math.floor(i / 3 / side);
    data[i] = Math.max(0, Math.min(255, Math.round(150 + wave(x, y, c) + grain[i]!)));
  }
  return { width: side, height: side, data };
}

/** Files of operand set `set`; different ones take turns. */
export function jpegFiles(spec: VitSpec, set: number): Uint8Array<ArrayBuffer>[] {
  const files = Array.from({ length: IMAGES }, (_, index) => encodeJpeg(photograph(spec.image, set, index)));
  return Array.from({ length: spec.batch }, (_, i) => files[i % IMAGES]!);
}

/** Pixels of file `index` of operand set 0, normalised, `[1, image, image, 3]`; libjpeg-turbo decodes to the same bytes. */
export function jpegPixels({ image }: Size, index: number): HostTensor {
  const { data } = decodeJpeg(encodeJpeg(photograph(image, 0, index)), "seeded image");
  return { shape: [1, image, image, 3], data: Float32Array.from(data, normalised) };
}

/** A byte as the model takes it. */
export function normalised(byte: number): number {
  return (byte / 255 - MEAN) / STD;
}
