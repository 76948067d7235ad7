/**
 * Multilayer perceptron of expression: linear, batch normalisation, GELU, dropout for each hidden width, then a linear layer;
 * and a decoder.
 *
 * Source: SEAL, `seal/models/gene_model.py`; names are its own.
 *
 * @module
 */

import { moduleRng } from "../../nn/init.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { createSequential, type Part } from "../../nn/sequential.ts";
import { expectRates, expectSizes, type ModuleOptions } from "../module_options.ts";
import { createGeneDecoder, type GeneDecoderConfig } from "../gene_decoder.ts";
import { expectGenes, type GeneModel, type GeneModelEntry, maskInputs } from "../gene_model.ts";

/** Sizes of the model. Defaults are the original's. */
export interface GeneMlpConfig {
  /** Genes, G. */
  readonly genes: number;
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Widths of the hidden layers; default 1024 and 512. */
  readonly hidden?: readonly number[];
  /** Dropout, of the decoder too; default 0.25. */
  readonly dropout?: number;
  /** Share of inputs hidden in training; default 0. */
  readonly maskRatio?: number;
  /** Decoder; default `mlp`. */
  readonly decoder?: Pick<GeneDecoderConfig, "kind" | "layers" | "heads">;
}

/**
 * Adds the model: `projection.*` and `decoder.*`.
 *
 * @param name Value of `gene_model`.
 * @throws {ConfigError} If a size or rate is unusable.
 */
export function createGeneMlp(
  parameters: Parameters,
  config: GeneMlpConfig,
  { prefix = "", seed, name = "mlp" }: ModuleOptions & { name?: string } = {},
): GeneModel {
  const { genes, dim, hidden = [1024, 512], dropout = 0.25, maskRatio = 0 } = config;
  const what = `the gene model "${name}"`;
  expectSizes(what, { genes, dim, ...Object.fromEntries(hidden.map((width, i) => [`hidden[${i}]`, width])) });
  expectRates(what, { dropout, maskRatio });
  const rng = moduleRng(seed, `${prefix}${name}`);
  const parts = [
    ...hidden.flatMap((width, i): Part[] => [
      ["linear", hidden[i - 1] ?? genes, width],
      ["batchnorm", width],
      ["gelu"],
      ["dropout", dropout],
    ]),
    ["linear", hidden.at(-1) ?? genes, dim] as const,
  ];
  const projection = createSequential(parameters, `${prefix}projection`, parts, rng);
  const decoder = createGeneDecoder(parameters, `${prefix}decoder`, { ...config.decoder, dim, genes, dropout }, rng);
  return {
    name,
    genes,
    dim,
    auxWeights: {},
    forward(g, input, options = {}) {
      const { training = false } = options;
      expectGenes(what, input.shape, genes);
      const { x, mask } = maskInputs(g, `${prefix}${name}`, input, maskRatio, options);
      const z = projection.forward(g, x, training);
      return { z, y: decoder.forward(g, z, training), ...(mask && { mask }), aux: {} };
    },
  };
}

/** How configurations and files build it. */
export const entry: GeneModelEntry<GeneMlpConfig> = {
  keys: {},
  create: createGeneMlp,
  // The original's dropout stays, which no key names.
  sizes: ({ hidden_dims }, size) => ({ ...size, hidden: hidden_dims }),
  hidden: true,
  // Those of a masked autoencoder are the same.
  file: {
    marker: "projection.0.weight",
    sizes(shapes) {
      const layers = shapes.linears("projection");
      if (!layers.length) throw shapes.fail("projection.0.weight", "is missing", "a matrix");
      const attention = shapes.indices("decoder.attention.", ".in_proj_weight").length;
      const kind = shapes.names.has("decoder.predictor.0.weight") ? "mlp" : attention ? "transformer" : "linear";
      return {
        genes: layers[0]![1],
        dim: layers.at(-1)![0],
        hidden: layers.slice(0, -1).map(([out]) => out),
        decoder: { kind, ...(attention && { layers: attention }) },
      };
    },
  },
};

export type { GeneMlpConfig as Config };
