/**
 * An expression table: a matrix of spots by genes with the names of both, and the checks raw counts must pass.
 *
 * @module
 */

import { DataError, ShapeError } from "../core/errors.ts";
import { type Matrix, selectColumns, selectRows } from "./matrix.ts";

/** Expression of one sample. */
export interface Expression {
  /** Name of the sample, for messages. */
  readonly sample: string;
  /** Barcodes, one for each row. */
  readonly spots: readonly string[];
  /** Gene names, one for each column. */
  readonly genes: readonly string[];
  /** `[spots, genes]`: raw counts, or what was made of them. */
  readonly matrix: Matrix;
}

/**
 * Joins numbers and names.
 *
 * @throws {ShapeError} If there are not as many names as rows and columns.
 */
export function expression(
  sample: string,
  spots: readonly string[],
  genes: readonly string[],
  matrix: Matrix,
): Expression {
  if (spots.length !== matrix.rows || genes.length !== matrix.columns) {
    throw new ShapeError(
      `Cannot name the expression of ${sample}: ${spots.length} spots and ${genes.length} genes, ` +
        `${matrix.rows} x ${matrix.columns} wanted`,
    );
  }
  return { sample, spots, genes, matrix };
}

/** The given spots (row numbers) in the given order. */
export function selectSpots(table: Expression, rows: ArrayLike<number>): Expression {
  const spots = Array.from(rows, (row) => table.spots[row]!);
  return { ...table, spots, matrix: selectRows(table.matrix, rows) };
}

/** The given genes (column numbers, none twice) in the given order. */
export function selectGenes(table: Expression, columns: ArrayLike<number>): Expression {
  const genes = Array.from(columns, (column) => table.genes[column]!);
  return { ...table, genes, matrix: selectColumns(table.matrix, columns) };
}

/** What one pass over raw counts found. */
export interface CountScan {
  /** Rows with NaN or infinity, ascending. */
  readonly notFinite: readonly number[];
  /** Rows with a number below zero, ascending. */
  readonly negative: readonly number[];
  /** Entries that are no whole number; above zero where the table is not raw. */
  readonly fractions: number;
  /** Largest entry; from 65,000 on 16-bit sums may have wrapped where the file was made. */
  readonly max: number;
  /** The first offender, in words. */
  readonly first: string | undefined;
}

/** Looks at every entry once. */
export function scanCounts(table: Expression): CountScan {
  const notFinite = new Set<number>();
  const negative = new Set<number>();
  let fractions = 0;
  let max = 0;
  let first: string | undefined;
  const { matrix } = table;
  for (let row = 0; row < matrix.rows; row++) {
    const from = matrix.kind === "csr" ? matrix.indptr[row]! : row * matrix.columns;
    const to = matrix.kind === "csr" ? matrix.indptr[row + 1]! : from + matrix.columns;
    for (let k = from; k < to; k++) {
      const value = matrix.data[k]!;
      if (Number.isInteger(value) && value >= 0) {
        if (value > max) max = value;
        continue;
      }
      if (!Number.isFinite(value)) notFinite.add(row);
      else if (value < 0) negative.add(row);
      else fractions++;
      if (value > max) max = value;
      first ??= `${value} in spot ${table.spots[row]}, gene ${
        table.genes[matrix.kind === "csr" ? matrix.indices[k]! : k - from]
      }`;
    }
  }
  return { notFinite: [...notFinite], negative: [...negative], fractions, max, first };
}

/** What to do about rows that are no counts. */
export interface CountOptions {
  /** Drop rows with NaN, infinity or negative numbers instead of refusing the sample. */
  readonly dropBadSpots?: boolean;
}

/**
 * Refuses what is no table of raw counts.
 *
 * @returns The table, without the bad rows where that was asked for, and the names of the rows dropped.
 * @throws {DataError} If entries are NaN, infinite or negative, or most are fractions.
 */
export function checkCounts(
  table: Expression,
  options: CountOptions = {},
): { table: Expression; dropped: readonly string[]; warnings: readonly string[] } {
  const scan = scanCounts(table);
  const bad = new Set([...scan.notFinite, ...scan.negative]);
  if (bad.size > 0 && options.dropBadSpots !== true) {
    throw new DataError(`Cannot use the counts of ${table.sample}: ${scan.first}, whole numbers from 0 wanted`, {
      hint: "Drop such spots with dropBadSpots, or mend the file",
      context: { sample: table.sample, notFinite: scan.notFinite.length, negative: scan.negative.length },
    });
  }
  if (scan.fractions > 0) {
    throw new DataError(`Cannot use ${table.sample} as raw counts: ${scan.first}, whole numbers wanted`, {
      hint: "Give the layer with raw counts",
      context: { sample: table.sample, fractions: scan.fractions },
    });
  }
  const warnings = scan.max >= 65_000 && scan.max <= 65_535
    ? [`${table.sample}: a count of ${scan.max}; 16-bit sums may have wrapped where the file was made`]
    : [];
  if (bad.size === 0) return { table, dropped: [], warnings };
  const keep = table.spots.map((_, row) => row).filter((row) => !bad.has(row));
  return { table: selectSpots(table, keep), dropped: [...bad].map((row) => table.spots[row]!), warnings };
}
