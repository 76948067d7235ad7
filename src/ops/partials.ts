/**
 * Sums that several ops share, in two or more stages: no float atomics anywhere, so that results do not depend on scheduling.
 *
 * @module
 */

import type { Middle } from "../core/broadcast.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Options of {@linkcode reduceMiddle}. */
export interface ReduceOptions {
  /** Factor of each element, the shape of `x`; sums only. */
  w?: Tensor | undefined;
  /** What `count` compares with, `[A, C]`. */
  top?: Tensor;
  /** Factor of the result; not for maxima. */
  scale?: number;
  /** Element type of the result; default f32. */
  dtype?: "f32" | "f16";
}

/** Elements one partial result covers: of a row, and of a middle dimension. The kernels know them too. */
const ROW_BLOCK = 4096;
const MIDDLE_BLOCK = 64;
/** Rows up to here are too short for a workgroup. */
const SHORT_ROW = 32;

/**
 * Sums the first dimension in order.
 *
 * @param part `[S, ...]`, f32.
 * @returns `[...]`, f32; `part` itself under that shape when S is 1.
 */
export function sumPartials(g: Plan, part: Tensor): Tensor {
  const shape = part.shape.slice(1);
  if (part.dim(0) === 1) return part.reshape(shape);
  const y = g.tensor(shape, "f32", "sum_partials.y");
  g.run(k.sum_partials, { part: part.reshape([part.dim(0), y.size]), y: y.reshape([y.size]) });
  return y;
}

/**
 * Sum of `x * w`, maximum of `x`, or how many elements of `x` equal `top`, over the middle dimension.
 *
 * @param x `A * R * C` elements of any float type; R is not 0 for maxima.
 * @returns `[A, C]`.
 */
export function reduceMiddle(
  g: Plan,
  f: "sum" | "max" | "count",
  x: Tensor,
  [A, R, C]: Middle,
  options: ReduceOptions = {},
): Tensor {
  const { w, top, scale = 1, dtype = "f32" } = options;
  const S = Math.max(1, Math.ceil(R / (C === 1 ? ROW_BLOCK : MIDDLE_BLOCK)));
  const last = S === 1;
  const out = { f, scale: last ? scale : 1 };
  const y = g.tensor(C === 1 ? [A, S] : [S, A, C], last ? dtype : "f32", `reduce.${f}`);
  if (C === 1) {
    const kernel = g.gpu.caps.flat || R <= SHORT_ROW ? k.reduce_rows_flat : k.reduce_rows;
    g.run(kernel, { x: x.reshape([A, R]), w: w?.reshape([A, R]), top: top?.reshape([A]), y }, out);
  } else {
    const shape = [A, R, C];
    g.run(k.reduce_middle, { x: x.reshape(shape), w: w?.reshape(shape), top: top?.reshape([A, C]), y }, out);
  }
  if (last) return y.reshape([A, C]);
  const next: Middle = C === 1 ? [A, S, 1] : [1, S, A * C];
  return reduceMiddle(g, f === "max" ? "max" : "sum", y, next, { scale, dtype }).reshape([A, C]);
}

/** How kernels with `lib middle` find places in a tensor without the middle dimension. */
export function middlePlaces(
  [A, R, C]: Middle,
): { R: number; C: number; over: "first" | "last" | "middle"; quad: "same" | "next" | "any" } {
  const over = A === 1 ? "first" : C === 1 ? "last" : "middle";
  const shared = C === 1 && (A === 1 || R % 4 === 0);
  return { R, C, over, quad: shared ? "same" : C % 4 === 0 ? "next" : "any" };
}
