/**
 * Attention over the rows of bags: a score a row and head, its softmax over the bag, and the weighted sums of the rows.
 *
 * s = w · drop(tanh(V h + b_V)) + b_w, or gated w · (drop(tanh(V h + b_V)) ⊙ drop(sigmoid(U h + b_U))) + b_w; each head has V, U
 * and w of its own.
 *
 * Source: Ilse et al., "Attention-based deep multiple instance learning", arXiv 1802.04712; ungated as in Patho-Bench.
 *
 * @module
 */

import type { Rng } from "../../core/rng.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { applyLinear, type LinearLayer } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { torchLinear } from "../../nn/sequential.ts";
import { activation } from "../../ops/activation.ts";
import { mul } from "../../ops/binary.ts";
import { concat } from "../../ops/concat.ts";
import { dropout } from "../../ops/dropout.ts";
import { segmentPool } from "../../ops/segment_pool.ts";
import { segmentSoftmax } from "../../ops/segment_softmax.ts";

/** The bags of a plan. */
export interface Bags {
  /** Where bags begin among the rows, and where the last one ends, u32 `[B + 1]`. */
  readonly bound: Tensor;
  /** Rows that count, u32 `[R]`: those where it is 0 get no attention. All count without it. */
  readonly mask?: Tensor | undefined;
}

/** Sizes of the attention. */
export interface AttentionOptions {
  /** Width of a row, d. */
  readonly width: number;
  /** Width of V and U. */
  readonly hidden: number;
  readonly heads: number;
  readonly gated: boolean;
  /** Dropout of both branches, in training. */
  readonly dropout: number;
  /** Starting values; without it the parameters must be loaded. */
  readonly rng?: Rng | undefined;
}

interface Head {
  readonly name: string;
  readonly v: LinearLayer;
  readonly u: LinearLayer | undefined;
  readonly w: LinearLayer;
}

/** Attention with its parameters. */
export interface Attention {
  /**
   * Appends the scores of rows.
   *
   * @param h `[R, d]`.
   * @returns `[R, H]`.
   */
  scores(g: Plan, h: Tensor, training: boolean): Tensor;
}

/** Adds `name.<head>.V`, `.U` where gated, and `.w`, each with weight and bias. */
export function createAttention(parameters: Parameters, name: string, options: AttentionOptions): Attention {
  const { width, hidden, heads, gated, dropout: p, rng } = options;
  const parts = Array.from({ length: heads }, (_, i): Head => ({
    name: `${name}.${i}`,
    v: torchLinear(parameters, `${name}.${i}.V`, [width, hidden], rng),
    u: gated ? torchLinear(parameters, `${name}.${i}.U`, [width, hidden], rng) : undefined,
    w: torchLinear(parameters, `${name}.${i}.w`, [hidden, 1], rng),
  }));
  const one = (g: Plan, { name, v, u, w }: Head, h: Tensor, training: boolean): Tensor => {
    const drop = (x: Tensor, branch: string) => (training ? dropout(g, x, p, `${name}.${branch}`) : x);
    let a = drop(activation(g, "tanh", applyLinear(g, v, h)), "V");
    if (u) a = mul(g, a, drop(activation(g, "sigmoid", applyLinear(g, u, h)), "U"));
    return applyLinear(g, w, a);
  };
  return { scores: (g, h, training) => concat(g, parts.map((head) => one(g, head, h, training)), 1) };
}

/**
 * Appends attention weights and weighted sums.
 *
 * @param h Rows `[R, d]`.
 * @param scores `[R, H]`.
 * @returns Weights `[R, H]`, which sum to 1 in every bag with a row that counts, and sums `[B, H, d]`.
 */
export function attend(g: Plan, h: Tensor, scores: Tensor, { bound, mask }: Bags): { weights: Tensor; pooled: Tensor } {
  const weights = segmentSoftmax(g, scores, bound, { mask });
  return { weights, pooled: segmentPool(g, h, weights, bound) };
}

/**
 * Appends the means of slides: a bag of which each slide was pooled by itself.
 *
 * @param pooled Sums of slides `[S, H, d]`.
 * @param weight Share of each slide in its bag, `[S, 1]`.
 * @param first Where bags begin among the slides, u32 `[B + 1]`.
 * @returns `[B, H, d]`.
 */
export function overSlides(g: Plan, pooled: Tensor, weight: Tensor, first: Tensor): Tensor {
  const [S, H, d] = [pooled.dim(0), pooled.dim(1), pooled.dim(2)];
  return segmentPool(g, pooled.reshape([S, H * d]), weight, first).reshape([-1, H, d]);
}
