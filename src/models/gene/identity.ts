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
import { expectGenes, type GeneModel } from "./model.ts";

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
  expectSizes("the gene model null", { genes });
  if (dim !== genes) {
    throw new ConfigError(`Cannot build the gene model null: dim is ${dim}, wanted ${genes}, the number of genes`, {
      context: { key: "dim", given: dim, wanted: genes },
    });
  }
  parameters.add(`${prefix}dummy_param`, [1], seed === undefined ? {} : { init: constant(0) });
  return {
    name: "null",
    genes,
    dim,
    auxWeights: {},
    forward(_, x) {
      expectGenes("the gene model null", x.shape, genes);
      return { z: x, y: x, aux: {} };
    },
  };
}
