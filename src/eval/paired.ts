/**
 * Two encoders compared on the same folds: the mean of the paired differences with a bootstrap interval.
 *
 * Folds differ more from each other than encoders do, so that only differences on the same fold say anything. With few folds the
 * interval is rough: five folds have 126 different resamples.
 *
 * Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), percentile interval.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import { deviation, mean, percentile } from "./statistics.ts";

/** How two lists of scores differ. */
export interface Paired {
  /** Scores compared. */
  readonly n: number;
  /** b less a of each fold. */
  readonly differences: readonly number[];
  readonly mean: number;
  /** Population deviation of the differences. */
  readonly std: number;
  /** Bootstrap interval of the mean; undefined for a single fold. */
  readonly interval: readonly [low: number, high: number] | undefined;
  /** Folds on which b is better, and on which a is. */
  readonly better: number;
  readonly worse: number;
}

/** Options of {@linkcode paired}. */
export interface PairedOptions {
  /** Share of the resamples inside the interval; default 0.95. */
  readonly level?: number;
  /** Resamples; default 10,000. */
  readonly resamples?: number;
  readonly seed?: number;
}

/**
 * Compares b with a.
 *
 * @throws {ShapeError} If they differ in length, or are empty.
 */
export function paired(a: readonly number[], b: readonly number[], options: PairedOptions = {}): Paired {
  const { level = 0.95, resamples = 10_000, seed = 0 } = options;
  if (a.length !== b.length || a.length === 0) {
    throw new ShapeError(`Cannot compare ${a.length} with ${b.length} folds: as many wanted, and at least one`);
  }
  const differences = b.map((value, i) => value - a[i]!);
  return {
    n: a.length,
    differences,
    mean: mean(differences),
    std: deviation(differences),
    interval: a.length < 2 ? undefined : bootstrap(differences, { level, resamples, seed }),
    better: differences.filter((value) => value > 0).length,
    worse: differences.filter((value) => value < 0).length,
  };
}

function bootstrap(values: readonly number[], { level, resamples, seed }: Required<PairedOptions>): [number, number] {
  const rng = new Rng(seed, values.length);
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[rng.below(values.length)]!;
    return sum / values.length;
  });
  const tail = 50 * (1 - level);
  return [percentile(means, tail), percentile(means, 100 - tail)];
}
