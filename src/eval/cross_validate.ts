/**
 * The ridge penalty that predicts held-out training rows best: one for all targets, least squared error with an intercept.
 *
 * Folds are whole slides or donors where there are two or more (each its own up to ten, else ten of them in turn), else five
 * random ones of rows, whose neighbours are alike: the penalty is then too small for other slides. All penalties of the grid are judged from the folds' products alone: with A = V diag(l) VT on the inner training
 * rows, W(alpha) = V diag(1 / (l + alpha)) VT XT Y, and the error is Syy - 2 tr(WT XoT Yo) + tr(WT XoT Xo W).
 *
 * @module
 */

import { Mt19937 } from "../core/mt19937.ts";
import { crossProduct } from "./linalg/product.ts";
import { fitCentring, standardize, type Standardizer } from "./linalg/standardize.ts";
import { symmetricEigen } from "./linalg/symmetric_eigen.ts";
import { type Table, takeRows } from "./linalg/table.ts";

/** Half decades from 1e-2 to 1e7. */
export const ALPHAS: readonly number[] = Array.from({ length: 19 }, (_, i) => 10 ** (-2 + i / 2));

/** What rows that are left out together have in common. */
export type AlphaGroups = "slides" | "donors" | "groups whose donors are not all named";
/** Groups of samples by donor where some stand for samples whose patient nobody names. */
export const UNNAMED_DONORS: AlphaGroups = "groups whose donors are not all named";

/** A penalty, and how it was found. */
export interface ChosenAlpha {
  /** The best of the grid. */
  readonly alpha: number;
  /** Folds it was judged on. */
  readonly folds: number;
  /** Slides or donors that the folds are of; more than folds where there are many. As folds where rows are drawn. */
  readonly groups: number;
  /** What a fold is made of. */
  readonly by: AlphaGroups | "rows";
  /** Mean squared error of each penalty of the grid. */
  readonly errors: readonly number[];
  /** Whether it is the first or last of the grid, so that a better one may lie outside. */
  readonly atEdge: boolean;
}

/** What a penalty was cross-validated over, in words. */
export function searchText({ folds, groups, by }: Pick<ChosenAlpha, "folds" | "groups" | "by">): string {
  if (by === "rows") return `${folds} parts of the training spots`;
  return `${folds < groups ? `${folds} folds of ` : ""}${groups} training ${by}`;
}

/**
 * Chooses the penalty.
 *
 * @param x `[n, features]`, of training rows only.
 * @param y `[n, targets]`.
 * @param groups Slide or donor of each row; without, or with a single one, rows are drawn.
 * @param kind Which of the two it is.
 */
export function chooseAlpha(
  x: Table,
  y: Table,
  groups?: ArrayLike<string | number>,
  kind: AlphaGroups = "slides",
): ChosenAlpha {
  const { fold, folds, count, by } = foldsOf(x.rows, groups, kind);
  const sums = new Float64Array(ALPHAS.length);
  for (let f = 0; f < folds; f++) {
    const [inner, held]: [number[], number[]] = [[], []];
    fold.forEach((of, row) => (of === f ? held : inner).push(row));
    if (inner.length < 2 || held.length === 0) continue;
    const part = (rows: number[]) => ({ x: takeRows(x, rows), y: takeRows(y, rows) });
    heldErrors(part(inner), part(held)).forEach((error, i) => sums[i]! += error);
  }
  const errors = [...sums].map((sum) => sum / (x.rows * y.columns));
  const best = errors.reduce((least, error, i) => error < errors[least]! ? i : least, 0);
  return { alpha: ALPHAS[best]!, folds, groups: count, by, errors, atEdge: best === 0 || best === ALPHAS.length - 1 };
}

function foldsOf(
  rows: number,
  groups: ArrayLike<string | number> | undefined,
  kind: AlphaGroups,
): Pick<ChosenAlpha, "folds" | "by"> & { fold: Uint32Array; count: number } {
  const places = new Map<string | number, number>();
  if (groups !== undefined) {
    for (let r = 0; r < rows; r++) if (!places.has(groups[r]!)) places.set(groups[r]!, places.size);
  }
  if (places.size >= 2) {
    const folds = Math.min(10, places.size);
    return {
      fold: Uint32Array.from({ length: rows }, (_, r) => places.get(groups![r]!)! % folds),
      folds,
      count: places.size,
      by: kind,
    };
  }
  const folds = Math.min(5, rows);
  const fold = new Uint32Array(rows);
  new Mt19937(0).permutation(rows).forEach((row, at) => fold[row] = at % folds);
  return { fold, folds, count: folds, by: "rows" };
}

interface Part {
  readonly x: Table;
  readonly y: Table;
}

/** Sum of squared errors on the held-out rows for each penalty. */
function heldErrors(inner: Part, held: Part): Float64Array {
  const [d, k] = [inner.x.columns, inner.y.columns];
  const [cx, cy]: [Standardizer, Standardizer] = [fitCentring(inner.x), fitCentring(inner.y)];
  const products = (part: Part) => {
    const [x, y] = [standardize(part.x, cx), standardize(part.y, cy)];
    return { gram: crossProduct(x, x), cross: crossProduct(x, y), yy: crossProduct(y, y) };
  };
  const [fit, test] = [products(inner), products(held)];
  const { values, vectors } = symmetricEigen(fit.gram, d);
  const rotate = (m: Float64Array, columns: number): Float64Array => rotated(vectors, m, d, columns);
  const [fitCross, testCross] = [rotate(fit.cross, k), rotate(test.cross, k)];
  const testGram = rotatedTwice(vectors, test.gram, d);
  let yy = 0;
  for (let j = 0; j < k; j++) yy += test.yy[j * k + j]!;
  const w = new Float64Array(d * k);
  return Float64Array.from(ALPHAS, (alpha) => {
    for (let i = 0; i < d; i++) {
      const scale = 1 / (Math.max(0, values[i]!) + alpha);
      for (let j = 0; j < k; j++) w[i * k + j] = fitCross[i * k + j]! * scale;
    }
    let error = yy;
    const product = rotated(testGram, w, d, k);
    for (let at = 0; at < w.length; at++) error += w[at]! * (product[at]! - 2 * testCross[at]!);
    return error;
  });
}

/** V m, V `[d, d]` and m `[d, columns]`. */
function rotated(v: Float64Array, m: Float64Array, d: number, columns: number): Float64Array {
  const out = new Float64Array(d * columns);
  for (let i = 0; i < d; i++) {
    for (let r = 0; r < d; r++) {
      const factor = v[i * d + r]!;
      for (let j = 0, at = i * columns, of = r * columns; j < columns; j++, at++, of++) out[at]! += factor * m[of]!;
    }
  }
  return out;
}

/** V m VT for a symmetric m. */
function rotatedTwice(v: Float64Array, m: Float64Array, d: number): Float64Array {
  const half = rotated(v, m, d, d);
  const turned = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) turned[j * d + i] = half[i * d + j]!;
  return rotated(v, turned, d, d);
}
