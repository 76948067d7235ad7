/**
 * How predictions of a run fit what was measured.
 *
 * @module
 */

import type { TrainingSet } from "../data/training_set.ts";
import type { TrainedModel } from "../eval/inference.ts";

/** How predictions fit measurements. */
export interface RunScores {
  /** Spots that were judged. */
  readonly spots: number;
  /** Pearson's correlation within samples. */
  readonly pearson: {
    /** Mean over samples of the mean over genes; null where none varies. */
    readonly mean: number | null;
    /** By gene, the mean over samples; null where it does not vary. */
    readonly genes: Readonly<Record<string, number | null>>;
  };
}

/** How data are passed through a model, and what of it is judged. */
export interface ScoreOptions {
  /** Patches a batch. */
  readonly batchSize: number;
  /** Columns of the genes that are judged. */
  readonly chosen: readonly number[];
  /** Names of all columns. */
  readonly names: readonly string[];
  /** Stops between batches. */
  readonly signal: AbortSignal | undefined;
}

/** Pearson's correlation within samples; a prediction that does not vary counts as 0, a gene that does not vary not at all. */
export async function scoresOf(
  model: TrainedModel,
  set: TrainingSet,
  { batchSize, chosen, names, signal }: ScoreOptions,
): Promise<RunScores> {
  const known = model.vocabulary.genes;
  const [{ PatchReader }, { pearson }, { disk }] = await Promise.all([
    import("../data/patch_reader.ts"),
    import("../eval/correlation.ts"),
    import("../io/fs.ts"),
  ]);
  const predicted = new Float32Array(set.count * known.length);
  const reader = new PatchReader(disk, set.patchTable());
  try {
    for (let first = 0; first < set.count; first += batchSize) {
      signal?.throwIfAborted();
      const pairs = Uint32Array.from({ length: Math.min(batchSize, set.count - first) }, (_, i) => first + i);
      const { data: bytes } = await reader.batch({ pairs });
      predicted.set((await model.images(bytes, reader.table.size)).expression, first * known.length);
    }
  } finally {
    reader.close();
  }
  const mean = (values: readonly (number | null)[]) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  };
  const table = set.samples.map(({ first, count }) =>
    chosen.map((gene) => {
      const column = (of: (pair: number) => number) => Float64Array.from({ length: count }, (_, i) => of(first + i));
      const score = pearson(
        column((pair) => predicted[pair * known.length + gene]!),
        column((pair) => set.expression(pair)[gene]!),
      );
      // A prediction that does not vary tells nothing.
      return score.reason === "constant prediction" ? 0 : score.value;
    })
  );
  const genes = chosen.map((gene, i) => [names[gene]!, mean(table.map((row) => row[i]!))] as const);
  return { spots: set.count, pearson: { mean: mean(table.map(mean)), genes: Object.fromEntries(genes) } };
}
