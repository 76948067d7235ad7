/**
 * Scores of a table of predictions: gene by gene over all spots, and slide by slide.
 *
 * @module
 */

import { meanSquaredError, pearson, rSquared, spearman } from "./correlation.ts";
import { mean } from "./linalg/statistics.ts";
import { column, type Table, takeRows } from "./linalg/table.ts";

/** How well one gene is predicted. What is not defined is null, and `reason` says why. */
export interface GeneScore {
  /** Name of the gene. */
  readonly gene: string;
  /** Pearson's correlation. */
  readonly pearson: number | null;
  /** Ties share their mean rank. */
  readonly spearman: number | null;
  /** As the protocol predicts. */
  readonly r2: number | null;
  /** Moved to the training mean where the protocol has no intercept. */
  readonly r2Intercept: number | null;
  /** Mean squared error, as the protocol predicts. */
  readonly mse: number;
  /** As `r2Intercept`. */
  readonly mseIntercept: number;
  /** Why something is null. */
  readonly reason?: string;
}

/** How well one slide is predicted. */
export interface SlideScore {
  /** Its name. */
  readonly slide: string;
  /** Test rows of it. */
  readonly spots: number;
  /** Mean over genes; one that is not defined counts as 0. */
  readonly pearsonMean: number;
  /** The same of Spearman's. */
  readonly spearmanMean: number;
  /** Genes whose correlation is not defined here. */
  readonly undefinedGenes: number;
  /** Correlation of each gene, in the order of the columns. */
  readonly pearson: readonly (number | null)[];
}

/** Predictions with what they should have been. */
export interface Predicted {
  readonly predictions: Table;
  readonly targets: Table;
}

/** Scores of each column. */
export function scoreGenes(
  { predictions, targets, genes, offset }: Predicted & {
    readonly genes: readonly string[];
    /** Added for the scores with intercept. */
    readonly offset?: Float64Array | undefined;
  },
): GeneScore[] {
  return genes.map((gene, j) => {
    const [got, want] = [column(predictions, j), column(targets, j)];
    const shifted = offset === undefined ? got : got.map((value) => value + offset[j]!);
    const r = pearson(got, want);
    const rho = spearman(got, want);
    const reason = r.reason ?? rho.reason;
    return {
      gene,
      pearson: r.value,
      spearman: rho.value,
      r2: rSquared(got, want).value,
      r2Intercept: rSquared(shifted, want).value,
      mse: meanSquaredError(got, want),
      mseIntercept: meanSquaredError(shifted, want),
      ...(reason === undefined ? {} : { reason }),
    };
  });
}

/** Scores of each slide, in the order they first occur. */
export function scoreSlides(
  { predictions, targets, slides }: Predicted & { readonly slides?: ArrayLike<string | number> | undefined },
): SlideScore[] {
  const rowsOf = new Map<string, number[]>();
  for (let r = 0; r < targets.rows; r++) {
    const slide = String(slides?.[r] ?? "all");
    const rows = rowsOf.get(slide);
    if (rows === undefined) rowsOf.set(slide, [r]);
    else rows.push(r);
  }
  return [...rowsOf].map(([slide, rows]) => {
    const [got, want] = [takeRows(predictions, rows), takeRows(targets, rows)];
    const columns = Array.from({ length: targets.columns }, (_, j) => [column(got, j), column(want, j)] as const);
    const r = columns.map(([a, b]) => pearson(a, b).value);
    return {
      slide,
      spots: rows.length,
      pearsonMean: mean(r.map((value) => value ?? 0)),
      spearmanMean: mean(columns.map(([a, b]) => spearman(a, b).value ?? 0)),
      undefinedGenes: r.filter((value) => value === null).length,
      pearson: r,
    };
  });
}
