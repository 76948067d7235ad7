/**
 * Division of each row by its Euclidean norm.
 *
 * y = x / max(norm, eps). Same as torch.nn.functional.normalize, backward included: where the norm is below eps the divisor
 * is a constant, so a zero row gets the gradient dy / eps. Norms beyond the range of f32 squares are computed. Saves the
 * norm of each row.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode l2Normalize}. */
export interface L2NormalizeOptions {
  /** Smallest divisor; default 1e-12. */
  eps?: number;
}

/**
 * Normalises the last dimension to length one.
 *
 * @param x `[..., D]`.
 * @returns `[..., D]`, the type of `x`.
 * @throws {ShapeError} If rows are empty.
 * @throws {ConfigError} If eps is not a positive number.
 */
export function l2Normalize(g: Plan, x: Tensor, options: L2NormalizeOptions = {}): Tensor {
  const { eps = 1e-12 } = options;
  if (!(eps > 0 && eps < Infinity)) {
    throw new ConfigError(`Cannot run l2Normalize: eps is ${eps}, wanted a positive number`, {
      context: { op: "l2Normalize", key: "eps", given: String(eps) },
    });
  }
  const { flat } = g.gpu.caps;
  const D = x.dim(-1);
  if (!D) throw new ShapeError(`Cannot run l2Normalize: x is ${formatShape(x.shape)}, wanted rows with an element`);
  const tune = { WG: D <= 128 ? 32 : D <= 1024 ? 64 : 256 };
  const y = g.tensor(x.shape, x.dtype, "l2_normalize.y");
  const norm = g.needsGrad(x) ? g.tensor([x.size / D], "f32", "l2_normalize.norm") : undefined;
  if (flat) g.run(k.l2_normalize_fwd_flat, { x, y, norm }, { eps });
  else g.run(k.l2_normalize_fwd, { x, y, norm }, { eps, tune });
  g.record("l2_normalize", [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, x.dtype, "l2_normalize.dx");
    const tensors = { x, norm: norm!, dy: dy!, dx };
    if (flat) g.run(k.l2_normalize_bwd_flat, tensors, { eps });
    else g.run(k.l2_normalize_bwd, tensors, { eps, tune });
    return [dx];
  });
  return y;
}

/** Cost of the forward pass. */
export function l2NormalizeCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 3 * n, bytes: 8 * n };
}
