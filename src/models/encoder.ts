/**
 * An image encoder: vision transformer, pooling, and what is known of its input.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Dtype } from "../core/dtype.ts";
import { Rng } from "../core/rng.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { applyAttentionPool, createAttentionPool } from "../nn/attention_pool.ts";
import type { BlockOptions } from "../nn/block.ts";
import type { Parameters } from "../nn/parameters.ts";
import { type Activations, cast } from "../ops/cast.ts";
import { concat } from "../ops/concat.ts";
import { select } from "../ops/slice.ts";
import { meanTokens } from "../ops/token.ts";
import { type EncoderArch, type EncoderOutput, type EncoderSpec, pooledDim, type Pooling } from "./encoder_spec.ts";
import { createVit, type Cut, type Taps, type Vit, type VitConfig, type VitForward } from "./vit.ts";

/** How an encoder is built. */
export interface EncoderOptions extends Omit<BlockOptions, "rng"> {
  /** Sizes, if the file has others than the spec. */
  arch?: EncoderArch;
  /** Side of the input, or height and width, px; default that of the spec. */
  imageSize?: VitConfig["imageSize"];
  /** Instead of the spec's pooling. */
  pooling?: Pooling;
  /** Seed of a random start; without it all parameters must be loaded. */
  seed?: number;
  /** Type of activations; that of f16 weights where the device computes with it, else f32. */
  activations?: Activations;
}

/** An encoder whose parameters exist. */
export interface Encoder {
  /** What it is. */
  readonly spec: EncoderSpec;
  /** Side of the input, or height and width, px. */
  readonly imageSize: VitConfig["imageSize"];
  /** How tokens become one embedding. */
  readonly pooling: Pooling;
  /** Features of the embedding. */
  readonly dim: number;
  /** Storage of frozen weights. */
  readonly weights: Dtype;
  /** The transformer. */
  readonly vit: Vit;
  /** The set its parameters are in; others may be in it too. */
  readonly parameters: Parameters;
  /** Names of its parameters, in order. */
  readonly names: readonly string[];
  /** Factor of the low-rank update of each layer that has one. */
  readonly loraScales: ReadonlyMap<string, number>;
  /**
   * Appends the encoder.
   *
   * @param images RGB bytes `[B, H, W, 3]`, or f32 of the same shape, already normalised.
   * @returns Embedding `[B, dim]`, f32, not normalised, and the tokens after each stage.
   */
  forward(g: Plan, images: Tensor, options?: Omit<VitForward, "firstTokenOnly">): { embedding: Tensor; taps: Taps };
  /**
   * Where the encoder can be cut so that nothing before depends on a trained weight; `embedding` where nothing trains at
   * all, undefined where its first layer does.
   */
  deepestCut(): EncoderCut | undefined;
  /** Shapes of what {@linkcode Encoder.stem} gives for one image. */
  cutShapes(cut: EncoderCut): readonly (readonly number[])[];
  /** Appends what comes before a cut, without gradients: tensors `[B, ...shape]`. */
  stem(g: Plan, images: Tensor, cut: EncoderCut): Tensor[];
  /** Appends what follows a cut: the embedding `[B, dim]`. */
  finish(g: Plan, stem: readonly Tensor[], cut: EncoderCut, options?: Omit<VitForward, "firstTokenOnly">): Tensor;
}

/** A cut of the transformer, or behind everything. */
export type EncoderCut = Cut | "embedding";

/** Prefix of the transformer's parameters: CONCH keeps it beside its pooler. */
export function trunkPrefix(spec: Pick<EncoderSpec, "output">): "" | "trunk." {
  return spec.output.pooler ? "trunk." : "";
}

function dimOf(pooling: Pooling, width: number, { pooler }: EncoderOutput): number {
  if (pooling === "attn_pool") {
    if (!pooler) {
      throw new ConfigError("Cannot pool by attention: the encoder has no pooler, wanted cls, mean or cls+mean");
    }
    return pooler.width;
  }
  return pooledDim(pooling, width);
}

