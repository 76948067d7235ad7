/**
 * From raw counts to what the model reads, in the reference's order: names, smoothing on everything, filters, log
 * normalisation of both layers, choice of genes.
 *
 * Source: seal/omics_preprocess.py of github.com/mahmoodlab/SEAL.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { type Expression, selectSpots } from "../counts.ts";
import { type GeneOptions, type GeneReport, prepareGenes } from "./genes.ts";
import { expressedGenes } from "./heg.ts";
import { seuratGenes } from "./hvg_seurat.ts";
import { seuratV3Genes } from "./hvg_seurat_v3.ts";
import { columnCounts, columnSums, type Matrix, rowSums, selectColumns, selectRows, visitRow } from "../matrix.ts";
import { logNormalize, TARGET_SUM } from "./normalise.ts";
import { gridNeighbours, type Neighbourhood, type Neighbours, smooth } from "./smooth.ts";

/** Where the spots lie on the array, which smoothing needs. */
export interface SpotArray {
  /** `st_technology` of the sample's metadata; smoothed are `Visium` and `Visium HD`. */
  readonly technology: string;
  /** Row of each spot on the array, `[spots]`. */
  readonly rows: ArrayLike<number>;
  /** Column of each spot on the array, `[spots]`. */
  readonly columns: ArrayLike<number>;
}

/** How counts become expression; the defaults are the reference's. */
export interface PreprocessOptions extends GeneOptions {
  /** `log_norm`: ln(1 + counts per ten thousand). `none`: raw counts, for models of counts. */
  readonly geneNorm?: "log_norm" | "none";
  /** Counts a spot is scaled to. */
  readonly targetSum?: number;
  /** Which spots are neighbours on the array. */
  readonly neighbourhood?: Neighbourhood;
  /** Neighbours found otherwise, as for Visium HD whose array indices mean nothing; one list a spot of the raw table. */
  readonly neighbours?: Neighbours;
  /** Genes with a smaller total are dropped. */
  readonly minGeneCounts?: number;
  /** Genes seen in fewer spots are dropped. */
  readonly minGeneSpots?: number;
  /** Then spots with a smaller total over the genes left are dropped. */
  readonly minSpotCounts?: number;
  /** Spots with fewer of the genes left are dropped. */
  readonly minSpotGenes?: number;
}

/** Both layers of a sample after preprocessing, over the same spots and genes. */
export interface Preprocessed {
  /** Expression of the spot alone. */
  readonly own: Expression;
  /** Expression with half the neighbourhood's; `own` where nothing was smoothed. */
  readonly context: Expression;
  /** Row of the raw table that each spot had, `[spots]`. */
  readonly keep: Uint32Array;
  /** The chosen normalisation. */
  readonly geneNorm: "log_norm" | "none";
  readonly report: PreprocessReport;
}

/** What preprocessing did to a sample. */
export interface PreprocessReport {
  readonly genes: GeneReport;
  /** Whether neighbours were mixed in, and why not. */
  readonly smoothed: boolean;
  readonly notSmoothed: string | undefined;
  /** Genes dropped for small totals. */
  readonly rareGenes: readonly string[];
  /** Barcodes dropped for small totals. */
  readonly emptySpots: readonly string[];
}

/**
 * Preprocesses one sample.
 *
 * @param raw Raw counts `[spots, genes]`, checked by `checkCounts`.
 * @throws {DataError} If no gene or spot is left.
 * @throws {ConfigError} If `geneNorm` is unknown, the reference's `log` (which does nothing) included.
 */
