/**
 * Matrices stored in HDF5: dense, or compressed by rows or columns, as anndata, h5sparse and 10x Genomics write them.
 *
 * Everything is checked before it is used: lengths, pointers, and every index. A matrix compressed by columns is turned by
 * windows of rows that fit in memory, with one pass over the file each.
 *
 * @module
 */

import { LimitError } from "../../core/errors.ts";
import type { H5Array, H5File } from "./h5.ts";
import { toF64 } from "./h5_types.ts";
import { canonical, type Matrix, MOST_ENTRIES, type SparseRows } from "../sparse.ts";

/** Entries read from the file at once in a pass over all. */
const SLICE = 1 << 20;
/** Entries of a window of a matrix compressed by columns. */
const WINDOW = 1 << 24;
/** Entries of a block of a dense matrix that is kept, a whole chunk. */
const KEPT = 1 << 26;
/** Times a place of the matrix may have an entry, on average: repeats are summed. */
const MOST_REPEATS = 2;
/** Most rows or columns. */
const MOST_ROWS = 1 << 28;

/** Where the parts of a compressed matrix are. */
export interface Compressed {
  readonly path: string;
  readonly rows: number;
  readonly columns: number;
  readonly layout: "csr" | "csc";
}

function toF32(values: H5Array): Float32Array<ArrayBuffer> {
  const small = !(values instanceof BigInt64Array || values instanceof BigUint64Array);
  return new Float32Array(small ? values : toF64(values));
}

/**
 * A dense matrix.
 *
 * @throws {FormatError} If it is not one of numbers.
 */
export function denseMatrix(file: H5File, path: string): Matrix {
  const { shape, dtype } = file.info(path);
  if (shape?.length !== 2 || dtype === "str" || dtype === "other") {
    throw file.fail(path, `${dtype} ${JSON.stringify(shape ?? null)}`, "numbers [rows, columns]");
  }
  const [rows, columns] = shape as [number, number];
  checkExtents(file, path, rows, columns);
  file.check(path);
  const read = blockwise(file, path, rows);
  return {
    name: `${file.name}:${path}`,
    rows,
    columns,
    layout: "dense",
    stored: rows * columns,
    dtype,
    read(from, to) {
      checkRows(file, path, from, to, rows);
      checkEntries(file, path, (to - from) * columns);
      const values = read(from, to);
      const indptr = new Uint32Array(to - from + 1);
      let count = 0;
      for (let i = 0; i < values.length; i++) if (values[i] !== 0) count++;
      const out = { from, indptr, indices: new Uint32Array(count), values: new Float32Array(count) };
      for (let row = 0, at = 0; row < to - from; row++) {
        for (let column = 0; column < columns; column++) {
          const value = values[row * columns + column]!;
          if (value === 0) continue;
          out.indices[at] = column;
          out.values[at++] = value;
        }
        indptr[row + 1] = at;
      }
      return out;
    },
  };
}

/** Reads whole chunks of a compressed dataset, so that none is unpacked for every row. */
function blockwise(file: H5File, path: string, rows: number): (from: number, to: number) => Float32Array {
  const { chunks, filters, shape } = file.info(path);
  const columns = shape?.[1] ?? 0;
  const step = filters.length > 0 ? chunks?.[0] ?? 1 : 1;
  let block = { from: 0, to: 0, values: new Float32Array(0) };
  return (from, to) => {
    if (step === 1 || to - from >= step || step * columns > KEPT) return toF32(file.read(path, from, to));
    if (from < block.from || to > block.to) {
      const [first, end] = [from - from % step, Math.min(rows, Math.ceil(to / step) * step)];
      block = { from: first, to: end, values: toF32(file.read(path, first, end)) };
    }
    return block.values.subarray((from - block.from) * columns, (to - block.from) * columns);
  };
}

/**
 * A compressed matrix: `data`, `indices` and `indptr` below a group.
 *
 * @throws {FormatError} If lengths disagree or the pointers do not ascend from 0 to the number of entries.
 */
