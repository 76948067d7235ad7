/**
 * Targets of instances, from the attention that they have in their bag: the k rows of most attention are taken for the bag's
 * class, the k of least for not of it; where it is asked for, the highest are also taken for not of the other classes.
 *
 * t[j, c, 0] and t[j, c, 1] weigh "row j is not of class c" and "is of class c" in a cross-entropy. Bags of fewer than 2 k rows
 * have half of them on each side. Scores have no gradient, as labels have none.
 *
 * Source: Lu et al., "Data-efficient and weakly supervised computational pathology on whole-slide images" (CLAM), Nature
 * Biomedical Engineering 5 (2021).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/**
 * Appends the targets.
 *
 * @param scores `[R]`, f32; equal ones are ordered by lower row.
 * @param bound Where bags begin and the last one ends, u32 `[B + 1]`.
 * @param weights `[B, C, 2]`, f32: of the two kinds of loss, c being the bag's class, and c being another.
 * @param count Rows on each side, k.
 * @returns `[R, C, 2]`, f32: of a bag the first kind sums to its weight over both sides, the second over the highest.
 * @throws {ShapeError} If shapes do not fit.
 * @throws {ConfigError} If k is no whole number above 0.
 */
export function instanceTargets(g: Plan, scores: Tensor, bound: Tensor, weights: Tensor, count: number): Tensor {
  if (!Number.isInteger(count) || count < 1) {
    throw new ConfigError(`Cannot run instanceTargets: k is ${count}, wanted a whole number above 0`);
  }
  expectShape("instanceTargets", "scores", scores.shape, [null]);
  expectShape("instanceTargets", "bound", bound.shape, [null]);
  expectShape("instanceTargets", "weights", weights.shape, [bound.size - 1, null, 2]);
  const t = g.tensor([scores.size, weights.dim(1), 2], "f32", "instance_targets.t");
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  g.run(k.instance_targets, { s: scores, bound, w: weights, t }, { k: count, tune });
  return t;
}

/** Cost of R rows and C classes; rows that are soon known to be neither are not counted. */
export function instanceTargetsCost(R: number, C: number): Cost {
  return { flops: R, bytes: 4 * R * (1 + 2 * C) };
}
