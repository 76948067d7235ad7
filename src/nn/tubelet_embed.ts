/**
 * Embedding of tubelets: a convolution over slices and pixels whose stride is its kernel, `(t, P, P)`, as the sum over the
 * slices of a tubelet of embeddings of each.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { add } from "../ops/binary.ts";
import { patchEmbed } from "../ops/patch_embed.ts";
import { slice } from "../ops/slice.ts";

/**
 * Appends the embedding.
 *
 * @param x Normalised slices `[B, Z, H, W, 3]`, f32.
 * @param weight `[t, D, 3, P, P]`.
 * @param bias `[D]`.
 * @returns `[B, Z / t * (H / P) * (W / P), D]`.
 * @throws {ConfigError} If Z is no multiple of t.
 */
export function tubeletEmbed(g: Plan, x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  expectShape("tubeletEmbed", "the slices", x.shape, [null, null, null, null, 3]);
  const [B, Z, H, W] = [x.dim(0), x.dim(1), x.dim(2), x.dim(3)];
  const [t, D, patch] = [weight.dim(0), weight.dim(1), weight.dim(4)];
  if (Z % t) throw new ConfigError(`Cannot embed tubelets: ${Z} slices, wanted a multiple of ${t}`);
  const count = Z / t;
  const apart = x.reshape([B * count, t, H * W * 3]);
  const one = (i: number) => {
    const images = slice(g, apart, 1, i, 1).reshape([B * count, H, W, 3]);
    const kernel = slice(g, weight.reshape([t, D * 3 * patch * patch]), 0, i, 1).reshape([D, 3, patch, patch]);
    return patchEmbed(g, images, kernel, i === 0 ? bias : undefined, { patch });
  };
  const parts = Array.from({ length: t }, (_, i) => one(i));
  const y = parts.reduce((sum, part) => add(g, sum, part));
  return y.reshape([B, count * y.dim(1), D]);
}

/**
 * Weights of tubelets that give a stack of equal slices the token of one of them.
 *
 * @param weight Of slices, `[D, 3, P, P]`.
 * @returns `[t, D, 3, P, P]`.
 */
export function inflate(weight: Float32Array, t: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(t * weight.length);
  for (let i = 0; i < t; i++) weight.forEach((value, k) => out[i * weight.length + k] = value / t);
  return out;
}
