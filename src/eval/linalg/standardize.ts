/**
 * Columns made comparable: less their mean, over their population deviation, both of the training rows. A constant column
 * becomes 0 in all rows, for nothing can be learnt from it: its divisor is infinite (scikit-learn has 1, and rounding left).
 *
 * Source: scikit-learn's `StandardScaler`, which takes a column for constant if its variance is within the rounding of
 * computing it: var <= n eps var + (n mean eps)^2.
 *
 * @module
 */

import type { Table } from "./table.ts";

/** Mean and divisor of each column. */
export interface Standardizer {
  /** Subtracted. */
  readonly mean: Float64Array;
  /** Divided by. */
  readonly scale: Float64Array;
}

/** A table that is standardised while it is read; nothing is copied. */
export interface Standardized extends Standardizer {
  readonly rows: number;
  readonly columns: number;
  readonly raw: Table;
}

/** Means and population variances of the columns, in two passes. */
export function columnMoments({ rows, columns, data }: Table): { mean: Float64Array; variance: Float64Array } {
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  for (let r = 0, at = 0; r < rows; r++) for (let j = 0; j < columns; j++, at++) mean[j]! += data[at]!;
  for (let j = 0; j < columns; j++) mean[j]! /= Math.max(1, rows);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++, at++) {
      const centred = data[at]! - mean[j]!;
      variance[j]! += centred * centred;
    }
  }
  for (let j = 0; j < columns; j++) variance[j]! /= Math.max(1, rows);
  return { mean, variance };
}

/** Means and deviations of training rows; the deviation of a constant column is infinite. */
export function fitStandardizer(train: Table): Standardizer {
  const { mean, variance } = columnMoments(train);
  const scale = variance.map((value, j) => {
    const rounding = train.rows * Number.EPSILON * value + (train.rows * mean[j]! * Number.EPSILON) ** 2;
    return value <= rounding ? Infinity : Math.sqrt(value);
  });
  return { mean, scale };
}

/** Means only: every divisor is 1. */
export function fitCentring(train: Table): Standardizer {
  return { mean: columnMoments(train).mean, scale: new Float64Array(train.columns).fill(1) };
}

/** A table seen through a standardiser. */
export function standardize(raw: Table, { mean, scale }: Standardizer): Standardized {
  return { rows: raw.rows, columns: raw.columns, raw, mean, scale };
}

/** A standardised copy. */
export function applyStandardizer({ rows, columns, data }: Table, { mean, scale }: Standardizer): Table {
  const out = new Float64Array(data.length);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++, at++) out[at] = (data[at]! - mean[j]!) / scale[j]!;
  }
  return { rows, columns, data: out };
}

/** Tells the two kinds of tables apart. */
export function isStandardized(x: Table | Standardized): x is Standardized {
  return "raw" in x;
}