/** Tokens as one vector an image, by a pooling without parameters of its own. */
function poolTokens(g: Plan, x: Tensor, pooling: Pooling, vit: Vit, arch: EncoderArch): Tensor {
  const norm = (y: Tensor) => (arch.normAfterPool ? vit.normalise(g, y) : y);
  const mean = () => norm(meanTokens(g, x, { start: 1 + arch.registers }));
  if (pooling === "mean") return mean();
  const cls = norm(select(g, x, 1, 0));
  return pooling === "cls" ? cls : concat(g, [cls, mean()], 1);
}

/**
 * Adds the parameters of an encoder.
 *
 * Where the embedding is the class token, the last block computes nothing else: exact, and a saving of most of that block.
 *
 * @throws {ConfigError} If sizes do not divide, or the pooling does not exist.
 */
export function createEncoder(parameters: Parameters, spec: EncoderSpec, options: EncoderOptions = {}): Encoder {
  const { arch = spec.arch, imageSize = spec.input.size, pooling = spec.output.pooling, seed, fanIn, lora, dtype } =
    options;
  const { layerScale, ...sizes } = arch;
  const { mean, std } = spec.input;
  const dim = dimOf(pooling, arch.width, spec.output);
  const config = { ...sizes, layerScale: layerScale ? 1 : undefined, imageSize, mean, std };
  const prefix = trunkPrefix(spec);
  const before = new Set(parameters.entries().map(([name]) => name));
  const loraScales = new Map<string, number>();
  const updates: BlockOptions["lora"] = lora && ((layer) => {
    const update = lora(layer);
    if (update) loraScales.set(layer, update.alpha / update.rank);
    return update;
  });
  const { activations = dtype === "f16" && parameters.gpu.caps.f16 ? "f16" : "f32" } = options;
  const how = { prefix, fanIn, lora: updates, dtype, activations, ...(seed !== undefined && { seed }) };
  const vit = createVit(parameters, config, how);
  const { pooler } = spec.output;
  const rng = seed === undefined ? undefined : new Rng(seed, 1);
  const pool = pooler && createAttentionPool(parameters, { context: arch.width, ...pooler }, { rng, dtype });
  const names = parameters.entries().map(([name]) => name).filter((name) => !before.has(name));
  const firstTokenOnly = pooling === "cls";
  const pooled = (g: Plan, x: Tensor): Tensor =>
    g.module("pool", () => {
      const y = pooling === "attn_pool" ? applyAttentionPool(g, pool!, x) : poolTokens(g, x, pooling, vit, arch);
      return cast(g, y, "f32");
    });
  return {
    spec,
    imageSize,
    pooling,
    dim,
    weights: dtype ?? "f32",
    vit,
    parameters,
    names,
    loraScales,
    forward: (g, images, forward = {}) =>
      g.module("encoder", () => {
        const { x, taps } = vit.forward(g, images, { ...forward, firstTokenOnly });
        return { embedding: pooled(g, x), taps };
      }),
    deepestCut() {
      // Parameters of other models may share the set: only those of this encoder count.
      return names.some((name) => parameters.get(name).grad) ? vit.deepestCut() : "embedding";
    },
    cutShapes: (cut) => (cut === "embedding" ? [[dim]] : vit.cutShapes(cut, firstTokenOnly)),
    stem(g, images, cut) {
      return g.module("encoder", () => {
        if (cut !== "embedding") return vit.stem(g, images, cut, firstTokenOnly);
        return g.withoutTape(() => [pooled(g, vit.forward(g, images, { firstTokenOnly }).x)]);
      });
    },
    finish(g, stem, cut, forward = {}) {
      if (cut === "embedding") return cast(g, stem[0]!, "f32");
      return g.module("encoder", () => pooled(g, vit.finish(g, stem, cut, { ...forward, firstTokenOnly })));
    },
  };
}
