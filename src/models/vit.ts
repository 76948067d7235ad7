/**
 * The vision transformer: every ViT encoder is a configuration of it. Parameter names are timm's.
 *
 * Same as timm `VisionTransformer`, `LayerScale`, `Mlp` and `SwiGLUPacked`: pre-norm blocks, fused qkv, exact GELU.
 *
 * @module
 */

import { checkpoint } from "../autodiff/checkpoint.ts";
import { ConfigError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { constant, fanInUniform, truncatedNormal } from "../nn/init.ts";
import {
  applyLinear,
  applyNorm,
  type LinearLayer,
  linearLayer,
  type LinearLayerOptions,
  type LoraOptions,
  type NormLayer,
  normLayer,
} from "../nn/layers.ts";
import type { Parameters } from "../nn/parameters.ts";
import { selfAttention } from "../ops/attention.ts";
import { add } from "../ops/binary.ts";
import { concat } from "../ops/concat.ts";
import { patchEmbed } from "../ops/patch_embed.ts";
import { slice } from "../ops/slice.ts";
import { prependTokens } from "../ops/token.ts";

/** Architecture of a vision transformer. */
export interface VitConfig {
  /** Side of the square input, px. */
  readonly imageSize: number;
  /** Side of a patch, px. */
  readonly patch: number;
  /** Features of a token. */
  readonly width: number;
  /** Blocks. */
  readonly depth: number;
  /** Attention heads. */
  readonly heads: number;
  /** Width between the two MLP layers; for `swiglu` the width of the gated product. */
  readonly hidden: number;
  /** Exact GELU, or timm's packed SwiGLU. */
  readonly mlp: "gelu" | "swiglu";
  /** Starting value of LayerScale; undefined has none. */
  readonly layerScale?: number | undefined;
  /** Register tokens after the class token. */
  readonly registers?: number;
  /**
   * Rows of the position table before those of the patches: 0 (timm `no_embed_class`), 1 for the class token (default), or
   * 1 + registers.
   */
  readonly prefixPositions?: number;
  /** Whether the fused qkv layer has a bias; default true. */
  readonly qkvBias?: boolean;
  /** Of all normalisations; timm's ViTs use 1e-6. */
  readonly eps?: number;
  /** Channel means of x/255. */
  readonly mean: readonly [number, number, number];
  /** Channel standard deviations of x/255. */
  readonly std: readonly [number, number, number];
}

/** How parameters are made. */
export interface VitOptions {
  /** Before every name, for example `visual.`. */
  prefix?: string;
  /** Seed of a random start; without it all parameters must be loaded. */
  seed?: number;
  /** Low-rank update of a linear layer by its name, or undefined. */
  lora?: (name: string) => LoraOptions | undefined;
}

/** Parameters of one block. */
export interface VitBlock {
  readonly norm1: NormLayer;
  readonly qkv: LinearLayer;
  readonly proj: LinearLayer;
  readonly ls1: Tensor | undefined;
  readonly norm2: NormLayer;
  readonly fc1: LinearLayer;
  readonly fc2: LinearLayer;
  readonly ls2: Tensor | undefined;
}

/** Tokens after each stage, by name: `embed`, `block_00` …, `norm`. */
export type Taps = Record<string, Tensor>;

/** A vision transformer whose parameters exist. */
export interface Vit {
  /** Architecture. */
  readonly config: VitConfig;
  /** Tokens of one image: class token, registers, patches. */
  readonly tokens: number;
  /**
   * Appends the encoder.
   *
   * @param images RGB bytes `[B, S, S, 3]`, or f32 of the same shape, already normalised.
   * @param options `recompute[i]` keeps nothing of block i but its input; `training` switches dropout on.
   * @returns Normalised tokens `[B, N, D]` and the taps.
   */
  forward(
    g: Plan,
    images: Tensor,
    options?: { recompute?: readonly boolean[]; training?: boolean },
  ): { x: Tensor; taps: Taps };
}

/** Trainable tensors of one block, which recomputation must know. */
function blockTensors(block: VitBlock): Tensor[] {
  const linears = [block.qkv, block.proj, block.fc1, block.fc2];
  return [
    ...linears.flatMap(({ weight, bias, lora }) => [weight, bias, lora?.a, lora?.b]),
    ...[block.norm1, block.norm2].flatMap(({ weight, bias }) => [weight, bias]),
    block.ls1,
    block.ls2,
  ].filter((tensor): tensor is Tensor => tensor?.grad !== undefined);
}

/** Appends one pre-norm block: x + ls1 * attention(norm1(x)), then + ls2 * mlp(norm2(.)). */
export function vitBlock(
  g: Plan,
  block: VitBlock,
  x: Tensor,
  config: Pick<VitConfig, "heads" | "mlp">,
  training = false,
): Tensor {
  const { norm1, qkv, proj, ls1, norm2, fc1, fc2, ls2 } = block;
  const packed = applyLinear(g, qkv, applyNorm(g, norm1, x), { training });
  const attended = selfAttention(g, packed, { heads: config.heads });
  const h = applyLinear(g, proj, attended, { residual: x, gamma: ls1, training });
  const inner = applyLinear(g, fc1, applyNorm(g, norm2, h), { act: config.mlp, training });
  return applyLinear(g, fc2, inner, { residual: h, gamma: ls2, training });
}

/**
 * Adds the parameters of one block.
 *
 * @param name Such as `blocks.0`.
 */
export function vitBlockParameters(
  parameters: Parameters,
  name: string,
  config: Pick<VitConfig, "width" | "hidden" | "mlp" | "layerScale" | "qkvBias" | "eps">,
  rng?: Rng,
  lora?: VitOptions["lora"],
): VitBlock {
  const { width, hidden, mlp, layerScale, qkvBias = true, eps = 1e-6 } = config;
  const linear = (part: string, input: number, output: number, options: LinearLayerOptions = {}) => {
    const update = lora?.(`${name}.${part}`);
    return linearLayer(parameters, `${name}.${part}`, input, output, {
      ...options,
      ...(rng && { weightInit: truncatedNormal(rng), biasInit: constant(0) }),
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
    fc1: linear("mlp.fc1", width, mlp === "swiglu" ? 2 * hidden : hidden),
    fc2: linear("mlp.fc2", hidden, width),
    ls2: scale("ls2"),
  };
}

function check(config: VitConfig): void {
  const { imageSize, patch, width, heads, depth, hidden } = config;
  const whole = { imageSize, patch, width, heads, depth, hidden };
  for (const [key, value] of Object.entries(whole)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ConfigError(`Cannot build a ViT: ${key} is ${value}, wanted a whole number above 0`, {
        context: { key },
      });
    }
  }
  const { registers = 0, prefixPositions = 1 } = config;
  if (![0, 1, 1 + registers].includes(prefixPositions)) {
    throw new ConfigError(
      `Cannot build a ViT: prefixPositions is ${prefixPositions}, wanted 0, 1 or ${1 + registers}`,
      {
        context: { key: "prefixPositions" },
      },
    );
  }
  if (imageSize % patch || width % heads) {
    throw new ConfigError(
      `Cannot build a ViT: image ${imageSize} by patch ${patch}, width ${width} by ${heads} heads, wanted whole multiples`,
      { context: { ...whole } },
    );
  }
}

/**
 * Adds the parameters of a vision transformer.
 *
 * @throws {ConfigError} If sizes are not whole numbers or do not divide.
 */
export function createVit(parameters: Parameters, config: VitConfig, options: VitOptions = {}): Vit {
  check(config);
  const { imageSize, patch, width, depth, registers = 0, prefixPositions = 1, eps = 1e-6, mean, std } = config;
  const { prefix = "", seed, lora } = options;
  const rng = seed === undefined ? undefined : new Rng(seed, 0);
  const start = (std: number) => (rng ? { init: std ? truncatedNormal(rng, std) : constant(0) } : {});
  const grid = (imageSize / patch) ** 2;
  const extra = 1 + registers;
  const cls = parameters.add(`${prefix}cls_token`, [1, 1, width], start(1e-6));
  const reg = registers ? parameters.add(`${prefix}reg_token`, [1, registers, width], start(1e-6)) : undefined;
  const pos = parameters.add(`${prefix}pos_embed`, [1, prefixPositions + grid, width], start(0.02));
  const weight = parameters.add(
    `${prefix}patch_embed.proj.weight`,
    [width, 3, patch, patch],
    rng && { init: fanInUniform(rng) },
  );
  const bias = parameters.add(`${prefix}patch_embed.proj.bias`, [width], rng && { init: constant(0) });
  const blocks = Array.from(
    { length: depth },
    (_, i) => vitBlockParameters(parameters, `${prefix}blocks.${i}`, config, rng, lora),
  );
  const norm = normLayer(parameters, `${prefix}norm`, width, eps);

  const embed = (g: Plan, images: Tensor): Tensor => {
    const patches = patchEmbed(g, images, weight, bias, { patch, mean, std });
    const rows = (start: number, count: number) => slice(g, pos.reshape([-1, width]), 0, start, count);
    const tokens = [cls.reshape([1, width]), ...(reg ? [reg.reshape([registers, width])] : [])];
    let prefix = concat(g, tokens, 0);
    if (prefixPositions === extra) prefix = add(g, prefix, rows(0, extra));
    else if (prefixPositions === 1) prefix = concat(g, [add(g, tokens[0]!, rows(0, 1)), ...tokens.slice(1)], 0);
    return prependTokens(g, prefix, add(g, patches, rows(prefixPositions, grid)));
  };

  return {
    config,
    tokens: grid + extra,
    forward(g, images, { recompute = [], training = false } = {}) {
      const taps: Taps = {};
      let x = taps.embed = embed(g, images);
      blocks.forEach((block, i) => {
        const run = (h: Tensor) => vitBlock(g, block, h, config, training);
        x = recompute[i] ? checkpoint(g, run, [x], blockTensors(block)) : run(x);
        taps[`block_${String(i).padStart(2, "0")}`] = x;
      });
      x = taps.norm = applyNorm(g, norm, x);
      return { x, taps };
    },
  };
}
