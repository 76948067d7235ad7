/**
 * Rows or columns by number, such as the vectors of an embedding table or a subset of genes.
 *
 * y[i, ..] = x[index[i], ..]. Same as torch.nn.functional.embedding and torch.index_select, but a number on the device
 * that is out of range gives NaN, so that it shows in the loss, and takes no part in the gradient. Backward sorts the
 * numbers (see segments.ts) and sums in fixed order.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { expectShape, formatShape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { unitOf, unitView } from "./block.ts";
import type { Cost } from "./cost.ts";
import { type Index, indexShape, indexTensor, segments, sumSegments } from "./segments.ts";

/** Options of {@linkcode gather}. */
export interface GatherOptions {
  /** Type of the result; by default that of `x`. */
  dtype?: Dtype;
}

/**
 * Rows by number.
 *
 * @param x Table `[V, ...rest]`: f32, f16, or frozen weights stored as f16 or bf16.
 * @param index Numbers below V, of any shape.
 * @returns `[...index, ...rest]`.
 * @throws {LimitError} If the host knows a number that is no row.
 * @throws {DtypeError} If an index on the device is not u32.
 */
export function gather(g: Plan, x: Tensor, index: Index, options: GatherOptions = {}): Tensor {
  const { dtype = x.dtype === "bf16" ? "f32" : x.dtype } = options;
  if (!x.shape.length) throw new ShapeError("Cannot run gather: x is a scalar, wanted rows");
  const [V, ...rest] = x.shape as [number, ...number[]];
  const rows = indexTensor(g, "gather", index, V);
  const width = sizeOf(rest);
  const y = g.tensor([...indexShape(index), ...rest], dtype, "gather.y");
  const u = unitOf([x, y], width);
  const params = { V, D: width / u };
  g.run(k.gather, { x: unitView(x, u), index: rows, y: unitView(y, u) }, params);
  g.record("gather", [x], [y], ([dy]) => {
    const list = segments(g, index, rows, V);
    return [sumSegments(g, dy!, list, x.shape, x.dtype === "f32" ? "f32" : dy!.dtype)];
  });
  return y;
}

/**
 * Columns by number. Backward walks each column's segment without chunks: meant for numbers that repeat little.
 *
 * @param x `[..., C]`.
 * @param index Numbers below C, `[K]`.
 * @returns `[..., K]`.
 * @throws {LimitError} If the host knows a number that is no column.
 * @throws {ShapeError} If the index has not one dimension, or `x` none.
 * @throws {DtypeError} If an index on the device is not u32.
 */
export function gatherColumns(g: Plan, x: Tensor, index: Index): Tensor {
  expectShape("gatherColumns", "index", indexShape(index), [null]);
  if (!x.shape.length) throw new ShapeError(`Cannot run gatherColumns: x is ${formatShape(x.shape)}, wanted columns`);
  const C = x.dim(-1);
  const columns = indexTensor(g, "gatherColumns", index, C);
  const y = g.tensor([...x.shape.slice(0, -1), columns.size], x.dtype, "gather_columns.y");
  g.run(k.gather_columns, { x, index: columns, y });
  g.record("gatherColumns", [x], [y], ([dy]) => {
    const { order, bound } = segments(g, index, columns, C);
    const dx = g.tensor(x.shape, dy!.dtype, "gather_columns.dx");
    g.run(k.segments_columns, { x: dy!, order, bound, y: dx });
    return [dx];
  });
  return y;
}

/** Cost of the forward pass of {@linkcode gather}: n rows of D columns. */
export function gatherCost(n: number, D: number): Cost {
  return { flops: 0, bytes: 8 * n * D + 4 * n };
}
