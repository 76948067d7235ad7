/**
 * Scores of gene sets a spot: the mean of a set's genes less the mean of as many controls as scanpy draws, genes of like mean
 * expression.
 *
 * Genes are ranked by their mean over the spots and cut into bins; of every bin in which the set has a gene at most 50 genes are
 * drawn, those of the set left out afterwards. The drawing is numpy's, so that the same controls are found.
 *
 * Source: scanpy 1.11, `tools/_score_genes.py`; Satija et al., Nature Biotechnology 33 (2015).
 *
 * @module
 */

import { Mt19937 } from "../../core/mt19937.ts";
import { type Matrix, visitRow } from "../matrix.ts";

/** How controls are drawn; scanpy's defaults. */
export interface ScoreOptions {
  readonly bins?: number;
  /** Genes drawn of a bin. */
  readonly controls?: number;
  readonly seed?: number;
}

/** Scores of sets. */
export interface Scores {
  /** `[spots, sets]`; NaN throughout for a set without genes or without controls. */
  readonly values: Float64Array;
  /** Controls of each set. */
  readonly controls: readonly number[];
}

/**
 * Scores sets.
 *
 * @param matrix ln(1 + counts per ten thousand), `[spots, genes]`.
 * @param sets Columns of the genes of each set.
 */
export function scoreGenes(matrix: Matrix, sets: readonly (readonly number[])[], options: ScoreOptions = {}): Scores {
  const { bins = 25, controls: most = 50, seed = 0 } = options;
  const cuts = cutsOf(meansOf(matrix), bins);
  const members = Map.groupBy(cuts.keys(), (gene) => cuts[gene]!);
  const drawn = sets.map((genes) => controlsOf(genes, cuts, members, most, seed));
  return { values: contrast(matrix, sets, drawn), controls: drawn.map((genes) => genes.length) };
}

/** Means of the genes as numpy and scipy have them: sums of f32 in the order of the spots. */
function meansOf(matrix: Matrix): Float64Array {
  const { rows, columns } = matrix;
  const sums = new Float32Array(columns);
  for (let i = 0; i < rows; i++) visitRow(matrix, i, (column, value) => sums[column]! += value);
  // Means of dense rows are stored as f32 too.
  return Float64Array.from(sums, (sum) => matrix.kind === "dense" ? Math.fround(sum / rows) : sum / rows);
}

/** Bin of each gene: its rank, the lowest of equals, over the genes of a bin. */
function cutsOf(means: Float64Array, bins: number): Int32Array {
  const size = roundHalfEven(means.length / (bins - 1));
  const order = Uint32Array.from(means.keys()).sort((a, b) => means[a]! - means[b]! || a - b);
  const cuts = new Int32Array(means.length);
  let rank = 0;
  order.forEach((gene, i) => {
    if (i === 0 || means[gene] !== means[order[i - 1]!]) rank = i + 1;
    // Fewer genes than bins: all are of one.
    cuts[gene] = size === 0 ? 0 : Math.floor(rank / size);
  });
  return cuts;
}

function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const over = value - down;
  return over > 0.5 || (over === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** Controls of a set. */
function controlsOf(
  genes: readonly number[],
  cuts: Int32Array,
  members: ReadonlyMap<number, readonly number[]>,
  most: number,
  seed: number,
): number[] {
  const rng = new Mt19937(seed);
  const own = new Set(genes);
  const wanted = [...new Set(genes.map((gene) => cuts[gene]!))].sort((a, b) => a - b);
  return wanted.flatMap((cut) => {
    const of = members.get(cut)!;
    const chosen = of.length > most ? [...rng.permutation(of.length).subarray(0, most)].map((i) => of[i]!) : of;
    return chosen.filter((gene) => !own.has(gene));
  });
}

/** Mean of a set's genes less that of its controls, of every spot. */
function contrast(
  matrix: Matrix,
  sets: readonly (readonly number[])[],
  controls: readonly (readonly number[])[],
): Float64Array {
  const weights: { readonly set: number; readonly weight: number }[][] = Array.from(
    { length: matrix.columns },
    () => [],
  );
  sets.forEach((genes, set) => {
    for (const gene of genes) weights[gene]!.push({ set, weight: 1 / genes.length });
    for (const gene of controls[set]!) weights[gene]!.push({ set, weight: -1 / controls[set]!.length });
  });
  const values = new Float64Array(matrix.rows * sets.length);
  for (let i = 0; i < matrix.rows; i++) {
    const row = values.subarray(i * sets.length, (i + 1) * sets.length);
    visitRow(matrix, i, (column, value) => {
      for (const { set, weight } of weights[column]!) row[set]! += weight * value;
    });
    sets.forEach((genes, set) => {
      if (genes.length === 0 || controls[set]!.length === 0) row[set] = NaN;
    });
  }
  return values;
}
