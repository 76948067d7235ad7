/**
 * Configuration of training on bulk RNA: keys, and what must hold between them.
 *
 * @module
 */

import type { Keys, Rule } from "../../core/config_key.ts";
import { BULK_UNITS } from "../../data/cohort/bulk.ts";
import { ConfigFormat, type ConfigOf, type ConfigRules } from "../../train/config/format.ts";
import type { EncoderConfig } from "../../train/config/encoder_config.ts";
import {
  ADAMW_KEYS,
  BLOCK_KEYS,
  CACHE_KEYS,
  EVAL_KEYS,
  INPUT_KEYS,
  LORA_KEYS,
  methodKey,
  OPTIM_KEYS,
} from "../../train/config/keys.ts";
import { rateRule, tilesRule } from "../../train/config/optim.ts";

const { encoder, adapter, image_size, workers } = INPUT_KEYS;

const INPUT = {
  method: methodKey("bulk"),
  train: {
    kind: "choice",
    of: ["features", "encoder"],
    default: "features",
    doc: "What is trained: a change of stored features, or the encoder itself by gradients through its tiles",
  },
  features: {
    kind: "texts",
    default: [],
    doc: "Folders with a feature file a slide, as embed, TRIDENT, CLAM and STAMP write them",
  },
  patches: {
    kind: "texts",
    default: [],
    doc: "Of train=encoder: folders with a patch file a slide (HEST's patches/NAME.h5)",
  },
  encoder: { ...encoder, doc: `Of train=encoder: ${encoder.doc[0]!.toLowerCase()}${encoder.doc.slice(1)}` },
  adapter,
  image_size,
  workers,
  expression: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Bulk expression: a folder of STAR's or HTSeq's files, a matrix of genes by samples (TSV), or an h5ad",
  },
  bulk_unit: {
    kind: "choice",
    of: BULK_UNITS,
    default: "auto",
    doc: "What values of a matrix or h5ad are: logarithms (log2, which auto takes them for), TPM or counts",
  },
  slides: {
    kind: "text",
    default: null,
    nullable: true,
    doc:
      "Table (CSV or TSV) of slides: slide_id, case_id, fold_0, labels; without it names of TCGA are cut to patients",
  },
  modality: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Table (CSV or TSV) with a further vector of each patient (case_id, numbers), aligned too by contrastive arms",
  },
  labels: { kind: "texts", default: [], doc: "Columns of the table whose classes the report probes, before and after" },
  out: INPUT_KEYS.out,
} as const satisfies Keys;

const GENES = {
  n_genes: {
    kind: "number",
    default: 5000,
    min: 1,
    max: 100_000,
    integer: true,
    doc: "Genes, by variance over the training patients; all where there are fewer",
  },
  gene_list: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "File with genes, one a line, in place of those; the expression must have all of them",
  },
} as const satisfies Keys;

const SPLIT = {
  holdout_fraction: {
    kind: "number",
    default: 0.2,
    min: 0,
    max: 0.8,
    open: true,
    doc: "Share of the patients that is tested on, where the table has no fold_0",
  },
  val_fraction: {
    kind: "number",
    default: 0.1,
    min: 0,
    max: 0.5,
    doc: "Share of the training patients that watches the rank of the features and, from 5 of them on, chooses the " +
      "weights: those with which probes of them gain most",
  },
} as const satisfies Keys;

/** Ways of training. */
export const ARMS = ["contrastive", "direct", "shuffled", "shuffled_direct"] as const;

const MODEL = {
  arms: {
    kind: "texts",
    default: ["contrastive", "direct"],
    doc:
      "What is trained, one after another from the same start on the same tiles: contrastive, direct (regression), " +
      "shuffled and shuffled_direct (the same on exchanged patients: controls). With train=encoder one, direct unless said",
  },
  hidden: {
    kind: "number",
    default: 256,
    min: 1,
    max: 8192,
    integer: true,
    doc: "Width of the layer that changes tile features: h = x + W2 GELU(W1 LN(x)), W2 zero at the start",
  },
  ...BLOCK_KEYS,
  pairing: {
    kind: "choice",
    of: ["bag", "tile"],
    default: "bag",
    doc: "What expression belongs to: the bag of a slide's tiles, or each tile by itself",
  },
  aggregate: { kind: "choice", of: ["mean", "gated"], default: "mean", doc: "How tiles become a bag" },
  attention_hidden: { kind: "number", default: 128, min: 1, max: 4096, integer: true, doc: "Width of gated attention" },
  rna_hidden: { kind: "number", default: 1024, min: 1, max: 8192, integer: true, doc: "Width of the RNA encoder" },
  width: { kind: "number", default: 256, min: 1, max: 4096, integer: true, doc: "Width of the joint space" },
  head_start: {
    kind: "choice",
    of: ["zero", "torch"],
    default: "zero",
    doc:
      "Where the head of direct arms starts: at what is told without an image (zero), or as torch's layers do. Features " +
      "of a large scale lose much to the latter",
  },
  rna_dropout: { kind: "number", default: 0.2, min: 0, max: 0.9, doc: "Dropout of the RNA encoder" },
  temperature: {
    kind: "number",
    default: 0.07,
    min: 0.01,
    max: 10,
    doc: "Of the contrastive loss at the start; it is trained, and 0.01 at least",
  },
  lambda_kd: {
    kind: "number",
    default: 0,
    min: 0,
    doc: "Weight of the squared distance, by dimension, of tile features to those before training; 0 keeps none",
  },
  collapse: {
    kind: "number",
    default: 0.3,
    min: 0,
    max: 1,
    doc: "Share of the smooth rank of the given features below which training stops as collapsed; 0 never",
  },
} as const satisfies Keys;

