/**
 * Highly variable genes, flavour `seurat_v3`: variance of raw counts against that expected of their mean.
 *
 * Source: scanpy 1.10.3, `preprocessing/_highly_variable_genes.py`; Stuart et al., Cell 177 (2019).
 *
 * @module
 */

import { loess } from "./loess.ts";
import { type Matrix, visitRow } from "../matrix.ts";
import { columnMoments, descending } from "./moments.ts";

/** What the flavour finds, one number for each gene. */
export interface SeuratV3Genes {
  readonly means: Float64Array;
  readonly variances: Float64Array;
  /** Variance of the standardised and clipped counts. */
  readonly scores: Float64Array;
  /** Columns, best first. */
  readonly order: Uint32Array;
}

/**
 * Scores the genes of raw counts `[spots, genes]`.
 *
 * @param span Share of the genes in a neighbourhood of the curve of log variance over log mean.
 * @throws {DataError} If the curve cannot be fitted: too few genes that vary.
 */
export function seuratV3Genes(matrix: Matrix, span = 0.3): SeuratV3Genes {
  const { mean, variance } = columnMoments(matrix);
  const varying = Uint32Array.from(mean.keys()).filter((j) => variance[j]! > 0);
  const fit = loess(
    Float64Array.from(varying, (j) => Math.log10(mean[j]!)),
    Float64Array.from(varying, (j) => Math.log10(variance[j]!)),
    { span },
  );
  const deviation = new Float64Array(mean.length).fill(1);
  varying.forEach((j, i) => deviation[j] = Math.sqrt(10 ** fit[i]!));
  const rows = matrix.rows;
  const most = mean.map((value, j) => value + deviation[j]! * Math.sqrt(rows));
  const sum = new Float64Array(mean.length);
  const squares = new Float64Array(mean.length);
  for (let i = 0; i < rows; i++) {
    visitRow(matrix, i, (column, value) => {
      const clipped = Math.min(value, most[column]!);
      sum[column]! += clipped;
      squares[column]! += clipped * clipped;
    });
  }
  const scores = mean.map((m, j) => (rows * m * m + squares[j]! - 2 * sum[j]! * m) / ((rows - 1) * deviation[j]! ** 2));
  return { means: mean, variances: variance, scores, order: descending(scores) };
}
