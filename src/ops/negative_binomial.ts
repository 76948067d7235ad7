/**
 * Negative log-likelihood of a negative binomial with fixed inverse dispersion, of counts or in log1p space.
 *
 * mu = max(y, 1e-8), t = max(x, 0), or in log1p space mu = max(exp(y) - 1, 1e-8), t = max(exp(x) - 1, 0);
 * q = mu / (mu + alpha): L = -mean[ln G(t + alpha) - ln G(alpha) - ln G(t + 1) + alpha ln(1 - q + 1e-8) + t ln(q + 1e-8)].
 *
 * Source: SEAL, `seal/losses/gene_loss.py` (`negbin`, alpha 0.1), which knows log1p space alone.
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
  /** What prediction and target are; default `log1p`. */
  space?: "log1p" | "counts";
}

/** Elements of a block, by path. */
const BLOCK = { gpu: 4096, flat: 512 } as const;

/**
 * Appends the mean negative log-likelihood.
 *
 * @param y Predicted mean, or its log1p, any shape.
 * @param x Target, or its log1p, same shape; gets no gradient.
 * @returns Loss `[1]`, f32.
 * @throws {ShapeError} If the shapes differ.
 * @throws {ConfigError} If alpha is not a positive number.
 */
export function negativeBinomial(g: Plan, y: Tensor, x: Tensor, options: NegativeBinomialOptions = {}): Tensor {
  const { alpha = 0.1, space = "log1p" } = options;
  expectShape("negativeBinomial", "x", x.shape, y.shape);
  if (!(alpha > 0)) throw new ConfigError(`Cannot run negativeBinomial: alpha is ${alpha}, wanted a positive number`);
  const { flat } = g.gpu.caps;
  const part = g.tensor([Math.ceil(y.size / (flat ? BLOCK.flat : BLOCK.gpu))], "f32", "negative_binomial.part");
  g.run(flat ? k.negative_binomial_fwd_flat : k.negative_binomial_fwd, { y, x, part }, { alpha, space });
  const sum = g.tensor([1], "f32", "negative_binomial.sum");
  g.run(k.sum_vector, { x: part, y: sum }, { factor: 1 / y.size });
  const loss = g.tensor([1], "f32", "negative_binomial.loss");
  g.run(k.affine, { x: sum, y: loss }, { a: 1, b: lgamma(alpha) });
  g.record("negativeBinomial", [y], [loss], ([dloss]) => {
    const dy = g.tensor(y.shape, y.dtype, "negative_binomial.dy");
    g.run(k.negative_binomial_bwd, { y, x, dloss: dloss!, dy }, { alpha, space });
    return [dy];
  });
  return loss;
}

/** Cost of the forward pass over `n` elements. */
export function negativeBinomialCost(n: number): Cost {
  return { flops: 90 * n, bytes: 8 * n };
}
