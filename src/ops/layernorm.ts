/**
 * Layer normalisation over the last dimension, with biased variance.
 *
 * y = (x - mean) * rstd * gamma + beta. Same as torch.nn.LayerNorm, with or without elementwise_affine; saves mean and
 * rstd of each row (8 bytes) and recomputes the normalised row in backward. Gamma and beta are f32 even where other
 * frozen weights are f16: they are one row beside the whole of x. For that reason they are not folded into the frozen
 * weights behind them either: it would save next to nothing beside the product there, round weights of f16 once more, and
 * leave LoRA on that layer, whose inner factor sees the same input, with another one. The gradient reads x and dy once and
 * writes dx: at the speed of copying it is at its end (`bench/results/kernels.md`).
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape, type Shape, sizeOf } from "../core/shape.ts";
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
/** Longest row that fits the registers of one workgroup. */
const LONGEST = 4096;

/** Invocations for a row, and groups of four elements each keeps. */
function tile(D: number): { WG: number; KEEP: number } {
  const groups = Math.ceil(D / 4);
  const WG = groups <= 32 ? 32 : groups <= 256 ? 64 : groups <= 512 ? 128 : 256;
  return { WG, KEEP: Math.max(1, Math.ceil(groups / WG)) };
}

/**
 * Normalises the last dimension.
 *
 * @param x `[..., D]`.
 * @param gamma Scale `[D]`, f32; ones when left out.
 * @param beta Shift `[D]`, f32; zeros when left out.
 * @returns `[..., D]`, the type of `x`.
 * @throws {ShapeError} If rows are empty, or gamma or beta is not `[D]`.
 * @throws {DtypeError} If gamma or beta is not f32.
 * @throws {ConfigError} If eps is not a positive number.
 */
export function layernorm(
  g: Plan,
  x: Tensor,
  gamma?: Tensor,
  beta?: Tensor,
  options: LayernormOptions = {},
): Tensor {
  const { eps = 1e-5 } = options;
  const D = x.dim(-1);
  if (!D) throw new ShapeError(`Cannot run layernorm: x is ${formatShape(x.shape)}, wanted rows with an element`);
  if (gamma) expectShape("layernorm", "gamma", gamma.shape, [D]);
  if (beta) expectShape("layernorm", "beta", beta.shape, [D]);
  if (!(eps > 0)) throw new ConfigError(`Cannot run layernorm: eps is ${eps}, wanted a positive number`);
  const flat = g.gpu.caps.flat || D > LONGEST;
  const M = x.size / D;
  const y = g.tensor(x.shape, x.dtype, "layernorm.y");
  const stats = g.needsGrad(x, gamma, beta) ? g.tensor([M, 2], "f32", "layernorm.stats") : undefined;
  const forward = { x, gamma, beta, y, stats };
  if (flat) g.run(k.layernorm_fwd_flat, forward, { eps });
  else g.run(k.layernorm_fwd, forward, { eps, tune: tile(D) });
  g.record("layernorm", [x, gamma, beta], [y], ([dy], [needX, needGamma, needBeta]) => {
    let dx: Tensor | undefined;
    if (needX) {
      dx = g.tensor(x.shape, x.dtype, "layernorm.dx");
      const backward = { x, gamma, stats: stats!, dy: dy!, dx };
      if (flat) g.run(k.layernorm_bwd_input_flat, backward);
      else g.run(k.layernorm_bwd_input, backward, { tune: tile(D) });
    }
    const beta0 = g.centred(dy!).all;
    if (!needGamma && (!needBeta || beta0)) return [dx];
    const S = Math.ceil(M / AFFINE_ROWS);
    const dgamma = g.tensor([S, D], "f32", "layernorm.dgamma");
    const dbeta = g.tensor([S, D], "f32", "layernorm.dbeta");
    g.run(k.layernorm_bwd_affine, { x, stats: stats!, dy: dy!, dgamma, dbeta });
    return [dx, needGamma ? sumPartials(g, dgamma) : undefined, needBeta && !beta0 ? sumPartials(g, dbeta) : undefined];
  });
  return y;
}

/** Cost of the forward pass. */
export function layernormCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 8 * n, bytes: 8 * n };
}
