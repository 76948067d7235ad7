/**
 * Losses that compare element by element: mse, standardized_mse, l1 and huber.
 *
 * With d = y - x: mean d^2, mean (d / (s + 1e-8))^2 with s the standard deviation of the gene, mean |d|, and mean of d^2 / 2
 * where |d| < 1, else |d| - 1/2. Standardising prediction and target by one mean leaves the mean out of the difference, so
 * only s is needed.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`; huber as torch.nn.SmoothL1Loss.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { abs, clamp, square } from "../ops/activation.ts";
import { div, mul, sub } from "../ops/binary.ts";
import { meanAll } from "../ops/reduce.ts";
import { affine } from "../ops/scale.ts";
import { expectNumber, expectPair, type GeneLossOptions } from "./gene_loss.ts";

/** Upper bound of a clamp that has only a lower one. */
const LARGEST = 3e38;

/**
 * Mean squared error.
 *
 * @param y Prediction `[B, G]`.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function mse(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("mse", y, x);
  return meanAll(g, square(g, sub(g, y, x)));
}

/**
 * Mean squared error in units of each gene's standard deviation.
 *
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

/** Mean absolute error; {@linkcode mse} has the shapes. Its slope at equality is 0. */
export function l1(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("l1", y, x);
  return meanAll(g, abs(g, sub(g, y, x)));
}

/** Huber loss with its corner at 1; {@linkcode mse} has the shapes. */
export function huber(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("huber", y, x);
  const d = sub(g, y, x);
  // c d - c^2 / 2 with c = clamp(d): its slope is c, also when c is held fixed.
  const c = clamp(g, d, -1, 1).detach();
  return meanAll(g, mul(g, c, sub(g, d, affine(g, c, 0.5))));
}
