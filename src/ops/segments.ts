/**
 * Sums of rows that share a key, without atomics on floats: the row numbers are sorted on the device by a stable counting
 * sort, one byte a pass, and each result row adds its rows in their order. Row numbers the host knows are sorted when the
 * plan is recorded.
 *
 * Cost for n keys below V: ceil(log256(V + 1)) passes that touch 12 bytes a key, then each row once. Segments of more
 * than 256 rows are summed in chunks, so a key that fills the list takes n / 256 steps, not n.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { LimitError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import { Tensor } from "../graph/tensor.ts";
import { unitOf, unitView } from "./block.ts";

/** Row numbers: u32 on the device, or known to the host and then checked when the plan is recorded. */
export type Index = Tensor | readonly number[] | Uint32Array;

/** Row numbers on the device with their sorted form. */
interface Segments {
  /** Places of the sorted list in the original one, u32 `[n]`. */
  readonly order: Tensor;
  /** The sorted list, u32 `[n]`. */
  readonly sorted: Tensor;
  /** Where each key begins in the sorted list, u32 `[V + 1]`. */
  readonly bound: Tensor;
}

/** Keys a block of the sort, and rows a chunk of a sum; the constant of the kernels. */
const CHUNK = 256;

let constants = 0;

/** Extents of an index. */
export function indexShape(index: Index): Shape {
  return index instanceof Tensor ? index.shape : [index.length];
}

/**
 * The index as a tensor. The device does not check it: what its kernels do with a number out of range, they say.
 *
 * @param op Op to name in errors.
 * @param limit Numbers must be below this.
 * @throws {LimitError} If the host knows a number that is no row.
 */
export function indexTensor(g: Plan, op: string, index: Index, limit: number): Tensor {
  if (index instanceof Tensor) return index;
  const values = [...index];
  const at = values.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < limit));
  if (at >= 0) {
    throw new LimitError(`Cannot run ${op}: index ${at} is ${values[at]}, wanted a whole number below ${limit}`, {
      context: { op, at, given: String(values[at]), max: limit - 1 },
    });
  }
  return g.constant(`index ${constants++}`, [values.length], "u32", () => values);
}

/** Sorts on the host. */
function sortHost(g: Plan, values: ArrayLike<number>, limit: number): Segments {
  const n = values.length;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
  const bound = new Uint32Array(limit + 1);
  for (let i = 0; i < n; i++) bound[values[i]! + 1]!++;
  for (let v = 0; v < limit; v++) bound[v + 1]! += bound[v]!;
  const key = `index ${constants++}`;
  return {
    order: g.constant(`${key} order`, [n], "u32", () => order),
    sorted: g.constant(`${key} sorted`, [n], "u32", () => order.map((i) => values[i]!)),
    bound: g.constant(`${key} bound`, [limit + 1], "u32", () => bound),
  };
}

/**
 * Appends the sort of an index.
 *
 * @param tensor The index as {@linkcode indexTensor} gave it. Numbers of `limit` and above end up behind the last bound.
 */
export function segments(g: Plan, index: Index, tensor: Tensor, limit: number): Segments {
  if (!(index instanceof Tensor)) return sortHost(g, index, limit);
  const n = tensor.size;
  const S = Math.ceil(n / CHUNK);
  let key = tensor.reshape([n]);
  let order: Tensor | undefined;
  // Numbers out of range count as `limit`, which must fit as well.
  for (let shift = 0; shift === 0 || limit >= 2 ** shift; shift += 8) {
    const count = g.tensor([S, 256], "u32", "segments.count");
    const total = g.tensor([256], "u32", "segments.total");
    const sorted = g.tensor([n], "u32", "segments.sorted");
    const placed = g.tensor([n], "u32", "segments.order");
    g.run(k.segments_count, { key, count }, { V: limit, shift });
    g.run(k.segments_scan, { count, total });
    g.run(k.segments_place, { key, order, total, count, sorted, placed }, { V: limit, shift });
    key = sorted;
    order = placed;
  }
  const bound = g.tensor([limit + 1], "u32", "segments.bound");
  g.run(k.segments_bounds, { sorted: key, bound });
  return { order: order!, sorted: key, bound };
}

/**
 * Appends the sums of the rows of `x` by key.
 *
 * @param x `[n, ...rest]`.
 * @param shape `[V, ...rest]`.
 * @param dtype The type of `x`, or f32.
 * @returns Of that shape and type; zeros where a key does not occur.
 */
export function sumSegments(g: Plan, x: Tensor, list: Segments, shape: Shape, dtype: Dtype): Tensor {
  const { order, sorted, bound } = list;
  const y = g.tensor(shape, dtype, "segments.sum");
  const width = sizeOf(shape.slice(1));
  const u = unitOf([x, y], width);
  const D = width / u;
  const rows = unitView(x, u);
  let carry: Tensor | undefined;
  if (order.size > CHUNK) {
    carry = g.tensor([Math.ceil(order.size / CHUNK) * D, u], "f32", "segments.carry");
    g.run(k.segments_carry, { x: rows, order, sorted, carry }, { D });
  }
  const out = unitView(y, u);
  g.run(k.segments_sum, { x: rows, order, bound, carry, ...(dtype === x.dtype ? { y: out } : { total: out }) }, { D });
  return y;
}
