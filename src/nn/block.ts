/**
 * The pre-norm transformer block of vision transformers: its parameters, under timm's names, and its forward pass.
 *
 * Same as timm `Block` with `Attention`, `LayerScale` and `Mlp` or `SwiGLUPacked`.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { Rng } from "../core/rng.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { crossAttention, selfAttention } from "../ops/attention.ts";
import { gelu } from "../ops/activation.ts";
import { mul } from "../ops/binary.ts";
import { slice } from "../ops/slice.ts";
import { constant, fanInNormal, fanInUniform, truncatedNormal } from "./init.ts";
import {
  applyLinear,
  applyNorm,
  type LinearLayer,
  linearLayer,
  type LinearLayerOptions,
  linearRows,
  type LoraOptions,
  type NormLayer,
  normLayer,
} from "./layers.ts";
import type { Parameters } from "./parameters.ts";

/** Sizes of a block. */
export interface BlockConfig {
  /** Features of a token. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Width between the two MLP layers; for a gated one the width of the product. */
  readonly hidden: number;
  /** Exact GELU, timm's packed SwiGLU, or the same with GELU for SiLU. */
  readonly mlp: "gelu" | "swiglu" | "geglu";
  /** Starting value of LayerScale; undefined has none. */
  readonly layerScale?: number | undefined;
  /** Whether the fused qkv layer has a bias; default true. */
  readonly qkvBias?: boolean;
  /** Of both normalisations; default 1e-6. */
  readonly eps?: number;
}

/** Parameters of one block. */
export interface Block {
  /** Before attention. */
  readonly norm1: NormLayer;
  /** Queries, keys and values, one behind the other. */
  readonly qkv: LinearLayer;
  /** After attention. */
  readonly proj: LinearLayer;
  /** LayerScale of the attention branch. */
  readonly ls1: Tensor | undefined;
  /** Before the MLP. */
  readonly norm2: NormLayer;
  /** First layer of the MLP. */
  readonly fc1: LinearLayer;
  /** Second layer of the MLP. */
  readonly fc2: LinearLayer;
  /** LayerScale of the MLP branch. */
  readonly ls2: Tensor | undefined;
}

/** How the parameters of a block are made. */
export interface BlockOptions {
  /** Seeded start; without it all parameters must be loaded. */
  rng?: Rng | undefined;
  /**
   * Whether linear weights begin with deviation 1/sqrt(inputs) in place of timm's 0.02, with which a narrow block is almost linear
   * for a long time.
   */
  fanIn?: boolean | undefined;
  /** Low-rank update of a linear layer by its name, or undefined. */
  lora?: ((name: string) => LoraOptions | undefined) | undefined;
  /** Storage of frozen linear weights: f32 (default), f16 or bf16. */
  dtype?: Dtype | undefined;
}

/**
 * Adds the parameters of one block.
 *
 * @param name Such as `blocks.0`.
 */
export function createBlock(
  parameters: Parameters,
  name: string,
  config: BlockConfig,
  { rng, fanIn = false, lora, dtype = "f32" }: BlockOptions = {},
): Block {
  const { width, hidden, mlp, layerScale, qkvBias = true, eps = 1e-6 } = config;
  const linear = (part: string, input: number, output: number, options: LinearLayerOptions = {}) => {
    const update = lora?.(`${name}.${part}`);
    return linearLayer(parameters, `${name}.${part}`, input, output, {
      dtype,
      ...options,
      ...(rng && { weightInit: fanIn ? fanInNormal(rng) : truncatedNormal(rng), biasInit: constant(0) }),
      ...(update && { lora: rng ? { init: fanInUniform(rng), ...update } : update }),
    });
  };
  const scale = (part: string) =>
    layerScale === undefined
      ? undefined
      : parameters.add(`${name}.${part}.gamma`, [width], { init: constant(layerScale) });
  return {
    norm1: normLayer(parameters, `${name}.norm1`, width, eps),
    qkv: linear("attn.qkv", width, 3 * width, { bias: qkvBias }),
    proj: linear("attn.proj", width, width),
    ls1: scale("ls1"),
    norm2: normLayer(parameters, `${name}.norm2`, width, eps),
    fc1: linear("mlp.fc1", width, mlp === "gelu" ? hidden : 2 * hidden),
    fc2: linear("mlp.fc2", hidden, width),
    ls2: scale("ls2"),
  };
}

