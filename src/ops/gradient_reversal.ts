/**
 * Gradient reversal: the identity forwards, minus lambda backwards, so that what comes before learns to confuse what follows.
 *
 * Source: Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/**
 * Reverses the gradient; costs nothing forwards, the result is the same memory.
 *
 * @param x Any shape.
 * @param lambda Strength; a device scalar `[1]`, f32, when a schedule changes it (it gets no gradient).
 * @throws {ConfigError} If lambda is not finite.
 * @throws {ShapeError} If lambda is a tensor and not `[1]`.
 */
export function gradientReversal(g: Plan, x: Tensor, lambda: number | Tensor = 1): Tensor {
  const fixed = typeof lambda === "number";
  if (!fixed) expectShape("gradient_reversal", "lambda", lambda.shape, [1]);
  else if (!Number.isFinite(lambda)) {
    throw new ConfigError(`Cannot run gradient_reversal: lambda is ${lambda}, wanted a finite number`);
  }
  const y = x.detach();
  g.record("gradient_reversal", [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, x.dtype, "gradient_reversal.dx");
    const s = fixed ? undefined : lambda;
    g.run(k.affine, { x: dy!.reshape([x.size]), s, y: dx.reshape([x.size]) }, { a: fixed ? -lambda : -1, b: 0 });
    return [dx];
  });
  return y;
}
