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

/** Options of {@linkcode bootstrap}. */
export interface BootstrapOptions {
  /** Draws; default 100, as slide-level benchmarks take. */
  readonly draws?: number;
  readonly seed?: number;
  /** Share of the draws inside the interval; default 0.95. */
  readonly level?: number;
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
export function* resamples(units: number, { draws = 100, seed = 0 }: BootstrapOptions = {}): Generator<Uint32Array> {
  const random = new Mt19937(seed);
  for (let draw = 0; draw < draws; draw++) yield Uint32Array.from({ length: units }, () => random.upTo(units - 1));
}

/** Resamples units. @param score Of the units with these indices; null where they do not define it. */
export function bootstrap(
  units: number,
  score: (indices: Uint32Array) => number | null,
  options: BootstrapOptions = {},
): Bootstrapped {
  const { draws = 100, level = 0.95 } = options;
  const values: number[] = [];
  if (units > 0) {
    for (const indices of resamples(units, options)) {
      const value = score(indices);
      if (value !== null) values.push(value);
    }
  }
  const tail = 50 * (1 - level);
  return {
    mean: values.length === 0 ? null : mean(values),
    interval: values.length === 0 ? undefined : [percentile(values, tail), percentile(values, 100 - tail)],
    draws,
    undefinedDraws: draws - values.length,
  };
}