export function compressedMatrix(file: H5File, { path, rows, columns, layout }: Compressed): Matrix {
  checkExtents(file, path, rows, columns);
  const stored = lengthOf(file, `${path}/data`);
  const indices = lengthOf(file, `${path}/indices`);
  if (indices !== stored) throw file.fail(`${path}/indices`, `${indices} indices`, `${stored}, as there are data`);
  const most = MOST_REPEATS * rows * columns;
  if (stored > most) {
    throw file.fail(`${path}/data`, `${stored} entries`, `at most ${most}, which ${rows} rows of ${columns} may have`);
  }
  for (const part of ["data", "indices", "indptr"]) file.check(`${path}/${part}`);
  const { dtype } = file.info(`${path}/indices`);
  if (dtype[0] !== "i" && dtype[0] !== "u") throw file.fail(`${path}/indices`, dtype, "whole numbers");
  const major = layout === "csr" ? rows : columns;
  const minor = layout === "csr" ? columns : rows;
  const indptr = readPointers(file, `${path}/indptr`, { major, minor, stored });
  const read = layout === "csr" ? byRows(file, path, indptr, columns) : byColumns(file, path, indptr, rows);
  return {
    name: `${file.name}:${path}`,
    rows,
    columns,
    layout,
    stored,
    dtype: file.info(`${path}/data`).dtype,
    read(from, to) {
      checkRows(file, path, from, to, rows);
      return read(from, to);
    },
  };
}

function lengthOf(file: H5File, path: string): number {
  const { shape, dtype } = file.info(path);
  if (shape?.length === 1 && dtype !== "str" && dtype !== "other") return shape[0]!;
  throw file.fail(path, `${dtype} ${JSON.stringify(shape ?? null)}`, "a list of numbers");
}

function readPointers(
  file: H5File,
  path: string,
  { major, minor, stored }: { readonly major: number; readonly minor: number; readonly stored: number },
): Float64Array {
  const length = lengthOf(file, path);
  if (length !== major + 1) throw file.fail(path, `${length} pointers`, `${major + 1}`);
  const indptr = file.numbers(path);
  if (indptr[0] !== 0) throw file.fail(path, `${indptr[0]} at the start`, "0");
  for (let i = 0; i < major; i++) {
    if (!(indptr[i + 1]! >= indptr[i]!) || !Number.isInteger(indptr[i + 1])) {
      throw file.fail(path, `${indptr[i + 1]} after ${indptr[i]} at ${i + 1}`, "ascending whole numbers");
    }
    const entries = indptr[i + 1]! - indptr[i]!;
    if (entries > MOST_REPEATS * minor) {
      throw file.fail(path, `${entries} entries at ${i}`, `at most ${MOST_REPEATS * minor}`);
    }
  }
  if (indptr[major] !== stored) throw file.fail(path, `${indptr[major]} at the end`, `${stored}, as there are data`);
  return indptr;
}

/** Indices `from` up to `to`, each below `below`. */
function readIndices(file: H5File, path: string, from: number, to: number, below: number): Uint32Array {
  const out = toF64(file.read(path, from, to));
  for (let i = 0; i < out.length; i++) {
    if (!(out[i]! >= 0 && out[i]! < below)) throw file.fail(path, `${out[i]} at ${from + i}`, `0 to ${below - 1}`);
  }
  return new Uint32Array(out);
}

function byRows(file: H5File, path: string, pointers: Float64Array, columns: number): Matrix["read"] {
  return (from, to) => {
    const [begin, end] = [pointers[from]!, pointers[to]!];
    checkEntries(file, path, end - begin);
    return canonical({
      from,
      indptr: Uint32Array.from(pointers.subarray(from, to + 1), (at) => at - begin),
      indices: readIndices(file, `${path}/indices`, begin, end, columns),
      values: toF32(file.read(`${path}/data`, begin, end)),
    });
  };
}