const OPTIM = {
  steps: {
    kind: "number",
    default: 2000,
    min: 1,
    integer: true,
    unit: "steps",
    doc: "Optimiser steps of each arm",
  },
  batch_size: { ...OPTIM_KEYS.batch_size, default: 64, unit: "bags", doc: "Slides a loss sees" },
  tiles: {
    kind: "number",
    default: 16,
    min: 1,
    max: 65536,
    integer: true,
    unit: "tiles",
    doc: "Tiles of a slide in a step, drawn with replacement",
  },
  micro_batch: {
    ...OPTIM_KEYS.micro_batch,
    unit: "tiles",
    doc: "Tiles in memory at a time, by gradient caching: the same run up to rounding; null is what fits",
  },
  grad_accum: OPTIM_KEYS.grad_accum,
  ...ADAMW_KEYS,
  encoder_lr: {
    ...ADAMW_KEYS.lr,
    default: 2e-5,
    doc: "Of train=encoder: learning rate of the encoder; lr is that of heads",
  },
  precision: OPTIM_KEYS.precision,
  augment: { ...OPTIM_KEYS.augment, default: "none" },
  weight_decay: { ...ADAMW_KEYS.weight_decay, doc: "Decoupled weight decay of matrices" },
} as const satisfies Keys;

const { eval_every, early_stop_patience, early_stop_min_delta, log_every, save_every, save_every_steps } = EVAL_KEYS;

/** All keys by concern. */
export const BULK_KEYS = {
  input: INPUT,
  genes: GENES,
  split: SPLIT,
  model: MODEL,
  lora: LORA_KEYS,
  optim: OPTIM,
  cache: { ...CACHE_KEYS, cache_views: { ...CACHE_KEYS.cache_views, default: 1 } },
  eval: {
    eval_every: { ...eval_every, default: 10 },
    early_stop_patience: { ...early_stop_patience, default: 10 },
    early_stop_min_delta,
    save_every: { ...save_every, default: 0 },
    save_every_steps,
    log_every,
  },
} as const;

/** A configuration. */
export type BulkConfig = ConfigOf<typeof BULK_KEYS>;

/** What the shared parts of training read of the encoder's side. */
export function encoderConfig({ input, model, lora, optim, cache }: BulkConfig): EncoderConfig {
  // Rates of the encoder's own blocks do not fall towards its input.
  return { input, model, lora, optim: { ...optim, layer_decay: 1 }, cache };
}

const BULK_RULES: ConfigRules<BulkConfig> = {
  adapt: (config, given) =>
    config.input.train === "encoder" && !given.has("arms")
      // Through pixels regression gains where contrast, met by what the encoder knows already, does not.
      ? { ...config, model: { ...config.model, arms: ["direct"] } }
      : config,
  rules: ({ model, optim, input }): Rule[] => {
    const strange = model.arms.find((arm) => !(ARMS as readonly string[]).includes(arm));
    return [
      [
        ["arms"],
        strange === undefined && model.arms.length > 0 && new Set(model.arms).size === model.arms.length,
        `Cannot train: arms are ${model.arms.join(", ") || "none"}, wanted each of ${ARMS.join(", ")} at most once`,
        "arms=contrastive,direct",
      ],
      [
        ["arms", "train"],
        input.train !== "encoder" || model.arms.length === 1,
        `Cannot train an encoder: arms are ${model.arms.join(", ")}, wanted one, for a run has one encoder`,
        "arms=contrastive, and another run with arms=direct",
      ],
      [
        ["train", "features"],
        input.train !== "encoder" || input.features.length === 0,
        "Cannot train an encoder on stored features: it is fed patches",
        "patches=DIR in place of features, or train=features",
      ],
      [
        ["patches", "train"],
        input.train === "encoder" || input.patches.length === 0,
        "Cannot change features of patches: train=features takes stored ones",
        "train=encoder",
      ],
      [
        ["labels", "slides"],
        input.labels.length === 0 || input.slides !== null,
        `Cannot probe ${input.labels.join(", ")}: there is no table of slides, wanted one with these columns`,
        "slides=TABLE",
      ],
      [
        ["modality", "arms"],
        input.modality === null || model.arms.some((arm) => !arm.endsWith("direct")),
        `Cannot align a modality: arms are ${model.arms.join(", ")}, wanted one that compares vectors`,
        "arms=contrastive, or no modality",
      ],
      rateRule(optim),
      tilesRule(optim, "Lower batch_size or tiles"),
    ];
  },
};

/** Reads and writes it. */
export const BULK_CONFIG: ConfigFormat<typeof BULK_KEYS> = new ConfigFormat(BULK_KEYS, BULK_RULES);
