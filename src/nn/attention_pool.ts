/**
 * Attentional pooling: one learned query attends to all tokens.
 *
 * Same as CONCH's `AttentionalPooler` with one query, and CONCH v1.5's; parameters are named as `families/` maps both.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { crossAttention } from "../ops/attention.ts";
import { type Activations, cast } from "../ops/cast.ts";
import type { Rng } from "../core/rng.ts";
import { constant, fanInNormal, truncatedNormal } from "./init.ts";
import { applyLinear, applyNorm, type LinearLayer, linearLayer, type NormLayer, normLayer } from "./layers.ts";
import { maskedAttention } from "./masked_attention.ts";
import type { Parameters } from "./parameters.ts";

/** Sizes of a pooler. */
export interface AttentionPoolConfig {
  /** Features of a token. */
  readonly context: number;
  /** Features of query and result. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Whether query, key, value and output layers have a bias. */
  readonly bias: boolean;
  /** Of the normalisations. */
  readonly eps: number;
}

/** Parameters of a pooler. */
export interface AttentionPool {
  /** Sizes. */
  readonly config: AttentionPoolConfig;
  /** `[1, W]`. */
  readonly query: Tensor;
  /** Before the query layer. */
  readonly normQuery: NormLayer;
  /** Before the key and value layer. */
  readonly normTokens: NormLayer;
  /** Query. */
  readonly toQuery: LinearLayer;
  /** Key and value, one behind the other. */
  readonly toKeyValue: LinearLayer;
  /** After attention. */
  readonly toOutput: LinearLayer;
  /** Of the result. */
  readonly norm: NormLayer;
}

/** How the parameters of a pooler are made. */
export interface AttentionPoolOptions {
  /** Seeded start; without it all parameters must be loaded. */
  readonly rng?: Rng | undefined;
  /** As of a block. */
  readonly fanIn?: boolean;
  /** Storage of frozen linear weights. */
  readonly dtype?: Dtype | undefined;
  /** What its parameters begin with; CONCH's by default. */
  readonly name?: string;
  /** The same of the result's normalisation. */
  readonly normName?: string;
}

/** Adds `attn_pool_contrast.*` and `ln_contrast.*`, or other names. */
export function createAttentionPool(
  parameters: Parameters,
  config: AttentionPoolConfig,
  { rng, fanIn = false, dtype = "f32", name = "attn_pool_contrast", normName = "ln_contrast" }: AttentionPoolOptions =
    {},
): AttentionPool {
  const { context, width, bias, eps } = config;
  const start = rng && { weightInit: fanIn ? fanInNormal(rng) : truncatedNormal(rng), biasInit: constant(0) };
  const linear = (part: string, input: number, output: number) =>
    linearLayer(parameters, `${name}.${part}`, input, output, { bias, dtype, ...start });
  return {
    config,
    query: parameters.add(`${name}.query`, [1, width], rng && { init: truncatedNormal(rng) }),
    normQuery: normLayer(parameters, `${name}.ln_q`, width, eps),
    normTokens: normLayer(parameters, `${name}.ln_k`, context, eps),
    toQuery: linear("to_q", width, width),
    toKeyValue: linear("to_kv", context, 2 * width),
    toOutput: linear("to_out", width, width),
    norm: normLayer(parameters, normName, width, eps),
  };
}

/**
 * Appends the pooler: LN(out(attention(q(LN(query)), kv(LN(tokens))))).
 *
 * @param tokens `[B, N, C]`.
 * @param mask Of a few tokens those that do not count, as `maskedAttention` takes it.
 * @returns `[B, W]`.
 */
export function applyAttentionPool(g: Plan, pool: AttentionPool, tokens: Tensor, mask?: Tensor): Tensor {
  const { width, heads } = pool.config;
  const projected = applyLinear(g, pool.toQuery, applyNorm(g, pool.normQuery, pool.query)).reshape([1, 1, width]);
  const query = cast(g, projected, tokens.dtype as Activations);
  const packed = applyLinear(g, pool.toKeyValue, applyNorm(g, pool.normTokens, tokens));
  const attended = mask
    ? maskedAttention(g, query, packed, mask, { heads })
    : crossAttention(g, query, packed, { heads });
  return applyNorm(g, pool.norm, applyLinear(g, pool.toOutput, attended)).reshape([-1, width]);
}
