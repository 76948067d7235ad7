/**
 * From the samples of components to rows of pixels, as libjpeg-turbo brings them together by default: "fancy" upsampling of
 * chroma and fixed-point YCbCr conversion, equal to the bit. `jpeg_decode.c` has the formulas.
 *
 * @module
 */

import type { JpegModule } from "./jpeg_module.ts";

/** Samples of one component in the module's memory; only `width` by `height` of them belong to the image. */
export interface Plane {
  readonly at: number;
  /** Bytes a row. */
  readonly stride: number;
  readonly width: number;
  readonly height: number;
  /** How many times wider and higher the image is. */
  readonly h: number;
  readonly v: number;
}

/** An image whose samples are decoded. */
export interface SampledImage {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly Plane[];
  /** Whether the first three components are YCbCr. */
  readonly ycc: boolean;
}

/** Words of `struct source`, those before them in `struct image`, and all of it. */
const SOURCE = 8;
const IMAGE = 3;
const WORDS = IMAGE + 4 * SOURCE;
/** Bytes of rows that are put together at once. */
const BAND = 2 ** 16;

/**
 * How to read rows of an image.
 *
 * @returns Writes `count` rows from `y` on, interleaved, to `out` at `at`.
 */
export function rowReader(
  module: JpegModule,
  { width, planes, ycc }: SampledImage,
): (y: number, count: number, out: Uint8Array | Uint8ClampedArray, at: number) => void {
  const channels = planes.length;
  const image = module.place(4 * WORDS);
  module.words(image, WORDS).set([width, channels, Number(ycc)]);
  planes.forEach(({ at, stride, width, height, h, v }, i) => {
    const sums = module.place(16 + 2 * width) + 16;
    const line = module.place(width * h);
    module.words(image, WORDS).set([at, stride, width, height, h, v, sums, line], IMAGE + i * SOURCE);
  });
  const row = width * channels;
  const rows = Math.max(1, Math.floor(BAND / row));
  const band = module.place((rows + 1) * row);
  return (y, count, out, at) => {
    for (const end = y + count; y < end; y += rows, at += rows * row) {
      const some = Math.min(rows, end - y);
      module.call.rows(image, y, some, band);
      out.set(module.bytes(band, some * row), at);
    }
  };
}