function byColumns(file: H5File, path: string, pointers: Float64Array, rows: number): Matrix["read"] {
  const stored = pointers.at(-1)!;
  let perRow: Uint32Array | undefined;
  let window: SparseRows = {
    from: 0,
    indptr: new Uint32Array(1),
    indices: new Uint32Array(),
    values: new Float32Array(),
  };
  const count = (): Uint32Array => {
    const out = new Uint32Array(rows);
    for (let at = 0; at < stored; at += SLICE) {
      const part = readIndices(file, `${path}/indices`, at, Math.min(stored, at + SLICE), rows);
      for (let i = 0; i < part.length; i++) out[part[i]!]!++;
    }
    return out;
  };
  return (from, to) => {
    perRow ??= count();
    if (from < window.from || to > window.from + window.indptr.length - 1) {
      window = canonical(turn(file, path, pointers, rows, from, lastRow(file, path, perRow, from, to), perRow));
    }
    const [first, begin, end] = [
      from - window.from,
      window.indptr[from - window.from]!,
      window.indptr[to - window.from]!,
    ];
    return {
      from,
      indptr: window.indptr.slice(first, first + to - from + 1).map((at) => at - begin),
      indices: window.indices.subarray(begin, end),
      values: window.values.subarray(begin, end),
    };
  };
}

/** Where the window that begins at `from` ends: at `to`, or later while there is room. */
function lastRow(file: H5File, path: string, perRow: Uint32Array, from: number, to: number): number {
  let end = from;
  let entries = 0;
  while (end < perRow.length && (end < to || entries + perRow[end]! <= WINDOW)) entries += perRow[end++]!;
  checkEntries(file, path, entries);
  return end;
}

function turn(
  file: H5File,
  path: string,
  pointers: Float64Array,
  rows: number,
  from: number,
  to: number,
  perRow: Uint32Array,
): SparseRows {
  const indptr = new Uint32Array(to - from + 1);
  for (let row = from; row < to; row++) indptr[row - from + 1] = indptr[row - from]! + perRow[row]!;
  const next = indptr.slice();
  const total = indptr.at(-1)!;
  const out = { from, indptr, indices: new Uint32Array(total), values: new Float32Array(total) };
  const stored = pointers.at(-1)!;
  for (let at = 0, column = 0; at < stored; at += SLICE) {
    const end = Math.min(stored, at + SLICE);
    const part = readIndices(file, `${path}/indices`, at, end, rows);
    const values = toF32(file.read(`${path}/data`, at, end));
    for (let i = 0; i < part.length; i++) {
      while (pointers[column + 1]! <= at + i) column++;
      const row = part[i]!;
      if (row < from || row >= to) continue;
      const place = next[row - from]!++;
      out.indices[place] = column;
      out.values[place] = values[i]!;
    }
  }
  return out;
}

function checkExtents(file: H5File, path: string, rows: number, columns: number): void {
  for (const extent of [rows, columns]) {
    if (!Number.isSafeInteger(extent) || extent < 0) {
      throw file.fail(path, `extents ${rows}x${columns}`, "whole numbers");
    }
    if (extent > MOST_ROWS) throw tooLarge(file, path, `${rows}x${columns}`, `extents of at most ${MOST_ROWS}`);
  }
}

function checkRows(file: H5File, path: string, from: number, to: number, rows: number): void {
  if (!(from >= 0 && from <= to && to <= rows)) throw file.fail(path, `${rows} rows`, `rows ${from} to ${to}`);
}

function checkEntries(file: H5File, path: string, entries: number): void {
  if (entries > MOST_ENTRIES) throw tooLarge(file, path, `${entries} entries`, `at most ${MOST_ENTRIES} at once`);
}

function tooLarge(file: H5File, path: string, found: string, most: string): LimitError {
  return new LimitError(`Cannot read ${file.name}:${path}: ${found}, ${most}`, {
    hint: "The file is not damaged: split the sample into several",
    context: { file: file.name, path, found },
  });
}
