/**
 * Sigmoid contrastive loss with weights from the gene side, "soft-weighted sigmoid locked".
 *
 * With cosines c, logits l = s c + b and weights w_ij = 1 - (4 / pi) atan(d_ij^2 / 0.3), 0 below 0.75, d the distance of
 * directions i and j on the gene side, held fixed: L = -(1/B) sum_ij [w ln sigma(l) + (1.7 - 0.75 w) ln sigma(-l)]. Whether the
 * published distance is squared is uncertain, hence the option.
 *
 * Source: MolPhenix, arXiv 2409.08302; scale 10 and bias -10 as in SigLIP.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import { expectShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { softplus } from "../../ops/activation.ts";
import { add, mul } from "../../ops/binary.ts";
import { l2Normalize } from "../../ops/l2_normalize.ts";
import { matmul } from "../../ops/matmul.ts";
import { proximity } from "../../ops/proximity.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine, scale as times } from "../../ops/scale.ts";
import { type ContrastiveEntry, scalar, trainedScalar } from "../contrastive_loss.ts";
import { expectPair } from "../gene_loss.ts";

const keys = {
  s2l_squared: { kind: "flag", default: true, doc: "Squared distances in the weights of s2l" },
} as const satisfies Keys;

/** Options of {@linkcode s2l}. */
export interface S2lOptions {
  /** Factor of the cosines, `[1]`, f32, usually trainable; a fixed 10 when left out. */
  scale?: Tensor | undefined;
  /** Added to the logits, `[1]`, f32, usually trainable; a fixed -10 when left out. */
  bias?: Tensor | undefined;
  /** Squared distances in the weights; default true. */
  squared?: boolean;
}

/**
 * Appends the loss.
 *
 * @param image `[B, E]`; brought to length one.
 * @param gene `[B, E]`; brought to length one.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty, or scale or bias is no scalar.
 */
export function s2l(g: Plan, image: Tensor, gene: Tensor, options: S2lOptions = {}): Tensor {
  const { scale = scalar(g, 10), bias = scalar(g, -10), squared = true } = options;
  expectPair("s2l", image, gene);
  expectShape("s2l", "scale", scale.shape, [1]);
  expectShape("s2l", "bias", bias.shape, [1]);
  const [a, b] = [l2Normalize(g, image), l2Normalize(g, gene)];
  const [w, rest] = g.withoutTape(() => {
    const w = proximity(g, matmul(g, b, b, { transB: true }), { squared });
    return [w, affine(g, w, -0.75, 1.7)];
  }) as [Tensor, Tensor];
  const logits = add(g, times(g, matmul(g, a, b, { transB: true }), scale), bias);
  // -ln sigma(l) = softplus(-l).
  const positive = mul(g, w, softplus(g, affine(g, logits, -1)));
  const negative = mul(g, rest, softplus(g, logits));
  return affine(g, sumAll(g, add(g, positive, negative)), 1 / image.dim(0));
}

/** How it is trained with: factor and bias always train, `s2l_scale` and `s2l_bias`, as in SigLIP. */
export const entry: ContrastiveEntry<typeof keys> = {
  keys,
  create({ s2l_squared: squared }, parameters) {
    const scale = trainedScalar(parameters, "s2l_scale", 10);
    const bias = trainedScalar(parameters, "s2l_bias", -10);
    return (g, image, gene) => s2l(g, image, gene, { scale, bias, squared });
  },
};
