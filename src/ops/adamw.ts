/**
 * AdamW over whole buffers of parameters, with global-norm clipping and skipping of non-finite steps, without a host round
 * trip.
 *
 * Source: Loshchilov and Hutter, arXiv 1711.05101; update order, epsilon and clip formula as torch.optim.AdamW and
 * torch.nn.utils.clip_grad_norm_. A gradient norm above 1.8e19 overflows f32 and counts as non-finite.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** One buffer of parameters with what belongs to it, all f32 `[n]`. */
export interface AdamwChunk {
  readonly w: Tensor;
  readonly grad: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
  /** Row of `hyper` for each 64 elements, u32 `[ceil(n/64)]`. */
  readonly group: Tensor;
}

/** Hyper-parameters that do not change from step to step. */
export interface AdamwOptions {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  eps?: number;
  /** Largest global gradient norm; 0 (default) does not clip. */
  clipNorm?: number;
  /** What the loss was multiplied by, adapted on the device. */
  lossScale?: AdamwLossScale | undefined;
}

/** The loss scale of half precision. Powers of two round nothing. */
export interface AdamwLossScale {
  /** `[2]`, persistent: the factor, and the steps that counted since it last changed. */
  readonly state: Tensor;
  /** Steps in a row that must count before the factor doubles; a step that does not count halves it. */
  readonly interval: number;
  /** Least factor. */
  readonly least: number;
  /** Largest factor. */
  readonly most: number;
}

/** Elements one partial sum of squares covers; the kernels' constant. */
const BLOCK = 4096;

function check(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value < high)) {
    throw new ConfigError(`Cannot run adamw: ${name} is ${value}, wanted at least ${low} and below ${high}`, {
      context: { op: "adamw", key: name, given: String(value) },
    });
  }
}

/**
 * Appends one optimiser step. Reads and then clears the gradients.
 * A step does not count where an element of the gradient is NaN or 2^48 and more, infinities among them.
 *
 * @param hyper `[H, 2]`: learning-rate scale and weight decay of each parameter group.
 * @param state `[8]`: norm before clipping, clip factor, 1 if the step counted, steps that counted, steps skipped, bias
 * corrections. Persistent; zeros before the first step.
 * @param rate `[H]`: learning rate of each parameter group, written by the host before each step.
 * @throws {ConfigError} If a hyper-parameter is NaN or out of range.
 */
export function adamw(
  g: Plan,
  chunks: readonly AdamwChunk[],
  hyper: Tensor,
  state: Tensor,
  rate: Tensor,
  options: AdamwOptions = {},
): void {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, clipNorm = 0, lossScale } = options;
  check("beta1", beta1, 0, 1);
  check("beta2", beta2, 0, 1);
  check("eps", eps, 0, 1);
  check("clipNorm", clipNorm, 0, Infinity);
  expectShape("adamw", "state", state.shape, [8]);
  expectShape("adamw", "rate", rate.shape, [hyper.dim(0)]);
  if (lossScale) expectShape("adamw", "scale", lossScale.state.shape, [2]);
  const blocks = chunks.map(({ w }) => Math.ceil(w.size / BLOCK));
  const part = g.tensor([Math.max(1, blocks.reduce((a, b) => a + b, 0))], "f32", "adamw.part");
  let at = 0;
  chunks.forEach(({ grad }, i) => {
    g.run(g.gpu.caps.flat ? k.sum_squares_flat : k.sum_squares, { x: grad, part }, { at });
    at += blocks[i]!;
  });
  const logs = { log_beta1: Math.log(beta1 || 1e-30), log_beta2: Math.log(beta2 || 1e-30) };
  const { interval = 0, least = 1, most = 1 } = lossScale ?? {};
  g.run(k.adamw_prepare, { part, state, scale: lossScale?.state }, { clip: clipNorm, ...logs, interval, least, most });
  const rest = { rest1: 1 - beta1, rest2: 1 - beta2 };
  for (const { w, m, v, grad, group } of chunks) {
    g.run(k.adamw, { w, m, v, grad, group, hyper, state, rate }, { beta1, beta2, eps, ...rest });
  }
}

/** Cost of a step over `n` parameters. */
export function adamwCost(n: number): Cost {
  return { flops: 14 * n, bytes: 36 * n };
}
