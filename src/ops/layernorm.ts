/**
 * Layer normalisation over the last dimension, with biased variance.
 *
 * y = (x - mean) * rstd * gamma + beta. Same as torch.nn.LayerNorm; saves mean and rstd of each row (8 bytes) and
 * recomputes the normalised row in backward.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { sumPartials } from "./partials.ts";

/** Options of {@linkcode layernorm}. */
export interface LayernormOptions {
  /** Added to the variance; 1e-5 in torch, 1e-6 in timm's ViTs. */
  eps?: number;
}

/** Rows one partial sum of the affine gradients covers. */
const AFFINE_ROWS = 64;

/**
 * Normalises the last dimension.
 *
 * @param x `[..., D]`.
 * @param gamma Scale `[D]`, f32.
 * @param beta Shift `[D]`, f32.
 * @returns `[..., D]`, the type of `x`.
 * @throws {ShapeError} If gamma or beta is not `[D]`.
 * @throws {ConfigError} If eps is not a positive number.
 */
export function layernorm(g: Plan, x: Tensor, gamma: Tensor, beta: Tensor, options: LayernormOptions = {}): Tensor {
  const { eps = 1e-5 } = options;
  const D = x.dim(-1);
  expectShape("layernorm", "gamma", gamma.shape, [D]);
  expectShape("layernorm", "beta", beta.shape, [D]);
  if (!(eps > 0)) throw new ConfigError(`Cannot run layernorm: eps is ${eps}, wanted a positive number`);
  const { flat } = g.gpu.caps;
  const M = x.size / D;
  const y = g.tensor(x.shape, x.dtype, "layernorm.y");
  const saves = g.needsGrad(x, gamma, beta);
  const stats = saves ? g.tensor([M, 2], "f32", "layernorm.stats") : undefined;
  g.run(flat ? k.layernorm_fwd_flat : k.layernorm_fwd, { x, gamma, beta, y, stats }, { eps });
  g.record("layernorm", [x, gamma, beta], [y], ([dy], [needX, needGamma, needBeta]) => {
    let dx: Tensor | undefined;
    if (needX) {
      dx = g.tensor(x.shape, x.dtype, "layernorm.dx");
      g.run(flat ? k.layernorm_bwd_input_flat : k.layernorm_bwd_input, { x, gamma, stats: stats!, dy: dy!, dx });
    }
    if (!needGamma && !needBeta) return [dx];
    const S = Math.ceil(M / AFFINE_ROWS);
    const dgamma = g.tensor([S, D], "f32", "layernorm.dgamma");
    const dbeta = g.tensor([S, D], "f32", "layernorm.dbeta");
    g.run(k.layernorm_bwd_affine, { x, stats: stats!, dy: dy!, dgamma, dbeta });
    return [dx, sumPartials(g, dgamma), sumPartials(g, dbeta)];
  });
  return y;
}

/** Cost of the forward pass. */
export function layernormCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 8 * n, bytes: 8 * n };
}
