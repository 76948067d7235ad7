/**
 * Masked autoencoder of expression: the perceptron of `mlp.ts` with a fifth of its inputs hidden in training. It has no loss
 * of its own, since the reconstruction loss covers all genes, hidden or not.
 *
 * Source: SEAL, `seal/models/gene_model.py`.
 *
 * @module
 */

import type { Parameters } from "../../nn/parameters.ts";
import type { ModuleOptions } from "../module_options.ts";
import { createGeneMlp, type GeneMlpConfig } from "./mlp.ts";
import type { GeneModel, GeneModelEntry } from "../gene_model.ts";

/** Sizes of the model; `maskRatio` is 0.2 by default. */
export type GeneMaeConfig = GeneMlpConfig;

/**
 * Adds the model: `projection.*` and `decoder.*`.
 *
 * @throws {ConfigError} If a size or rate is unusable.
 */
export function createGeneMae(parameters: Parameters, config: GeneMaeConfig, options: ModuleOptions = {}): GeneModel {
  return createGeneMlp(parameters, { maskRatio: 0.2, ...config }, { ...options, name: "mae" });
}

/** How configurations and files build it. */
export const entry: GeneModelEntry<GeneMaeConfig> = {
  keys: {},
  create: createGeneMae,
  // The original's dropout stays, which no key names.
  sizes: ({ hidden_dims, mask_ratio }, size) => ({
    ...size,
    hidden: hidden_dims,
    ...(mask_ratio > 0 && { maskRatio: mask_ratio }),
  }),
  hidden: true,
  masks: true,
};

export type { GeneMaeConfig as Config };