/** Trainable tensors of one block, which recomputation must know. */
export function blockTensors(block: Block): Tensor[] {
  const linears = [block.qkv, block.proj, block.fc1, block.fc2];
  return [
    ...linears.flatMap(({ weight, bias, lora }) => [weight, bias, lora?.a, lora?.b]),
    ...[block.norm1, block.norm2].flatMap(({ weight, bias }) => [weight, bias]),
    block.ls1,
    block.ls2,
  ].filter((tensor): tensor is Tensor => tensor?.grad !== undefined);
}

/** What the forward pass needs to know of the sizes. */
export type BlockForward = Pick<BlockConfig, "heads" | "mlp"> & {
  /** Switches dropout of the low-rank branches on. */
  training?: boolean;
};

/** h = x + ls1 * proj(attended). */
export function attentionResidual(
  g: Plan,
  { proj, ls1 }: Block,
  x: Tensor,
  attended: Tensor,
  { training = false }: Pick<BlockForward, "training"> = {},
): Tensor {
  return applyLinear(g, proj, attended, { residual: x, gamma: ls1, training });
}

/** gelu(first half) * second half of a layer: what timm's SwiGLUPacked is where nobody says SiLU. */
function gated(g: Plan, fc1: LinearLayer, x: Tensor, training: boolean): Tensor {
  const both = applyLinear(g, fc1, x, { training });
  const half = both.dim(-1) / 2;
  const axis = both.shape.length - 1;
  return mul(g, gelu(g, slice(g, both, axis, 0, half)), slice(g, both, axis, half, half));
}

/** y = h + ls2 * mlp(norm2(h)). */
export function mlpResidual(
  g: Plan,
  { norm2, fc1, fc2, ls2 }: Block,
  h: Tensor,
  { mlp, training = false }: BlockForward,
): Tensor {
  const x = applyNorm(g, norm2, h);
  const inner = mlp === "geglu" ? gated(g, fc1, x, training) : applyLinear(g, fc1, x, { act: mlp, training });
  return applyLinear(g, fc2, inner, { residual: h, gamma: ls2, training });
}

/** Everything after attention: projection, residual, MLP, residual. */
export function afterAttention(g: Plan, block: Block, x: Tensor, attended: Tensor, forward: BlockForward): Tensor {
  return mlpResidual(g, block, attentionResidual(g, block, x, attended, forward), forward);
}

/**
 * Appends one block: h = x + ls1 * attention(norm1(x)), y = h + ls2 * mlp(norm2(h)).
 *
 * @param x Tokens `[B, N, D]`.
 */
export function applyBlock(g: Plan, block: Block, x: Tensor, forward: BlockForward): Tensor {
  const { heads, training = false } = forward;
  const packed = applyLinear(g, block.qkv, applyNorm(g, block.norm1, x), { training });
  return afterAttention(g, block, x, selfAttention(g, packed, { heads }), forward);
}

/**
 * Appends one block for the first token only: the others serve as keys and values. Exact for encoders that use no other token
 * of the last block, and saves three quarters of it.
 *
 * @param x Tokens `[B, N, D]`.
 * @returns First token `[B, 1, D]`.
 */
export function applyBlockToFirst(g: Plan, block: Block, x: Tensor, forward: BlockForward): Tensor {
  const { heads, training = false } = forward;
  const D = x.dim(-1);
  const h = applyNorm(g, block.norm1, x);
  const q = applyLinear(g, linearRows(g, block.qkv, 0, D), slice(g, h, 1, 0, 1), { training });
  const kv = applyLinear(g, linearRows(g, block.qkv, D, 2 * D), h, { training });
  return afterAttention(g, block, slice(g, x, 1, 0, 1), crossAttention(g, q, kv, { heads }), forward);
}
