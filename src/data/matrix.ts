/**
 * Matrices `[rows, columns]` of f32, compressed by row or dense: the values of an expression table without its names.
 *
 * A slide has some 5,000 spots by 36,000 genes, 720 MB when dense and a tenth of it when compressed, so the functions here
 * keep what they get and make dense only what the caller asks for. No function changes its input.
 *
 * @module
 */

import { FormatError, LimitError, ShapeError } from "../core/errors.ts";

/** Compressed sparse rows: entries `indptr[i]` up to `indptr[i + 1]` of `indices` and `data` belong to row `i`. */
export interface Csr {
  readonly kind: "csr";
  readonly rows: number;
  readonly columns: number;
  /** `[rows + 1]`. */
  readonly indptr: Uint32Array;
  /** Column of each entry, ascending within a row, none twice. */
  readonly indices: Uint32Array;
  readonly data: Float32Array;
}

/** All entries, row by row. */
export interface Dense {
  readonly kind: "dense";
  readonly rows: number;
  readonly columns: number;
  /** `[rows, columns]`. */
  readonly data: Float32Array;
}

/** Either layout. */
export type Matrix = Csr | Dense;

/** Most entries a dense matrix may have: 4 GiB of f32. */
const DENSE_ENTRIES = 2 ** 30;

/**
 * Wraps dense numbers.
 *
 * @throws {ShapeError} If `data` has not `rows * columns` entries.
 */
