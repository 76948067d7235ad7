/**
 * Configuration keys from counts to expression: which genes, and how their counts become what losses see.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";

/** From counts to what the losses see. */
export const GENES_KEYS = {
  n_train_genes: {
    kind: "number",
    default: 2000,
    min: 1,
    max: 100000,
    integer: true,
    doc: "Genes of the vocabulary: the panel's, those of genes_include, then the best of the training samples",
  },
  genes_include: {
    kind: "texts",
    default: [],
    doc: "Genes that the vocabulary has whatever their rank, as far as a training sample measured them",
  },
  gene_list: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "File with the genes: one name a line, or genes.json of a run; null chooses them on the training samples",
  },
  panel: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "File with the genes that evaluation reports on; null takes the most variable of those that every training " +
      "sample shows in a tenth of its spots. They are in the vocabulary whatever their rank",
  },
  panel_genes: { kind: "number", default: 50, min: 1, integer: true, doc: "Genes that evaluation reports on" },
  gene_criterion: { kind: "choice", of: ["hvg", "heg"], default: "hvg", doc: "Most variable or most expressed genes" },
  gene_order: {
    kind: "choice",
    of: ["fixed", "per_sample_hvg"],
    default: "fixed",
    doc: "One vocabulary for all samples, or the reference's own choice and order in every sample",
  },
  gene_norm: {
    kind: "choice",
    of: ["log_norm", "none"],
    default: "log_norm",
    nullIs: "none",
    refused: { log: "the reference's log transforms nothing; log_norm is what it trains with" },
    doc: "ln(1 + counts per ten thousand), or raw counts, which negbin then takes for what they are",
  },
  spot_context: { kind: "flag", default: true, doc: "Mix half of the neighbourhood's mean into every spot" },
  smoothing: {
    kind: "choice",
    of: ["compat", "hex6", "none"],
    default: "compat",
    doc: "Neighbours: array distance up to sqrt 2 as the reference, all six of the hexagon, or no mixing",
  },
  gene_centre: {
    kind: "flag",
    default: false,
    doc: "Subtract the mean of its sample from each gene: gene model and losses see how spots differ within a sample",
  },
  gene_stats: {
    kind: "choice",
    of: ["unsmoothed", "smoothed"],
    default: "unsmoothed",
    doc: "Expression whose mean and standard deviation standardise the losses",
  },
  std_floor: {
    kind: "number",
    default: 1e-3,
    min: 0,
    open: true,
    doc: "Least standard deviation of a gene in standardised losses",
  },
  n_test_genes: { kind: "number", default: 10, unused: "panel_genes says it", doc: "Genes tested in each organ" },
  unify_gene_names: {
    kind: "flag",
    default: false,
    unused: "names are always brought to symbols by the file's own columns",
    doc: "Bring gene names to one spelling",
  },
} as const satisfies Keys;
