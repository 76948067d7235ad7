/**
 * One minus the mean correlation of predicted and measured genes within a spot.
 *
 * With ym, xm centred rows: r = sum ym xm / (R + 1e-8), R = sqrt(sum ym^2 sum xm^2), L = 1 - mean r. A constant row has r = 0;
 * its gradient is finite, and steep in the prediction: -xm / (1e-8 B).
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, sqrt, square } from "../../ops/activation.ts";
import { div, mul, sub } from "../../ops/binary.ts";
import { mean, meanAll, sum } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32, from 0 to 2.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function pcc(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("pcc", y, x);
  const centre = (v: Tensor) => sub(g, v, mean(g, v, { dims: -1, keepDims: true }));
  const total = (v: Tensor) => sum(g, v, { dims: -1, dtype: "f32" });
  const [ym, xm] = [centre(y), centre(x)];
  // The clamp keeps the slope of the root finite where a row is constant.
  const squares = clamp(g, mul(g, total(square(g, ym)), total(square(g, xm))), 1e-30, 3e38);
  const r = div(g, total(mul(g, ym, xm)), affine(g, sqrt(g, squares), 1, 1e-8));
  return affine(g, meanAll(g, r), -1, 1);
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(pcc, { scale: 5 });
