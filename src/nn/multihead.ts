/**
 * Multi-head self-attention as torch.nn.MultiheadAttention keeps it, and the post-norm transformer layer built on it.
 *
 * h = norm1(x + drop(attention(x))), y = norm2(h + drop(W2 drop(relu(W1 h)))). Same as torch.nn.TransformerEncoderLayer with
 * its defaults, but for one thing: torch also drops attention weights in training, which kernels that never hold them do
 * not. Names and starts are torch's.
 *
 * @module
 */

import type { Rng } from "../core/rng.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { relu } from "../ops/activation.ts";
import { selfAttention } from "../ops/attention.ts";
import { add } from "../ops/binary.ts";
import { dropout } from "../ops/dropout.ts";
import { constant, uniform, xavierUniform } from "./init.ts";
import {
  applyLinear,
  applyNorm,
  type LinearLayer,
  linearLayer,
  linearRows,
  type NormLayer,
  normLayer,
} from "./layers.ts";
import type { Parameters } from "./parameters.ts";
import { torchLinear } from "./sequential.ts";

/** Self-attention. */
export interface Multihead {
  /** Queries, keys and values, one behind the other. */
  readonly input: LinearLayer;
  /** After attention. */
  readonly output: LinearLayer;
  /** Attention heads. */
  readonly heads: number;
}

/** Adds `name.in_proj_weight`, `name.in_proj_bias`, `name.out_proj.weight`, `name.out_proj.bias`. */
export function multihead(
  parameters: Parameters,
  name: string,
  { width, heads }: { readonly width: number; readonly heads: number },
  rng: Rng | undefined,
): Multihead {
  const zero = rng && { init: constant(0) };
  return {
    input: {
      name: `${name}.in_proj`,
      weight: parameters.add(`${name}.in_proj_weight`, [3 * width, width], rng && { init: xavierUniform(rng) }),
      bias: parameters.add(`${name}.in_proj_bias`, [3 * width], zero),
      lora: undefined,
    },
    output: linearLayer(
      parameters,
      `${name}.out_proj`,
      width,
      width,
      rng && { weightInit: uniform(rng, 1 / Math.sqrt(width)), biasInit: constant(0) },
    ),
    heads,
  };
}

/** Appends self-attention of tokens `[B, N, D]`; `residual` is added. */
export function applyMultihead(g: Plan, { input, output, heads }: Multihead, x: Tensor, residual?: Tensor): Tensor {
  const D = x.dim(-1);
  // One token attends to itself, whatever query and key are: it is its value, and they have no gradient.
  const attended = x.dim(1) === 1 && g.exactZeros
    ? applyLinear(g, linearRows(g, input, 2 * D, D), x)
    : selfAttention(g, applyLinear(g, input, x), { heads });
  return applyLinear(g, output, attended, residual ? { residual } : {});
}

/** Sizes of a transformer layer. */
export interface EncoderLayerConfig {
  /** Features of a token. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Width between the two linear layers. */
  readonly hidden: number;
}

/** A post-norm transformer layer. */
export interface EncoderLayer {
  /** By which its dropouts draw. */
  readonly name: string;
  readonly attention: Multihead;
  readonly linear1: LinearLayer;
  readonly linear2: LinearLayer;
  readonly norm1: NormLayer;
  readonly norm2: NormLayer;
}

/** Adds `name.self_attn.*`, `name.linear1`, `name.linear2`, `name.norm1`, `name.norm2`. */
export function encoderLayer(
  parameters: Parameters,
  name: string,
  config: EncoderLayerConfig,
  rng: Rng | undefined,
): EncoderLayer {
  const { width, hidden } = config;
  return {
    name,
    attention: multihead(parameters, `${name}.self_attn`, config, rng),
    linear1: torchLinear(parameters, `${name}.linear1`, [width, hidden], rng),
    linear2: torchLinear(parameters, `${name}.linear2`, [hidden, width], rng),
    norm1: normLayer(parameters, `${name}.norm1`, width, 1e-5),
    norm2: normLayer(parameters, `${name}.norm2`, width, 1e-5),
  };
}

/** Trainable tensors of a layer, which recomputation must know. */
export function encoderLayerTensors({ attention, linear1, linear2, norm1, norm2 }: EncoderLayer): Tensor[] {
  return [attention.input, attention.output, linear1, linear2, norm1, norm2]
    .flatMap(({ weight, bias }) => [weight, bias])
    .filter((tensor): tensor is Tensor => tensor?.grad !== undefined);
}

/**
 * Appends a transformer layer.
 *
 * @param x Tokens `[B, N, D]`.
 * @param rate Probability of dropout; 0 outside of training.
 */
export function applyEncoderLayer(g: Plan, layer: EncoderLayer, x: Tensor, rate: number): Tensor {
  const { name, attention, linear1, linear2, norm1, norm2 } = layer;
  // Without dropout between them the residual is added by the product itself.
  const h = applyNorm(
    g,
    norm1,
    rate
      ? add(g, x, dropout(g, applyMultihead(g, attention, x), rate, `${name}.dropout1`))
      : applyMultihead(g, attention, x, x),
  );
  const inner = dropout(g, relu(g, applyLinear(g, linear1, h)), rate, `${name}.dropout`);
  return applyNorm(
    g,
    norm2,
    rate
      ? add(g, h, dropout(g, applyLinear(g, linear2, inner), rate, `${name}.dropout2`))
      : applyLinear(g, linear2, inner, { residual: h }),
  );
}
