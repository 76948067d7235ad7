/**
 * What a run holds out, and how predictions on it are scored while it trains.
 *
 * @module
 */

import type { TrainingSet } from "../data/training_set.ts";
import { pearson } from "../eval/correlation.ts";

/** Samples that are held out, test before validation. */
export function heldOutSamples({ set }: { readonly set: Pick<TrainingSet, "samples"> }): TrainingSet["samples"] {
  const test = set.samples.filter(({ role }) => role === "test");
  return test.length ? test : set.samples.filter(({ role }) => role === "validation");
}

/** Numbers of the pairs of samples, in order. */
export function pairsOf(samples: readonly { readonly first: number; readonly count: number }[]): number[] {
  return samples.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
}

/**
 * Mean over samples of the mean over genes of the correlation between prediction and measurement; genes that do not vary in a
 * sample do not count there. NaN where none varies.
 */
export function meanPearson(
  predicted: Float32Array,
  measured: Float32Array,
  genes: { readonly count: number; readonly chosen: readonly number[] },
  samples: readonly { readonly count: number }[],
): number {
  let [sum, slides, row] = [0, 0, 0];
  for (const { count } of samples) {
    const column = (data: Float32Array, gene: number) =>
      Float64Array.from({ length: count }, (_, i) => data[(row + i) * genes.count + gene]!);
    const found = genes.chosen.map((gene) => pearson(column(predicted, gene), column(measured, gene)))
      .filter(({ reason }) => reason === undefined || reason === "constant prediction")
      .map(({ reason, value }) => (reason === undefined ? value! : 0));
    if (found.length) {
      sum += found.reduce((a, b) => a + b, 0) / found.length;
      slides++;
    }
    row += count;
  }
  return slides ? sum / slides : NaN;
}
