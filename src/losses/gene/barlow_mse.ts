/**
 * `barlow_soft.ts` plus the mean squared error.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { add } from "../../ops/binary.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";
import { barlowSoft } from "./barlow_soft.ts";
import { mse } from "./mse.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function barlowMse(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("barlow_mse", y, x, 2);
  return add(g, barlowSoft(g, y, x), mse(g, y, x));
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(barlowMse, { scale: 0.1, rows: 2 });
