/**
 * Slices as an encoder's input: channels become three, intensities are normalised as the encoder's images are.
 *
 * One channel is repeated; of other numbers than three a mixture is learned, which begins with the first channels.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { sidesOf } from "../../models/vit.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { add, mul } from "../../ops/binary.ts";
import { linear } from "../../ops/linear.ts";
import type { RowForward } from "../../train/row_input.ts";

/** Encodes slices. */
export interface SliceEncoder {
  /** Side of a slice, pixels. */
  readonly side: number;
  readonly channels: number;
  /** Numbers of a slice. */
  readonly size: number;
  /** Features of a slice. */
  readonly dim: number;
  /** Appends the encoder. @param x `[R, size]`, 0 to 1. @returns `[R, dim]`. */
  record(g: Plan, x: Tensor, options?: RowForward): Tensor;
}

/** Adds the mixture of channels, if one is needed: `stem.mix`. */
export function createSliceEncoder(parameters: Parameters, encoder: Encoder, channels: number): SliceEncoder {
  const [side] = sidesOf(encoder.imageSize);
  const { mean, std } = encoder.spec.input;
  const mix = channels === 1 || channels === 3 ? undefined : parameters.add("stem.mix", [3, channels], {
    trainable: true,
    init: () => Float32Array.from({ length: 3 * channels }, (_, i) => (i % channels === firstOf(i, channels) ? 1 : 0)),
  });
  const factor = (g: Plan) => g.constant(`1 / ${std}`, [1, 3], "f32", () => std.map((value) => 1 / value));
  const shift = (g: Plan) => g.constant(`-${mean} / ${std}`, [1, 3], "f32", () => mean.map((m, i) => -m / std[i]!));
  return {
    side,
    channels,
    size: side * side * channels,
    dim: encoder.dim,
    record(g, x, options = { training: false }) {
      const R = x.dim(0);
      const pixels = x.reshape([R * side * side, channels]);
      const three = mix ? linear(g, pixels, { weight: mix }) : pixels;
      const images = add(g, mul(g, three, factor(g)), shift(g)).reshape([R, side, side, 3]);
      return encoder.forward(g, images, options).embedding;
    },
  };
}

/** Channel that a colour begins with: two channels are nuclei, nuclei, eosin; of more the first three. */
function firstOf(i: number, channels: number): number {
  const colour = Math.floor(i / channels);
  return channels === 2 ? Math.max(0, colour - 1) : colour;
}
