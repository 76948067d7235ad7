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
import {
  applyBlock,
  applyBlockToFirst,
  type Block,
  type BlockConfig,
  type BlockOptions,
  blockTensors,
  createBlock,
} from "../nn/block.ts";
import { constant, fanInUniform, truncatedNormal } from "../nn/init.ts";
import { applyNorm, dropLora, type LoraLayer, loraLayer, type NormLayer, normLayer } from "../nn/layers.ts";
import type { Parameters } from "../nn/parameters.ts";
import { applyStem, deepestStem, finishBlock, type StemKind, stemShapes } from "../nn/stem.ts";
import { add } from "../ops/binary.ts";
import { type Activations, cast } from "../ops/cast.ts";
import { concat } from "../ops/concat.ts";
import { linear } from "../ops/linear.ts";
import { normalizeImage } from "../ops/normalize_image.ts";
import { patchEmbed } from "../ops/patch_embed.ts";
import { affine } from "../ops/scale.ts";
import { slice } from "../ops/slice.ts";
import { prependTokens } from "../ops/token.ts";

/** Architecture of a vision transformer. */
export interface VitConfig extends BlockConfig {
  /** Side of the square input, or height and width, px. */
  readonly imageSize: number | readonly [number, number];
  /** Side of a patch, px. */
  readonly patch: number;
  /** Blocks. */
  readonly depth: number;
  /** Register tokens after the class token. */
  readonly registers?: number;
  /**
   * Rows of the position table before those of the patches: 0 (timm `no_embed_class`), 1 for the class token (default), or
   * 1 + registers.
   */
  readonly prefixPositions?: number;
  /** Whether the last normalisation is left to the caller, behind the pooling; default false. */
  readonly normAfterPool?: boolean;
  /** Channel means of x/255. */
  readonly mean: readonly [number, number, number];
  /** Channel standard deviations of x/255. */
  readonly std: readonly [number, number, number];
}

/** How parameters are made. */
export interface VitOptions extends Omit<BlockOptions, "rng"> {
  /** Before every name, for example `visual.`. */
  prefix?: string;
  /** Seed of a random start; without it all parameters must be loaded. */
  seed?: number;
  /** Type of tokens and of what blocks make of them: f32 (default) or f16. */
  activations?: Activations | undefined;
}

/** Tokens after each stage, by name: `embed`, `block_00` …, `norm`. */
export type Taps = Record<string, Tensor>;

/** How the encoder runs. */
export interface VitForward {
  /** `recompute[i]` keeps nothing of block i but its input. */
  recompute?: readonly boolean[];
  /** Switches dropout of the low-rank branches on. */
  training?: boolean;
  /** The last block computes the class token only: exact where nothing else of it is used. */
  firstTokenOnly?: boolean;
}

/** Several images as one sequence: the tokens of all their patches behind one class token and its registers. */
export interface VitStack {
  /** Images of a sequence. */
  readonly count: number;
  /** Added to the tokens of patches, `[B * count, patches, D]`, f32, beside the positions, which all images share. */
  readonly more: Tensor;
}

/** Where a forward pass is cut in two: nothing that comes before depends on a trained weight. */
export interface Cut {
  /** Blocks that lie before the cut whole; the depth if none trains. */
  readonly blocks: number;
  /** Where block `blocks` itself is cut; `input` at the depth. */
  readonly kind: StemKind;
}

/** A vision transformer whose parameters exist. */
export interface Vit {
  /** Architecture. */
  readonly config: VitConfig;
  /** Tokens of one image: class token, registers, patches. */
  readonly tokens: number;
  /** Type of the tokens. */
  readonly activations: Activations;
  /**
   * Appends the encoder.
   *
   * @param images RGB bytes `[B, H, W, 3]`, or f32 of the same shape, already normalised.
   * @param stack With it images are `[B * count, H, W, 3]`, and N is of all tokens of a sequence.
   * @returns Tokens `[B, N, D]`, or `[B, 1, D]` with `firstTokenOnly`, normalised unless that comes after the pooling, and the taps.
   */
  forward(g: Plan, images: Tensor, options?: VitForward, stack?: VitStack): { x: Tensor; taps: Taps };
  /** Appends the last normalisation, for callers that pool before it. */
  normalise(g: Plan, x: Tensor): Tensor;
  /** The deepest cut; undefined if the patch embedding, the first tokens or the positions train. */
  deepestCut(): Cut | undefined;
  /** Shapes of what {@linkcode Vit.stem} gives for one image. */
  cutShapes(cut: Cut, firstTokenOnly?: boolean): readonly [number, number][];
  /**
   * Appends what comes before a cut, without gradients.
   *
   * @param images As of {@linkcode Vit.forward}.
   */
  stem(g: Plan, images: Tensor, cut: Cut, firstTokenOnly?: boolean): Tensor[];
  /**
   * Appends what follows a cut.
   *
   * @param stem What {@linkcode Vit.stem} gave, with the same cut and `firstTokenOnly`; f16 where it was kept so.
   * @returns As {@linkcode Vit.forward}.
   */
  finish(g: Plan, stem: readonly Tensor[], cut: Cut, options?: VitForward): Tensor;
}

