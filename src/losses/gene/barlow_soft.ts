/**
 * `barlow.ts` with lambda 0: the correlation error of each gene on its own.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { correlationError } from "../correlation.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function barlowSoft(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("barlow_soft", y, x, 2);
  return correlationError(g, y, x, { factor: 0.05, lambda: 0, eps: 1e-9 });
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(barlowSoft, { scale: 0.1, rows: 2 });
