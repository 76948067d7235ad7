/**
 * Negative log-likelihood of survival in intervals of time, from the logits of their hazards.
 *
 * h_k = sigmoid(x_k). A case with its event in interval y costs -log h_y - sum_{k < y} log(1 - h_k), one that is censored there
 * -sum_{k <= y} log(1 - h_k). With softplus: the sum over the intervals that were entered of softplus(x_k), less x_y of an event.
 *
 * Source: Zadeh and Schmid, IEEE TPAMI 43 (2021).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { softplus } from "../ops/activation.ts";
import { mul, sub } from "../ops/binary.ts";
import { sumAll } from "../ops/reduce.ts";

/** Tables of a batch on the device, `[B, T]` each, f32; rows of zeros count nothing. */
export interface IntervalTensors {
  /** 1 / n in the intervals that a case entered. */
  readonly entered: Tensor;
  /** 1 / n in the interval of the event. */
  readonly failed: Tensor;
}

/**
 * Appends the mean over the cases of a batch.
 *
 * @param logits `[B, T]`.
 * @param tables See {@linkcode intervalTables}.
 * @returns `[1]`.
 * @throws {ShapeError} If shapes do not fit.
 */
export function discreteSurvivalLoss(g: Plan, logits: Tensor, { entered, failed }: IntervalTensors): Tensor {
  expectShape("discreteSurvivalLoss", "entered", entered.shape, logits.shape);
  expectShape("discreteSurvivalLoss", "failed", failed.shape, logits.shape);
  return sumAll(g, sub(g, mul(g, softplus(g, logits), entered), mul(g, logits, failed)));
}

/** Content of {@linkcode IntervalTensors}. */
export interface IntervalTables {
  readonly entered: Float32Array;
  readonly failed: Float32Array;
}

/**
 * Makes the tables of a batch.
 *
 * @param intervals Interval of each case's last observation.
 * @param events 1 for an event, 0 for a censored case.
 * @param of Number of intervals, and cases the plan has room for.
 * @throws {ConfigError} If there are more cases than room, or one is in no interval.
 */
export function intervalTables(
  intervals: ArrayLike<number>,
  events: ArrayLike<number>,
  { count, size = intervals.length }: { count: number; size?: number },
): IntervalTables {
  const n = intervals.length;
  if (events.length !== n || n > size) {
    throw new ConfigError(
      `Cannot make tables of intervals: ${n} intervals and ${events.length} events, wanted up to ${size}`,
    );
  }
  const entered = new Float32Array(size * count);
  const failed = new Float32Array(size * count);
  for (let b = 0; b < n; b++) {
    const last = intervals[b]!;
    if (!(Number.isInteger(last) && last >= 0 && last < count)) {
      throw new ConfigError(`Cannot make tables of intervals: case ${b} is in ${last}, wanted 0 to ${count - 1}`);
    }
    entered.fill(1 / n, b * count, b * count + last + 1);
    if (events[b]) failed[b * count + last] = 1 / n;
  }
  return { entered, failed };
}