export function preprocess(raw: Expression, array: SpotArray, options: PreprocessOptions = {}): Preprocessed {
  const { geneNorm = "log_norm", targetSum = TARGET_SUM } = options;
  if (geneNorm !== "log_norm" && geneNorm !== "none") {
    throw new ConfigError(`Cannot normalise by ${geneNorm}: log_norm or none wanted`, {
      hint: "The reference's log applies no transform; use gene_norm=log_norm",
    });
  }
  const { table, report: genes } = prepareGenes(raw, options);
  const notSmoothed = reasonNotToSmooth(table, array, options);
  const mixed = notSmoothed === undefined
    ? smooth(table.matrix, options.neighbours ?? gridNeighbours(array.rows, array.columns, options.neighbourhood))
    : table.matrix;
  const { columns, rows } = filters(table, options);
  const layer = (matrix: Matrix): Expression => {
    const part = selectRows(selectColumns(matrix, columns), rows);
    return {
      sample: table.sample,
      spots: Array.from(rows, (i) => table.spots[i]!),
      genes: Array.from(columns, (j) => table.genes[j]!),
      ...(table.written && { written: table.written }),
      matrix: geneNorm === "none" ? part : logNormalize(part, targetSum),
    };
  };
  const own = layer(table.matrix);
  const [kept, chosen] = [new Set(rows), new Set(columns)];
  return {
    own,
    context: notSmoothed === undefined ? layer(mixed) : own,
    keep: rows,
    geneNorm,
    report: {
      genes,
      smoothed: notSmoothed === undefined,
      notSmoothed,
      rareGenes: table.genes.filter((_, j) => !chosen.has(j)),
      emptySpots: table.spots.filter((_, i) => !kept.has(i)),
    },
  };
}

function reasonNotToSmooth(table: Expression, array: SpotArray, options: PreprocessOptions): string | undefined {
  if (array.technology !== "Visium" && array.technology !== "Visium HD") return `technology ${array.technology}`;
  const spots = table.spots.length;
  if (spots < 2) return "a single spot";
  if (options.neighbours !== undefined) return undefined;
  if (array.rows.length !== spots || array.columns.length !== spots) {
    throw new DataError(
      `Cannot smooth ${table.sample}: ${array.rows.length} rows and ${array.columns.length} columns of the array, ` +
        `${spots} (one a spot) wanted`,
    );
  }
  for (let i = 0; i < spots; i++) {
    if (!Number.isFinite(array.rows[i]) || !Number.isFinite(array.columns[i])) {
      return `no place on the array for spot ${table.spots[i]}`;
    }
  }
  return undefined;
}

/** Genes by their totals, then spots by their totals over those genes. */
function filters(table: Expression, options: PreprocessOptions): { columns: Uint32Array; rows: Uint32Array } {
  const { minGeneCounts = 3, minGeneSpots = 0, minSpotCounts = 1, minSpotGenes = 0 } = options;
  const totals = columnSums(table.matrix);
  const seen = columnCounts(table.matrix);
  const columns = Uint32Array.from(totals.keys()).filter((j) =>
    totals[j]! >= minGeneCounts && seen[j]! >= minGeneSpots
  );
  const part = selectColumns(table.matrix, columns);
  const sums = rowSums(part);
  const rows = Uint32Array.from(sums.keys()).filter((i) => {
    if (sums[i]! < minSpotCounts) return false;
    let genes = 0;
    if (minSpotGenes > 0) visitRow(part, i, (_, value) => genes += Number(value > 0));
    return genes >= minSpotGenes;
  });
  if (columns.length === 0 || rows.length === 0) {
    throw new DataError(
      `Cannot use ${table.sample}: ${columns.length} genes and ${rows.length} spots left of ${table.genes.length} and ` +
        `${table.spots.length}, some wanted`,
      { hint: "Check that the counts are raw and the sample has tissue", context: { sample: table.sample } },
    );
  }
  return { columns, rows };
}

/** What genes are chosen by: dispersion (or, of raw counts, standardised variance), or mean. */
export type GeneCriterion = "hvg" | "heg";

/**
 * Names of the best genes, best first, judged on the spots' own expression even where the model reads the smoothed one.
 *
 * @param most How many; fewer are given where there are fewer.
 */
export function rankGenes(sample: Preprocessed, criterion: GeneCriterion, most: number = Infinity): string[] {
  const { genes, matrix } = sample.own;
  const order = criterion === "heg"
    ? expressedGenes(matrix).order
    : sample.geneNorm === "none"
    ? seuratV3Genes(matrix).order
    : seuratGenes(matrix).order;
  return Array.from(order.subarray(0, Math.min(most, order.length)), (j) => genes[j]!);
}

/** The given spots of both layers, by their rows here. */
export function selectPreprocessed(sample: Preprocessed, rows: ArrayLike<number>): Preprocessed {
  const own = selectSpots(sample.own, rows);
  return {
    ...sample,
    own,
    context: sample.context === sample.own ? own : selectSpots(sample.context, rows),
    keep: Uint32Array.from({ length: rows.length }, (_, i) => sample.keep[rows[i]!]!),
  };
}
