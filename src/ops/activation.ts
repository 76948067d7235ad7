/**
 * Elementwise functions of one tensor.
 *
 * The meaning is torch's: GELU is the exact form with erf, softplus has beta 1, the gradient at the corner of relu is 0.
 * Backward needs x or y, whichever lets the other one go: y where it determines the slope, since the next op keeps y anyway.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Elementwise functions; `leaky_relu` and `clamp` take numbers. */
export type Activation =
  | "gelu"
  | "silu"
  | "relu"
  | "leaky_relu"
  | "tanh"
  | "sigmoid"
  | "softplus"
  | "exp"
  | "log"
  | "sqrt"
  | "square"
  | "abs"
  | "clamp";

/** Functions whose slope follows from y. */
const FROM_OUTPUT: ReadonlySet<Activation> = new Set(["relu", "leaky_relu", "tanh", "sigmoid", "exp", "sqrt"]);

/**
 * Applies a function by name.
 *
 * @param x Any shape.
 * @param a Slope of `leaky_relu` below 0, or lower bound of `clamp`.
 * @param b Upper bound of `clamp`.
 * @returns The shape and type of `x`.
 * @throws {ConfigError} If a number is none, the slope is negative or the bounds are reversed.
 */
export function activation(g: Plan, f: Activation, x: Tensor, a = f === "leaky_relu" ? 0.01 : 0, b = 0): Tensor {
  if (f === "leaky_relu" && !(a >= 0)) throw new ConfigError(`Cannot run leaky_relu: slope is ${a}, wanted 0 or more`);
  if (f === "clamp" && !(a <= b)) {
    throw new ConfigError(`Cannot run clamp: bounds are ${a} and ${b}, wanted the lower first`);
  }
  const flat = [x.size];
  const y = g.tensor(x.shape, x.dtype, `${f}.y`);
  g.run(k.activation_fwd, { x: x.reshape(flat), y: y.reshape(flat) }, { f, a, b });
  const saved = FROM_OUTPUT.has(f) ? y : x;
  g.record(f, [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, x.dtype, `${f}.dx`);
    g.run(k.activation_bwd, { s: saved.reshape(flat), dy: dy!.reshape(flat), dx: dx.reshape(flat) }, { f, a, b });
    return [dx];
  });
  return y;
}

/** Gaussian error linear unit x Φ(x), exact form; {@linkcode activation} has the shapes. */
export function gelu(g: Plan, x: Tensor): Tensor {
  return activation(g, "gelu", x);
}

/** x σ(x). */
export function silu(g: Plan, x: Tensor): Tensor {
  return activation(g, "silu", x);
}

/** max(x, 0); NaN stays NaN. */
export function relu(g: Plan, x: Tensor): Tensor {
  return activation(g, "relu", x);
}

/**
 * x above 0, `slope * x` below.
 *
 * @throws {ConfigError} If the slope is negative.
 */
export function leakyRelu(g: Plan, x: Tensor, slope = 0.01): Tensor {
  return activation(g, "leaky_relu", x, slope);
}

/** Hyperbolic tangent, correct also where the built-in overflows. */
export function tanh(g: Plan, x: Tensor): Tensor {
  return activation(g, "tanh", x);
}

/** 1 / (1 + e^-x). */
export function sigmoid(g: Plan, x: Tensor): Tensor {
  return activation(g, "sigmoid", x);
}

/** log(1 + e^x). */
export function softplus(g: Plan, x: Tensor): Tensor {
  return activation(g, "softplus", x);
}

/** e^x. */
export function exp(g: Plan, x: Tensor): Tensor {
  return activation(g, "exp", x);
}

/** Natural logarithm. */
export function log(g: Plan, x: Tensor): Tensor {
  return activation(g, "log", x);
}

/** Square root; its gradient at 0 is infinite. */
export function sqrt(g: Plan, x: Tensor): Tensor {
  return activation(g, "sqrt", x);
}

/** x². */
export function square(g: Plan, x: Tensor): Tensor {
  return activation(g, "square", x);
}

/** |x|; its gradient at 0 is 0. */
export function abs(g: Plan, x: Tensor): Tensor {
  return activation(g, "abs", x);
}

/**
 * x kept within `lo .. hi`; the gradient passes inside and on the bounds.
 *
 * @throws {ConfigError} If `lo` is above `hi`.
 */
export function clamp(g: Plan, x: Tensor, lo: number, hi: number): Tensor {
  return activation(g, "clamp", x, lo, hi);
}

/** Cost of the forward pass. */
export function activationCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 20 * n, bytes: 8 * n };
}
