/**
 * Gene models by the names configurations use: the files of `gene/`. Their names are the choices of the key `gene_model`.
 *
 * @module
 */

import type { KeysOf } from "../core/config_key.ts";
import { ConfigError } from "../core/errors.ts";
import type { Parameters } from "../nn/parameters.ts";
import { type Config, index, names } from "./gene/index.gen.ts";
import type { GeneModel, GeneModelEntry, GeneModelValues, GeneSizes } from "./gene_model.ts";
import type { ModuleOptions } from "./module_options.ts";

/** Value of `gene_model`. */
export type GeneModelName = keyof typeof index;

/** Keys of all gene models, beside those they share. */
export type GeneModelKeys = KeysOf<typeof index>;

/** A model by name with its sizes: `name` is the value of `gene_model`. */
export type GeneModelConfig = Config;

/** Gene models by name. */
export const GENE_MODELS: typeof index = index;

/** Values of `gene_model`. */
export const GENE_MODEL_NAMES: typeof names = names;

/** The entry of a model, whichever it is. */
export function geneModelEntry(name: GeneModelName): GeneModelEntry<GeneModelConfig, GeneModelKeys> {
  return GENE_MODELS[name] as GeneModelEntry<object> as GeneModelEntry<GeneModelConfig, GeneModelKeys>;
}

/** Name and sizes of the gene model that a configuration asks for. */
export function geneModelConfig(
  values: GeneModelValues<GeneModelKeys> & { readonly gene_model: GeneModelName },
  size: GeneSizes,
): GeneModelConfig {
  const { gene_model: name } = values;
  return { ...geneModelEntry(name).sizes(values, size), name } as GeneModelConfig;
}

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
  if (Object.hasOwn(GENE_MODELS, given)) return geneModelEntry(config.name).create(parameters, config, options);
  throw new ConfigError(`Cannot build gene_model "${given}": no such model, wanted ${names.join(", ")}`, {
    ...(given === "scgpt" && { hint: "The original's scgpt cannot run either: its imports are commented out" }),
    context: { key: "gene_model", given, wanted: names },
  });
}
