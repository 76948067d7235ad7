/**
 * From a configuration to the sizes of its gene model.
 *
 * @module
 */

import type { GeneModelConfig } from "../models/gene/registry.ts";
import type { TrainConfig } from "./config.ts";

/**
 * Sizes of the gene model.
 *
 * @param genes Of the vocabulary, G.
 * @param dim Of the image embedding, D: both sides have one width.
 */
export function geneModelConfig({ gene }: Pick<TrainConfig, "gene">, genes: number, dim: number): GeneModelConfig {
  const common = { genes, dim };
  const dropouts = { dropout: gene.vae_dropout, decoderDropout: gene.dec_dropout };
  switch (gene.gene_model) {
    case "vae":
      return {
        name: "vae",
        ...common,
        ...dropouts,
        hidden: gene.hidden_dims,
        decoderBatchNorm: gene.dec_batch_norm,
        flows: gene.vae_flows,
        maskRatio: gene.mask_ratio,
        kl: gene.kl_loss ? (gene.kl_form === "exact" ? "flow" : "reference") : "none",
        constrainFlows: gene.flow_constraint,
      };
    // These keep the original's dropout, which no key names.
    case "mlp":
      return { name: "mlp", ...common, hidden: gene.hidden_dims };
    case "mae":
      return {
        name: "mae",
        ...common,
        hidden: gene.hidden_dims,
        ...(gene.mask_ratio > 0 && { maskRatio: gene.mask_ratio }),
      };
    case "transformer":
      return { name: "transformer", ...common, geneEmbeddings: gene.gene_embeddings };
    case "identity":
      return { name: "null", genes };
  }
}
