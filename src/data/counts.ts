/**
 * An expression table: a matrix of spots by genes with the names of both, and the checks raw counts must pass.
 *
 * @module
 */

import { DataError, ShapeError } from "../core/errors.ts";
import { shortF32 } from "../io/csv.ts";
import { blocks, type Matrix as StoredMatrix } from "../io/sparse.ts";
import { type Matrix, selectColumns, selectRows, visitRow } from "./matrix.ts";

/** Expression of one sample. */
export interface Expression {
  /** Name of the sample, for messages. */
  readonly sample: string;
  /** Barcodes, one for each row. */
  readonly spots: readonly string[];
  /** Gene names, one for each column. */
  readonly genes: readonly string[];
  /** How the data write genes whose name here differs, as `C1orf53` of `C1ORF53`. */
  readonly written?: ReadonlyMap<string, string>;
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
  /** Entries that are not zero. */
  readonly nonzero: number;
  /** Entries that are no whole number; above zero where the table is not raw. */
  readonly fractions: number;
  /** Largest entry; from 65,000 on 16-bit sums may have wrapped where the file was made. */
  readonly max: number;
  /** The first NaN, infinity or negative number, the first fraction, and the first count too large, in words. */
  readonly first: { readonly bad?: string; readonly fraction?: string; readonly large?: string };
}

/** Names of a table's rows and columns, for messages. */
type Names = Pick<Expression, "sample" | "spots" | "genes">;

/** From here on f32 cannot represent every whole number. */
export const TOO_LARGE: number = 2 ** 24;

/** Looks at every entry once. */
export function scanCounts({ matrix, ...names }: Expression): CountScan {
  return scan(names, (look) => {
    for (let row = 0; row < matrix.rows; row++) visitRow(matrix, row, (column, value) => look(row, column, value));
  });
}

/** As {@linkcode scanCounts}, of a matrix that is read by blocks. */
export function scanStored(matrix: StoredMatrix, names: Names): CountScan {
  return scan(names, (look) => {
    for (const { from, indptr, indices, values } of blocks(matrix)) {
      for (let row = 0; row + 1 < indptr.length; row++) {
        for (let k = indptr[row]!; k < indptr[row + 1]!; k++) look(from + row, indices[k]!, values[k]!);
      }
    }
  });
}

function scan(
  names: Names,
  each: (look: (row: number, column: number, value: number) => void) => void,
): CountScan {
  const notFinite = new Set<number>();
  const negative = new Set<number>();
  let [nonzero, fractions, max] = [0, 0, 0];
  const first: { bad?: string; fraction?: string; large?: string } = {};
  each((row, column, value) => {
    if (value === 0) return;
    nonzero++;
    if (value > max) max = value;
    if (Number.isInteger(value) && value > 0 && value < TOO_LARGE) return;
    const place = () => `${shortF32(value)} in spot ${names.spots[row]}, gene ${names.genes[column]}`;
    if (!Number.isFinite(value) || value < 0) {
      (Number.isFinite(value) ? negative : notFinite).add(row);
      first.bad ??= place();
    } else if (Number.isInteger(value)) first.large ??= place();
    else {
      fractions++;
      first.fraction ??= place();
    }
  });
  return { notFinite: [...notFinite], negative: [...negative], nonzero, fractions, max, first };
}

/** Whether a matrix has counts: whole numbers from 0 that f32 tells apart, some above 0. Looks no further than needed. */
export function holdsCounts(matrix: StoredMatrix): boolean {
  if (matrix.dtype === "bool") return false;
  let some = false;
  for (const { values } of blocks(matrix)) {
    for (const value of values) {
      if (!(Number.isInteger(value) && value >= 0 && value < TOO_LARGE)) return false;
      some ||= value > 0;
    }
  }
  return some;
}

/** What to do about rows that are no counts. */
export interface CountOptions {
  /** Drop rows with NaN, infinity or negative numbers instead of refusing the sample. */
  readonly dropBadSpots?: boolean;
  /** What the reader may do about numbers that are no counts; `rows` says that leaving rows out would do. */
  readonly mend?: (rows: boolean) => string;
  /** File and place in it, for messages. */
  readonly source?: string;
  /** Type the file keeps them in. */
  readonly dtype?: string | undefined;
}

/**
 * Refuses what is no table of raw counts.
 *
 * @returns The rows to leave out, of which there are some only where `dropBadSpots` asks for it, and what the user should know.
 * @throws {DataError} If entries are true and false, or NaN, infinite, negative, fractions or 2^24 and more, naming spot and
 * gene, or all are 0.
 */
export function checkCounts(
  sample: string,
  scan: CountScan,
  options: CountOptions = {},
): { bad: ReadonlySet<number>; warnings: readonly string[] } {
  const { source = "in memory" } = options;
  const { first, notFinite, negative, fractions, nonzero } = scan;
  const bad = new Set([...notFinite, ...negative].sort((a, b) => a - b));
  const refuse = (found: string, wanted: string, rows = false, what = `the counts of ${sample}`) =>
    new DataError(`Cannot use ${what}: ${found}, ${wanted} wanted in ${source}`, {
      code: "counts",
      ...(options.mend ? { hint: options.mend(rows) } : {}),
      context: {
        sample,
        file: source,
        found,
        expected: wanted,
        notFinite: notFinite.length,
        negative: negative.length,
        fractions,
      },
    });
  if (options.dtype === "bool") throw refuse("true and false, which say whether a gene is there", "how often");
  if (bad.size > 0 && options.dropBadSpots !== true) {
    throw refuse(first.bad!, "whole numbers from 0", fractions === 0);
  }
  if (fractions > 0) {
    const share = Math.max(0.1, 100 * fractions / nonzero).toFixed(1);
    const found = `${first.fraction}, and ${share} % of the numbers are fractions`;
    throw refuse(found, "whole numbers", false, `${sample} as raw counts`);
  }
  if (first.large !== undefined) throw refuse(first.large, `counts below ${TOO_LARGE}`);
  if (nonzero === 0) throw refuse("all are 0", "some above 0");
  const warnings = suspicious(sample, scan.max, options.dtype);
  if (bad.size > 0) warnings.push(badSpots(sample, bad.size));
  return { bad, warnings };
}

/** Largest numbers of small types. */
const FULL: Readonly<Record<string, number>> = { i1: 127, u1: 255 };

/** What a sample's largest count says of how it was made. */
function suspicious(sample: string, max: number, dtype = ""): string[] {
  if (max === 1) return [`${sample}: no count is above 1, as where it was only noted whether a gene is there`];
  if (max === FULL[dtype]) {
    return [`${sample}: a count of ${max}, the most its ${dtype} holds; larger ones were cut or have wrapped`];
  }
  return max >= 65_000 && max <= 65_535
    ? [`${sample}: a count of ${max}; 16-bit sums may have wrapped where the file was made`]
    : [];
}

/** Says that spots were left out because of their counts. */
export function badSpots(sample: string, count: number): string {
  return `${sample}: ${count} spots with NaN, infinite or negative counts were left out`;
}
