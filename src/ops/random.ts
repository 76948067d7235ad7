/**
 * Noise tensors, such as the sample of a variational autoencoder or the mask of a masked one. No gradient.
 *
 * The same generator and streams as dropout: pair j of elements comes from the two words of Threefry-2x32-20 with key
 * (seed, stream) and counter (j, step). Uniform: the upper 24 bits. Normal: Box and Muller, Ann. Math. Statist. 29 (1958).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Dtype } from "../core/dtype.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode random}. */
export interface RandomOptions {
  /** `normal` (default): mean 0, variance 1. `uniform`: in [0, 1). `bernoulli`: 1 with probability `rate`, else 0. */
  kind?: "normal" | "uniform" | "bernoulli";
  /** Probability of 1 for `bernoulli`, in [0, 1); 0.5 by default. */
  rate?: number;
  /** Default f32. */
  dtype?: Dtype;
}

/**
 * A new tensor of noise, other in every step. `g.random` must hold seed and step.
 *
 * @throws {ConfigError} If the rate is out of range, or the plan has no random state.
 */
export function random(g: Plan, shape: Shape, options: RandomOptions = {}): Tensor {
  const { kind = "normal", rate = 0.5, dtype = "f32" } = options;
  if (!(rate >= 0 && rate < 1)) {
    throw new ConfigError(`Cannot draw random numbers: rate is ${rate}, wanted at least 0 and below 1`, {
      context: { op: "random", key: "rate", given: String(rate) },
    });
  }
  if (!g.random) {
    throw new ConfigError("Cannot draw random numbers: the plan has no random state, wanted u32 [2]", {
      hint: "Set plan.random",
      context: { op: "random", key: "random" },
    });
  }
  const y = g.tensor(shape, dtype, `random.${kind}`);
  const params = { stream: g.nextStream(), threshold: Math.floor(rate * 2 ** 32), kind };
  g.run(k.random, { random: g.random, y: y.reshape([y.size]) }, params);
  return y;
}

/** Cost of a tensor of this shape. */
export function randomCost(shape: Shape): Cost {
  return { flops: 8 * sizeOf(shape), bytes: 4 * sizeOf(shape) };
}
