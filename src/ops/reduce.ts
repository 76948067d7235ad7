/**
 * Sum, mean and maximum over neighbouring dimensions or over everything, in stages of fixed order.
 *
 * The gradient of a maximum is shared evenly among the elements that attain it, as in torch.amax.
 *
 * @module
 */

import type { Middle } from "../core/broadcast.ts";
import { ConfigError, ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { middlePlaces, reduceMiddle } from "./partials.ts";

/** Options of the reductions. */
export interface ReductionOptions {
  /** One dimension or several neighbouring ones, counted from the end when negative; all by default. */
  dims?: number | readonly number[];
  /** Keeps the reduced dimensions with extent 1. */
  keepDims?: boolean;
  /** Element type of the result; default that of `x`. */
  dtype?: "f32" | "f16";
}

interface Reduction {
  readonly middle: Middle;
  readonly shape: number[];
  readonly dtype: "f32" | "f16";
}

function resolve(op: string, x: Tensor, options: ReductionOptions): Reduction {
  const { dims = x.shape.map((_, i) => i), keepDims = false, dtype = x.dtype === "f16" ? "f16" : "f32" } = options;
  const rank = x.shape.length;
  const at = (typeof dims === "number" ? [dims] : [...dims]).map((dim) => (dim < 0 ? rank + dim : dim)).sort((p, q) =>
    p - q
  );
  const first = at[0] ?? 0;
  if (!at.length || at.some((dim, i) => !Number.isInteger(dim) || dim < 0 || dim >= rank || dim !== first + i)) {
    throw new ConfigError(
      `Cannot run ${op}: dims are [${dims}] of ${formatShape(x.shape)}, wanted neighbouring dimensions`,
      { context: { op, key: "dims", given: dims, wanted: x.shape } },
    );
  }
  const before = x.shape.slice(0, first);
  const over = x.shape.slice(first, first + at.length);
  const after = x.shape.slice(first + at.length);
  const shape = [...before, ...(keepDims ? over.map(() => 1) : []), ...after];
  if (op !== "sum" && sizeOf(over) === 0) {
    throw new ShapeError(`Cannot run ${op}: x is ${formatShape(x.shape)}, wanted at least one element`, {
      context: { op, tensor: "x", given: x.shape },
    });
  }
  return { middle: [sizeOf(before), sizeOf(over), sizeOf(after)], shape: shape.length ? shape : [1], dtype };
}

function total(g: Plan, op: "sum" | "mean", x: Tensor, options: ReductionOptions): Tensor {
  const { middle, shape, dtype } = resolve(op, x, options);
  const scale = op === "mean" ? 1 / middle[1] : 1;
  const y = reduceMiddle(g, "sum", x, middle, { scale, dtype }).reshape(shape);
  g.record(op, [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, x.dtype, `${op}.dx`);
    const places = middlePlaces(middle);
    const grad = dy!.reshape([y.size]);
    const tensors = { ...(places.quad === "next" ? { dy4: grad } : { dy: grad }), dx: dx.reshape([x.size]) };
    g.run(k.reduce_bwd, tensors, { scale, ...places });
    return [dx];
  });
  return y;
}

/**
 * Sum over dimensions, accumulated in f32.
 *
 * @param x Any shape.
 * @returns The shape of `x` without the reduced dimensions; `[1]` when none is left.
 * @throws {ConfigError} If the dimensions do not exist or are no neighbours.
 */
export function sum(g: Plan, x: Tensor, options: ReductionOptions = {}): Tensor {
  return total(g, "sum", x, options);
}

/**
 * Mean over dimensions, accumulated in f32.
 *
 * @param x Any shape.
 * @returns As {@linkcode sum}.
 * @throws {ConfigError} If the dimensions do not exist or are no neighbours.
 * @throws {ShapeError} If there is nothing to average.
 */
export function mean(g: Plan, x: Tensor, options: ReductionOptions = {}): Tensor {
  return total(g, "mean", x, options);
}

/**
 * Maximum over dimensions.
 *
 * @param x Any shape, without NaN.
 * @returns As {@linkcode sum}, with the type of `x`.
 * @throws {ConfigError} If the dimensions do not exist or are no neighbours.
 * @throws {ShapeError} If there is no element.
 */
export function max(g: Plan, x: Tensor, options: Omit<ReductionOptions, "dtype"> = {}): Tensor {
  const { middle, shape, dtype } = resolve("max", x, options);
  const y = reduceMiddle(g, "max", x, middle, { dtype }).reshape(shape);
  g.record("max", [x], [y], ([dy]) => {
    const top = y.reshape([y.size]);
    const count = reduceMiddle(g, "count", x, middle, { top }).reshape([y.size]);
    const dx = g.tensor(x.shape, x.dtype, "max.dx");
    const tensors = { dy: dy!.reshape([y.size]), x: x.reshape([x.size]), top, count, dx: dx.reshape([x.size]) };
    g.run(k.reduce_bwd, tensors, { scale: 1, ...middlePlaces(middle) });
    return [dx];
  });
  return y;
}

/** Sum of all elements as a loss needs it: f32 `[1]`. */
export function sumAll(g: Plan, x: Tensor): Tensor {
  return sum(g, x, { dtype: "f32" });
}

/** Mean of all elements: f32 `[1]`. */
export function meanAll(g: Plan, x: Tensor): Tensor {
  return mean(g, x, { dtype: "f32" });
}

/** Cost of the forward pass. */
export function reduceCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: n, bytes: 4 * n };
}