/** Height and width of an image, px. */
export function sidesOf(imageSize: VitConfig["imageSize"]): readonly [number, number] {
  return typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
}

function check(config: VitConfig): void {
  const { patch, width, heads, depth, hidden } = config;
  const [imageHeight, imageWidth] = sidesOf(config.imageSize);
  const whole = { imageHeight, imageWidth, patch, width, heads, depth, hidden };
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
  if (imageHeight % patch || imageWidth % patch || width % heads) {
    throw new ConfigError(
      `Cannot build a ViT: image ${imageHeight} x ${imageWidth} by patch ${patch}, width ${width} by ${heads} heads, wanted whole multiples`,
      { context: { ...whole } },
    );
  }
}

/** Parameters before the blocks, and the type of the tokens that enter them. */
interface Embedding {
  readonly cls: Tensor;
  readonly reg: Tensor | undefined;
  readonly pos: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** A is `[R, 3, P, P]`, B `[D, R]`. */
  readonly lora: LoraLayer | undefined;
  readonly activations: Activations;
}

/** Appends the patch embedding with its low-rank update, if it has one: A is a convolution of the same kernel, B follows it. */
function embedPatches(
  g: Plan,
  images: Tensor,
  { weight, bias, lora }: Embedding,
  config: VitConfig,
  training: boolean,
) {
  const { patch, mean, std } = config;
  const patches = patchEmbed(g, images, weight, bias, { patch, mean, std });
  if (!lora) return patches;
  // Dropout draws on what the convolution sees, which are normalised pixels.
  const pixels = training && lora.dropout > 0
    ? dropLora(g, lora, images.dtype === "u8" ? normalizeImage(g, images, { mean, std }) : images)
    : images;
  const inner = affine(g, patchEmbed(g, pixels, lora.a, undefined, { patch, mean, std }), lora.scale);
  return linear(g, inner, { weight: lora.b, residual: patches });
}

/** Appends the tokens that enter the first block. */
function embedTokens(
  g: Plan,
  images: Tensor,
  embedding: Embedding,
  config: VitConfig,
  { training = false, stack }: { readonly training?: boolean | undefined; readonly stack?: VitStack | undefined },
): Tensor {
  const { width, registers = 0, prefixPositions = 1 } = config;
  const { cls, reg, pos } = embedding;
  const patches = embedPatches(g, images, embedding, config, training);
  const rows = (start: number, count: number) => slice(g, pos.reshape([-1, width]), 0, start, count);
  const first = [cls.reshape([1, width]), ...(reg ? [reg.reshape([registers, width])] : [])];
  let prefix = concat(g, first, 0);
  if (prefixPositions === 1 + registers) prefix = add(g, prefix, rows(0, prefixPositions));
  else if (prefixPositions === 1) prefix = concat(g, [add(g, first[0]!, rows(0, 1)), ...first.slice(1)], 0);
  // Sums of pixels and positions are f32: only what enters the blocks is rounded.
  const placed = add(g, patches, rows(prefixPositions, patches.dim(1)));
  const all = stack ? add(g, placed, stack.more).reshape([-1, stack.count * placed.dim(1), width]) : placed;
  return cast(g, prependTokens(g, prefix, all), embedding.activations);
}

/**
 * Adds the parameters of a vision transformer.
 *
 * @throws {ConfigError} If sizes are not whole numbers or do not divide.
 */
export function createVit(parameters: Parameters, config: VitConfig, options: VitOptions = {}): Vit {
  check(config);
  const { patch, width, depth, registers = 0, prefixPositions = 1, eps = 1e-6 } = config;
  const { prefix = "", seed, fanIn, lora, dtype, activations = "f32" } = options;
  const rng = seed === undefined ? undefined : new Rng(seed, 0);
  const start = (std: number) => (rng ? { init: std ? truncatedNormal(rng, std) : constant(0) } : {});
  const [imageHeight, imageWidth] = sidesOf(config.imageSize);
  const grid = (imageHeight / patch) * (imageWidth / patch);
  const cls = parameters.add(`${prefix}cls_token`, [1, 1, width], start(1e-6));
  const reg = registers ? parameters.add(`${prefix}reg_token`, [1, registers, width], start(1e-6)) : undefined;
  const pos = parameters.add(`${prefix}pos_embed`, [1, prefixPositions + grid, width], start(0.02));
  const weight = parameters.add(
    `${prefix}patch_embed.proj.weight`,
    [width, 3, patch, patch],
    {
      dtype: parameters.trains(`${prefix}patch_embed.proj.weight`) ? "f32" : dtype ?? "f32",
      ...(rng && { init: fanInUniform(rng) }),
    },
  );
  const bias = parameters.add(`${prefix}patch_embed.proj.bias`, [width], rng && { init: constant(0) });
  const update = lora?.(`${prefix}patch_embed.proj`);
  const embedLora = update && loraLayer(parameters, `${prefix}patch_embed.proj`, [3, patch, patch], width, {
    ...(rng && { init: fanInUniform(rng) }),
    ...update,
  });
  const blocks = Array.from(
    { length: depth },
    (_, i) => createBlock(parameters, `${prefix}blocks.${i}`, config, { rng, fanIn, lora, dtype }),
  );
  const norm = normLayer(parameters, `${prefix}norm`, width, eps);
  return assemble(config, { cls, reg, pos, weight, bias, lora: embedLora, activations }, blocks, norm);
}

