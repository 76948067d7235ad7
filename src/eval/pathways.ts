/**
 * Scores of gene sets, as targets of a regression: genes and scores are put on the scale of the training cases, so that nothing of
 * a test case reaches what is trained on.
 *
 * Gene g of case i: z = (x - mean) / deviation over the training cases; score of a set: the mean z of its genes; target: that
 * score less its mean over the training cases, by its deviation there.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { GeneSet } from "../data/cohort/gene_sets.ts";
import { describeOthers, GeneResolver, type OtherName } from "../data/genes/resolve.ts";
import { applyStandardizer, fitStandardizer, type Standardizer } from "./linalg/standardize.ts";
import { type Table, takeRows } from "./linalg/table.ts";

/** Targets on a scale of their own. */
export interface ScaledTargets {
  readonly targets: Table;
  /** Columns that are constant among the training cases. */
  readonly constant: readonly number[];
  /** Mean and divisor of each column. */
  readonly by: Standardizer;
}

/** Targets on the scale of the training cases; columns that are constant there are 0 throughout. */
export function standardizedTargets(raw: Table, train: readonly number[]): ScaledTargets {
  const by = fitStandardizer(takeRows(raw, train));
  const constant = [...by.scale.keys()].filter((j) => by.scale[j] === Infinity);
  return { targets: applyStandardizer(raw, by), constant, by };
}

/** Columns of the genes of each set. */
export interface PlacedSets {
  readonly places: readonly (readonly number[])[];
  /** Genes of sets that are not there, those under another name among them. */
  readonly absent: number;
  /** Genes that are there under another name, which count as absent. */
  readonly others: readonly OtherName[];
}

/** Finds the genes of sets by their names. @throws {DataError} If none of a set's genes is there. */
export function placeSets(genes: readonly string[], sets: readonly GeneSet[]): PlacedSets {
  const resolver = new GeneResolver(genes);
  const found = sets.map((set) => ({ set, ...resolver.find(set.genes, false) }));
  for (const { set: { name, genes: own }, columns, others } of found) {
    if (columns.length > 0) continue;
    const near = others.length > 0 ? `: ${describeOthers(others)}` : "";
    throw new DataError(
      `Cannot score gene set ${name}: none of its ${own.length} genes is in the expression table${near}`,
      {
        code: "gene-set",
        hint: "Name genes in both files alike, for example by their symbols",
        context: { set: name, genes: own.slice(0, 10), found: genes.slice(0, 10) },
      },
    );
  }
  return {
    places: found.map(({ columns }) => columns),
    absent: found.reduce((sum, { others, missing }) => sum + others.length + missing.length, 0),
    others: found.flatMap(({ others }) => others),
  };
}

/**
 * Scores of the sets, `[cases, sets]`, not yet standardised.
 *
 * @param train Rows of the training cases.
 */
export function scoreSets(values: Table, places: readonly (readonly number[])[], train: readonly number[]): Table {
  const { targets } = standardizedTargets(values, train);
  const data = new Float64Array(values.rows * places.length);
  for (let r = 0; r < values.rows; r++) {
    places.forEach((columns, s) => {
      const sum = columns.reduce((sum, j) => sum + targets.data[r * values.columns + j]!, 0);
      data[r * places.length + s] = sum / columns.length;
    });
  }
  return { rows: values.rows, columns: places.length, data };
}
