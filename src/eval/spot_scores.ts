/**
 * Scores over spots: of each spot how its genes are predicted, averaged. They are SEAL's metrics of a batch.
 *
 * Correlations along genes are high wherever the genes differ in their means, which a model knows without the image: beside
 * those along spots they tell whether a profile is plausible, not whether it is this spot's.
 *
 * Source: SEAL's `metrics`, with its deviations (n - 1, and 1e-8 added) and its ordinal ranks beside tied ones.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { ranks, type Ties } from "./correlation.ts";
import type { Table } from "./linalg/table.ts";

/** Means over spots. */
export interface SpotScores {
  /** Squared error, over spots and genes. */
  readonly mse: number;
  /** Correlation along the genes of a spot; 0 of a constant one. */
  readonly pearson: number;
  /** That of ranks, ties averaged. */
  readonly spearman: number;
  /** With ranks by where a value stands, as the reference has it. */
  readonly spearmanOrdinal: number;
  /** Share of spots for which every gene is predicted the same. */
  readonly constant: number;
}

/** Keeps constant rows from dividing by zero. */
const EPSILON = 1e-8;

function rowCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let j = 0; j < n; j++) {
    meanA += a[j]! / n;
    meanB += b[j]! / n;
  }
  let [dot, squareA, squareB] = [0, 0, 0];
  for (let j = 0; j < n; j++) {
    const [x, y] = [a[j]! - meanA, b[j]! - meanB];
    dot += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  const deviation = (square: number) => Math.sqrt(square / (n - 1)) + EPSILON;
  return dot / (n - 1) / (deviation(squareA) * deviation(squareB));
}

/**
 * Scores spots; undefined without spots, or with fewer than two genes.
 *
 * @param offset Added to the predictions of each gene.
 * @throws {ShapeError} If the tables differ in extents.
 */
export function scoreSpots(predictions: Table, targets: Table, offset?: ArrayLike<number>): SpotScores | undefined {
  const { rows, columns } = targets;
  if (predictions.rows !== rows || predictions.columns !== columns) {
    const given = `${predictions.rows} x ${predictions.columns}`;
    throw new ShapeError(`Cannot score spots: predictions ${given}, ${rows} x ${columns} wanted`);
  }
  if (rows === 0 || columns < 2) return undefined;
  const sums = { mse: 0, pearson: 0, spearman: 0, spearmanOrdinal: 0, constant: 0 };
  const said = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    const true_ = targets.data.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j < columns; j++) {
      said[j] = predictions.data[i * columns + j]! + (offset?.[j] ?? 0);
      sums.mse += (said[j]! - true_[j]!) ** 2 / columns;
    }
    const ranked = (ties: Ties) => rowCorrelation(ranks(said, ties), ranks(true_, ties));
    sums.pearson += rowCorrelation(said, true_);
    sums.spearman += ranked("average");
    sums.spearmanOrdinal += ranked("ordinal");
    if (said.every((value) => value === said[0])) sums.constant++;
  }
  return {
    mse: sums.mse / rows,
    pearson: sums.pearson / rows,
    spearman: sums.spearman / rows,
    spearmanOrdinal: sums.spearmanOrdinal / rows,
    constant: sums.constant / rows,
  };
}
