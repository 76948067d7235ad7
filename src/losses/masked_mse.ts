/**
 * Mean squared difference of what was measured: L = sum M (y - x)^2 / sum M. What was not measured has no gradient.
 *
 * @module
 */

import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { square } from "../ops/activation.ts";
import { mul, sub } from "../ops/binary.ts";
import { sumAll } from "../ops/reduce.ts";
import { scale } from "../ops/scale.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`.
 * @param x Measured, `[B, G]`; finite also where it does not count.
 * @param mask 1 where it counts, else 0, `[B, G]`.
 * @param inverse 1 / sum of the mask, `[1]`; 0 where nothing counts.
 * @returns `[1]`.
 */
export function maskedMse(g: Plan, y: Tensor, x: Tensor, mask: Tensor, inverse: Tensor): Tensor {
  expectShape("maskedMse", "the target", x.shape, y.shape);
  expectShape("maskedMse", "the mask", mask.shape, y.shape);
  return scale(g, sumAll(g, mul(g, mask, square(g, sub(g, y, x)))), inverse);
}

/** What {@linkcode maskedMse} divides by, of a mask. */
export function inverseCount(mask: ArrayLike<number>): Float32Array<ArrayBuffer> {
  let sum = 0;
  for (let i = 0; i < mask.length; i++) sum += mask[i]!;
  return Float32Array.of(sum > 0 ? 1 / sum : 0);
}
