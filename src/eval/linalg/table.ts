/**
 * Dense tables of numbers in memory, row by row: features of spots, and what is to be predicted for them.
 *
 * @module
 */

import { ShapeError } from "../../core/errors.ts";

/** A table `[rows, columns]`. */
export interface Table {
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns. */
  readonly columns: number;
  /** Row by row. */
  readonly data: Float32Array | Float64Array;
}

/**
 * A table of data that is there.
 *
 * @throws {ShapeError} If the number of elements is not rows x columns.
 */
export function table(rows: number, columns: number, data: Float32Array | Float64Array): Table {
  if (data.length !== rows * columns) {
    throw new ShapeError(`Cannot make a table ${rows} x ${columns}: given ${data.length} numbers`, {
      context: { given: data.length, wanted: [rows, columns] },
    });
  }
  return { rows, columns, data };
}

/** The rows of these numbers, in their order. */
export function takeRows(from: Table, rows: ArrayLike<number>): Table {
  const { columns } = from;
  const data = from.data instanceof Float32Array
    ? new Float32Array(rows.length * columns)
    : new Float64Array(rows.length * columns);
  for (let r = 0; r < rows.length; r++) {
    data.set(from.data.subarray(rows[r]! * columns, (rows[r]! + 1) * columns), r * columns);
  }
  return { rows: rows.length, columns, data };
}

/**
 * Tables of the same columns, one below the other.
 *
 * @throws {ShapeError} If their columns differ, or there is none.
 */
export function stackTables(parts: readonly Table[]): Table {
  const columns = parts[0]?.columns;
  if (columns === undefined || parts.some((part) => part.columns !== columns)) {
    throw new ShapeError(`Cannot stack tables: ${parts.map((part) => part.columns).join(", ") || "no"} columns given`, {
      hint: "All must be of the same width",
    });
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const single = parts.every((part) => part.data instanceof Float32Array);
  const data = single ? new Float32Array(rows * columns) : new Float64Array(rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { rows, columns, data };
}

/** One column. */
export function column({ rows, columns, data }: Table, j: number): Float64Array {
  const out = new Float64Array(rows);
  for (let r = 0; r < rows; r++) out[r] = data[r * columns + j]!;
  return out;
}

/** Row of the first number that is not finite; undefined where all are. */
export function firstNonFinite({ columns, data }: Table): number | undefined {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return Math.floor(i / columns);
  return undefined;
}
