/**
 * Dropout: y = x / (1 - p) with probability 1 - p, else 0. For training only; the caller leaves it out elsewhere.
 *
 * The mask of a row of the batch is a function of seed, step, name, row and place in the row alone (`randomState` in
 * `src/core/rng.ts`): however a batch is split, it is the same. An element is kept if its word is p * 2^32 or more. Backward
 * draws the same words again; nothing is saved.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/**
 * Zeroes random elements and scales the others.
 *
 * @param x Any shape; its first dimension counts the rows of the batch. `g.random` must be set.
 * @param p Probability of zero, in [0, 1). At 0 the result is `x` itself.
 * @param name What is dropped, such as `blocks.3.attn.qkv.lora_dropout`: equal names draw equal masks.
 * @returns Shape and type of `x`.
 * @throws {ConfigError} If p is out of range, or the plan has no random state.
 */
export function dropout(g: Plan, x: Tensor, p: number, name: string): Tensor {
  if (!(p >= 0 && p < 1)) {
    throw new ConfigError(`Cannot run dropout: p is ${p}, wanted at least 0 and below 1`, {
      context: { op: "dropout", key: "p", given: String(p) },
    });
  }
  if (p === 0) return x;
  const { random } = g;
  if (!random) {
    throw new ConfigError("Cannot run dropout: the plan has no random state, wanted u32 [4]", {
      hint: "Set plan.random",
      context: { op: "dropout", key: "random" },
    });
  }
  const rows = [x.shape[0] ?? 1, sizeOf(x.shape.slice(1))];
  const params = { stream: g.stream(name), threshold: Math.floor(p * 2 ** 32), scale: 1 / (1 - p) };
  const apply = (from: Tensor, label: string): Tensor => {
    const to = g.tensor(x.shape, from.dtype, label);
    g.run(k.dropout, { x: from.reshape(rows), random, y: to.reshape(rows) }, params);
    return to;
  };
  const y = apply(x, "dropout.y");
  g.record("dropout", [x], [y], ([dy]) => [apply(dy!, "dropout.dx")]);
  return y;
}

/** Cost of the forward pass. */
export function dropoutCost(shape: Shape): Cost {
  return { flops: sizeOf(shape), bytes: 8 * sizeOf(shape) };
}
