/**
 * Transformer over genes: every value becomes a token, four post-norm layers, mean over genes, linear layer; and a decoder.
 *
 * The original tells genes apart by nothing but their values, so shuffling them changes nothing; `geneEmbeddings` adds a
 * learned vector a gene. All layers start alike, as torch's copies do. In training each layer keeps its input alone and is
 * run again for its gradients: attention over 2,000 genes has no matrix of scores, but B * G * 64 numbers a tensor are many.
 *
 * Source: SEAL, `seal/models/gene_model.py`; names are its own but for `gene_identity`.
 *
 * @module
 */

import { checkpoint } from "../../autodiff/checkpoint.ts";
import type { Keys } from "../../core/config_key.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { moduleRng, normal } from "../../nn/init.ts";
import { applyLinear } from "../../nn/layers.ts";
import { applyEncoderLayer, encoderLayer, encoderLayerTensors } from "../../nn/multihead.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { createSequential, torchLinear } from "../../nn/sequential.ts";
import { add } from "../../ops/binary.ts";
import { meanTokens } from "../../ops/token.ts";
import { expectRates, expectSizes, type ModuleOptions } from "../module_options.ts";
import { expectGenes, type GeneModel, type GeneModelEntry } from "../gene_model.ts";

const keys = {
  gene_embeddings: { kind: "flag", default: false, doc: "Let the transformer know which gene a value belongs to" },
} as const satisfies Keys;

/** Sizes of the model. Defaults are the original's. */
export interface GeneTransformerConfig {
  /** Genes, G. */
  readonly genes: number;
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Features of a token; default 64. */
  readonly width?: number;
  /** Attention heads; default 8. */
  readonly heads?: number;
  /** Layers; default 4. */
  readonly layers?: number;
  /** Width within a layer; default 256. */
  readonly hidden?: number;
  /** Dropout; default 0.1. */
  readonly dropout?: number;
  /** Width of the decoder; default 1024. */
  readonly decoderHidden?: number;
  /** Adds a learned vector to the token of each gene; default false. */
  readonly geneEmbeddings?: boolean;
  /** Runs layers again for their gradients instead of keeping what is within them; default true. */
  readonly recompute?: boolean;
}

/**
 * Adds the model: `gene_embedding`, `transformer_encoder.layers.*`, `projection_head`, `decoder.*`, and `gene_identity` with
 * gene embeddings.
 *
 * @throws {ConfigError} If a size or rate is unusable.
 */
export function createGeneTransformer(
  parameters: Parameters,
  config: GeneTransformerConfig,
  { prefix = "", seed }: ModuleOptions = {},
): GeneModel {
  const { genes, dim, width = 64, heads = 8, layers: depth = 4, hidden = 256, dropout = 0.1 } = config;
  const { decoderHidden = 1024, geneEmbeddings = false, recompute = true } = config;
  const what = "the gene transformer";
  const sizes = { genes, dim, width, heads, "width / heads": width / heads, layers: depth, hidden, decoderHidden };
  expectSizes(what, sizes);
  expectRates(what, { dropout });
  const name = `${prefix}transformer`;
  const rng = moduleRng(seed, name);
  const embedding = torchLinear(parameters, `${prefix}gene_embedding`, [1, width], rng);
  const identity = geneEmbeddings
    ? parameters.add(`${prefix}gene_identity.weight`, [genes, width], rng && { init: normal(rng) })
    : undefined;
  const layers = Array.from({ length: depth }, (_, i) =>
    // The same numbers for each layer.
    encoderLayer(
      parameters,
      `${prefix}transformer_encoder.layers.${i}`,
      { width, heads, hidden },
      moduleRng(seed, `${name}.layer`),
    ));
  const head = torchLinear(parameters, `${prefix}projection_head`, [width, dim], rng);
  const decoder = createSequential(parameters, `${prefix}decoder`, [
    ["linear", dim, decoderHidden],
    ["relu"],
    ["linear", decoderHidden, genes],
  ], rng);

  const tokens = (g: Plan, x: Tensor): Tensor => {
    const values = applyLinear(g, embedding, x.reshape([x.dim(0), genes, 1]));
    return identity ? add(g, values, identity) : values;
  };
  return {
    name: "transformer",
    genes,
    dim,
    auxWeights: {},
    forward(g, x, { training = false } = {}) {
      expectGenes(what, x.shape, genes);
      let t = tokens(g, x);
      for (const layer of layers) {
        const run = (input: Tensor) => applyEncoderLayer(g, layer, input, training ? dropout : 0);
        t = recompute ? checkpoint(g, run, [t], encoderLayerTensors(layer)) : run(t);
      }
      const z = applyLinear(g, head, meanTokens(g, t));
      return { z, y: decoder.forward(g, z, training), aux: {} };
    },
  };
}

/** How configurations and files build it. */
export const entry: GeneModelEntry<GeneTransformerConfig, typeof keys> = {
  keys,
  create: createGeneTransformer,
  sizes: ({ gene_embeddings: geneEmbeddings }, size) => ({ ...size, geneEmbeddings }),
  rules: ({ gene_embeddings }, chosen) => [
    [
      ["gene_embeddings", "gene_model"],
      !gene_embeddings || chosen === "transformer",
      `Cannot learn gene embeddings: gene_model is ${chosen}, wanted transformer`,
      "gene_embeddings=false",
    ],
  ],
  file: {
    marker: "gene_embedding.weight",
    ownHead: true,
    sizes(shapes) {
      const [decoderHidden, dim] = shapes.matrix("decoder.0.weight");
      const layers = shapes.indices("transformer_encoder.layers.", ".linear1.weight").length;
      return {
        genes: shapes.matrix("decoder.2.weight")[0],
        dim,
        decoderHidden,
        width: shapes.matrix("gene_embedding.weight")[0],
        layers,
        hidden: shapes.matrix("transformer_encoder.layers.0.linear1.weight")[0],
        geneEmbeddings: shapes.names.has("gene_identity.weight"),
      };
    },
  },
};

export type { GeneTransformerConfig as Config };
