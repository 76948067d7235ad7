/**
 * Part of a tensor along one dimension.
 *
 * y[.., i, ..] = x[.., start + i, ..]; the gradient is padded with zeros. Same as torch.narrow and torch.select, but a copy.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { copyBlock, padBlock, rangeOf } from "./block.ts";
import type { Cost } from "./cost.ts";

/**
 * Elements `start .. start + count` of one dimension.
 *
 * @param x `[..., L, ...]`; bf16 is not sliced.
 * @param dim Dimension, counted from the end when negative.
 * @returns `[..., count, ...]`; `x` itself when that is all of it.
 * @throws {LimitError} If the range is empty or leaves the dimension.
 */
export function slice(g: Plan, x: Tensor, dim: number, start: number, count: number): Tensor {
  const length = x.dim(dim);
  const axis = dim < 0 ? x.shape.length + dim : dim;
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 1 || start + count > length) {
    throw new LimitError(
      `Cannot slice ${formatShape(x.shape)}: ${count} elements from ${start} on of dimension ${axis}, it has ${length}`,
      { context: { op: "slice", dim: axis, given: [start, count], max: length } },
    );
  }
  if (count === length) return x;
  const y = g.tensor(x.shape.map((extent, i) => (i === axis ? count : extent)), x.dtype, "slice.y");
  const range = rangeOf(x.shape, axis, start, count);
  copyBlock(g, x, y, {
    rows: sizeOf(x.shape.slice(0, axis)),
    count: count * range.inner,
    xStep: length * range.inner,
    xAt: start * range.inner,
    yStep: count * range.inner,
    yAt: 0,
  });
  g.record("slice", [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, dy!.dtype, "slice.dx");
    padBlock(g, dy!, dx, range);
    // Rows of zeros change no sum of columns.
    const zeros = g.centred(dy!);
    if (axis < x.shape.length - 1) g.noteCentred(dx, zeros.from, zeros.to);
    return [dx];
  });
  return y;
}

/**
 * One position of a dimension, which disappears: `select(g, x, 1, 0)` is the class token `[B, D]` of tokens `[B, N, D]`.
 *
 * @param x `[..., L, ...]`.
 * @param dim Dimension, counted from the end when negative.
 * @throws {LimitError} If the position does not exist.
 */
export function select(g: Plan, x: Tensor, dim: number, position: number): Tensor {
  const axis = dim < 0 ? x.shape.length + dim : dim;
  return slice(g, x, dim, position, 1).reshape(x.shape.filter((_, i) => i !== axis));
}

/** Cost of the forward pass. */
export function sliceCost(shape: Shape): Cost {
  return { flops: 0, bytes: 8 * sizeOf(shape) };
}
