/**
 * Noise tensors, such as the sample of a variational autoencoder or the mask of a masked one. No gradient.
 *
 * The same generator and streams as dropout: two elements of a row of the batch come from the two words of Threefry-2x32-20
 * that belong to the row and their place in it (`randomState` in `src/core/rng.ts`), however the batch is split. Uniform: the
 * upper 24 bits. Normal: Box and Muller, Ann. Math. Statist. 29 (1958), with logarithm, sine and cosine of our own, since
 * those of devices differ.
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
  /** Dimension that counts the rows of the batch; default 0. */
  rows?: number;
}

/**
 * A new tensor of noise, other in every step. `g.random` must be set.
 *
 * @param name What is drawn, such as `gene.latent`: equal names draw equal numbers.
 * @throws {ConfigError} If the rate is out of range, or the plan has no random state.
 */
export function random(g: Plan, name: string, shape: Shape, options: RandomOptions = {}): Tensor {
  const { kind = "normal", rate = 0.5, dtype = "f32", rows = 0 } = options;
  if (!(rate >= 0 && rate < 1)) {
    throw new ConfigError(`Cannot draw random numbers: rate is ${rate}, wanted at least 0 and below 1`, {
      context: { op: "random", key: "rate", given: String(rate) },
    });
  }
  if (!g.random) {
    throw new ConfigError("Cannot draw random numbers: the plan has no random state, wanted u32 [4]", {
      hint: "Set plan.random",
      context: { op: "random", key: "random" },
    });
  }
  const y = g.tensor(shape, dtype, `random.${kind}`);
  const params = { stream: g.stream(name), threshold: Math.floor(rate * 2 ** 32), kind };
  const parts = [sizeOf(shape.slice(0, rows)), shape[rows] ?? 1, sizeOf(shape.slice(rows + 1))];
  g.run(k.random, { random: g.random, y: y.reshape(parts) }, params);
  return y;
}

/** Cost of a tensor of this shape. */
export function randomCost(shape: Shape): Cost {
  return { flops: 8 * sizeOf(shape), bytes: 4 * sizeOf(shape) };
}