export function dense(rows: number, columns: number, data: ArrayLike<number>): Dense {
  if (data.length !== rows * columns) {
    throw new ShapeError(`Cannot make a matrix: ${data.length} numbers, ${rows} x ${columns} wanted`);
  }
  return { kind: "dense", rows, columns, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/**
 * Wraps compressed rows as files have them: columns of a row in any order, an entry perhaps in several parts (then summed,
 * as scipy does).
 *
 * @throws {FormatError} If the parts contradict each other.
 */
export function csr(
  rows: number,
  columns: number,
  indptr: ArrayLike<number>,
  indices: ArrayLike<number>,
  data: ArrayLike<number>,
): Csr {
  checkCsr(rows, columns, indptr, indices, data);
  const out = new CsrBuilder(rows, columns, data.length);
  const row = new RowSum(columns);
  for (let i = 0; i < rows; i++) {
    for (let k = indptr[i]!; k < indptr[i + 1]!; k++) row.add(indices[k]!, data[k]!);
    row.flush(out);
  }
  return out.finish();
}

function checkCsr(
  rows: number,
  columns: number,
  indptr: ArrayLike<number>,
  indices: ArrayLike<number>,
  data: ArrayLike<number>,
): void {
  const fail = (what: string, wanted: string): FormatError =>
    new FormatError(`Cannot read a sparse matrix of ${rows} x ${columns}: ${what}, ${wanted} wanted`);
  if (indptr.length !== rows + 1) throw fail(`${indptr.length} row starts`, String(rows + 1));
  if (indices.length !== data.length) throw fail(`${indices.length} columns for ${data.length} values`, "as many");
  if (indptr[0] !== 0 || indptr[rows] !== data.length) {
    throw fail(`row starts from ${indptr[0]} to ${indptr[rows]}`, `0 to ${data.length}`);
  }
  for (let i = 0; i < rows; i++) {
    if (!(indptr[i]! <= indptr[i + 1]!)) throw fail(`row ${i} ends before it begins`, "ascending row starts");
  }
  for (let k = 0; k < indices.length; k++) {
    const column = indices[k]!;
    if (!(column >= 0 && column < columns && Number.isInteger(column))) {
      throw fail(`column ${column} in entry ${k}`, `0 to ${columns - 1}`);
    }
  }
}

/** Collects compressed rows whose number of entries is not known before. */
export class CsrBuilder {
  #indices: Uint32Array;
  #data: Float32Array;
  #size = 0;
  #row = 0;
  readonly #indptr: Uint32Array;

  /** Room for `expect` entries; it grows. */
  constructor(readonly rows: number, readonly columns: number, expect: number = 0) {
    this.#indptr = new Uint32Array(rows + 1);
    this.#indices = new Uint32Array(expect);
    this.#data = new Float32Array(expect);
  }

  /** Adds an entry to the current row; columns must ascend. Zeros are left out, NaN is kept. */
  push(column: number, value: number): void {
    if (value === 0) return;
    if (this.#size === this.#data.length) this.#grow();
    this.#indices[this.#size] = column;
    this.#data[this.#size++] = value;
  }

  /** Ends the current row. */
  endRow(): void {
    this.#indptr[++this.#row] = this.#size;
  }

  /** The matrix. */
  finish(): Csr {
    const { rows, columns } = this;
    const fits = this.#size === this.#data.length;
    const indices = fits ? this.#indices : this.#indices.slice(0, this.#size);
    const data = fits ? this.#data : this.#data.slice(0, this.#size);
    return { kind: "csr", rows, columns, indptr: this.#indptr, indices, data };
  }

  #grow(): void {
    const size = Math.max(1024, Math.ceil(this.#size * 1.5));
    const [indices, data] = [new Uint32Array(size), new Float32Array(size)];
    indices.set(this.#indices);
    data.set(this.#data);
    [this.#indices, this.#data] = [indices, data];
  }
}

/** One row as sums in f64, of which only the touched columns are visited. */
export class RowSum {
  readonly #sums: Float64Array;
  readonly #seen: Uint8Array;
  readonly #touched: Uint32Array;
  #count = 0;

  /** A row of zeros. */
  constructor(columns: number) {
    this.#sums = new Float64Array(columns);
    this.#seen = new Uint8Array(columns);
    this.#touched = new Uint32Array(columns);
  }

  /** Adds to one column. */
  add(column: number, value: number): void {
    if (this.#seen[column] === 0) {
      this.#seen[column] = 1;
      this.#touched[this.#count++] = column;
    }
    this.#sums[column]! += value;
  }

  /** Writes the row to `out`, ends it there, and is zero again. */
  flush(out: CsrBuilder): void {
    // Looking at every column is cheaper than sorting more than a few of them.
    const all = this.#count * 32 > this.#seen.length;
    const columns = this.#touched.subarray(0, this.#count);
    if (!all) columns.sort();
    const end = all ? this.#seen.length : this.#count;
    for (let k = 0; k < end; k++) {
      const column = all ? k : columns[k]!;
      if (this.#seen[column] === 0) continue;
      out.push(column, this.#sums[column]!);
      this.#sums[column] = 0;
      this.#seen[column] = 0;
    }
    this.#count = 0;
    out.endRow();
  }
}

/** Calls `visit(column, value)` for the entries of one row; a compressed one skips the zeros. */
export function visitRow(matrix: Matrix, row: number, visit: (column: number, value: number) => void): void {
  if (matrix.kind === "csr") {
    const end = matrix.indptr[row + 1]!;
    for (let k = matrix.indptr[row]!; k < end; k++) visit(matrix.indices[k]!, matrix.data[k]!);
  } else {
    const start = row * matrix.columns;
    for (let j = 0; j < matrix.columns; j++) visit(j, matrix.data[start + j]!);
  }
}

/** Sum of each row, `[rows]`, in f64. */
export function rowSums(matrix: Matrix): Float64Array {
  const sums = new Float64Array(matrix.rows);
  for (let i = 0; i < matrix.rows; i++) visitRow(matrix, i, (_, value) => sums[i]! += value);
  return sums;
}

/** Sum of each column, `[columns]`, in f64. */
export function columnSums(matrix: Matrix): Float64Array {
  const sums = new Float64Array(matrix.columns);
  for (let i = 0; i < matrix.rows; i++) visitRow(matrix, i, (column, value) => sums[column]! += value);
  return sums;
}

/** Rows in which each column is above zero, `[columns]`. */
export function columnCounts(matrix: Matrix): Uint32Array {
  const counts = new Uint32Array(matrix.columns);
  for (let i = 0; i < matrix.rows; i++) {
    visitRow(matrix, i, (column, value) => {
      if (value > 0) counts[column]!++;
    });
  }
  return counts;
}

/** The given rows in the given order, in the same layout; a row may be wanted twice. */
export function selectRows(matrix: Matrix, rows: ArrayLike<number>): Matrix {
  if (matrix.kind === "dense") {
    const out = new Float32Array(rows.length * matrix.columns);
    for (let i = 0; i < rows.length; i++) {
      const from = rows[i]! * matrix.columns;
      out.set(matrix.data.subarray(from, from + matrix.columns), i * matrix.columns);
    }
    return dense(rows.length, matrix.columns, out);
  }
  const indptr = new Uint32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) {
    indptr[i + 1] = indptr[i]! + matrix.indptr[rows[i]! + 1]! - matrix.indptr[rows[i]!]!;
  }
  const indices = new Uint32Array(indptr[rows.length]!);
  const data = new Float32Array(indices.length);
  for (let i = 0; i < rows.length; i++) {
    const [from, to] = [matrix.indptr[rows[i]!]!, matrix.indptr[rows[i]! + 1]!];
    indices.set(matrix.indices.subarray(from, to), indptr[i]!);
    data.set(matrix.data.subarray(from, to), indptr[i]!);
  }
  return { kind: "csr", rows: rows.length, columns: matrix.columns, indptr, indices, data };
}

/**
 * Matrices of equal width below each other, compressed.
 *
 * @throws {ShapeError} If their widths differ.
 */
export function stackRows(matrices: readonly Matrix[]): Csr {
  const columns = matrices[0]?.columns ?? 0;
  const other = matrices.find((matrix) => matrix.columns !== columns);
  if (other !== undefined) {
    throw new ShapeError(`Cannot stack matrices: ${other.columns} columns, ${columns} as the first wanted`);
  }
  const out = new CsrBuilder(matrices.reduce((sum, matrix) => sum + matrix.rows, 0), columns);
  for (const matrix of matrices) {
    for (let i = 0; i < matrix.rows; i++) {
      visitRow(matrix, i, (column, value) => out.push(column, value));
      out.endRow();
    }
  }
  return out.finish();
}

/** The given columns, none of them twice, in the given order and the same layout. */
export function selectColumns(matrix: Matrix, columns: ArrayLike<number>): Matrix {
  const { rows } = matrix;
  if (matrix.kind === "dense") return dense(rows, columns.length, gatherColumns(matrix, columns));
  const place = new Int32Array(matrix.columns).fill(-1);
  for (let j = 0; j < columns.length; j++) place[columns[j]!] = j;
  const out = new CsrBuilder(rows, columns.length, columns.length === matrix.columns ? matrix.data.length : 0);
  const row = new RowSum(columns.length);
  // Columns that keep their order keep that of the entries, which is then no work.
  const ordered = Array.prototype.every.call(columns, (column: number, j) => j === 0 || columns[j - 1]! < column);
  for (let i = 0; i < rows; i++) {
    visitRow(matrix, i, (column, value) => {
      if (place[column]! >= 0) ordered ? out.push(place[column]!, value) : row.add(place[column]!, value);
    });
    ordered ? out.endRow() : row.flush(out);
  }
  return out.finish();
}

/**
 * Dense f32 `[rows, columns.length]`; a column of -1 is left zero.
 *
 * @throws {LimitError} If it would exceed 4 GiB.
 */
export function gatherColumns(matrix: Matrix, columns: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const width = columns.length;
  if (matrix.rows * width > DENSE_ENTRIES) {
    throw new LimitError(`Cannot make ${matrix.rows} x ${width} dense: ${DENSE_ENTRIES} entries are the most`, {
      hint: "Choose fewer genes (n_train_genes, gene_list), or split the sample",
    });
  }
  const out = new Float32Array(matrix.rows * width);
  if (matrix.kind === "dense") {
    for (let i = 0; i < matrix.rows; i++) {
      for (let j = 0; j < width; j++) {
        if (columns[j]! >= 0) out[i * width + j] = matrix.data[i * matrix.columns + columns[j]!]!;
      }
    }
    return out;
  }
  const place = new Int32Array(matrix.columns).fill(-1);
  for (let j = 0; j < width; j++) if (columns[j]! >= 0) place[columns[j]!] = j;
  for (let i = 0; i < matrix.rows; i++) {
    visitRow(matrix, i, (column, value) => {
      if (place[column]! >= 0) out[i * width + place[column]!] = value;
    });
  }
  return out;
}

/** The same numbers, dense. */
export function toDense(matrix: Matrix): Dense {
  if (matrix.kind === "dense") return matrix;
  const all = Uint32Array.from({ length: matrix.columns }, (_, j) => j);
  return dense(matrix.rows, matrix.columns, gatherColumns(matrix, all));
}

/** The same numbers, compressed. */
export function toCsr(matrix: Matrix): Csr {
  if (matrix.kind === "csr") return matrix;
  const out = new CsrBuilder(matrix.rows, matrix.columns);
  for (let i = 0; i < matrix.rows; i++) {
    visitRow(matrix, i, (column, value) => out.push(column, value));
    out.endRow();
  }
  return out.finish();
}

/** Every entry replaced by `f(value, row)`, rounded to f32; zeros of a compressed matrix stay, so `f(0)` must be 0. */
export function mapEntries(matrix: Matrix, f: (value: number, row: number) => number): Matrix {
  const data = new Float32Array(matrix.data.length);
  for (let i = 0; i < matrix.rows; i++) {
    const from = matrix.kind === "csr" ? matrix.indptr[i]! : i * matrix.columns;
    const to = matrix.kind === "csr" ? matrix.indptr[i + 1]! : from + matrix.columns;
    for (let k = from; k < to; k++) data[k] = f(matrix.data[k]!, i);
  }
  return { ...matrix, data };
}
