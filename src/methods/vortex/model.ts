/**
 * VORTEX's model behind the encoder of slices: a transformer over depth, two poolers, a gene encoder and heads.
 *
 * t = encoder(slices) + s code(z - z0), D-wide; depth transformer (pre-norm blocks, slices beyond the volume are no keys);
 * pooled by one query each for contrast and for regression (by tubelets, all tokens of the encoder are); u = W poolC, v = genes(x), both of length one; y = W poolR + b.
 * L = l_con masked CLIP(u, v) + l_reg (MSE of the volume's own head + 1/2 MSE of the shared head), over measured genes.
 *
 * Source: the design of arXiv 2502.17761 as far as it is public; sizes are this engine's.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { boundedInverse, maskedClip } from "../../losses/masked_clip.ts";
import { maskedMse } from "../../losses/masked_mse.ts";
import { applyAttentionPool, type AttentionPool, createAttentionPool } from "../../nn/attention_pool.ts";
import { afterAttention, type Block, type BlockConfig, createBlock } from "../../nn/block.ts";
import { constant, moduleRng } from "../../nn/init.ts";
import { applyLinear, applyNorm, type LinearLayer, normLayer } from "../../nn/layers.ts";
import { maskedAttention } from "../../nn/masked_attention.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { createSequential, torchLinear } from "../../nn/sequential.ts";
import { add } from "../../ops/binary.ts";
import { cast } from "../../ops/cast.ts";
import { concat } from "../../ops/concat.ts";
import { l2Normalize } from "../../ops/l2_normalize.ts";
import { matmul } from "../../ops/matmul.ts";
import { affine, scale } from "../../ops/scale.ts";
import { slice } from "../../ops/slice.ts";
import type { Losses } from "../../train/step_model.ts";
import type { VortexConfig } from "./config.ts";

/** What data and encoder decide. */
export interface VortexSizes {
  /** Features of a slice. */
  readonly dim: number;
  /** Heads of the encoder. */
  readonly heads: number;
  readonly genes: number;
  /** Volumes that have a head of their own. */
  readonly volumes: number;
}

/** Places of the slices of a batch. */
export interface DepthFields {
  /** Codes of their depths, `[B, Z, D]`. */
  readonly code: Tensor;
  /** Added to scores: 0, or `NO_KEY` for slices beyond the volume, `[B, Z]`. */
  readonly blind: Tensor;
  /** Weights by which slices become one, where there is no transformer, `[B, Z]`. */
  readonly weight: Tensor;
}

/** Expression of a batch. */
export interface GeneFields {
  /** `[B, G]`, z-scored, 0 where it was not measured. */
  readonly x: Tensor;
  /** 1 where it was measured, `[B, G]`. */
  readonly measured: Tensor;
  /** 1 / the sum of that, `[1]`. */
  readonly inverse: Tensor;
  /** Which volume each is of, one-hot `[B, V]`. */
  readonly volume: Tensor;
  /** Added to similarities: 0, or `NO_NEGATIVE` for patches that overlap, `[B, B]`. */
  readonly overlap: Tensor;
}

/** What patches become, `[B, W]` each. */
export interface Pooled {
  readonly contrast: Tensor;
  readonly regression: Tensor;
}

/** Which heads a step trains. */
export type Head = "shared" | "volume" | "voi";

/** A model whose parameters exist. */
export interface VortexModel {
  readonly sizes: VortexSizes;
  /** Appends what follows the encoder. @param z Slices, `[B * Z, D]`, or what was pooled of patches whole, `[B, 2 W]`. */
  pool(g: Plan, z: Tensor, fields: DepthFields): Pooled;
  /** Appends both poolers to all tokens of a patch, `[B, N, D]`: for contrast and regression, `[B, 2 W]`. */
  poolWhole(g: Plan, tokens: Tensor): Tensor;
  /** Appends expression by a head, `[B, G]`; the volumes' heads give the one of each volume. */
  predict(g: Plan, pooled: Pooled, head: Head, volume?: Tensor): Tensor;
  /** Appends patches in the joint space, `[B, W]`, of length one. */
  image(g: Plan, pooled: Pooled): Tensor;
  /** Appends expression in the joint space, `[B, W]`, of length one. */
  gene(g: Plan, x: Tensor, training: boolean): Tensor;
  /** Appends the objective. */
  losses(g: Plan, pooled: Pooled, fields: GeneFields, heads: readonly Head[]): Losses;
}

/** Groups of parameters with a learning rate each, by what their names begin with. */
export const RATE_GROUPS = {
  depth: ["depth."],
  pool: ["pool_contrast.", "pool_regression.", "image.", "temperature"],
  gene: ["gene."],
  shared: ["head.shared."],
  volume: ["head.volume."],
  voi: ["head.voi."],
} as const;

/** Name of a group of parameters. */
export type RateGroup = keyof typeof RATE_GROUPS;

/** Self-attention over a few slices. */
function depthBlock(g: Plan, block: Block, x: Tensor, blind: Tensor, config: BlockConfig): Tensor {
  const D = x.dim(2);
  const packed = applyLinear(g, block.qkv, applyNorm(g, block.norm1, x));
  const attended = maskedAttention(g, slice(g, packed, 2, 0, D), slice(g, packed, 2, D, 2 * D), blind, config);
  return afterAttention(g, block, x, attended, config);
}

