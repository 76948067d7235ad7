/**
 * Where patches lie on a slide: corners and centres are different types, so that one is never taken for the other.
 *
 * All coordinates are x (column) then y (row) in pixels of the slide's largest level.
 *
 * @module
 */

import { DataError, ShapeError } from "../core/errors.ts";

/** Top-left corners `[n, 2]`, as current HEST files have them. */
export interface TopLeft {
  readonly of: "top-left";
  readonly xy: Float64Array;
}

/** Centres `[n, 2]`, as spots and files of 2024 have them. */
export interface Centre {
  readonly of: "centre";
  readonly xy: Float64Array;
}

/** Coordinates of either kind. */
export type Places = TopLeft | Centre;

/** Corners from numbers x, y, x, y, …. */
export function topLeft(xy: ArrayLike<number>): TopLeft {
  return { of: "top-left", xy: pairs(xy) };
}

/** Centres from numbers x, y, x, y, …. */
export function centre(xy: ArrayLike<number>): Centre {
  return { of: "centre", xy: pairs(xy) };
}

/**
 * Coordinates of a patch file, whose attributes say of which kind they are.
 *
 * @param kind `coordsOf` of the opened file.
 * @throws {DataError} If the file does not say; nothing is guessed.
 */
export function places(xy: ArrayLike<number>, kind: "top-left" | "centre" | "unknown", file: string): Places {
  if (kind === "top-left") return topLeft(xy);
  if (kind === "centre") return centre(xy);
  throw new DataError(`Cannot place the patches of ${file}: no patch_size_src, no factor, one of them wanted`, {
    code: "coords-unknown",
    hint: "Give its /img the attribute patch_size_src if coordinates are corners, factor if they are centres",
    context: { file },
  });
}

function pairs(xy: ArrayLike<number>): Float64Array {
  if (xy.length % 2 !== 0) throw new ShapeError(`Cannot read coordinates: ${xy.length} numbers, pairs wanted`);
  return Float64Array.from(xy);
}

/**
 * Centres of patches.
 *
 * @param size Side of a patch in pixels of the slide's largest level; its half is rounded down, as the files' makers did.
 */
export function toCentre(coords: Places, size: number): Centre {
  return coords.of === "centre" ? coords : { of: "centre", xy: coords.xy.map((value) => value + Math.floor(size / 2)) };
}

/** Corners of patches; the inverse of {@linkcode toCentre}. */
export function toTopLeft(coords: Places, size: number): TopLeft {
  return coords.of === "top-left"
    ? coords
    : { of: "top-left", xy: coords.xy.map((value) => value - Math.floor(size / 2)) };
}
