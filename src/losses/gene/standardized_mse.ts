/**
 * Mean squared error in units of each gene's standard deviation: with d = y - x, mean (d / (s + 1e-8))^2. Standardising
 * prediction and target by one mean leaves the mean out of the difference, so only s is needed.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { expectShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, square } from "../../ops/activation.ts";
import { div, sub } from "../../ops/binary.ts";
import { meanAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { expectNumber, expectPair, geneLoss, type GeneLossEntry, type GeneLossOptions } from "../gene_loss.ts";

/** Upper bound of a clamp that has only a lower one. */
const LARGEST = 3e38;

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @param options `std` is required; `floor` keeps genes that hardly vary from outweighing all others.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 * @throws {ConfigError} If `std` is missing.
 * @throws {LimitError} If `floor` is negative.
 */
export function standardizedMse(g: Plan, y: Tensor, x: Tensor, options: GeneLossOptions = {}): Tensor {
  const { std, floor = 1e-3 } = options;
  expectPair("standardized_mse", y, x);
  if (!std) {
    throw new ConfigError("Cannot run standardized_mse: no standard deviations, wanted one a gene", {
      hint: "Compute them over the training split and pass them as std",
    });
  }
  expectShape("standardized_mse", "std", std.shape, [y.dim(1)]);
  expectNumber("standardized_mse", "floor", floor, floor >= 0, "0 or more");
  const divisor = g.withoutTape(() => affine(g, clamp(g, std, floor, LARGEST), 1, 1e-8));
  return meanAll(g, square(g, div(g, sub(g, y, x), divisor)));
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(standardizedMse, { scale: 10, needsStd: true });
