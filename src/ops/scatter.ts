/**
 * Sums of rows by number, the counterpart of gather: sums over spots of a slide, over tokens of a word.
 *
 * y[v, ..] = sum of x[i, ..] over index[i] = v, in order of i. Same as torch.index_add on zeros, but a number on the
 * device that is out of range is left out. Deterministic: see segments.ts for how, and what it costs.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { unitOf, unitView } from "./block.ts";
import type { Cost } from "./cost.ts";
import { type Index, indexShape, indexTensor, segments, sumSegments } from "./segments.ts";

/**
 * Adds rows into a table of zeros.
 *
 * @param x `[...index, ...rest]`.
 * @param index Numbers below `rows`, of any shape that `x` begins with.
 * @param rows Rows of the result, V.
 * @returns `[V, ...rest]`, the type of `x`; sums are f32.
 * @throws {ShapeError} If `x` does not begin with the shape of the index.
 * @throws {LimitError} If `rows` is no positive whole number, or the host knows a number that is no row.
 * @throws {DtypeError} If an index on the device is not u32.
 */
export function scatterAdd(g: Plan, x: Tensor, index: Index, rows: number): Tensor {
  if (!(Number.isInteger(rows) && rows > 0)) {
    throw new LimitError(`Cannot run scatterAdd: ${rows} rows, wanted a positive whole number`, {
      context: { op: "scatterAdd", given: String(rows) },
    });
  }
  const lead = indexShape(index);
  if (lead.some((extent, i) => extent !== x.shape[i])) {
    throw new ShapeError(`Cannot run scatterAdd: x is ${formatShape(x.shape)}, the index ${formatShape(lead)}`, {
      context: { op: "scatterAdd", tensor: "x", given: x.shape, wanted: lead },
    });
  }
  const rest = x.shape.slice(lead.length);
  const keys = indexTensor(g, "scatterAdd", index, rows);
  const y = sumSegments(g, x, segments(g, index, keys, rows), [rows, ...rest], x.dtype);
  g.record("scatterAdd", [x], [y], ([dy]) => {
    const width = sizeOf(rest);
    const dx = g.tensor(x.shape, dy!.dtype, "scatter_add.dx");
    const u = unitOf([dy!, dx], width);
    const views = { x: unitView(dy!, u), index: keys, y: unitView(dx, u) };
    g.run(k.gather, views, { V: rows, D: width / u, outside: "zero" });
    return [dx];
  });
  return y;
}

/** Cost of the forward pass: n rows of D columns into V. */
export function scatterAddCost(n: number, V: number, D: number): Cost {
  return { flops: n * D, bytes: 4 * n * D + 4 * V * D + 4 * n };
}
