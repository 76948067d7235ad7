/**
 * Attention to a few tokens of which some do not count, as slices beyond the end of a volume.
 *
 * o = softmax(q k^T / sqrt(E) + mask) v for each head. The scores are kept: for sequences of dozens of tokens; the op
 * `attention` is for longer ones, and has no mask.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { add } from "../ops/binary.ts";
import { matmul } from "../ops/matmul.ts";
import { permute } from "../ops/permute.ts";
import { slice } from "../ops/slice.ts";
import { softmax } from "../ops/softmax.ts";

/** What stands in the mask for tokens that do not count. */
export const NO_KEY = -1e9;

/** `[B, N, H * E]` as `[B, H, N, E]`. */
function byHead(g: Plan, x: Tensor, heads: number): Tensor {
  const [B, N, D] = [x.dim(0), x.dim(1), x.dim(2)];
  return permute(g, x.reshape([B, N, heads, D / heads]), [0, 2, 1, 3]);
}

/**
 * Appends attention of queries to tokens.
 *
 * @param q `[B, Nq, H * E]`, or `[1, Nq, H * E]` shared by the batch.
 * @param kv Keys and values `[B, Nk, 2 * H * E]`, each head by head.
 * @param mask Added to the scores, `[B, Nk]`: 0, or {@linkcode NO_KEY}; a row must leave one token.
 * @returns `[B, Nq, H * E]`.
 * @throws {ShapeError} If the shapes do not fit.
 */
export function maskedAttention(
  g: Plan,
  q: Tensor,
  kv: Tensor,
  mask: Tensor,
  { heads }: { readonly heads: number },
): Tensor {
  const name = "maskedAttention";
  expectShape(name, "kv", kv.shape, [null, null, null]);
  const [B, Nk, D] = [kv.dim(0), kv.dim(1), kv.dim(2) / 2];
  if (!Number.isInteger(heads) || heads < 1 || !Number.isInteger(D / heads)) {
    throw new ShapeError(`Cannot run ${name}: ${D} channels by ${heads} heads, wanted a whole multiple`);
  }
  expectShape(name, "q", q.shape, [q.shape[0] === 1 ? 1 : B, null, D]);
  expectShape(name, "mask", mask.shape, [B, Nk]);
  const spread = g.constant(`zeros ${B}x1x${D}`, [B, 1, D], "f32", () => new Float32Array(B * D));
  const queries = q.dim(0) === B ? q : add(g, q, spread);
  const [keys, values] = [0, D].map((from) => byHead(g, slice(g, kv, 2, from, D), heads));
  const scores = matmul(g, byHead(g, queries, heads), keys!, { transB: true, alpha: 1 / Math.sqrt(D / heads) });
  const weights = softmax(g, add(g, scores, mask.reshape([B, 1, 1, Nk])));
  return permute(g, matmul(g, weights, values!), [0, 2, 1, 3]).reshape([B, q.dim(1), D]);
}
