/**
 * Gene models by the names configurations use.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import type { Parameters } from "../../nn/parameters.ts";
import type { ModuleOptions } from "../module_options.ts";
import { createGeneIdentity, type GeneIdentityConfig } from "./identity.ts";
import { createGeneMae, type GeneMaeConfig } from "./mae.ts";
import { createGeneMlp, type GeneMlpConfig } from "./mlp.ts";
import type { GeneModel } from "./model.ts";
import { createGeneTransformer, type GeneTransformerConfig } from "./transformer.ts";
import { createVae, type VaeConfig } from "./vae.ts";

/** A model by name with its sizes: `name` is the value of `gene_model`. */
export type GeneModelConfig =
  | ({ readonly name: "vae" } & VaeConfig)
  | ({ readonly name: "mlp" } & GeneMlpConfig)
  | ({ readonly name: "mae" } & GeneMaeConfig)
  | ({ readonly name: "transformer" } & GeneTransformerConfig)
  | ({ readonly name: "null" } & GeneIdentityConfig);

/** Values of `gene_model` that can be built. */
export const GENE_MODELS: readonly GeneModelConfig["name"][] = ["vae", "mlp", "mae", "transformer", "null"];

/**
 * Adds a gene model.
 *
 * @throws {ConfigError} If there is none of that name, or its sizes are unusable.
 */
export function createGeneModel(
  parameters: Parameters,
  config: GeneModelConfig,
  options: ModuleOptions = {},
): GeneModel {
  const given: string = config.name;
  switch (config.name) {
    case "vae":
      return createVae(parameters, config, options);
    case "mlp":
      return createGeneMlp(parameters, config, options);
    case "mae":
      return createGeneMae(parameters, config, options);
    case "transformer":
      return createGeneTransformer(parameters, config, options);
    case "null":
      return createGeneIdentity(parameters, config, options);
  }
  throw new ConfigError(`Cannot build gene_model "${given}": no such model, wanted ${GENE_MODELS.join(", ")}`, {
    ...(given === "scgpt" && { hint: "The original's scgpt cannot run either: its imports are commented out" }),
    context: { key: "gene_model", given, wanted: GENE_MODELS },
  });
}
