/**
 * Losses on the correlation of columns over the batch: barlow, its mixtures with squared errors, and Barlow Twins.
 *
 * Columns are standardised by the batch (biased variance + eps); c = yhat^T xhat / B; L = 0.05 [sum_g (c_gg - 1)^2 +
 * lambda sum_{g != h} c_gh^2]. With lambda 0 only the diagonal is computed; else the sum of all c_gh^2 comes from B x B
 * matrices where there are fewer spots than genes: no G x G matrix then. A column that does not vary has correlation 0 and,
 * with eps 1e-9, a gradient some 3e4 times steeper than one of variance 1: finite. One row is an error, as in batch
 * normalisation.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`; Barlow Twins, arXiv 2103.03230 (factor 1, lambda 5e-3, eps 1e-5).
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { square } from "../ops/activation.ts";
import { batchnorm } from "../ops/batchnorm.ts";
import { add, mul, sub } from "../ops/binary.ts";
import { mean, sumAll } from "../ops/reduce.ts";
import { affine } from "../ops/scale.ts";
import { crossNormSquared } from "./correlation.ts";
import { expectNumber, expectPair, type GeneLossOptions } from "./gene_loss.ts";
import { mse, standardizedMse } from "./pointwise.ts";

/** Options of {@linkcode barlowTwins}. */
export interface BarlowOptions {
  /** Weight of the correlations of different columns; default 5e-3. */
  lambda?: number;
  /** Added to the variance; default 1e-5. */
  eps?: number;
}

function correlate(g: Plan, a: Tensor, b: Tensor, factor: number, lambda: number, eps: number): Tensor {
  const [u, v] = [a, b].map((x) => batchnorm(g, x, {}, { eps })) as [Tensor, Tensor];
  const c = mean(g, mul(g, u, v), { dims: 0 });
  const diagonal = affine(g, sumAll(g, square(g, affine(g, c, 1, -1))), factor);
  if (!lambda) return diagonal;
  const off = sub(g, crossNormSquared(g, u, v, a.dim(0)), sumAll(g, square(g, c)));
  return add(g, diagonal, affine(g, off, factor * lambda));
}

/**
 * Correlation error of each gene over the batch, summed, with lambda 5e-3 on pairs of genes.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function barlow(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("barlow", y, x, 2);
  return correlate(g, y, x, 0.05, 5e-3, 1e-9);
}

/**
 * {@linkcode barlow} with lambda 0: each gene on its own.
 *
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function barlowSoft(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("barlow_soft", y, x, 2);
  return correlate(g, y, x, 0.05, 0, 1e-9);
}

/**
 * {@linkcode barlowSoft} plus the mean squared error.
 *
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function barlowMse(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("barlow_mse", y, x, 2);
  return add(g, barlowSoft(g, y, x), mse(g, y, x));
}

/**
 * {@linkcode barlowSoft} plus five times the standardised squared error: SEAL's default.
 *
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 * @throws {ConfigError} If `std` is missing.
 */
export function barlowStdMse(g: Plan, y: Tensor, x: Tensor, options: GeneLossOptions = {}): Tensor {
  expectPair("barlow_std_mse", y, x, 2);
  const error = affine(g, standardizedMse(g, y, x, options), 5);
  return add(g, barlowSoft(g, y, x), error);
}

/**
 * Barlow Twins between two sets of embeddings; both get gradients.
 *
 * @param a `[B, E]`, at least 2 rows.
 * @param b `[B, E]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 * @throws {LimitError} If lambda is negative.
 */
export function barlowTwins(g: Plan, a: Tensor, b: Tensor, options: BarlowOptions = {}): Tensor {
  const { lambda = 5e-3, eps = 1e-5 } = options;
  expectPair("barlowTwins", a, b, 2);
  expectNumber("barlowTwins", "lambda", lambda, lambda >= 0, "0 or more");
  return correlate(g, a, b, 1, lambda, eps);
}
