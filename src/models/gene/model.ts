/**
 * What all gene models share: their interface, and the masking of inputs.
 *
 * @module
 */

import { expectShape, type Shape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, square } from "../../ops/activation.ts";
import { div, mul, sub } from "../../ops/binary.ts";
import { random } from "../../ops/random.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";

/** Which point of the posterior becomes the latent: one drawn, its mean, or the mean of `mc` drawn ones. */
export type Latent = "sample" | "mean" | { readonly mc: number };

/** How a gene model runs. */
export interface GeneForward {
  /** Masking and dropout draw, batch normalisation uses the batch. Default false. */
  readonly training?: boolean;
  /** For variational models; default `sample` in training, else `mean`. */
  readonly latent?: Latent;
  /** Standard normal numbers to draw the latent with: `[B, D]`, or `[mc, B, D]`. Default: those of the plan. */
  readonly noise?: Tensor;
  /** Ones where inputs are hidden, `[B, G]`, instead of those that training draws. */
  readonly mask?: Tensor;
}

/** What a gene model computes. */
export interface GeneOutput {
  /** Embedding `[B, D]`, before any projection head. */
  readonly z: Tensor;
  /** Expression decoded from it, `[B, G]`. */
  readonly y: Tensor;
  /** Mean of the base posterior, `[B, D]`. */
  readonly mu?: Tensor;
  /** Logarithm of its variance, `[B, D]`. */
  readonly logvar?: Tensor;
  /** Logarithm of the volume the flows changed, `[B]`. */
  readonly logdet?: Tensor;
  /** Ones where inputs were hidden, `[B, G]`. */
  readonly mask?: Tensor;
  /** Losses of the model's own, `[1]` each, by name and without their weights. Those nobody uses cost nothing. */
  readonly aux: Readonly<Record<string, Tensor>>;
}

/** A gene model whose parameters exist. */
export interface GeneModel {
  /** Value of `gene_model`. */
  readonly name: string;
  /** Genes, G. */
  readonly genes: number;
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Weight of each of {@linkcode GeneOutput.aux} in the objective; those that are not here have none. */
  readonly auxWeights: Readonly<Record<string, number>>;
  /**
   * Appends the model.
   *
   * @param x Expression `[B, G]`, f32: normalised, logarithmic.
   * @throws {ShapeError} If `x`, the noise or the mask has another shape, or a training batch with normalisation has one row.
   * @throws {ConfigError} If it draws and the plan has no random state.
   */
  forward(g: Plan, x: Tensor, options?: GeneForward): GeneOutput;
}

/** Weight of the loss on masked genes: the original's. */
export const MASKED_WEIGHT = 10;

/**
 * Hides inputs: x where the mask is 0, else 0; what is left is not scaled up.
 *
 * @param x `[B, G]`.
 * @param name Of the model, by which the mask is drawn.
 * @param ratio Probability of being hidden.
 * @returns The input, and the mask if there is one.
 */
export function maskInputs(
  g: Plan,
  name: string,
  x: Tensor,
  ratio: number,
  { training = false, mask: given }: GeneForward,
): { x: Tensor; mask?: Tensor } {
  if (given) expectShape("a gene model", "mask", given.shape, x.shape);
  const draw = () => random(g, `${name}.mask`, x.shape, { kind: "bernoulli", rate: ratio });
  const mask = given ?? (training && ratio > 0 ? draw() : undefined);
  return mask ? { x: mul(g, x, affine(g, mask, -1, 1)), mask } : { x };
}

/** Mean squared error over masked elements, `[1]`; 0 where there is none. */
export function maskedError(g: Plan, y: Tensor, x: Tensor, mask: Tensor): Tensor {
  const count = clamp(g, sumAll(g, mask), 1, 3e38);
  return div(g, sumAll(g, square(g, mul(g, sub(g, y, x), mask))), count);
}

/**
 * Checks the input of a gene model.
 *
 * @throws {ShapeError} If it is not `[B, G]`.
 */
export function expectGenes(model: string, shape: Shape, genes: number): void {
  expectShape(model, "x", shape, [null, genes]);
}
