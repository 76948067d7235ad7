/**
 * Batch normalisation of the columns of a matrix.
 *
 * y = (x - mean) * rstd * gamma + beta. Same as torch.nn.BatchNorm1d on `[B, C]`: training normalises by the biased variance
 * of the batch and moves the running statistics towards its mean and unbiased variance, in place on the device; evaluation
 * uses the running statistics. Without gamma and beta it standardises. Saves mean and rstd of each column.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Parameters and state of one layer; whatever is left out is not applied or not tracked. */
export interface BatchnormTensors {
  /** Scale `[C]`, f32. */
  readonly gamma?: Tensor | undefined;
  /** Shift `[C]`, f32. */
  readonly beta?: Tensor | undefined;
  /** `[C]`, f32, persistent and in no buffer with gamma, beta or `x`; starts at 0. */
  readonly runningMean?: Tensor | undefined;
  /** `[C]`, f32, beside `runningMean`; starts at 1. */
  readonly runningVar?: Tensor | undefined;
  /** Batches seen, `[1]`, u32, beside `runningMean`. */
  readonly tracked?: Tensor | undefined;
}

/** Options of {@linkcode batchnorm}. */
export interface BatchnormOptions {
  /** Normalise by the batch and update the running statistics; otherwise use them. Default true. */
  training?: boolean;
  /** Added to the variance; default 1e-5. */
  eps?: number;
  /** Weight of the batch in the running statistics; default 0.1. */
  momentum?: number;
}

function check(
  x: Tensor,
  tensors: BatchnormTensors,
  { training = true, eps = 1e-5, momentum = 0.1 }: BatchnormOptions,
): void {
  if (x.shape.length !== 2 || (training && x.dim(0) < 2)) {
    const wanted = training ? "[B, C] with at least 2 rows in training" : "[B, C]";
    throw new ShapeError(`Cannot run batchnorm: x is ${formatShape(x.shape)}, wanted ${wanted}`, {
      hint: "Drop the last batch of an epoch when one row is left",
      context: { op: "batchnorm", tensor: "x", given: x.shape },
    });
  }
  for (const [name, tensor] of Object.entries(tensors) as [keyof BatchnormTensors, Tensor | undefined][]) {
    if (tensor) expectShape("batchnorm", name, tensor.shape, [name === "tracked" ? 1 : x.dim(1)]);
  }
  if (!training && !(tensors.runningMean && tensors.runningVar)) {
    throw new ConfigError("Cannot evaluate batchnorm: no running statistics, wanted runningMean and runningVar");
  }
  for (const [key, given, holds] of [["eps", eps, eps > 0], ["momentum", momentum, momentum >= 0 && momentum <= 1]]) {
    if (!holds) {
      const wanted = key === "eps" ? "a positive number" : "a number from 0 to 1";
      throw new ConfigError(`Cannot run batchnorm: ${key} is ${given}, wanted ${wanted}`, {
        context: { op: "batchnorm", key, given: String(given) },
      });
    }
  }
}

/**
 * Normalises each column. A segment that is run again for its gradients updates the running statistics once.
 *
 * @param x `[B, C]`.
 * @returns `[B, C]`, the type of `x`.
 * @throws {ShapeError} If x is no matrix, has one row in training, or another tensor does not fit it.
 * @throws {ConfigError} If an option is out of range, or evaluation has no running statistics.
 */
export function batchnorm(g: Plan, x: Tensor, tensors: BatchnormTensors = {}, options: BatchnormOptions = {}): Tensor {
  check(x, tensors, options);
  const { training = true, eps = 1e-5, momentum = 0.1 } = options;
  const { gamma, beta, runningMean, runningVar, tracked } = tensors;
  const C = x.dim(1);
  // On a software adapter lanes are SIMD lanes, and more columns a workgroup leave cores idle.
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  const y = g.tensor(x.shape, x.dtype, "batchnorm.y");
  const stats = g.needsGrad(x, gamma, beta) ? g.tensor([2, C], "f32", "batchnorm.stats") : undefined;
  if (training) {
    const state = g.replaying ? {} : { running_mean: runningMean, running_var: runningVar, tracked };
    g.run(k.batchnorm_train, { x, gamma, beta, y, stats, ...state }, { eps, momentum, tune });
  } else {
    const state = { running_mean: runningMean!, running_var: runningVar! };
    g.run(k.batchnorm_eval, { x, gamma, beta, ...state, y, stats }, { eps, tune });
  }
  g.record("batchnorm", [x, gamma, beta], [y], ([dy], [needX, needGamma, needBeta]) => {
    const dx = needX ? g.tensor(x.shape, x.dtype, "batchnorm.dx") : undefined;
    const dgamma = needGamma ? g.tensor([C], "f32", "batchnorm.dgamma") : undefined;
    const zeros = g.centred(dy!);
    const dbeta = needBeta && !zeros.all ? g.tensor([C], "f32", "batchnorm.dbeta") : undefined;
    const mode = training ? "train" : "eval";
    g.run(k.batchnorm_bwd, { x, gamma, stats: stats!, dy: dy!, dx, dgamma, dbeta }, { mode, tune });
    // All rows shifted alike have the same result by the batch: columns of dx sum to 0.
    if (dx && training) g.noteCentred(dx);
    else if (dx) g.noteCentred(dx, zeros.from, zeros.to);
    return [dx, dgamma, dbeta];
  });
  return y;
}

/** Cost of the forward pass. */
export function batchnormCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 7 * n, bytes: 8 * n };
}
