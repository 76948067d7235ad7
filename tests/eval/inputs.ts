/** Inputs of the probe's fixture, made as `tests/python/probe.py` makes them. */

import { mix } from "../../src/data/image/stripes.ts";
import type { Table } from "../../src/eval/linalg/table.ts";

/** Uniform in [-0.5, 0.5). */
export function noise(seed: number, rows: number, columns: number): Table {
  const data = Float64Array.from(
    { length: rows * columns },
    (_, at) => mix((seed * 1000003 + at + 1) >>> 0) / 2 ** 32 - 0.5,
  );
  return { rows, columns, data };
}

/** Features of a kind: `random`, `ill` (columns that nearly depend on each other) or `offset` (far from 0, one constant). */
export function features(kind: string, seed: number, rows: number, columns: number): Table {
  const x = noise(seed, rows, columns);
  for (let r = 0, at = 0; r < rows; r++, at += columns) {
    if (kind === "ill") {
      for (let j = 1; j < columns; j++) x.data[at + j] = x.data[at + j - 1]! + x.data[at + j]! / 4;
      for (let j = 1; j < columns; j += 2) {
        x.data[at + j] = x.data[at + j - 1]! * 3 + x.data[at + j]! / 65536;
      }
    }
    if (kind === "offset") {
      for (let j = 0; j < columns; j++) x.data[at + j]! += 1000;
      x.data[at + 3] = 7;
    }
  }
  return x;
}

/** A few columns each, with noise; the last is zero for most rows. */
export function targets(x: Table, seed: number, count: number): Table {
  const y = noise(seed, x.rows, count);
  for (let r = 0; r < x.rows; r++) {
    for (let j = 0; j < count; j++) {
      const at = r * count + j;
      const e = y.data[at]!;
      const value = x.data[r * x.columns + j]! - x.data[r * x.columns + 2 * j + 1]! / 2 + e;
      y.data[at] = j < count - 1 ? value : e > 0.25 ? value * value : 0;
    }
  }
  return y;
}

/** Rows `from` up to `to`. */
export function rowsOf(x: Table, from: number, to: number): Table {
  return { rows: to - from, columns: x.columns, data: x.data.slice(from * x.columns, to * x.columns) };
}
