/**
 * Configuration of SPADE: keys, and what must hold between them. Defaults of clusters, heads and training are those of the
 * public code where it has them.
 *
 * @module
 */

import type { Keys, Rule } from "../../core/config_key.ts";
import { ConfigFormat, type ConfigOf, type ConfigRules } from "../../train/config/format.ts";
import { GENES_KEYS } from "../../train/config/genes_keys.ts";
import { ADAMW_KEYS, EVAL_KEYS, INPUT_KEYS, methodKey, OPTIM_KEYS, SPLIT_KEYS } from "../../train/config/keys.ts";
import { rateRule } from "../../train/config/optim.ts";

const { encoder: _, adapter: _a, image_size: _i, subsample_frac: _f, workers: _w, ...PAIRS } = INPUT_KEYS;

const INPUT = {
  method: methodKey("spade"),
  features: {
    kind: "texts",
    default: [],
    doc: "Folders with a feature file a sample, its rows named by barcodes, as embed writes them",
  },
  ...PAIRS,
} as const satisfies Keys;

const { n_train_genes, genes_include, gene_list, panel, panel_genes, gene_criterion, gene_norm } = GENES_KEYS;

const GENES = {
  n_train_genes,
  genes_include,
  gene_list,
  panel,
  panel_genes,
  gene_criterion,
  gene_norm,
  gene_scale: {
    kind: "choice",
    of: ["none", "z"],
    default: "none",
    nullIs: "none",
    doc: "Expression as it is, or by mean and deviation of the training spots (z)",
  },
} as const satisfies Keys;

const CLUSTERS = {
  fine: {
    kind: "number",
    default: 16,
    min: 1,
    max: 256,
    integer: true,
    unit: "clusters",
    doc: "Clusters of features within each organ",
  },
  coarse: {
    kind: "number",
    default: 16,
    min: 1,
    max: 64,
    integer: true,
    unit: "clusters",
    doc: "Clusters of the fine clusters' centroids over all organs: one expert each",
  },
  cluster_iterations: { kind: "number", default: 50, min: 1, integer: true, doc: "Most iterations of a clustering" },
  cluster_restarts: {
    kind: "number",
    default: 5,
    min: 1,
    max: 100,
    integer: true,
    doc: "Starts, the best of them kept",
  },
  points_per_cluster: {
    kind: "number",
    default: 50_000,
    min: 1,
    integer: true,
    unit: "rows",
    doc: "Most rows for each cluster that clustering looks at, drawn by the seed; all are assigned",
  },
  temperature: {
    kind: "number",
    default: 0.1,
    min: 0,
    open: true,
    doc: "Of the router: weights are the softmax of the negative distances to the centroids over it",
  },
  curve: {
    kind: "numbers",
    default: [2, 4, 8, 16, 32],
    min: 1,
    integer: true,
    doc: "Numbers of clusters whose inertia the report shows for each organ; empty: none",
  },
} as const satisfies Keys;

const EXPERTS = {
  width: {
    kind: "number",
    default: 256,
    min: 1,
    max: 8192,
    integer: true,
    doc: "Width of the heads, which is that of the embedding",
  },
  dropout: { kind: "number", default: 0.1, min: 0, max: 0.95, doc: "Dropout of the heads' second layer" },
  loss_temperature: { kind: "number", default: 1, min: 0, open: true, doc: "T of the soft-target loss" },
  detach_targets: { kind: "flag", default: false, doc: "Stop gradients at the soft targets" },
  l2_norm: { kind: "flag", default: false, doc: "Bring embeddings to length one before the loss" },
  val_fraction: {
    kind: "number",
    default: 0.1,
    min: 0,
    max: 0.5,
    doc:
      "Share of the training samples that choose each expert's checkpoint (of its rows below 5 samples); 0: the last",
  },
  controls: {
    kind: "texts",
    default: ["single", "random"],
    doc: "Trained beside it on the same pairs: one expert for all (single), one as large as all experts together " +
      "(wide), experts on a random partition (random)",
  },
} as const satisfies Keys;

const OPTIM = {
  epochs: { ...OPTIM_KEYS.epochs, default: 100, doc: "Passes over the pairs of each expert" },
  steps: { ...OPTIM_KEYS.steps, doc: "Most optimiser steps of each expert; null is what the epochs give" },
  batch_size: {
    ...OPTIM_KEYS.batch_size,
    default: 128,
    doc: "Pairs of one expert a step; experts with fewer than two batches are merged into the nearest",
  },
  grad_accum: OPTIM_KEYS.grad_accum,
  ...ADAMW_KEYS,
} as const satisfies Keys;

const { eval_every, log_every, save_every, save_every_steps } = EVAL_KEYS;

const EVAL = {
  eval_every,
  save_every: { ...save_every, default: 0 },
  save_every_steps,
  log_every,
} as const satisfies Keys;

/** All keys by concern. */
export const SPADE_KEYS = {
  input: INPUT,
  split: SPLIT_KEYS,
  genes: GENES,
  clusters: CLUSTERS,
  experts: EXPERTS,
  optim: OPTIM,
  eval: EVAL,
} as const;

/** A configuration. */
export type SpadeConfig = ConfigOf<typeof SPADE_KEYS>;

/** What is trained beside SPADE, by name. */
export const CONTROLS: readonly string[] = ["single", "wide", "random"];

const SPADE_RULES: ConfigRules<SpadeConfig> = {
  rules: ({ experts, optim }): Rule[] => {
    const strange = experts.controls.find((name) => !CONTROLS.includes(name));
    return [
      [
        ["controls"],
        strange === undefined,
        `Cannot train: control ${strange} is unknown, wanted ${CONTROLS.join(", ")}`,
        "controls=single,random",
      ],
      rateRule(optim),
    ];
  },
};

/** Reads and writes it. */
export const SPADE_CONFIG: ConfigFormat<typeof SPADE_KEYS> = new ConfigFormat(SPADE_KEYS, SPADE_RULES);