/** Tokens of one image. */
function tokensOf({ imageSize, patch, registers = 0 }: VitConfig): number {
  const [height, width] = sidesOf(imageSize);
  return (height / patch) * (width / patch) + 1 + registers;
}

/** Whether something before the blocks trains. */
function embedsWithGradient({ cls, reg, pos, weight, bias, lora }: Embedding): boolean {
  return [cls, reg, pos, weight, bias, lora?.a, lora?.b].some((tensor) => tensor?.grad);
}

/** The passes over parameters that exist. */
function assemble(config: VitConfig, embedding: Embedding, blocks: readonly Block[], norm: NormLayer): Vit {
  const { depth, width } = config;
  const tokens = tokensOf(config);
  const last = (g: Plan, x: Tensor) => (config.normAfterPool ? x : g.module("norm", () => applyNorm(g, norm, x)));
  const isFirst = (i: number, firstTokenOnly: boolean) => firstTokenOnly && i === depth - 1;
  const runBlock = (g: Plan, i: number, x: Tensor, { recompute, training, firstTokenOnly = false }: VitForward) => {
    const block = blocks[i]!;
    const apply = isFirst(i, firstTokenOnly) ? applyBlockToFirst : applyBlock;
    const run = (h: Tensor) => apply(g, block, h, { ...config, training: training ?? false });
    return g.module(`blocks.${i}`, () => recompute?.[i] ? checkpoint(g, run, [x], blockTensors(block)) : run(x));
  };
  const embed = (g: Plan, images: Tensor, training?: boolean, stack?: VitStack) =>
    g.module("patch_embed", () => embedTokens(g, images, embedding, config, { training, stack }));
  return {
    config,
    tokens,
    activations: embedding.activations,
    forward(g, images, options = {}, stack) {
      const taps: Taps = {};
      let x = taps.embed = embed(g, images, options.training, stack);
      for (let i = 0; i < depth; i++) x = taps[`block_${String(i).padStart(2, "0")}`] = runBlock(g, i, x, options);
      return { x: taps.norm = last(g, x), taps };
    },
    deepestCut() {
      if (embedsWithGradient(embedding)) return undefined;
      const first = blocks.findIndex((block) => blockTensors(block).length > 0);
      return first < 0 ? { blocks: depth, kind: "input" } : { blocks: first, kind: deepestStem(blocks[first]!) };
    },
    cutShapes(cut, firstTokenOnly = false) {
      const kept = cut.blocks === depth && firstTokenOnly ? 1 : tokens;
      return stemShapes(cut.kind, kept, width, isFirst(cut.blocks, firstTokenOnly));
    },
    stem(g, images, cut, firstTokenOnly = false) {
      return g.withoutTape(() => {
        let x = embed(g, images);
        for (let i = 0; i < cut.blocks; i++) x = runBlock(g, i, x, { firstTokenOnly });
        const block = blocks[cut.blocks];
        const first = isFirst(cut.blocks, firstTokenOnly);
        if (!block) return [x];
        return g.module(`blocks.${cut.blocks}`, () => applyStem(g, block, x, cut.kind, { ...config, first }));
      });
    },
    finish(g, stem, cut, options = {}) {
      const { training = false, firstTokenOnly = false, recompute } = options;
      const block = blocks[cut.blocks];
      const pieces = stem.map((piece) => cast(g, piece, embedding.activations));
      let x = pieces[0]!;
      if (block) {
        const forward = { ...config, training, first: isFirst(cut.blocks, firstTokenOnly) };
        const run = (...tensors: Tensor[]) => finishBlock(g, block, tensors, cut.kind, forward);
        const whole =
          () => (recompute?.[cut.blocks] ? checkpoint(g, run, pieces, blockTensors(block)) : run(...pieces));
        x = g.module(`blocks.${cut.blocks}`, whole);
      }
      for (let i = cut.blocks + 1; i < depth; i++) x = runBlock(g, i, x, options);
      return last(g, x);
    },
    normalise: (g, x) => g.module("norm", () => applyNorm(g, norm, x)),
  };
}
