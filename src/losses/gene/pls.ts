/**
 * Covariance of predicted and measured genes, to be enlarged.
 *
 * L = -1e-4 |C|_F, C = Yc^T Xc / (B - 1) with centred columns. With fewer spots than genes the norm comes from B x B
 * matrices. Unbounded below: it rewards large predictions. Where nothing varies the loss and its gradient are 0.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, sqrt } from "../../ops/activation.ts";
import { affine } from "../../ops/scale.ts";
import { centreColumns, crossNormSquared } from "../correlation.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32, at most 0.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function pls(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("pls", y, x, 2);
  const squared = crossNormSquared(g, centreColumns(g, y), centreColumns(g, x), y.dim(0) - 1);
  return affine(g, sqrt(g, clamp(g, squared, 1e-30, 3e38)), -1e-4);
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(pls, { scale: 1, rows: 2 });
