/**
 * Batch normalisation as a layer: scale and shift are parameters, the running statistics are buffers.
 *
 * Same as torch.nn.BatchNorm1d on `[B, C]` with its defaults, names included.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { batchnorm } from "../ops/batchnorm.ts";
import { constant } from "./init.ts";
import type { Parameters } from "./parameters.ts";

/** A batch normalisation. */
export interface BatchNormLayer {
  /** Scale `[C]`. */
  readonly weight: Tensor;
  /** Shift `[C]`. */
  readonly bias: Tensor;
  /** `[C]`, starts at 0. */
  readonly runningMean: Tensor;
  /** `[C]`, starts at 1. */
  readonly runningVar: Tensor;
  /** Batches seen, u32 `[1]`. */
  readonly tracked: Tensor;
}

/** Adds `name.weight`, `name.bias` and the buffers `name.running_mean`, `name.running_var`, `name.num_batches_tracked`. */
export function batchNormLayer(parameters: Parameters, name: string, width: number): BatchNormLayer {
  return {
    weight: parameters.add(`${name}.weight`, [width], { init: constant(1) }),
    bias: parameters.add(`${name}.bias`, [width], { init: constant(0) }),
    runningMean: parameters.addBuffer(`${name}.running_mean`, [width], { init: constant(0) }),
    runningVar: parameters.addBuffer(`${name}.running_var`, [width], { init: constant(1) }),
    tracked: parameters.addBuffer(`${name}.num_batches_tracked`, [1], { dtype: "u32", init: constant(0) }),
  };
}

/**
 * Appends a batch normalisation.
 *
 * @param x `[B, C]`.
 * @param training By the batch, moving the running statistics, or by the running statistics.
 * @throws {ShapeError} If a batch in training has one row.
 */
export function applyBatchNorm(g: Plan, layer: BatchNormLayer, x: Tensor, training: boolean): Tensor {
  const { weight: gamma, bias: beta, runningMean, runningVar, tracked } = layer;
  return batchnorm(g, x, { gamma, beta, runningMean, runningVar, tracked }, { training });
}
