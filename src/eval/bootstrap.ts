/**
 * Percentile intervals of scores by resampling independent units with replacement, with the draws of numpy's
 * `RandomState(seed).choice(n, n)`.
 *
 * Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993).
 *
 * @module
 */

import { Mt19937 } from "../core/mt19937.ts";
import { mean, percentile } from "./linalg/statistics.ts";

/** Options of {@linkcode resamples}. */
export interface ResampleOptions {
  /** Draws; default 100, as slide-level benchmarks take. */
  readonly draws?: number;
  readonly seed?: number;
}

/** Scores of the draws, summarised. */
export interface Bootstrapped {
  /** Mean of the draws that define the score; null where none does. */
  readonly mean: number | null;
  readonly interval: readonly [low: number, high: number] | undefined;
  /** Draws taken, and those among them that do not define the score: they are left out. */
  readonly draws: number;
  readonly undefinedDraws: number;
}

/** Draws of `units` indices each, as numpy's. */
export function* resamples(units: number, { draws = 100, seed = 0 }: ResampleOptions = {}): Generator<Uint32Array> {
  const random = new Mt19937(seed);
  for (let draw = 0; draw < draws; draw++) yield Uint32Array.from({ length: units }, () => random.upTo(units - 1));
}

/**
 * Summarises the scores of draws.
 *
 * @param scores Null where a draw does not define the score.
 * @param level Share of the draws inside the interval.
 */
export function summarizeDraws(scores: readonly (number | null)[], level = 0.95): Bootstrapped {
  const values = scores.filter((value) => value !== null);
  const tail = 50 * (1 - level);
  return {
    mean: values.length === 0 ? null : mean(values),
    interval: values.length === 0 ? undefined : [percentile(values, tail), percentile(values, 100 - tail)],
    draws: scores.length,
    undefinedDraws: scores.length - values.length,
  };
}
