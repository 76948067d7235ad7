/**
 * Softmax and its logarithm over the last dimension, of scaled elements.
 *
 * y = exp(scale * x) / sum(exp(scale * x)), after subtracting the largest element of the row, so that nothing overflows.
 * Same as torch.softmax and torch.log_softmax but for rows of nothing but masked elements (minus infinity, which -1e30 is in
 * f16, and anything from -1.1e38 down): their softmax is 0 and their logarithm minus infinity, not NaN. A row of other equal
 * elements, -1e30 included, is uniform. NaN and plus infinity make their row NaN; all of these are recognised by bits. Numbers
 * above 1.1e38 count as that. Backward needs only the result.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode softmax} and {@linkcode logSoftmax}. */
export interface SoftmaxOptions {
  /** Factor of the elements before the exponential (1 over the temperature); default 1. */
  scale?: number;
}

/** Just below the largest f32, so that products that are rounded up stay below it. */
const HIGHEST = 3.4e38;

/** Invocations for a row of `D`. */
function tile(D: number): { WG: number } {
  return { WG: D <= 128 ? 32 : D <= 1024 ? 64 : 256 };
}

function run(g: Plan, name: string, form: "probs" | "logs", x: Tensor, { scale = 1 }: SoftmaxOptions): Tensor {
  if (!(scale > 0 && scale < Infinity)) {
    throw new ConfigError(`Cannot run ${name}: scale is ${scale}, wanted a positive number`, {
      context: { op: name, key: "scale", given: String(scale) },
    });
  }
  const { flat } = g.gpu.caps;
  // e^-200 is 0 in f32, and products of these with the scale are finite.
  const params = { scale, form, reach: Math.max(-HIGHEST, -200 / scale), far: Math.max(-HIGHEST, -HIGHEST / scale) };
  const tune = tile(x.dim(-1));
  const y = g.tensor(x.shape, x.dtype, `${name}.y`);
  if (flat) g.run(k.softmax_fwd_flat, { x, y }, params);
  else g.run(k.softmax_fwd, { x, y }, { ...params, tune });
  g.record(name, [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, x.dtype, `${name}.dx`);
    const tensors = { saved: y, dy: dy!, dx };
    if (flat) g.run(k.softmax_bwd_flat, tensors, { scale, form });
    else g.run(k.softmax_bwd, tensors, { scale, form, tune });
    return [dx];
  });
  return y;
}

/**
 * Softmax of the last dimension.
 *
 * @param x `[..., D]`.
 * @returns `[..., D]`, the type of `x`.
 * @throws {ConfigError} If scale is not a positive number.
 */
export function softmax(g: Plan, x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return run(g, "softmax", "probs", x, options);
}

/**
 * Logarithm of the softmax of the last dimension.
 *
 * @param x `[..., D]`.
 * @returns `[..., D]`, the type of `x`.
 * @throws {ConfigError} If scale is not a positive number.
 */
export function logSoftmax(g: Plan, x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return run(g, "logSoftmax", "logs", x, options);
}

/** Cost of the forward pass. */
export function softmaxCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 6 * n, bytes: 8 * n };
}
