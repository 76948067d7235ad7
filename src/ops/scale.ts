/**
 * Multiplication by numbers known when the plan is recorded, and by a scalar that lives on the device.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { reduceMiddle } from "./partials.ts";

function dispatch(g: Plan, x: Tensor, a: number, b: number, s?: Tensor): Tensor {
  const y = g.tensor(x.shape, x.dtype, "affine.y");
  g.run(k.affine, { x: x.reshape([x.size]), s, y: y.reshape([x.size]) }, { a, b });
  return y;
}

/**
 * a x + b.
 *
 * @param x Any shape.
 * @returns The shape and type of `x`.
 * @throws {ConfigError} If a or b is not finite.
 */
export function affine(g: Plan, x: Tensor, a: number, b = 0): Tensor {
  if (!Number.isFinite(a) || !Number.isFinite(b)) {
    throw new ConfigError(`Cannot run affine: the numbers are ${a} and ${b}, wanted finite ones`);
  }
  const y = dispatch(g, x, a, b);
  g.record("affine", [x], [y], ([dy]) => {
    if (a === 1) return [dy];
    const dx = dispatch(g, dy!, a, 0);
    const zeros = g.centred(dy!);
    g.noteCentred(dx, zeros.from, zeros.to);
    return [dx];
  });
  return y;
}

/**
 * s x with s on the device, as a learned temperature is.
 *
 * @param x Any shape.
 * @param s `[1]`, f32.
 * @returns The shape and type of `x`; both inputs get gradients.
 * @throws {ShapeError} If s is not `[1]`.
 */
export function scale(g: Plan, x: Tensor, s: Tensor): Tensor {
  expectShape("scale", "s", s.shape, [1]);
  const y = dispatch(g, x, 1, 0, s);
  g.record("scale", [x, s], [y], ([dy], [needX, needS]) => [
    needX ? dispatch(g, dy!, 1, 0, s) : undefined,
    needS ? reduceMiddle(g, "sum", dy!, [1, x.size, 1], { w: x }).reshape([1]) : undefined,
  ]);
  return y;
}

/** Cost of the forward pass. */
export function scaleCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 2 * n, bytes: 8 * n };
}
