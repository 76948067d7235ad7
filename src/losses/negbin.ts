/**
 * Negative binomial likelihood of expression in log1p space, inverse dispersion 0.1; `src/ops/negative_binomial.ts` has the
 * formula.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { negativeBinomial } from "../ops/negative_binomial.ts";
import { expectPair, type GeneLossOptions } from "./gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y log1p of the predicted mean, `[B, G]`.
 * @param x log1p of the target, `[B, G]`.
 * @param options `constant` adds the terms without gradient that depend on the target only.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function negbin(g: Plan, y: Tensor, x: Tensor, options: GeneLossOptions = {}): Tensor {
  expectPair("negbin", y, x);
  return negativeBinomial(g, y, x, { constant: options.constant });
}
