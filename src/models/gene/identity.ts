/**
 * No gene model: expression is its own embedding and its own reconstruction.
 *
 * Source: SEAL, `seal/models/gene_model.py`, which keeps one number that nothing uses; so does this, for its files.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { constant } from "../../nn/init.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { expectSizes, type ModuleOptions } from "../module_options.ts";
import { expectGenes, type GeneModel, type GeneModelEntry } from "../gene_model.ts";

/** Sizes of the model. */
export interface GeneIdentityConfig {
  /** Genes, G. */
  readonly genes: number;
  /** Features of the embedding: as many as genes. */
  readonly dim?: number;
}

/**
 * Adds the model: `dummy_param`.
 *
 * @throws {ConfigError} If `genes` is no size, or `dim` is given and another number.
 */
export function createGeneIdentity(
  parameters: Parameters,
  { genes, dim = genes }: GeneIdentityConfig,
  { prefix = "", seed }: ModuleOptions = {},
): GeneModel {
  expectSizes("the gene model identity", { genes });
  if (dim !== genes) {
    throw new ConfigError(`Cannot build the gene model identity: dim is ${dim}, wanted ${genes}, the number of genes`, {
      context: { key: "dim", given: dim, wanted: genes },
    });
  }
  parameters.add(`${prefix}dummy_param`, [1], seed === undefined ? {} : { init: constant(0) });
  return {
    name: "identity",
    genes,
    dim,
    auxWeights: {},
    forward(_, x) {
      expectGenes("the gene model identity", x.shape, genes);
      return { z: x, y: x, aux: {} };
    },
  };
}

/** How configurations and files build it. */
export const entry: GeneModelEntry<GeneIdentityConfig> = {
  keys: {},
  create: createGeneIdentity,
  sizes: (_, { genes }) => ({ genes }),
  fixed: true,
  file: {
    marker: "dummy_param",
    sizes(shapes, genes) {
      if (genes === undefined) throw shapes.fail("dummy_param", "is all there is", "to be told the number of genes");
      return { genes };
    },
  },
};

export type { GeneIdentityConfig as Config };
