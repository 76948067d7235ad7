/**
 * Weighted sums of the rows of segments, such as the patches of each slide of a batch under attention.
 *
 * y[b, h] = sum over the rows j of segment b of w[j, h] * x[j]; a segment is rows `bound[b] .. bound[b + 1]`. Rows of weight 0
 * are not looked at, rows outside of all segments take no part, an empty segment sums to 0. Sums are f32, in shares of a
 * segment that are added in order.
 *
 * @module
 */

import { DtypeError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { unitOf, unitView } from "./block.ts";
import type { Cost } from "./cost.ts";
import { sumPartials } from "./partials.ts";

/** Rows a share has, if segments are alike. */
const SHARE_ROWS = 64;

/**
 * Sums each segment.
 *
 * @param x Rows `[R, D]`.
 * @param w Weights `[R, H]`, H of them a row; the type of `x`.
 * @param bound Where segments begin and the last one ends, u32 `[B + 1]`, rising and at most R.
 * @returns `[B, H, D]`, f32.
 * @throws {ShapeError} If `x` is no matrix, or weights or bounds do not fit.
 * @throws {DtypeError} If types differ, or bounds are not u32.
 */
export function segmentPool(g: Plan, x: Tensor, w: Tensor, bound: Tensor): Tensor {
  const [R, H, D] = check(x, w, bound);
  const B = bound.size - 1;
  const u = unitOf([x], D);
  const S = Math.max(1, Math.ceil(R / B / SHARE_ROWS));
  const part = g.tensor([S, B * H * D], "f32", "segment_pool.part");
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  const rows = unitView(x, u);
  g.run(k.segment_pool_partial, { x: rows, w, bound, part: unitView(part, u) }, { D: D / u, S, tune });
  const y = sumPartials(g, part).reshape([B, H, D]);
  g.record("segmentPool", [x, w], [y], ([dy], [needX, needW]) => {
    const dx = needX ? g.tensor([R, D], x.dtype, "segment_pool.dx") : undefined;
    const dw = needW ? g.tensor([R, H], w.dtype, "segment_pool.dw") : undefined;
    const grad = unitView(dy!, u);
    if (dx) g.run(k.segment_pool_bwd_rows, { w, bound, dy: grad, dx: unitView(dx, u) }, { D: D / u, tune });
    if (dw) g.run(k.segment_pool_bwd_weights, { x: rows, bound, dy: grad, dw }, { D: D / u, tune });
    return [dx, dw];
  });
  return y;
}

function check(x: Tensor, w: Tensor, bound: Tensor): [R: number, H: number, D: number] {
  if (x.shape.length !== 2 || !x.dim(1)) {
    throw new ShapeError(`Cannot run segmentPool: x is ${formatShape(x.shape)}, wanted rows [R, D]`, {
      context: { op: "segmentPool", tensor: "x", given: x.shape },
    });
  }
  expectShape("segmentPool", "w", w.shape, [x.dim(0), null]);
  if (w.dtype !== x.dtype) {
    throw new DtypeError(`Cannot run segmentPool: w is ${w.dtype}, wanted ${x.dtype} as x`, {
      context: { op: "segmentPool", tensor: "w", given: w.dtype, wanted: x.dtype },
    });
  }
  expectShape("segmentPool", "bound", bound.shape, [null]);
  if (bound.size < 2) {
    throw new ShapeError(`Cannot run segmentPool: ${bound.size} bounds, wanted at least the two of one segment`, {
      context: { op: "segmentPool", tensor: "bound", given: bound.shape },
    });
  }
  return [x.dim(0), w.dim(1), x.dim(1)];
}

/** Cost of the forward pass over R rows of D elements with H weights. */
export function segmentPoolCost(R: number, H: number, D: number): Cost {
  return { flops: 2 * R * H * D, bytes: 4 * (R * D + R * H) };
}
