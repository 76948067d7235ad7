/**
 * Mean absolute error: with d = y - x, mean |d|. Its slope at equality is 0.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { abs } from "../../ops/activation.ts";
import { sub } from "../../ops/binary.ts";
import { meanAll } from "../../ops/reduce.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function l1(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("l1", y, x);
  return meanAll(g, abs(g, sub(g, y, x)));
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(l1, { scale: 10 });
