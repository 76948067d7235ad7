/**
 * Two encoders compared on the same folds: the mean of the paired differences with a bootstrap interval.
 *
 * Folds differ more from each other than encoders do, so that only differences on the same fold say anything. With few folds the
 * interval is rough: five have 126 different resamples. Below five there is none: that of two folds is their two values.
 *
 * Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), percentile interval.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import { deviation, mean, percentile } from "./linalg/statistics.ts";

/** Units from which on there is an interval. */
export const LEAST_UNITS = 5;

/** How two lists of scores differ. */
export interface Paired {
  /** Scores compared. */
  readonly n: number;
  /** b less a of each fold. */
  readonly differences: readonly number[];
  readonly mean: number;
  /** Population deviation of the differences. */
  readonly std: number;
  /** Bootstrap interval of the mean; undefined below five independent units. */
  readonly interval: readonly [low: number, high: number] | undefined;
  /** Why there is none. */
  readonly reason?: string;
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
  /** What the scores are of, in words: `folds`. */
  readonly over?: string;
  /** Independent units among them, such as donors, where they are fewer than the scores. */
  readonly units?: { readonly count: number; readonly name: string } | undefined;
}

/**
 * Compares b with a.
 *
 * @throws {ShapeError} If they differ in length, or are empty.
 */
export function paired(a: readonly number[], b: readonly number[], options: PairedOptions = {}): Paired {
  const { level = 0.95, resamples = 10_000, seed = 0, over = "folds", units } = options;
  if (a.length !== b.length || a.length === 0) {
    throw new ShapeError(`Cannot compare ${a.length} with ${b.length} folds: as many wanted, and at least one`);
  }
  const differences = b.map((value, i) => value - a[i]!);
  const few = a.length < LEAST_UNITS
    ? { count: a.length, name: over }
    : units !== undefined && units.count < LEAST_UNITS
    ? units
    : undefined;
  return {
    n: a.length,
    differences,
    mean: mean(differences),
    std: deviation(differences),
    interval: few === undefined ? bootstrap(differences, { level, resamples, seed }) : undefined,
    ...(few === undefined ? {} : { reason: noInterval(few) }),
    better: differences.filter((value) => value > 0).length,
    worse: differences.filter((value) => value < 0).length,
  };
}

/** Why there is no interval: `2 folds, an interval takes 5`. */
export function noInterval({ count, name }: { readonly count: number; readonly name: string }): string {
  return `${count} ${count === 1 ? name.replace(/s$/, "") : name}, an interval takes ${LEAST_UNITS}`;
}

type Resampling = Required<Pick<PairedOptions, "level" | "resamples" | "seed">>;

function bootstrap(values: readonly number[], { level, resamples, seed }: Resampling): [number, number] {
  const rng = new Rng(seed, values.length);
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[rng.below(values.length)]!;
    return sum / values.length;
  });
  const tail = 50 * (1 - level);
  return [percentile(means, tail), percentile(means, 100 - tail)];
}
