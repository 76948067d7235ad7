/**
 * What all gene models share: their interface, their entry, and the masking of inputs. Each is a file of `gene/`, by the
 * name that configurations use.
 *
 * @module
 */

import type { Keys, NoKeys, Rule, ValuesOf } from "../core/config_key.ts";
import { expectShape, type Shape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { clamp, square } from "../ops/activation.ts";
import { div, mul, sub } from "../ops/binary.ts";
import { random } from "../ops/random.ts";
import { sumAll } from "../ops/reduce.ts";
import { affine } from "../ops/scale.ts";
import type { Parameters } from "../nn/parameters.ts";
import type { ModuleOptions } from "./module_options.ts";
import type { OmicsShapes } from "./omics_shapes.ts";

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

/** Configuration keys that several gene models read; the image decoder has those of `dec_` too. */
export const GENE_MODEL_KEYS = {
  hidden_dims: { kind: "numbers", default: [1024, 512], min: 1, integer: true, doc: "Widths of its hidden layers" },
  mask_ratio: {
    kind: "number",
    default: 0,
    min: 0,
    max: 0.95,
    doc: "Share of the genes masked in training (vae, mae)",
  },
  dec_dropout: { kind: "number", default: 0, min: 0, max: 0.95, doc: "Dropout of the decoders" },
  dec_batch_norm: { kind: "flag", default: false, doc: "Batch normalisation in the decoders" },
} as const satisfies Keys;

/** Values of the shared keys and of a model's own. */
export type GeneModelValues<K extends Keys> = ValuesOf<typeof GENE_MODEL_KEYS> & ValuesOf<K>;

/** What the data and the encoder decide. */
export interface GeneSizes {
  /** Genes of the vocabulary, G. */
  readonly genes: number;
  /** Features of the image embedding, D: both sides have one width. */
  readonly dim: number;
}

/** What the file of a gene model exports as `entry`. */
export interface GeneModelEntry<C extends object, K extends Keys = NoKeys> {
  /** Configuration keys of its own. */
  readonly keys: K;
  /**
   * Adds the model.
   *
   * @throws {ConfigError} If a size or rate is unusable.
   */
  create(parameters: Parameters, config: C, options?: ModuleOptions): GeneModel;
  /** Its sizes by a configuration. */
  sizes(values: GeneModelValues<K>, size: GeneSizes): C;
  /** Whether it has hidden layers, of which `hidden_dims` must give one. */
  readonly hidden?: true;
  /** Whether it hides inputs by `mask_ratio`. */
  readonly masks?: true;
  /** Whether it has nothing to train. */
  readonly fixed?: true;
  /** Which point of its posterior training takes; models without a posterior have none. */
  latent?(values: GeneModelValues<K>): Latent;
  /** Rules on its keys, which hold whatever model is chosen. @param chosen Value of `gene_model`. */
  rules?(values: GeneModelValues<K>, chosen: string): Rule[];
  /** How its files in SEAL's format are recognised, for models that have some. */
  readonly file?: GeneFile<C>;
}

/** A model's file in SEAL's format, which carries no configuration. */
export interface GeneFile<C extends object> {
  /** Name of a tensor that files of no other model have. */
  readonly marker: string;
  /** Sizes by names and shapes. @param genes Genes, G, where the caller knows. */
  sizes(shapes: OmicsShapes, genes: number | undefined): C;
  /** Whether `projection_head` is part of the model itself, behind which there is no other. */
  readonly ownHead?: true;
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
