/**
 * Copies, zero-padded copies and sums of blocks of rows: what slices, concatenations and token operations are made of.
 * All counts are in elements; four are moved at a time where every count allows it.
 *
 * @module
 */

import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Where the blocks of {@linkcode copyBlock} lie. */
export interface CopyBlock {
  readonly rows: number;
  /** Elements of a block. */
  readonly count: number;
  /** From one block to the next; 0 reads the same block for every row. */
  readonly xStep: number;
  readonly xAt: number;
  readonly yStep: number;
  readonly yAt: number;
}

/** A range of the middle dimension of `[rows, length, inner]`. */
export interface Range {
  readonly length: number;
  readonly inner: number;
  readonly start: number;
  readonly count: number;
  /** From one element of the dimension to the next, for {@linkcode sumBlock}; `inner` by default. */
  readonly step?: number;
}

/** Elements moved at a time: 4 where all counts are multiples of it and no tensor is empty. */
export function unitOf(tensors: readonly Tensor[], ...counts: number[]): 1 | 4 {
  return tensors.every(({ size }) => size > 0) && counts.every((count) => count % 4 === 0) ? 4 : 1;
}

/** A tensor as rows of one unit. */
export function unitView(tensor: Tensor, unit: number): Tensor {
  return tensor.reshape([tensor.size / unit, unit]);
}

/** Writes blocks of `y`; the rest of it is left alone. */
export function copyBlock(g: Plan, x: Tensor, y: Tensor, block: CopyBlock): void {
  const { rows, count, xStep, xAt, yStep, yAt } = block;
  const u = unitOf([x, y], x.size, y.size, count, xStep, xAt, yStep, yAt);
  const steps = { x_step: xStep / u, x_at: xAt / u, y_step: yStep / u, y_at: yAt / u };
  g.run(k.copy_block, { x: unitView(x, u), y: unitView(y, u) }, { R: rows, C: count / u, ...steps });
}

/** Elements start .. start+count of dimension `dim` of a shape, seen as three dimensions. */
export function rangeOf(shape: readonly number[], dim: number, start: number, count: number): Range {
  return { length: shape[dim]!, inner: shape.slice(dim + 1).reduce((a, b) => a * b, 1), start, count };
}

/** Fills `y` with zeros but for a range, which gets `scale` times `x`, or times the one row of `x` if `repeat`. */
export function padBlock(g: Plan, x: Tensor, y: Tensor, range: Range, scale = 1, repeat = false): void {
  // Without repetition the range is one block, whatever the inner extent.
  const inner = repeat ? range.inner : 1;
  const fold = range.inner / inner;
  const [length, start, count] = [range.length * fold, range.start * fold, range.count * fold];
  const u = unitOf([x, y], ...(repeat ? [inner] : [length, start, count]));
  const [a, b] = repeat ? [1, u] : [u, 1];
  g.run(k.pad_block, { x: unitView(x, u), y: unitView(y, u) }, {
    L: length / a,
    C: inner / b,
    start: start / a,
    count: count / a,
    x_row: (repeat ? inner : count) / u,
    x_step: repeat ? 0 : 1,
    scale,
  });
}

/** Writes to `y` (the type of `x`, or f32) `scale` times the sum over a range of each row of `x`. */
export function sumBlock(g: Plan, x: Tensor, y: Tensor, range: Range, scale = 1): void {
  const { step = range.inner } = range;
  const u = unitOf([x, y], range.inner, step);
  const inner = range.inner / u;
  const out = y.dtype === x.dtype ? { y: unitView(y, u) } : { total: unitView(y, u) };
  g.run(k.sum_block, { x: unitView(x, u), ...out }, {
    C: inner,
    count: range.count,
    x_row: range.length * step / u,
    x_at: range.start * step / u,
    x_step: step / u,
    scale,
  });
}
