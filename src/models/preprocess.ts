/**
 * How a tile becomes the input of an encoder: Pillow's resize of the shorter side and a crop of the centre, on the device, to
 * the bit. Normalisation belongs to the patch embedding.
 *
 * Same as torchvision `Resize` and `CenterCrop` on PIL images.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { resize, type ResizeOptions } from "../ops/resize.ts";
import type { EncoderInput } from "./encoder_spec.ts";

/** Extents of a whole resized tile and the part of it the encoder sees, px. */
export interface Preprocessing {
  /** Height of the resized tile. */
  readonly height: number;
  /** Width of the resized tile. */
  readonly width: number;
  /** What the encoder sees. */
  readonly crop: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
}

/** Python's round: halves go to the even neighbour. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor & 1) : Math.round(x);
}

/** Height and width after the resize, before the crop. */
function resized(input: EncoderInput, height: number, width: number): [number, number] {
  const { resize: side, squash, border } = input;
  if (side === undefined) return [height, width];
  if (squash) return [side, side];
  if (border) {
    const ratio = Math.max(height, width) / side;
    return [roundHalfEven(height / ratio), roundHalfEven(width / ratio)];
  }
  if (Math.min(height, width) === side) return [height, width];
  return height <= width ? [side, Math.trunc((side * width) / height)] : [Math.trunc((side * height) / width), side];
}

/**
 * The steps for a tile.
 *
 * @param height Height of the tile, px.
 * @param width Width of the tile, px.
 * @throws {DataError} If the tile is smaller than what the encoder sees and nothing resizes it, since padding would invent tissue;
 * or of another size where nothing is cropped.
 */
export function preprocessing(input: EncoderInput, height: number, width: number): Preprocessing {
  const { size, whole, rounding = "even" } = input;
  const [h, w] = resized(input, height, width);
  if (h < size || w < size || (whole && (h !== size || w !== size))) {
    throw new DataError(
      `Cannot use a tile of ${width} x ${height} px: after the resize it is ${w} x ${h}, and the encoder sees ${size} x ${size}`,
      {
        hint: whole || input.border ? "Cut square tiles" : `Cut tiles of at least ${size} px`,
        context: { given: [width, height], resized: [w, h], wanted: size },
      },
    );
  }
  const place = (extent: number) => {
    const half = (extent - size) / 2;
    return rounding === "even" ? roundHalfEven(half) : Math.floor(half);
  };
  return { height: h, width: w, crop: { top: place(h), left: place(w), height: size, width: size } };
}

/** A preparation in words, for outputs and messages; the same words are the same preparation. */
export function describeInput(input: EncoderInput): string {
  const { size, resize: side, squash, border, whole, rounding = "even", interpolation, mean, std } = input;
  const what = squash ? "both sides" : border ? "longer side" : "shorter side";
  const steps = [
    side === undefined ? "no resize" : `${what} to ${side} px, ${interpolation}`,
    whole ? `input ${size} px, no crop` : `crop of ${size} px${rounding === "floor" ? " (place rounded down)" : ""}`,
    `mean ${mean.join(" ")}`,
    `std ${std.join(" ")}`,
  ];
  return steps.join("; ");
}

/**
 * Appends the steps.
 *
 * @param tiles RGB bytes `[B, H, W, 3]`.
 * @returns RGB bytes `[B, S, S, 3]`; the tiles themselves when they are right already.
 */
export function preprocess(g: Plan, tiles: Tensor, input: EncoderInput): Tensor {
  const [H, W] = [tiles.dim(1), tiles.dim(2)];
  const { height, width, crop } = preprocessing(input, H, W);
  if (height === H && width === W && crop.height === H && crop.width === W) return tiles;
  const options: ResizeOptions = { height, width, crop, filter: input.interpolation, rounding: "pil" };
  return g.module("preprocess", () => resize(g, tiles, options));
}
