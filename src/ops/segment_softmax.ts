/**
 * Softmax over the rows of segments, such as attention over the patches of each slide of a batch.
 *
 * y[j, h] = exp(x[j, h]) / sum over the rows i of j's segment of exp(x[i, h]), after subtracting the largest. A segment is
 * rows `bound[b] .. bound[b + 1]`; how long it is, only the device knows, so that one plan serves bags of any size. Rows
 * outside of all segments and masked ones weigh 0; so do all rows of a segment of which nothing counts. Same as
 * torch.softmax of each segment. A segment is read in shares that are combined in fixed order; backward needs the result.
 *
 * @module
 */

import { DtypeError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { sumPartials } from "./partials.ts";

/** Options of {@linkcode segmentSoftmax}. */
export interface SegmentSoftmaxOptions {
  /** Rows that count, u32 `[R]`: those where it is 0 are left out, whatever their score, NaN included. */
  mask?: Tensor | undefined;
}

/**
 * Softmax over each segment.
 *
 * @param x Scores `[R, H]`, H of them a row.
 * @param bound Where segments begin and the last one ends, u32 `[B + 1]`, rising and at most R.
 * @returns `[R, H]`, the type of `x`.
 * @throws {ShapeError} If `x` is no matrix, or bounds or mask do not fit.
 * @throws {DtypeError} If bounds or mask are not u32.
 */
export function segmentSoftmax(
  g: Plan,
  x: Tensor,
  bound: Tensor,
  { mask }: SegmentSoftmaxOptions = {},
): Tensor {
  const [R, H] = check(x, bound);
  if (mask) expectShape("segmentSoftmax", "mask", mask.shape, [R]);
  if (mask && mask.dtype !== "u32") {
    throw new DtypeError(`Cannot run segmentSoftmax: mask is ${mask.dtype}, wanted u32`, {
      context: { op: "segmentSoftmax", tensor: "mask", given: mask.dtype, wanted: "u32" },
    });
  }
  const B = bound.size - 1;
  // As many shares as each has rows, if segments are alike.
  const S = Math.max(1, Math.round(Math.sqrt(R / B)));
  const top = g.tensor([S, B * H], "f32", "segment_softmax.top");
  const total = g.tensor([S, B * H], "f32", "segment_softmax.total");
  const stats = g.tensor([B * H, 2], "f32", "segment_softmax.stats");
  const y = g.tensor([R, H], x.dtype, "segment_softmax.y");
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  g.run(k.segment_softmax_partial, { x, bound, mask, top, total }, { tune });
  g.run(k.segment_softmax_stats, { top, total, stats }, { tune });
  g.run(k.segment_softmax_apply, { x, bound, mask, stats, y }, { tune });
  g.record("segmentSoftmax", [x], [y], ([dy]) => {
    const part = g.tensor([S, B * H], "f32", "segment_softmax.dot");
    g.run(k.segment_softmax_dot, { y, dy: dy!, bound, part }, { tune });
    const dx = g.tensor([R, H], x.dtype, "segment_softmax.dx");
    g.run(k.segment_softmax_bwd, { y, dy: dy!, bound, dot_: sumPartials(g, part), dx }, { tune });
    // All rows shifted alike have the same softmax.
    g.noteCentred(dx);
    return [dx];
  });
  return y;
}

function check(x: Tensor, bound: Tensor): [R: number, H: number] {
  if (x.shape.length !== 2) {
    throw new ShapeError(`Cannot run segmentSoftmax: x is ${formatShape(x.shape)}, wanted scores [R, H]`, {
      context: { op: "segmentSoftmax", tensor: "x", given: x.shape },
    });
  }
  expectShape("segmentSoftmax", "bound", bound.shape, [null]);
  if (bound.size < 2) {
    throw new ShapeError(`Cannot run segmentSoftmax: ${bound.size} bounds, wanted at least the two of one segment`, {
      context: { op: "segmentSoftmax", tensor: "bound", given: bound.shape },
    });
  }
  return [x.dim(0), x.dim(1)];
}

/** Cost of the forward pass over R rows of H scores. */
export function segmentSoftmaxCost(R: number, H: number): Cost {
  return { flops: 6 * R * H, bytes: 12 * R * H };
}
