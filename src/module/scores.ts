/**
 * How predictions of a run fit what was measured.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { TrainedModel } from "../eval/inference.ts";
import type { Spots } from "./spots.ts";

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
  spots: Spots,
  { batchSize, chosen, names, signal }: ScoreOptions,
): Promise<RunScores> {
  const known = model.vocabulary.genes;
  const { pearson } = await import("../eval/correlation.ts");
  const n = spots.count;
  // By gene, so that a column is one piece.
  const [predicted, measured] = [chosen, chosen].map((list) => list.map(() => new Float64Array(n)));
  for await (const { first, count, side, pixels, organs } of spots.images(batchSize, signal)) {
    const { expression } = await model.images(pixels, side, organs);
    if (expression.length !== count * known.length) throw noDecoder("evaluate");
    const truth = spots.gather(first, count);
    for (let i = 0; i < count; i++) {
      chosen.forEach((gene, k) => {
        predicted![k]![first + i] = expression[i * known.length + gene]!;
        measured![k]![first + i] = truth[i * known.length + gene]!;
      });
    }
  }
  const mean = (values: readonly (number | null)[]) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  };
  const table = spots.samples.map(({ first, count }) =>
    chosen.map((_, k) => {
      const part = (of: readonly Float64Array[] | undefined) => of![k]!.subarray(first, first + count);
      const score = pearson(part(predicted), part(measured));
      // A prediction that does not vary tells nothing.
      return score.reason === "constant prediction" ? 0 : score.value;
    })
  );
  const genes = chosen.map((gene, i) => [names[gene]!, mean(table.map((row) => row[i]!))] as const);
  return { spots: n, pearson: { mean: mean(table.map(mean)), genes: Object.fromEntries(genes) } };
}

/** The error for a model that predicts no expression. */
export function noDecoder(verb: string): DataError {
  return new DataError(`Cannot ${verb} expression: the model has no image decoder`, {
    code: "no-decoder",
    hint: "Train with lambda_recon_img above 0",
  });
}
