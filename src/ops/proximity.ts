/**
 * Weights that fall with the distance between points, for contrastive losses with soft negatives.
 *
 * w_ij = 1 - (4 / pi) atan(d / c), 0 where that is below a least weight, 1 for a point and itself; d is the squared distance
 * 2 - 2 s_ij of rows of length one, or the distance.
 *
 * Source: MolPhenix, arXiv 2409.08302.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode proximity}. */
export interface ProximityOptions {
  /** Distance at which the weight is 0; default 0.3. */
  range?: number;
  /** Weights below are 0; default 0.75. */
  least?: number;
  /** Squared distances; default true. Plain ones lose digits where rows nearly agree: an error of 4e-4 in d. */
  squared?: boolean;
}

/**
 * Appends the weights. They have no gradient.
 *
 * @param s Dot products `[B, B]` of rows of length one, f32.
 * @returns `[B, B]`, f32.
 * @throws {ShapeError} If s is not square.
 * @throws {ConfigError} If range is not positive.
 */
export function proximity(g: Plan, s: Tensor, options: ProximityOptions = {}): Tensor {
  const { range = 0.3, least = 0.75, squared = true } = options;
  expectShape("proximity", "s", s.shape, [s.dim(0), s.dim(0)]);
  if (!(range > 0)) throw new ConfigError(`Cannot run proximity: range is ${range}, wanted a positive number`);
  const w = g.tensor(s.shape, "f32", "proximity.w");
  g.run(k.proximity, { s, w }, { c: range, least, d: squared ? "squared" : "plain" });
  return w;
}

/** Cost of the forward pass. */
export function proximityCost(B: number): Cost {
  return { flops: 20 * B * B, bytes: 8 * B * B };
}