/** Adds what makes tokens of slices. */
function createDepth(parameters: Parameters, { dim, heads }: VortexSizes, { model, optim }: VortexConfig) {
  const { aggregate, depth_blocks, depth_heads } = model;
  if (aggregate === "mean" || aggregate === "centre") {
    return (g: Plan, z: Tensor, { weight }: DepthFields) => {
      const [B, Z] = [weight.dim(0), weight.dim(1)];
      return matmul(g, weight.reshape([B, 1, Z]), z.reshape([B, Z, dim]));
    };
  }
  const config: BlockConfig = { width: dim, heads: depth_heads || heads, hidden: 4 * dim, mlp: "gelu" };
  const factor = parameters.add("depth.scale", [1], { trainable: true, init: constant(1) });
  const rng = moduleRng(optim.seed, "depth");
  const blocks = Array.from(
    { length: depth_blocks },
    (_, i) => createBlock(parameters, `depth.blocks.${i}`, config, { rng, fanIn: true }),
  );
  const norm = normLayer(parameters, "depth.norm", dim, 1e-6);
  return (g: Plan, z: Tensor, { code, blind }: DepthFields) => {
    let x = add(g, z.reshape(code.shape), scale(g, code, factor));
    blocks.forEach((block, i) => x = g.module(`depth.${i}`, () => depthBlock(g, block, x, blind, config)));
    return applyNorm(g, norm, x);
  };
}

/** Adds the heads. */
function createHeads(parameters: Parameters, { genes, volumes }: VortexSizes, { model, optim }: VortexConfig) {
  const layer = (name: Head, outputs: number) =>
    torchLinear(parameters, `head.${name}`, [model.width, outputs], moduleRng(optim.seed, `head.${name}`));
  const heads: Partial<Record<Head, LinearLayer>> = { shared: layer("shared", genes) };
  if (model.heads === "per_volume") {
    heads.voi = layer("voi", genes);
    if (volumes > 0) heads.volume = layer("volume", volumes * genes);
  }
  return (g: Plan, pooled: Tensor, name: Head, volume?: Tensor): Tensor => {
    const y = applyLinear(g, heads[name]!, pooled);
    if (name !== "volume") return y;
    const B = pooled.dim(0);
    return matmul(g, volume!.reshape([B, 1, volumes]), y.reshape([B, volumes, genes])).reshape([B, genes]);
  };
}

/** Adds the gene encoder: LN, G to hidden to W. */
function createGenes(parameters: Parameters, { genes }: VortexSizes, { model, optim }: VortexConfig) {
  const parts = [
    ["layernorm", genes],
    ["linear", genes, model.gene_hidden],
    ["gelu"],
    ["dropout", model.gene_dropout],
    ["linear", model.gene_hidden, model.width],
  ] as const;
  return createSequential(parameters, "gene", parts, moduleRng(optim.seed, "gene"));
}

/** Adds everything behind the encoder; call `parameters.allocate()` afterwards. */
export function createVortexModel(parameters: Parameters, sizes: VortexSizes, config: VortexConfig): VortexModel {
  const { model, loss, optim } = config;
  const depth = model.aggregate === "tubelets" ? undefined : createDepth(parameters, sizes, config);
  const pooler = (name: string): AttentionPool => {
    const shape = { context: sizes.dim, width: model.width, heads: model.pool_heads, bias: true, eps: 1e-5 };
    return createAttentionPool(parameters, shape, {
      rng: moduleRng(optim.seed, name),
      fanIn: true,
      name,
      normName: `${name}.norm`,
    });
  };
  const poolers = { contrast: pooler("pool_contrast"), regression: pooler("pool_regression") };
  const image = torchLinear(parameters, "image", [model.width, model.width], moduleRng(optim.seed, "image"));
  const genes = createGenes(parameters, sizes, config);
  const logScale = parameters.add("temperature", [1], { trainable: true, init: constant(-Math.log(loss.temperature)) });
  const predict = createHeads(parameters, sizes, config);
  const made: VortexModel = {
    sizes,
    poolWhole(g, tokens) {
      const by = (pool: AttentionPool) => cast(g, applyAttentionPool(g, pool, tokens), "f32");
      return concat(g, [by(poolers.contrast), by(poolers.regression)], 1);
    },
    pool(g, z, fields) {
      if (model.aggregate === "tubelets") {
        const [contrast, regression] = [0, 1].map((i) => slice(g, z, 1, i * model.width, model.width));
        return { contrast: contrast!, regression: regression! };
      }
      const tokens = g.module("depth", () => depth!(g, z, fields));
      const blind = model.aggregate === "depth" ? fields.blind : undefined;
      const by = (pool: AttentionPool) => g.module("pool", () => applyAttentionPool(g, pool, tokens, blind));
      return { contrast: by(poolers.contrast), regression: by(poolers.regression) };
    },
    predict: (g, { regression }, head, volume) => g.module("head", () => predict(g, regression, head, volume)),
    image: (g, { contrast }) => l2Normalize(g, applyLinear(g, image, contrast)),
    gene: (g, x, training) => g.module("gene", () => l2Normalize(g, genes.forward(g, x, training))),
    losses(g, pooled, { x, measured, inverse, volume, overlap }, heads) {
      const terms: [string, Tensor, number][] = heads.map((head) => [
        `loss_${head}`,
        maskedMse(g, made.predict(g, pooled, head, volume), x, measured, inverse),
        // The volume's own head leads where there is one.
        loss.lambda_reg * (head === "shared" && heads.length > 1 ? 0.5 : 1),
      ]);
      const contrast = () => {
        const temperature = boundedInverse(g, logScale, { least: 0.01, most: 0.5 });
        return maskedClip(g, made.image(g, pooled), made.gene(g, x, true), temperature, overlap);
      };
      if (loss.lambda_contrast > 0) terms.push(["loss_contrast", contrast(), loss.lambda_contrast]);
      const weighed = terms.filter(([, , weight]) => weight > 0).map(([, term, weight]) => affine(g, term, weight));
      const total = weighed.reduce((sum, term) => add(g, sum, term));
      return { loss: total, ...Object.fromEntries(terms.map(([name, term]) => [name, term])) };
    },
  };
  return made;
}
