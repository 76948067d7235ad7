/**
 * Configuration of slide-level learning: keys, and what must hold between them.
 *
 * Defaults are Patho-Bench's but for `balance`, whose choice there (weights of classes with one bag a step) does nothing.
 *
 * @module
 */

import type { Rule } from "../../core/config_key.ts";
import { ConfigFormat, type ConfigOf, type ConfigRules } from "../../train/config/format.ts";
import { EVAL_KEYS, INPUT_KEYS, methodKey, OPTIM_KEYS } from "../../train/config/keys.ts";
import { MIL_DROPOUT, MIL_MODELS } from "./model.ts";
import { BALANCES } from "./objective.ts";
import { TRAIN_ROWS } from "./sampling.ts";

const INPUT = {
  method: methodKey("mil"),
  features: {
    kind: "texts",
    default: [],
    doc: "Folders with a feature file a slide, as embed, TRIDENT, CLAM and STAMP write them",
  },
  labels: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Table of slides (CSV or TSV): slide_id, case_id, labels, and folds as fold_0, fold_1, ...",
  },
  target: { kind: "text", default: "label", doc: "Column of the labels that are learnt" },
  sample_col: {
    kind: "choice",
    of: ["case_id", "slide_id"],
    default: "case_id",
    doc: "What a bag is: all tiles of a case, or of a slide",
  },
  ordinal: { kind: "flag", default: false, doc: "Whether the order of the classes means something, as of grades" },
  drop_missing: { kind: "flag", default: false, doc: "Leave out slides without features instead of refusing them" },
  out: INPUT_KEYS.out,
} as const;

const SPLIT = {
  split_file: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Table (CSV or TSV) that divides them in place of the labels': slide_id or case_id, and fold_0, ... or split",
  },
  fold: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    integer: true,
    doc: "Fold of the table: 3 is its column fold_3; null is its first, or holdout_fraction where it has none",
  },
  holdout_fraction: {
    kind: "number",
    default: 0.2,
    min: 0,
    max: 0.9,
    open: true,
    doc: "Share of the cases of each class that is tested on, where the table has no folds",
  },
  val_fraction: {
    kind: "number",
    default: 0,
    min: 0,
    max: 0.9,
    doc:
      "Share of the training cases of each class that chooses the checkpoint, where the fold has no val part; 0: none",
  },
} as const;

const MODEL = {
  model: {
    kind: "choice",
    of: MIL_MODELS,
    default: "abmil",
    doc: "Attention (abmil), gated attention (gated), or the mean of the tiles (meanmil)",
  },
  hidden: { kind: "number", default: 512, min: 1, max: 8192, integer: true, doc: "Width of the attention's layers" },
  heads: { kind: "number", default: 1, min: 1, max: 64, integer: true, doc: "Attention heads" },
  dropout: {
    kind: "number",
    default: MIL_DROPOUT.features,
    min: 0,
    max: 0.95,
    doc: "Dropout of tiles and of slides behind GELU",
  },
  attention_dropout: {
    kind: "number",
    default: MIL_DROPOUT.attention,
    min: 0,
    max: 0.95,
    doc: "Dropout within the attention",
  },
} as const;

const { steps, grad_accum, beta1, beta2, eps, scheduler, lr_warmup_steps, min_lr, clip_norm, seed } = OPTIM_KEYS;

const OPTIM = {
  epochs: { ...OPTIM_KEYS.epochs, default: 20, doc: "Passes over the bags" },
  steps: { ...steps, doc: "Most optimiser steps; null is what the epochs give" },
  batch_size: {
    ...OPTIM_KEYS.batch_size,
    default: 1,
    min: 1,
    unit: "bags",
    doc: "Bags a step; those left over at the end of an epoch are not trained on in it",
  },
  grad_accum,
  tiles: {
    kind: "number",
    default: TRAIN_ROWS,
    min: 1,
    max: 65536,
    integer: true,
    unit: "tiles",
    doc: "Most tiles of a bag in a training step, drawn anew in every epoch; tests see all",
  },
  balance: {
    kind: "choice",
    of: BALANCES,
    default: "sampler",
    doc: "Classes drawn equally often, with replacement (sampler); weighted in the loss (loss); or as they are (none)",
  },
  lr: { kind: "number", default: 3e-4, min: 0, open: true, doc: "Learning rate" },
  weight_decay: { ...OPTIM_KEYS.weight_decay, default: 1e-5, doc: "Decoupled weight decay of all parameters" },
  beta1,
  beta2,
  eps,
  scheduler,
  lr_warmup_steps,
  min_lr: { ...min_lr, default: 1e-8 },
  clip_norm,
  seed,
} as const;

const EVAL = {
  best_metric: {
    kind: "choice",
    of: ["auc", "balanced_accuracy", "loss"],
    default: "auc",
    doc: "What the best checkpoint is chosen by on the validation part; without one it is the last",
  },
  ...EVAL_KEYS,
  cache_budget: {
    kind: "number",
    default: 2,
    min: 0,
    unit: "GiB",
    doc: "Features are kept in memory where all take no more; 0 reads them from their files at every step",
  },
} as const;

/** All keys by concern. */
export const MIL_KEYS = { input: INPUT, split: SPLIT, model: MODEL, optim: OPTIM, eval: EVAL } as const;

/** A configuration. */
export type MilConfig = ConfigOf<typeof MIL_KEYS>;

const MIL_RULES: ConfigRules<MilConfig> = {
  rules: ({ model, optim }): Rule[] => [
    [
      ["heads", "model"],
      model.model !== "meanmil" || model.heads === 1,
      `Cannot build meanmil with ${model.heads} heads: it has no attention`,
      "heads=1, or model=abmil",
    ],
    [
      ["min_lr", "lr"],
      optim.min_lr <= optim.lr,
      `Cannot train: min_lr is ${optim.min_lr}, wanted at most lr, ${optim.lr}`,
      "Lower min_lr",
    ],
    [
      ["batch_size", "tiles"],
      optim.batch_size * optim.tiles <= 1 << 20,
      `Cannot train: ${optim.batch_size} bags of ${optim.tiles} tiles a step, wanted at most ${1 << 20} tiles`,
      "Lower batch_size and raise grad_accum, or lower tiles",
    ],
  ],
};

/** Reads and writes it. */
export const MIL_CONFIG: ConfigFormat<typeof MIL_KEYS> = new ConfigFormat(MIL_KEYS, MIL_RULES);
