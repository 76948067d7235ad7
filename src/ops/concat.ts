/**
 * Tensors one behind the other along one dimension. Same as torch.cat.
 *
 * @module
 */

import { DtypeError, ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { copyBlock } from "./block.ts";
import type { Cost } from "./cost.ts";

function checkParts(parts: readonly Tensor[], axis: number): void {
  const [first] = parts;
  for (const { shape, dtype } of parts) {
    const fits = shape.length === first!.shape.length && shape.every((e, i) => i === axis || e === first!.shape[i]);
    if (!fits) {
      throw new ShapeError(
        `Cannot concatenate ${formatShape(first!.shape)} and ${
          formatShape(shape)
        }: they differ beside dimension ${axis}`,
        { context: { op: "concat", dim: axis, given: shape, wanted: first!.shape } },
      );
    }
    if (dtype !== first!.dtype) {
      throw new DtypeError(`Cannot concatenate ${first!.dtype} and ${dtype}: wanted one type`, {
        context: { op: "concat", given: dtype, wanted: first!.dtype },
      });
    }
  }
}

/**
 * Joins tensors along a dimension.
 *
 * @param parts At least one; equal in type and in all extents but that of `dim`.
 * @param dim Dimension, counted from the end when negative.
 * @returns A new tensor; the part itself if there is only one.
 * @throws {ShapeError} If there is no part, or other extents differ.
 * @throws {DtypeError} If the types differ.
 */
export function concat(g: Plan, parts: readonly Tensor[], dim: number): Tensor {
  const [first] = parts;
  if (!first) throw new ShapeError("Cannot concatenate nothing: wanted at least one tensor");
  first.dim(dim);
  const axis = dim < 0 ? first.shape.length + dim : dim;
  checkParts(parts, axis);
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const rows = sizeOf(first.shape.slice(0, axis));
  const inner = sizeOf(first.shape.slice(axis + 1));
  const y = g.tensor(first.shape.map((extent, i) => (i === axis ? length : extent)), first.dtype, "concat.y");
  let next = 0;
  const starts = parts.map((part) => (next += part.shape[axis]! * inner) - part.shape[axis]! * inner);
  parts.forEach((x, i) => {
    const count = x.shape[axis]! * inner;
    copyBlock(g, x, y, { rows, count, xStep: count, xAt: 0, yStep: length * inner, yAt: starts[i]! });
  });
  g.record("concat", parts, [y], ([dy], needs) =>
    parts.map((x, i) => {
      if (!needs[i]) return undefined;
      const count = x.shape[axis]! * inner;
      const dx = g.tensor(x.shape, dy!.dtype, "concat.dx");
      copyBlock(g, dy!, dx, { rows, count, xStep: length * inner, xAt: starts[i]!, yStep: count, yAt: 0 });
      if (axis === first.shape.length - 1 && g.centred(dy!).all) g.noteCentred(dx);
      return dx;
    }));
  return y;
}

/** Cost of the forward pass for a result of this shape. */
export function concatCost(shape: Shape): Cost {
  return { flops: 0, bytes: 8 * sizeOf(shape) };
}
