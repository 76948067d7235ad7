/**
 * Few-shot probes: how well classes are separated with k labelled spots of each, over many draws.
 *
 * For each k and draw, k training rows a class are taken at random, a logistic regression is fitted to them on features
 * standardised by all training rows (which needs no labels), and balanced accuracy is measured on the same test rows. Which rows
 * are drawn depends on seed, k and labels alone, so that all features are probed with the same; a hash of them proves it.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";
import { sha256Of } from "../io/checksum.ts";
import { Mt19937 } from "../core/mt19937.ts";
import { balancedAccuracy, fitLogistic, predictLogistic } from "./logistic.ts";
import { applyStandardizer, fitStandardizer } from "./linalg/standardize.ts";
import { deviation, mean, percentile } from "./linalg/statistics.ts";
import { type Table, takeRows } from "./linalg/table.ts";

/** Rows with a class each. */
export interface Labelled {
  /** `[n, D]`. */
  readonly features: Table;
  readonly labels: readonly string[];
}

/** Options of {@linkcode kshot}. */
export interface KshotOptions {
  /** Labelled rows a class; default 1, 2, 4, 8, 16, 32. */
  readonly shots?: readonly number[];
  /** Draws; default 50. */
  readonly draws?: number;
  readonly seed?: number;
  /** Weight of the loss against the penalty; default 1. */
  readonly c?: number;
}

/** Balanced accuracy for one k. */
export type KshotScore =
  | {
    readonly k: number;
    readonly draws: number;
    readonly mean: number;
    readonly std: number;
    /** Middle 95 % of the draws. */
    readonly low: number;
    readonly high: number;
    /** Of each draw, to be paired with those of other features. */
    readonly values: readonly number[];
    readonly reason?: undefined;
  }
  | { readonly k: number; readonly mean: null; readonly values?: undefined; readonly reason: string };

/** All of them. */
export interface KshotResult {
  readonly classes: readonly string[];
  /** Balanced accuracy of guessing. */
  readonly chance: number;
  readonly scores: readonly KshotScore[];
  /** SHA-256 of the rows drawn and of their labels: equal where the same spots were. */
  readonly drawsSha256: string;
  /** Test rows of classes that training does not have; left out. */
  readonly leftOut: number;
}

/**
 * Probes with few labels.
 *
 * @throws {ShapeError} If labels and rows differ in number.
 * @throws {LimitError} If a number of shots or draws is not a whole number above 0.
 */
export function kshot(train: Labelled, test: Labelled, options: KshotOptions = {}): KshotResult {
  const { shots = [1, 2, 4, 8, 16, 32], draws = 50, seed = 0, c = 1 } = options;
  for (const side of [train, test]) {
    if (side.labels.length !== side.features.rows) {
      throw new ShapeError(`Cannot probe: ${side.labels.length} labels for ${side.features.rows} rows`);
    }
  }
  for (const n of [...shots, draws]) {
    if (!Number.isInteger(n) || n < 1) throw new LimitError(`Cannot draw ${n} rows or times: 1 or more wanted`);
  }
  const classes = [...new Set(train.labels)].sort();
  const place = new Map(classes.map((label, i) => [label, i]));
  const known = test.labels.flatMap((label, row) => place.has(label) ? [row] : []);
  const standardizer = fitStandardizer(train.features);
  const data: Drawing = {
    pools: classes.map((label) => train.labels.flatMap((other, row) => other === label ? [row] : [])),
    x: applyStandardizer(train.features, standardizer),
    test: applyStandardizer(takeRows(test.features, known), standardizer),
    truth: known.map((row) => place.get(test.labels[row]!)!),
  };
  const why = classes.length < 2
    ? "fewer than two classes"
    : known.length === 0
    ? "no test rows of these classes"
    : undefined;
  const drawn: (readonly number[])[] = [];
  const scores = shots.map((k): KshotScore => {
    const short = data.pools.findIndex((pool) => pool.length < k);
    const reason = why ?? (short < 0 ? undefined : `${classes[short]} has ${data.pools[short]!.length} training rows`);
    return reason === undefined ? drawAll(data, { k, draws, seed, c }, drawn) : { k, mean: null, reason };
  });
  const drawsSha256 = sha256Of(JSON.stringify([train.labels, test.labels, drawn]));
  const leftOut = test.labels.length - known.length;
  return { classes, chance: 1 / Math.max(1, classes.length), scores, drawsSha256, leftOut };
}

interface Drawing {
  /** Training rows of each class. */
  readonly pools: readonly (readonly number[])[];
  readonly x: Table;
  readonly test: Table;
  readonly truth: readonly number[];
}

/** @param drawn Is told the rows of each draw. */
function drawAll(
  { pools, x, test, truth }: Drawing,
  { k, draws, seed, c }: { k: number; draws: number; seed: number; c: number },
  drawn: (readonly number[])[],
): KshotScore {
  const random = new Mt19937((seed * 64 + k) >>> 0);
  const values = Float64Array.from({ length: draws }, () => {
    const rows = pools.flatMap((pool) => [...random.permutation(pool.length).subarray(0, k)].map((i) => pool[i]!));
    drawn.push(rows);
    const labels = pools.flatMap((_, label) => Array<number>(k).fill(label));
    const model = fitLogistic(takeRows(x, rows), labels, { c, tolerance: 1e-6 });
    return balancedAccuracy(predictLogistic(model, test), truth);
  });
  return {
    k,
    draws,
    mean: mean(values),
    std: deviation(values),
    low: percentile(values, 2.5),
    high: percentile(values, 97.5),
    values: [...values],
  };
}
