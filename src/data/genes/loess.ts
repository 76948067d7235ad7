/**
 * Local quadratic regression in one variable: fits at the corners of a one-dimensional k-d tree, cubic Hermite blending
 * between them.
 *
 * Written from the algorithm of Cleveland, Grosse and Shyu's `loess` with `surface="interpolate"`, family gaussian, unit
 * weights, as scikit-misc wraps it: cells are halved at their median point while they hold more than `n * span * cell`.
 *
 * Source: Cleveland and Grosse, "Computational methods for local regression", Statistics and Computing 1 (1991).
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";

/** Options of the fit. */
export interface LoessOptions {
  /** Share of all points in a neighbourhood. */
  readonly span?: number;
  /** Cells of the tree hold at most this share of a neighbourhood. */
  readonly cell?: number;
}

/** Value and slope at a corner. */
interface Corner {
  readonly at: number;
  readonly value: number;
  readonly slope: number;
}

/**
 * Fitted values at the points themselves, `[n]`.
 *
 * @param x Positions, in any order.
 * @param y What was seen there.
 * @throws {DataError} If there are fewer than three points, or a neighbourhood has no width (many equal positions).
 */
export function loess(x: Float64Array, y: Float64Array, options: LoessOptions = {}): Float64Array {
  const { span = 0.75, cell = 0.2 } = options;
  const n = x.length;
  if (n < 3 || y.length !== n) {
    throw new DataError(`Cannot fit a curve: ${n} positions and ${y.length} values, as many and at least 3 wanted`);
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => x[a]! - x[b]! || a - b);
  const xs = Float64Array.from(order, (i) => x[i]!);
  const ys = Float64Array.from(order, (i) => y[i]!);
  const nearest = Math.min(n, Math.floor(n * span + 1e-5));
  const corners = cuts(xs, Math.floor(n * span * cell)).map((at) => fitAt(at, xs, ys, nearest, span));
  const fitted = new Float64Array(n);
  let k = 0;
  for (let i = 0; i < n; i++) {
    while (k < corners.length - 2 && xs[i]! > corners[k + 1]!.at) k++;
    fitted[order[i]!] = blend(xs[i]!, corners[k]!, corners[k + 1]!);
  }
  return fitted;
}

/** Corners of the tree's cells, ascending: the ends, half a hundredth of the range outside, and the cuts. */
function cuts(xs: Float64Array, most: number): number[] {
  const last = xs.length - 1;
  const [low, high] = [xs[0]!, xs[last]!];
  const margin = 0.005 * Math.max(high - low, 1e-10 * Math.max(Math.abs(low), Math.abs(high)) + 1e-30);
  const corners = new Set([low - margin, high + margin]);
  const cells: [number, number, number, number][] = [[0, last, low - margin, high + margin]];
  for (let cell = cells.pop(); cell !== undefined; cell = cells.pop()) {
    const [from, to, left, right] = cell;
    if (to - from + 1 <= most || right - left <= 0) continue;
    const middle = cutIndex(xs, from, to);
    const at = xs[middle]!;
    if (at === left || at === right) continue;
    corners.add(at);
    cells.push([from, middle, left, at], [middle + 1, to, at, right]);
  }
  return [...corners].sort((a, b) => a - b);
}

/** The middle point, or the nearest beside it that differs from its successor, looked for in turn above and below. */
function cutIndex(xs: Float64Array, from: number, to: number): number {
  // The original counts from 1, which decides how the middle of an even number is rounded.
  const middle = Math.floor((from + to + 2) / 2) - 1;
  let offset = 0;
  while (middle + offset < to && middle + offset >= from) {
    if (xs[middle + offset] !== xs[middle + offset + 1]) return middle + offset;
    offset = -offset;
    if (offset >= 0) offset++;
  }
  return middle;
}

/** Weighted quadratic through the nearest points; tricube weights. */
function fitAt(at: number, xs: Float64Array, ys: Float64Array, nearest: number, span: number): Corner {
  const n = xs.length;
  let from = 0;
  while (from + nearest < n && at - xs[from]! > xs[from + nearest]! - at) from++;
  const farthest = Math.max(Math.abs(xs[from]! - at), Math.abs(xs[from + nearest - 1]! - at));
  const width = farthest * Math.sqrt(Math.max(1, span));
  if (!(width > 0)) {
    throw new DataError(`Cannot fit a curve: ${nearest} points at ${at}, different positions wanted`, {
      hint: "Use a larger span, or drop genes seen in very few spots",
    });
  }
  const columns = [0, 1, 2].map(() => new Float64Array(nearest));
  const target = new Float64Array(nearest);
  for (let i = 0; i < nearest; i++) {
    const away = xs[from + i]! - at;
    const weight = Math.sqrt(Math.max(0, 1 - (Math.abs(away) / width) ** 3) ** 3);
    columns[0]![i] = weight;
    columns[1]![i] = weight * away;
    columns[2]![i] = weight * away * away;
    target[i] = weight * ys[from + i]!;
  }
  const [value, slope] = leastSquares(columns, target) as [number, number, number];
  return { at, value, slope };
}

/** Smallest least-squares solution by one-sided Jacobi rotations; directions below 100 roundings are left out. */
function leastSquares(columns: Float64Array[], target: Float64Array): number[] {
  const size = columns.length;
  const norms = columns.map((column) => Math.sqrt(dot(column, column)) || 1);
  columns.forEach((column, j) => column.forEach((value, i) => column[i] = value / norms[j]!));
  const v = columns.map((_, j) => Float64Array.from(columns, (_, k) => Number(j === k)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let moved = false;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) moved = rotate(columns[p]!, columns[q]!, v[p]!, v[q]!) || moved;
    }
    if (!moved) break;
  }
  const singular = columns.map((column) => Math.sqrt(dot(column, column)));
  const least = Math.max(...singular) * 100 * 2 ** -52;
  const solution = columns.map(() => 0);
  columns.forEach((column, j) => {
    if (singular[j]! <= least) return;
    const part = dot(column, target) / singular[j]! ** 2;
    for (let k = 0; k < size; k++) solution[k]! += part * v[j]![k]! / norms[k]!;
  });
  return solution;
}

/** Makes two columns orthogonal; whether they were not. */
function rotate(a: Float64Array, b: Float64Array, va: Float64Array, vb: Float64Array): boolean {
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb) || ab === 0) return false;
  const zeta = (bb - aa) / (2 * ab);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t);
  for (const [x, y] of [[a, b], [va, vb]] as const) {
    for (let i = 0; i < x.length; i++) {
      const [p, q] = [x[i]!, y[i]!];
      x[i] = c * (p - t * q);
      y[i] = c * (t * p + q);
    }
  }
  return true;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Cubic with the values and slopes of both corners. */
function blend(x: number, left: Corner, right: Corner): number {
  const width = right.at - left.at;
  const h = (x - left.at) / width;
  return (1 - h) ** 2 * (1 + 2 * h) * left.value + h ** 2 * (3 - 2 * h) * right.value +
    (h * (1 - h) ** 2 * left.slope + h ** 2 * (h - 1) * right.slope) * width;
}
