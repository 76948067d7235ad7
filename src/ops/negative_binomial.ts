/**
 * Negative log-likelihood of a negative binomial with fixed inverse dispersion, in log1p space.
 *
 * mu = max(exp(y) - 1, 1e-8), t = max(exp(x) - 1, 0), q = mu / (mu + alpha):
 * L = -mean[ln G(t + alpha) - ln G(alpha) - ln G(t + 1) + alpha ln(1 - q + 1e-8) + t ln(q + 1e-8)]. The log-gamma terms depend
 * on the target only, so the device never computes one: they are a constant from {@linkcode negativeBinomialConstant}.
 *
 * Source: SEAL, `seal/losses/gene_loss.py` (`negbin`, alpha 0.1).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { lgamma } from "../core/lgamma.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode negativeBinomial}. */
export interface NegativeBinomialOptions {
  /** Inverse dispersion; default 0.1. */
  alpha?: number;
  /** What the target alone adds to the loss, `[1]`, f32: see {@linkcode negativeBinomialConstant}. It has no gradient. */
  constant?: Tensor | undefined;
}

/** Mean of -[ln G(t + alpha) - ln G(alpha) - ln G(t + 1)] over targets given as log1p values. */
export function negativeBinomialConstant(x: ArrayLike<number>, alpha = 0.1): number {
  let sum = 0;
  const fixed = lgamma(alpha);
  for (let i = 0; i < x.length; i++) {
    const t = Math.max(Math.expm1(x[i]!), 0);
    sum -= lgamma(t + alpha) - fixed - lgamma(t + 1);
  }
  return sum / x.length;
}

/** Elements of a block, by path. */
const BLOCK = { gpu: 4096, flat: 512 } as const;

/**
 * Appends the mean negative log-likelihood.
 *
 * @param y log1p of the predicted mean, any shape.
 * @param x log1p of the target, same shape; gets no gradient.
 * @returns Loss `[1]`, f32, without the log-gamma terms unless `constant` brings them.
 * @throws {ShapeError} If the shapes differ.
 * @throws {ConfigError} If alpha is not a positive number.
 */
export function negativeBinomial(g: Plan, y: Tensor, x: Tensor, options: NegativeBinomialOptions = {}): Tensor {
  const { alpha = 0.1, constant } = options;
  expectShape("negativeBinomial", "x", x.shape, y.shape);
  if (constant) expectShape("negativeBinomial", "constant", constant.shape, [1]);
  if (!(alpha > 0)) throw new ConfigError(`Cannot run negativeBinomial: alpha is ${alpha}, wanted a positive number`);
  const { flat } = g.gpu.caps;
  const part = g.tensor([Math.ceil(y.size / (flat ? BLOCK.flat : BLOCK.gpu))], "f32", "negative_binomial.part");
  g.run(flat ? k.negative_binomial_fwd_flat : k.negative_binomial_fwd, { y, x, part }, { alpha });
  let loss = g.tensor([1], "f32", "negative_binomial.loss");
  g.run(k.sum_vector, { x: part, y: loss }, { factor: 1 / y.size });
  if (constant) {
    const sum = g.tensor([1], "f32", "negative_binomial.loss");
    g.run(k.sum_pair, { a: loss, b: constant, y: sum });
    loss = sum;
  }
  g.record("negativeBinomial", [y], [loss], ([dloss]) => {
    const dy = g.tensor(y.shape, y.dtype, "negative_binomial.dy");
    g.run(k.negative_binomial_bwd, { y, x, dloss: dloss!, dy }, { alpha });
    return [dy];
  });
  return loss;
}

/** Cost of the forward pass over `n` elements. */
export function negativeBinomialCost(n: number): Cost {
  return { flops: 30 * n, bytes: 8 * n };
}
