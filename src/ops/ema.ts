/**
 * Running mean of weights: mean = keep mean + (1 - keep) w, in place.
 *
 * Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992); torch.optim.swa_utils.get_ema_avg_fn.
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
 * Appends the step of a mean.
 *
 * @param mean `[n]`, f32, persistent.
 * @param w `[n]`, f32.
 * @param keep Share of itself that the mean keeps, from 0 and below 1.
 * @throws {ConfigError} If that does not hold.
 */
export function ema(g: Plan, mean: Tensor, w: Tensor, keep: number): void {
  if (!(keep >= 0 && keep < 1)) {
    throw new ConfigError(`Cannot run ema: keep is ${keep}, wanted at least 0 and below 1`, {
      context: { op: "ema", key: "keep", given: String(keep) },
    });
  }
  expectShape("ema", "mean", mean.shape, w.shape);
  g.run(k.ema, { w, mean }, { keep, rest: 1 - keep });
}

/** Cost of a step over `n` weights. */
export function emaCost(n: number): Cost {
  return { flops: 3 * n, bytes: 12 * n };
}
