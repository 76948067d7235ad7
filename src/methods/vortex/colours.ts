/**
 * Channels of slices as an encoder's three, normalised as its images are. One channel is repeated; of other numbers than three a
 * mixture is learned, which begins with the first channels.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { Encoder } from "../../models/encoder.ts";
import { add, mul } from "../../ops/binary.ts";
import { linear } from "../../ops/linear.ts";

/** Pixels `[R, channels]` as the three channels of the encoder, normalised, `[R, 3]`. */
export type Colours = (g: Plan, pixels: Tensor) => Tensor;

/** Adds the mixture of channels, if one is needed: `stem.mix`. */
export function createColours({ spec, parameters }: Encoder, channels: number): Colours {
  const { mean, std } = spec.input;
  const mix = channels === 1 || channels === 3 ? undefined : parameters.add("stem.mix", [3, channels], {
    trainable: true,
    init: () => Float32Array.from({ length: 3 * channels }, (_, i) => (i % channels === firstOf(i, channels) ? 1 : 0)),
  });
  const factor = (g: Plan) => g.constant(`1 / ${std}`, [1, 3], "f32", () => std.map((value) => 1 / value));
  const shift = (g: Plan) => g.constant(`-${mean} / ${std}`, [1, 3], "f32", () => mean.map((m, i) => -m / std[i]!));
  return (g, pixels) => {
    const three = mix ? linear(g, pixels, { weight: mix }) : pixels;
    return add(g, mul(g, three, factor(g)), shift(g));
  };
}

/** Channel that a colour begins with: two channels are nuclei, nuclei, eosin; of more the first three. */
function firstOf(i: number, channels: number): number {
  const colour = Math.floor(i / channels);
  return channels === 2 ? Math.max(0, colour - 1) : colour;
}
