/**
 * Maximum mean discrepancy of predicted and measured genes: a gene is a point, a column of the batch. `src/ops/mmd.ts` has
 * the formula; no G x G matrix is kept beyond one block.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { mmd as discrepancy } from "../../ops/mmd.ts";
import { transpose } from "../../ops/permute.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss. A batch of one row is allowed.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function mmd(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("mmd", y, x);
  return discrepancy(g, transpose(g, y), g.withoutTape(() => transpose(g, x)));
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(mmd, { scale: 1 });
