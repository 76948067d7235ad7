/**
 * The contrastive loss of CLIP with a mask: some pairs of a batch are no negatives, as bags of one patient or patches that
 * overlap.
 *
 * s = a c^T / temperature + mask, loss = -1/2 mean_i (log softmax(s)_ii + log softmax(s^T)_ii).
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { clamp, exp } from "../ops/activation.ts";
import { add, mul, sub } from "../ops/binary.ts";
import { matmul } from "../ops/matmul.ts";
import { permute } from "../ops/permute.ts";
import { sumAll } from "../ops/reduce.ts";
import { affine, scale } from "../ops/scale.ts";
import { logSoftmax } from "../ops/softmax.ts";

/** What stands in the mask for pairs that are no negatives. */
export const NO_NEGATIVE = -1e9;

/**
 * Appends the loss.
 *
 * @param a `[B, p]`, of length one. @param c `[B, p]`, of length one.
 * @param inverse 1 / temperature, `[1]`.
 * @param mask `[B, B]`: 0, or {@linkcode NO_NEGATIVE}.
 * @returns `[1]`.
 */
export function maskedClip(g: Plan, a: Tensor, c: Tensor, inverse: Tensor, mask: Tensor): Tensor {
  const B = a.dim(0);
  const eye = g.constant(`eye ${B}`, [B, B], "f32", () => {
    return Float32Array.from({ length: B * B }, (_, i) => (i % (B + 1) === 0 ? 1 : 0));
  });
  const s = add(g, scale(g, matmul(g, a, c, { transB: true }), inverse), mask);
  const own = (of: Tensor) => sumAll(g, mul(g, logSoftmax(g, of), eye));
  return affine(g, add(g, own(s), own(permute(g, s, [1, 0]))), -0.5 / B);
}

/**
 * Appends the inverse of a temperature that trains between bounds; its gradient passes them, so that it can come back.
 *
 * @param logScale log(1 / temperature), `[1]`.
 * @returns `[1]`.
 */
export function boundedInverse(
  g: Plan,
  logScale: Tensor,
  { least, most = Infinity }: { readonly least: number; readonly most?: number },
): Tensor {
  const low = Math.max(-100, -Math.log(most));
  const excess = g.withoutTape(() => sub(g, clamp(g, logScale, low, -Math.log(least)), logScale));
  return exp(g, add(g, logScale, excess));
}
