/**
 * Which way up a stored image is meant: the eight orientations of TIFF's tag 274, which EXIF shares.
 *
 * Source: TIFF 6.0, Orientation; CIPA DC-008 (EXIF 2.32), 4.6.4.
 *
 * @module
 */

import type { RgbImage } from "./rgb_image.ts";

/** 1 is as stored; 2 to 4 mirror or turn by 180 degrees; 5 to 8 exchange width and height. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** All of them. */
export const ORIENTATIONS: readonly Orientation[] = [1, 2, 3, 4, 5, 6, 7, 8];

/** What is done to the stored image to show it, in words. */
export const TURNS: Readonly<Record<Orientation, string>> = {
  1: "as stored",
  2: "mirrored left to right",
  3: "turned by 180 degrees",
  4: "mirrored top to bottom",
  5: "mirrored along the falling diagonal",
  6: "turned by 90 degrees clockwise",
  7: "mirrored along the rising diagonal",
  8: "turned by 90 degrees counter-clockwise",
};

/** The orientation a number stands for; what is none counts as 1, as in PIL and libtiff. */
export function orientationOf(value: number | undefined): Orientation {
  return ORIENTATIONS.find((known) => known === value) ?? 1;
}

/** Whether width and height change places. */
export function isSideways(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** Whether the stored image runs from right to left, and from the bottom up. */
function reversed(orientation: Orientation): { left: boolean; up: boolean } {
  return { left: [2, 3, 7, 8].includes(orientation), up: [3, 4, 6, 7].includes(orientation) };
}

/** An image as it is shown. The same object for orientation 1. */
export function turned(image: RgbImage, orientation: Orientation): RgbImage {
  if (orientation === 1) return image;
  const { width, height, data } = image;
  const sideways = isSideways(orientation);
  const { left, up } = reversed(orientation);
  const [wide, high] = sideways ? [height, width] : [width, height];
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++, to += 3) {
      const [column, row] = sideways ? [y, x] : [x, y];
      const from = ((up ? height - 1 - row : row) * width + (left ? width - 1 - column : column)) * 3;
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width: wide, height: high, data: out };
}

/** A rectangle of pixels. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Where the stored pixels of a region lie. `turned(read(storedRegion(...)), orientation)` is the region as shown.
 *
 * @param stored Extent of the whole image as stored.
 */
export function storedRegion(
  region: Region,
  orientation: Orientation,
  stored: { readonly width: number; readonly height: number },
): Region {
  const { left, up } = reversed(orientation);
  const [x, y, width, height] = isSideways(orientation)
    ? [region.y, region.x, region.height, region.width]
    : [region.x, region.y, region.width, region.height];
  return { x: left ? stored.width - x - width : x, y: up ? stored.height - y - height : y, width, height };
}

/**
 * The orientation of a block of EXIF, which is a small TIFF. 1 where the block has none or is damaged.
 *
 * @param exif Beginning with its byte order, `II` or `MM`.
 */
export function exifOrientation(exif: Uint8Array): Orientation {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const order = exif.length < 8 ? 0 : view.getUint16(0);
  const little = order === 0x4949;
  if (!little && order !== 0x4d4d) return 1;
  const at = view.getUint32(4, little);
  const count = at + 2 <= exif.length ? view.getUint16(at, little) : 0;
  for (let i = 0, entry = at + 2; i < count && entry + 12 <= exif.length; i++, entry += 12) {
    if (view.getUint16(entry, little) !== 274) continue;
    const type = view.getUint16(entry + 2, little);
    if (type === 3) return orientationOf(view.getUint16(entry + 8, little));
    return orientationOf(type === 4 ? view.getUint32(entry + 8, little) : type === 1 ? exif[entry + 8] : undefined);
  }
  return 1;
}
