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

/**
 * The steps for a tile.
 *
 * @param height Height of the tile, px.
 * @param width Width of the tile, px.
 * @throws {DataError} If the tile is smaller than what the encoder sees and nothing resizes it; padding would invent tissue.
 */
export function preprocessing(input: EncoderInput, height: number, width: number): Preprocessing {
  const { size, resize: shorter, squash } = input;
  let [h, w] = [height, width];
  if (shorter !== undefined && squash) [h, w] = [shorter, shorter];
  else if (shorter !== undefined && Math.min(h, w) !== shorter) {
    [h, w] = h <= w ? [shorter, Math.trunc((shorter * w) / h)] : [Math.trunc((shorter * h) / w), shorter];
  }
  if (h < size || w < size) {
    throw new DataError(`Cannot use a tile of ${width} x ${height} px: the encoder sees ${size} x ${size}`, {
      hint: `Cut tiles of at least ${size} px`,
      context: { given: [width, height], wanted: size },
    });
  }
  const crop = { top: roundHalfEven((h - size) / 2), left: roundHalfEven((w - size) / 2), height: size, width: size };
  return { height: h, width: w, crop };
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
  return resize(g, tiles, options);
}
