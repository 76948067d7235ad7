/**
 * Negative binomial likelihood of expression, inverse dispersion 0.1; `src/ops/negative_binomial.ts` has the formula. It is
 * the one gene loss that asks what the values are: counts, or log1p of them.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { negativeBinomial } from "../../ops/negative_binomial.ts";
import { expectPair, geneLoss, type GeneLossEntry, type GeneLossOptions } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Predicted mean, or its log1p, `[B, G]`.
 * @param x Target, or its log1p, `[B, G]`.
 * @param options `space` says which.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function negbin(g: Plan, y: Tensor, x: Tensor, options: GeneLossOptions = {}): Tensor {
  expectPair("negbin", y, x);
  return negativeBinomial(g, y, x, options.space ? { space: options.space } : {});
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(negbin, { scale: 10, likelihood: true });
