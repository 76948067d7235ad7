/**
 * Highly variable genes, flavour `seurat`: dispersion against that of genes of similar mean.
 *
 * Source: scanpy 1.10.3, `preprocessing/_highly_variable_genes.py`; Satija et al., Nature Biotechnology 33 (2015).
 * scanpy's order of equal scores is undefined; here it is the order of the columns.
 *
 * @module
 */

import { columnMoments, descending } from "./moments.ts";
import { mapEntries, type Matrix } from "../matrix.ts";

/** Options of the flavour. */
export interface SeuratOptions {
  /** Bins of equal width over the means. */
  readonly bins?: number;
  /** Base of the logarithm the matrix was made with; e by default. */
  readonly base?: number;
}

/** What the flavour finds, one number for each gene. */
export interface SeuratGenes {
  /** ln(1 + mean of the undone logarithm). */
  readonly means: Float64Array;
  /** ln(variance / mean); NaN for a constant gene. */
  readonly dispersions: Float64Array;
  /** Bin of each gene. */
  readonly bins: Int32Array;
  /** Dispersion standardised within its bin, in f32 as scanpy stores it. */
  readonly scores: Float32Array;
  /** Columns, best first. */
  readonly order: Uint32Array;
}

/**
 * Scores the genes of a log-normalised matrix `[spots, genes]`.
 *
 * A bin with one finite dispersion gives it the score 1.
 */
export function seuratGenes(matrix: Matrix, options: SeuratOptions = {}): SeuratGenes {
  const scale = options.base === undefined ? 1 : Math.log(options.base);
  const counts = mapEntries(matrix, (value) => Math.expm1(Math.fround(value * scale)));
  const { mean, variance } = columnMoments(counts);
  const means = new Float64Array(mean.length);
  const dispersions = new Float64Array(mean.length);
  for (let j = 0; j < mean.length; j++) {
    const positive = mean[j] === 0 ? 1e-12 : mean[j]!;
    const dispersion = variance[j]! / positive;
    dispersions[j] = dispersion === 0 ? NaN : Math.log(dispersion);
    means[j] = Math.log1p(positive);
  }
  const edges = cutEdges(means, options.bins ?? 20);
  const bins = Int32Array.from(means, (value) => binOf(value, edges));
  const scores = standardise(dispersions, bins, edges.length - 1);
  return { means, dispersions, bins, scores, order: descending(scores) };
}

/** Edges of pandas' `cut`: equal widths, the lowest moved down by a thousandth of the range. */
export function cutEdges(values: Float64Array, bins: number): Float64Array {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) {
    low -= low === 0 ? 0.001 : 0.001 * Math.abs(low);
    high += high === 0 ? 0.001 : 0.001 * Math.abs(high);
    return Float64Array.from({ length: bins + 1 }, (_, k) => k === bins ? high : low + k * ((high - low) / bins));
  }
  const step = (high - low) / bins;
  const edges = Float64Array.from({ length: bins + 1 }, (_, k) => k === bins ? high : low + k * step);
  edges[0]! -= 0.001 * (high - low);
  return edges;
}

/** Bin k holds what is above edge k and not above edge k + 1. */
function binOf(value: number, edges: Float64Array): number {
  let [from, to] = [0, edges.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (edges[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

function standardise(values: Float64Array, bins: Int32Array, count: number): Float32Array {
  const size = new Uint32Array(count);
  const mean = new Float64Array(count);
  const deviation = new Float64Array(count);
  values.forEach((value, j) => {
    if (Number.isNaN(value)) return;
    size[bins[j]!]!++;
    mean[bins[j]!]! += value;
  });
  for (let k = 0; k < count; k++) mean[k]! /= size[k]!;
  values.forEach((value, j) => {
    if (!Number.isNaN(value)) deviation[bins[j]!]! += (value - mean[bins[j]!]!) ** 2;
  });
  for (let k = 0; k < count; k++) {
    deviation[k] = size[k]! > 1 ? Math.sqrt(deviation[k]! / (size[k]! - 1)) : mean[k]!;
    if (size[k] === 1) mean[k] = 0;
  }
  return Float32Array.from(values, (value, j) => (value - mean[bins[j]!]!) / deviation[bins[j]!]!);
}
