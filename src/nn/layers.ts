/**
 * The layers transformers are made of: each is its parameters, made once under the names timm gives them, and a function
 * that appends the layer to a plan.
 *
 * @module
 */

import { type Dtype, dtypeBytes } from "../core/dtype.ts";
import type { Plan } from "../graph/plan.ts";
import { STORE_ALIGN } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { layernorm } from "../ops/layernorm.ts";
import { dropout } from "../ops/dropout.ts";
import { linear, type LinearParams } from "../ops/linear.ts";
import { countOverflow } from "../ops/overflow.ts";
import { affine } from "../ops/scale.ts";
import { slice } from "../ops/slice.ts";
import { constant, type Init } from "./init.ts";
import type { Parameters } from "./parameters.ts";

/** Low-rank update of a linear layer: y += scale * (x A^T) B^T. Source: arXiv 2106.09685, PEFT's LoraLayer. */
export interface LoraLayer {
  /** Name of the layer it belongs to, by which its dropout draws. */
  readonly name: string;
  /** `[R, in]`; of a convolution `[R, channels, height, width]`. */
  readonly a: Tensor;
  /** `[out, R]`. */
  readonly b: Tensor;
  /** alpha / R. */
  readonly scale: number;
  /** Dropout probability on the branch input, in training. */
  readonly dropout: number;
}

/** A linear layer. */
export interface LinearLayer {
  /** Name of its parameters without `.weight`. */
  readonly name: string;
  /** `[out, in]`. */
  readonly weight: Tensor;
  /** `[out]`. */
  readonly bias: Tensor | undefined;
  /** Its adapter. */
  readonly lora: LoraLayer | undefined;
}

/** How {@linkcode linearLayer} makes its parameters. */
export interface LinearLayerOptions {
  /** Whether it has a bias; default true. */
  bias?: boolean;
  /** Storage of a frozen weight. */
  dtype?: Dtype;
  /** Starting values of the weight. */
  weightInit?: Init;
  /** Starting values of the bias. */
  biasInit?: Init;
  /** Adds a trainable low-rank update. */
  lora?: LoraOptions | undefined;
}

/** Shape of a low-rank update. */
export interface LoraOptions {
  /** Inner width R. */
  rank: number;
  /** The update is multiplied by alpha / rank. */
  alpha: number;
  /** Probability that an input of the branch is dropped in training; default 0. */
  dropout?: number;
  /** Start of A; B starts at zero. */
  init?: Init;
}

/** Adds `name.weight`, `name.bias` and, with LoRA, `name.lora_A.weight`, `name.lora_B.weight`. */
export function linearLayer(
  parameters: Parameters,
  name: string,
  input: number,
  output: number,
  options: LinearLayerOptions = {},
): LinearLayer {
  const { bias = true, dtype = "f32", lora, weightInit, biasInit } = options;
  // Trained weights are f32 whatever the frozen ones are stored as.
  const stored = parameters.trains(`${name}.weight`) ? "f32" : dtype;
  const weight = parameters.add(`${name}.weight`, [output, input], {
    dtype: stored,
    ...(weightInit && { init: weightInit }),
  });
  return {
    name,
    weight,
    bias: bias ? parameters.add(`${name}.bias`, [output], { ...(biasInit && { init: biasInit }) }) : undefined,
    lora: lora && loraLayer(parameters, name, [input], output, lora),
  };
}

/**
 * Adds `name.lora_A.weight` and `name.lora_B.weight`, which train.
 *
 * @param input Extents of one input: features, or channels, height and width of a convolution's kernel.
 */
export function loraLayer(
  parameters: Parameters,
  name: string,
  input: readonly number[],
  output: number,
  { rank, alpha, dropout = 0, init }: LoraOptions,
): LoraLayer {
  return {
    name,
    a: parameters.add(`${name}.lora_A.weight`, [rank, ...input], { trainable: true, ...(init && { init }) }),
    b: parameters.add(`${name}.lora_B.weight`, [output, rank], { trainable: true, init: constant(0) }),
    scale: alpha / rank,
    dropout,
  };
}

