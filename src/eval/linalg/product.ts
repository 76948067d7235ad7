/**
 * Products of tables in f64 on the host.
 *
 * All three are sums of dot products over short panels: a panel holds a few dozen elements of every row one behind the other,
 * so that it stays in the cache while a tile of 4 x 2 sums runs over it.
 *
 * @module
 */

import { ShapeError } from "../../core/errors.ts";
import { isStandardized, type Standardized } from "./standardize.ts";
import type { Table } from "./table.ts";

/** What products read: a table as it is, or standardised while it is read. */
export type Factor = Table | Standardized;

/** Elements of the summed dimension in a panel. */
const PANEL = 128;
/** Rows of the second panel that stay in the innermost cache while the first runs over them. */
const BLOCK = 32;

/** Rows `m` of `length` elements, one behind the other. */
interface Panel {
  readonly data: Float64Array;
  readonly m: number;
}

/** y += a bT for panels of equal length; only entries on and below the diagonal where `lower`. */
function accumulate(y: Float64Array, a: Panel, b: Panel, length: number, lower: boolean): void {
  for (let jb = 0; jb < b.m; jb += BLOCK) {
    const jEnd = Math.min(b.m, jb + BLOCK);
    for (let i = lower ? jb & ~3 : 0; i < a.m; i += 4) {
      const rows = Math.min(4, a.m - i);
      const end = lower ? Math.min(jEnd, i + rows) : jEnd;
      if (rows === 4) {
        let j = jb;
        for (; j + 2 <= end; j += 2) tile(y, a.data, b.data, i, j, b.m, length);
        if (j < end) edge(y, a.data, b.data, { i, iEnd: i + 4, j, jEnd: end, n: b.m, length });
      } else edge(y, a.data, b.data, { i, iEnd: i + rows, j: jb, jEnd: end, n: b.m, length });
    }
  }
}

/** Four by two sums at once. */
function tile(
  y: Float64Array,
  a: Float64Array,
  b: Float64Array,
  i: number,
  j: number,
  n: number,
  length: number,
): void {
  let [pa, pb] = [i * length, j * length];
  let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
  for (const end = pa + length; pa < end; pa++, pb++) {
    const x0 = a[pa]!;
    const x1 = a[pa + length]!;
    const x2 = a[pa + 2 * length]!;
    const x3 = a[pa + 3 * length]!;
    const z0 = b[pb]!;
    const z1 = b[pb + length]!;
    s00 += x0 * z0;
    s01 += x0 * z1;
    s10 += x1 * z0;
    s11 += x1 * z1;
    s20 += x2 * z0;
    s21 += x2 * z1;
    s30 += x3 * z0;
    s31 += x3 * z1;
  }
  let at = i * n + j;
  y[at]! += s00;
  y[at + 1]! += s01;
  y[at += n]! += s10;
  y[at + 1]! += s11;
  y[at += n]! += s20;
  y[at + 1]! += s21;
  y[at += n]! += s30;
  y[at + 1]! += s31;
}

interface Edge {
  readonly i: number;
  readonly iEnd: number;
  readonly j: number;
  readonly jEnd: number;
  readonly n: number;
  readonly length: number;
}

function edge(y: Float64Array, a: Float64Array, b: Float64Array, { i, iEnd, j, jEnd, n, length }: Edge): void {
  for (let r = i; r < iEnd; r++) {
    for (let c = j; c < jEnd; c++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += a[r * length + k]! * b[c * length + k]!;
      y[r * n + c]! += sum;
    }
  }
}

/** Rows `from` up to `to`, turned: a row of the panel is a column of the table. */
function turned(out: Float64Array, x: Factor, from: number, to: number): Panel {
  const { columns } = x;
  const { data } = isStandardized(x) ? x.raw : x;
  const length = to - from;
  for (let r = from, at = from * columns; r < to; r++) {
    for (let j = 0, target = r - from; j < columns; j++, at++, target += length) out[target] = data[at]!;
  }
  if (isStandardized(x)) {
    for (let j = 0, at = 0; j < columns; j++) {
      const [mean, scale] = [x.mean[j]!, x.scale[j]!];
      for (const end = at + length; at < end; at++) out[at] = (out[at]! - mean) / scale;
    }
  }
  return { data: out, m: columns };
}

/** Columns `from` up to `to` of rows `first` up to `last`. */
function strip(out: Float64Array, x: Factor, from: number, to: number, first = 0, last = x.rows): Panel {
  const { columns } = x;
  const { data } = isStandardized(x) ? x.raw : x;
  const length = to - from;
  for (let r = first, target = 0; r < last; r++) {
    for (let j = from, at = r * columns + from; j < to; j++, at++) out[target++] = data[at]!;
  }
  if (isStandardized(x)) {
    const [mean, scale] = [x.mean.subarray(from, to), x.scale.subarray(from, to)];
    for (let r = first, at = 0; r < last; r++) {
      for (let j = 0; j < length; j++, at++) out[at] = (out[at]! - mean[j]!) / scale[j]!;
    }
  }
  return { data: out, m: last - first };
}

/** Copies what is below the diagonal above it. */
function mirror(y: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) y[i * n + j] = y[j * n + i]!;
  return y;
}

/**
 * aT b, `[a.columns, b.columns]`; symmetric where b is a.
 *
 * @throws {ShapeError} If they differ in rows.
 */
export function crossProduct(a: Factor, b: Factor): Float64Array {
  if (a.rows !== b.rows) {
    throw new ShapeError(`Cannot multiply tables of ${a.rows} and ${b.rows} rows: as many wanted`);
  }
  const y = new Float64Array(a.columns * b.columns);
  const space = new Float64Array(a.columns * PANEL);
  const other = a === b ? space : new Float64Array(b.columns * PANEL);
  for (let from = 0; from < a.rows; from += PANEL) {
    const to = Math.min(a.rows, from + PANEL);
    const left = turned(space, a, from, to);
    accumulate(y, left, a === b ? left : turned(other, b, from, to), to - from, a === b);
  }
  return a === b ? mirror(y, a.columns) : y;
}

/** a aT, `[rows, rows]`. */
export function rowProducts(a: Factor): Float64Array {
  const y = new Float64Array(a.rows * a.rows);
  const space = new Float64Array(a.rows * PANEL);
  for (let from = 0; from < a.columns; from += PANEL) {
    const to = Math.min(a.columns, from + PANEL);
    const panel = strip(space, a, from, to);
    accumulate(y, panel, panel, to - from, true);
  }
  return mirror(y, a.rows);
}

/**
 * a wT, `[a.rows, w.rows]`.
 *
 * @throws {ShapeError} If they differ in columns.
 */
export function multiply(a: Factor, w: Table): Table {
  if (a.columns !== w.columns) {
    throw new ShapeError(`Cannot multiply tables of ${a.columns} and ${w.columns} columns: as many wanted`);
  }
  const out = new Float64Array(a.rows * w.rows);
  const other = new Float64Array(w.rows * PANEL);
  const [space, step] = [new Float64Array(1024 * PANEL), 1024];
  for (let from = 0; from < a.columns; from += PANEL) {
    const to = Math.min(a.columns, from + PANEL);
    const right = strip(other, w, from, to);
    for (let row = 0; row < a.rows; row += step) {
      const last = Math.min(a.rows, row + step);
      const target = out.subarray(row * w.rows, last * w.rows);
      accumulate(target, strip(space, a, from, to, row, last), right, to - from, false);
    }
  }
  return { rows: a.rows, columns: w.rows, data: out };
}

/** Product of two vectors. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
