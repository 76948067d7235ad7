/**
 * Survival in intervals of time: where they begin, the likelihood of what was observed, and the risk that hazards say.
 *
 * h_k = 1 / (1 + e^-x_k) is the probability that the event happens in interval k if it did not before; S_k = prod_{i <= k} (1 - h_i).
 * A case with its event in y costs -log h_y - sum_{k < y} log(1 - h_k), one that is censored there -sum_{k <= y} log(1 - h_k). Risk is
 * -sum_k S_k.
 *
 * Source: Zadeh and Schmid, IEEE TPAMI 43 (2021); intervals by quarters of the event times as in Patho-Bench.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { percentile } from "./linalg/statistics.ts";
import { checkFollowUp, countEvents, type FollowUp } from "./survival.ts";

/**
 * Where intervals but the first begin: quantiles of the times of events, so that each has about as many.
 *
 * @param follow Of the training cases, with an event at least.
 * @returns `[count - 1]`, rising.
 */
export function intervalStarts(follow: FollowUp, count: number): Float64Array {
  checkFollowUp(follow, follow.times.length);
  if (countEvents(follow) === 0) {
    throw new ShapeError("Cannot divide time: no case has an event, wanted one or more");
  }
  const times = Float64Array.from(follow.times).filter((_, i) => follow.events[i]);
  return Float64Array.from({ length: count - 1 }, (_, k) => percentile(times, 100 * (k + 1) / count));
}

/** Interval of each time: how many begin at or before it, but the first. */
export function intervalsOf(times: ArrayLike<number>, starts: Float64Array): number[] {
  return Array.from(times, (time) => starts.reduce((at, start) => at + (time >= start ? 1 : 0), 0));
}

/** What is observed of cases, by interval. */
export interface Intervals {
  readonly intervals: ArrayLike<number>;
  readonly events: ArrayLike<number | boolean>;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * Negative log-likelihood.
 *
 * @param logits `[cases, count]`.
 * @returns Of each case, their mean, and the gradient of the mean `[cases, count]`.
 */
export function discreteLikelihood(
  logits: ArrayLike<number>,
  count: number,
  { intervals, events }: Intervals,
): { cases: Float64Array; mean: number; gradient: Float64Array } {
  const n = intervals.length;
  if (events.length !== n || logits.length !== n * count) {
    throw new ShapeError(
      `Cannot score hazards: ${logits.length} logits and ${events.length} events of ${n} cases, ${n * count} wanted`,
    );
  }
  const cases = new Float64Array(n);
  const gradient = new Float64Array(n * count);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k <= intervals[i]!; k++) {
      const x = logits[i * count + k]!;
      const failed = k === intervals[i] && events[i] ? 1 : 0;
      cases[i]! += softplus(x) - failed * x;
      gradient[i * count + k] = (1 / (1 + Math.exp(-x)) - failed) / n;
    }
  }
  return { cases, mean: cases.reduce((a, b) => a + b, 0) / n, gradient };
}

/** Risk of one case from the logits of its hazards: the higher, the earlier the event. */
export function discreteRisk(logits: ArrayLike<number>): number {
  let [left, risk] = [1, 0];
  for (let k = 0; k < logits.length; k++) {
    left *= 1 / (1 + Math.exp(logits[k]!));
    risk -= left;
  }
  return risk;
}