/** What may be fused into a linear layer, and whether dropout is on. */
export interface ApplyLinear extends Pick<LinearParams, "act" | "gamma" | "residual"> {
  /** Dropout of the low-rank branch draws; off by default. */
  training?: boolean;
}

/** Input of the low-rank branch: one mask whatever rows of the layer are computed, and whatever tokens after the first. */
export function dropLora(g: Plan, { name, dropout: p }: LoraLayer, x: Tensor): Tensor {
  return dropout(g, x, p, `${name}.lora_dropout`);
}

/** Counts what f16 cannot hold of a layer's outputs, where the plan has a place for that. */
function watched(g: Plan, { name }: LinearLayer, y: Tensor): Tensor {
  if (g.overflow && y.dtype === "f16" && !g.replaying) countOverflow(g, y, g.overflow.found, g.overflow.row(name));
  return y;
}

/** Appends a linear layer with whatever is fused into it. */
export function applyLinear(g: Plan, layer: LinearLayer, x: Tensor, options: ApplyLinear = {}): Tensor {
  const { training = false, ...fused } = options;
  const { weight, bias, lora } = layer;
  if (!lora) return watched(g, layer, linear(g, x, { weight, bias, ...fused }));
  const { a, b, scale } = lora;
  const branch = training && lora.dropout > 0 ? dropLora(g, lora, x) : undefined;
  return watched(g, layer, linear(g, x, { weight, bias, lora: { a, b, scale, x: branch }, ...fused }));
}

/**
 * Appends the low-rank update of a layer alone: base + scale * (x A^T) B^T, for a layer whose other part is known.
 *
 * @param base `[..., out]`: what the layer gives without its update, bias included.
 */
export function applyLora(
  g: Plan,
  layer: LinearLayer,
  x: Tensor,
  base: Tensor,
  { training = false }: Pick<ApplyLinear, "training"> = {},
): Tensor {
  const { lora } = layer;
  if (!lora) return base;
  const branch = training && lora.dropout > 0 ? dropLora(g, lora, x) : x;
  const inner = affine(g, linear(g, branch, { weight: lora.a }), lora.scale);
  return watched(g, layer, linear(g, inner, { weight: lora.b, residual: base }));
}

/** Rows of a matrix or vector: a view where the device can bind one, else a copy with its gradient. */
function rowsOf(g: Plan, x: Tensor, start: number, count: number): Tensor {
  const inner = x.size / x.dim(0);
  const aligned = (x.byteOffset + start * inner * dtypeBytes(x.dtype)) % STORE_ALIGN === 0;
  return x.requiresGrad || !aligned
    ? slice(g, x, 0, start, count)
    : x.slice(start * inner, [count, ...x.shape.slice(1)]);
}

/** The outputs `start .. start + count` of a linear layer as a layer of their own. */
export function linearRows(g: Plan, layer: LinearLayer, start: number, count: number): LinearLayer {
  const rows = (x: Tensor) => rowsOf(g, x, start, count);
  const { name, weight, bias, lora } = layer;
  return { name, weight: rows(weight), bias: bias && rows(bias), lora: lora && { ...lora, b: rows(lora.b) } };
}

/** A layer normalisation. */
export interface NormLayer {
  /** Factors `[D]`. */
  readonly weight: Tensor;
  /** Summands `[D]`. */
  readonly bias: Tensor;
  /** Added to the variance. */
  readonly eps: number;
}

/** Adds `name.weight` (ones) and `name.bias` (zeros). */
export function normLayer(parameters: Parameters, name: string, width: number, eps: number): NormLayer {
  return {
    weight: parameters.add(`${name}.weight`, [width], { init: constant(1) }),
    bias: parameters.add(`${name}.bias`, [width], { init: constant(0) }),
    eps,
  };
}

/** Appends a layer normalisation. */
export function applyNorm(g: Plan, layer: NormLayer, x: Tensor): Tensor {
  return layernorm(g, x, layer.weight, layer.bias, { eps: layer.eps });
}
