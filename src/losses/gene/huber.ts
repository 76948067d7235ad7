/**
 * Huber loss with its corner at 1: with d = y - x, mean of d^2 / 2 where |d| < 1, else |d| - 1/2.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`, which has torch.nn.SmoothL1Loss.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp } from "../../ops/activation.ts";
import { mul, sub } from "../../ops/binary.ts";
import { meanAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function huber(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("huber", y, x);
  const d = sub(g, y, x);
  // c d - c^2 / 2 with c = clamp(d): its slope is c, also when c is held fixed.
  const c = clamp(g, d, -1, 1).detach();
  return meanAll(g, mul(g, c, sub(g, d, affine(g, c, 0.5))));
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(huber, { scale: 10 });
