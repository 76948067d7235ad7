/**
 * Objectives of bags, and what balances unequal classes.
 *
 * Cross-entropy is loss = -sum over bags b and classes c of t[b, c] log softmax(logits)[b, c]; the host writes t. With
 * t = w[label] / n at the label, n the bags of the batch, class weights w count even where a batch holds one bag: PyTorch's
 * weighted mean divides by the sum of the weights, which undoes them there.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { expectShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { square } from "../../ops/activation.ts";
import { mul, sub } from "../../ops/binary.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { logSoftmax } from "../../ops/softmax.ts";

/** How unequal classes are balanced. */
export const BALANCES = ["sampler", "loss", "none"] as const;

/** `sampler` draws bags with 1 / n_c, with replacement; `loss` weighs them by N / (K n_c); `none` is Patho-Bench's. */
export type Balance = (typeof BALANCES)[number];

/**
 * Cross-entropy against weighted targets.
 *
 * @param logits `[B, K]`.
 * @param target `[B, K]`, f32; see {@linkcode classTargets}. Rows of zeros count nothing.
 * @returns `[1]`.
 */
export function targetCrossEntropy(g: Plan, logits: Tensor, target: Tensor): Tensor {
  expectShape("targetCrossEntropy", "target", target.shape, logits.shape);
  return affine(g, sumAll(g, mul(g, logSoftmax(g, logits), target)), -1);
}

/**
 * Squared differences, summed with a weight a bag: 1 / (n K) for the n bags of a batch is the mean over bags and targets.
 *
 * @param output `[B, K]`.
 * @param target `[B, K]`.
 * @param weight `[B, 1]`; bags of weight 0 count nothing.
 * @returns `[1]`.
 */
export function squaredError(g: Plan, output: Tensor, target: Tensor, weight: Tensor): Tensor {
  expectShape("squaredError", "target", target.shape, output.shape);
  expectShape("squaredError", "weight", weight.shape, [output.dim(0), 1]);
  return sumAll(g, mul(g, square(g, sub(g, output, target)), weight));
}

/** Weight of each class: N / (K n_c) over the classes that occur, 0 where one does not. */
export function classWeights(labels: ArrayLike<number>, classes: number): Float64Array {
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  const present = counts.reduce((n, count) => n + (count > 0 ? 1 : 0), 0);
  return counts.map((count) => (count > 0 ? labels.length / (present * count) : 0));
}

/**
 * Targets of {@linkcode targetCrossEntropy} for the bags of a batch: the weight of its class over the number of bags.
 *
 * @param size Bags the plan has room for; those behind the last count nothing.
 * @returns `[size, classes]`.
 * @throws {ConfigError} If a label is no class.
 */
export function classTargets(
  labels: ArrayLike<number>,
  { classes, size = labels.length, weights }: { classes: number; size?: number; weights?: ArrayLike<number> },
): Float32Array {
  const out = new Float32Array(size * classes);
  for (let b = 0; b < labels.length; b++) {
    const label = labels[b]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new ConfigError(`Cannot make targets: label ${b} is ${label}, wanted a class below ${classes}`, {
        context: { at: b, given: String(label), classes },
      });
    }
    out[b * classes + label] = (weights?.[label] ?? 1) / labels.length;
  }
  return out;
}
