/**
 * Weights by formula: what `verify` and PyTorch both begin from, so that no weights have to be stored.
 *
 * Same as `start` of `tests/python/seal_train.py`.
 *
 * @module
 */

import { Rng, streamOf } from "../core/rng.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

const TOKENS: ReadonlySet<string> = new Set(["cls_token", "reg_token", "pos_embed", "query"]);

/** Starting values of a parameter: of usual size, and such that none can be left out unseen. B of low-rank updates is zero. */
export function startOf(seed: number, name: string, shape: Shape): Float32Array {
  const size = sizeOf(shape);
  if (name.endsWith("lora_B.weight")) return new Float32Array(size);
  let [low, high] = [-0.03, 0.03];
  if (shape.length > 1 && name.endsWith(".weight")) {
    high = Math.sqrt(3 / (size / shape[0]!));
    low = -high;
  } else if (name.endsWith(".weight")) [low, high] = [0.9, 1.1];
  else if (name.endsWith(".gamma")) [low, high] = [0.5, 1.5];
  else if (name.includes(".flows.") || TOKENS.has(name.slice(name.lastIndexOf(".") + 1))) [low, high] = [-0.3, 0.3];
  return new Rng(seed, streamOf(name)).uniforms(size, low, high);
}
