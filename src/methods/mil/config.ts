/**
 * Configuration of slide-level learning: keys, and what must hold between them.
 *
 * Defaults are Patho-Bench's but for `balance`, whose choice there (weights of classes with one bag a step) does nothing.
 *
 * @module
 */

import type { Rule } from "../../core/config_key.ts";
import { ConfigError } from "../../core/errors.ts";
import type { TaskKind } from "../../data/cohort/task.ts";
import { ConfigFormat, type ConfigOf, type ConfigRules } from "../../train/config/format.ts";
import { ADAMW_KEYS, EVAL_KEYS, INPUT_KEYS, methodKey, OPTIM_KEYS } from "../../train/config/keys.ts";
import { rateRule, tilesRule } from "../../train/config/optim.ts";
import { CLAM_INSTANCES } from "./goal.ts";
import { CLAM_WIDTH, MIL_MODELS } from "./model.ts";
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
  task: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Patho-Bench's config.yaml in place of target and sample_col: task_col, sample_col, label_dict, task_type",
  },
  target: {
    kind: "text",
    default: "label",
    doc: "Column of the labels that are learnt; survival where TARGET_event and TARGET_days are columns",
  },
  sample_col: {
    kind: "choice",
    of: ["case_id", "slide_id"],
    default: "case_id",
    doc: "What a bag is: all slides of a case, or a slide",
  },
  case_slides: {
    kind: "choice",
    of: ["combine", "mean"],
    default: "combine",
    doc: "Slides of a case as one bag of tiles, or the mean of their pooled vectors",
  },
  expression: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Bulk expression, case_id and a column a gene, log scale: gene_sets scored on it are the targets",
  },
  gene_sets: { kind: "text", default: null, nullable: true, doc: "GMT of the sets that are scored on expression" },
  slides: {
    kind: "texts",
    default: [],
    doc: "Slides, or folders of them, over which the report draws the attention of test cases",
  },
  ordinal: { kind: "flag", default: false, doc: "Whether the order of the classes means something, as of grades" },
  drop_missing: {
    kind: "flag",
    default: false,
    doc: "Leave out slides without features or tiles, with NaN, or damaged, instead of refusing them",
  },
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
    doc:
      "Attention (abmil), gated attention (gated), the mean of the tiles (meanmil), or CLAM-SB (clam), which takes " +
      "more epochs than the others",
  },
  hidden: {
    kind: "number",
    default: null,
    nullable: true,
    min: 1,
    max: 8192,
    integer: true,
    doc: "Width of the attention's layers; null is 512, of clam 256",
  },
  width: {
    kind: "number",
    default: CLAM_WIDTH,
    min: 1,
    max: 8192,
    integer: true,
    doc: "Width of an embedded tile of clam; other models keep that of the features",
  },
  heads: { kind: "number", default: 1, min: 1, max: 64, integer: true, doc: "Attention heads" },
  dropout: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    max: 0.95,
    doc: "Dropout of tiles and of slides behind GELU or ReLU; null is 0.1, of clam 0.25",
  },
  attention_dropout: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    max: 0.95,
    doc: "Dropout within the attention; null is 0.25",
  },
  instance_share: {
    kind: "number",
    default: CLAM_INSTANCES.share,
    min: 0,
    max: 0.99,
    doc: "Share of the loss of instances in that of clam",
  },
  instance_tiles: {
    kind: "number",
    default: CLAM_INSTANCES.count,
    min: 1,
    max: 4096,
    integer: true,
    doc: "Tiles of most attention and of least that are instances of clam",
  },
} as const;

const SURVIVAL = {
  survival: {
    kind: "choice",
    of: ["discrete", "cox"],
    default: "discrete",
    doc: "Hazards of intervals of time, or Cox's partial likelihood of each batch",
  },
  intervals: {
    kind: "number",
    default: 4,
    min: 1,
    max: 64,
    integer: true,
    doc: "Intervals of discrete: quantiles of the training events",
  },
  ties: {
    kind: "choice",
    of: ["breslow", "efron"],
    default: "breslow",
    doc: "Events at the same time, of cox",
  },
} as const;

const OPTIM = {
  epochs: { ...OPTIM_KEYS.epochs, default: 20, doc: "Passes over the bags" },
  steps: { ...OPTIM_KEYS.steps, doc: "Most optimiser steps; null is what the epochs give" },
  batch_size: {
    ...OPTIM_KEYS.batch_size,
    default: 1,
    min: 1,
    unit: "bags",
    doc: "Bags a step; those left over at the end of an epoch are not trained on in it",
  },
  grad_accum: OPTIM_KEYS.grad_accum,
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
  ...ADAMW_KEYS,
  lr: { ...ADAMW_KEYS.lr, default: 3e-4 },
  weight_decay: { ...ADAMW_KEYS.weight_decay, default: 1e-5 },
  min_lr: { ...ADAMW_KEYS.min_lr, default: 1e-8 },
} as const;

const EVAL = {
  best_metric: {
    kind: "choice",
    of: ["score", "auc", "balanced_accuracy", "cindex", "pearson", "loss"],
    default: "score",
    doc:
      "What the validation part chooses the checkpoint by; score: AUC, C-index or Pearson. Without one it is the last",
  },
  ...EVAL_KEYS,
  early_stop_after: {
    kind: "number",
    default: 0,
    min: 0,
    integer: true,
    unit: "epochs",
    doc: "Trained in any case, before early_stop_patience may stop",
  },
  cache_budget: {
    kind: "number",
    default: 2,
    min: 0,
    unit: "GiB",
    doc: "Features of as many slides as take no more are kept in memory, others read at every step; 0 keeps none",
  },
} as const;

/** All keys by concern. */
export const MIL_KEYS = {
  input: INPUT,
  split: SPLIT,
  model: MODEL,
  survival: SURVIVAL,
  optim: OPTIM,
  eval: EVAL,
} as const;

/** A configuration. */
export type MilConfig = ConfigOf<typeof MIL_KEYS>;

const MIL_RULES: ConfigRules<MilConfig> = {
  rules: ({ input, model, optim }): Rule[] => [
    [
      ["heads", "model"],
      model.heads === 1 || (model.model !== "meanmil" && model.model !== "clam"),
      `Cannot build ${model.model} with ${model.heads} heads: it has ${
        model.model === "clam" ? "one attention" : "no attention"
      }`,
      "heads=1, or a model of several heads alone: abmil or gated",
    ],
    [
      ["expression", "gene_sets"],
      (input.expression === null) === (input.gene_sets === null),
      "Cannot score gene sets: one of expression and gene_sets is missing, wanted both",
      "expression=FILE.csv gene_sets=FILE.gmt",
    ],
    rateRule(optim),
    tilesRule(optim, "Lower batch_size and raise grad_accum, or lower tiles"),
  ],
};

/** Reads and writes it. */
export const MIL_CONFIG: ConfigFormat<typeof MIL_KEYS> = new ConfigFormat(MIL_KEYS, MIL_RULES);

/** Scores of a validation part by kind of task, the headline first. */
export const VALIDATION_SCORES: Readonly<Record<TaskKind, readonly string[]>> = {
  classification: ["auc", "balanced_accuracy"],
  survival: ["cindex"],
  regression: ["pearson"],
};

/** Refuses what a kind of task cannot be trained or chosen by. @throws {ConfigError} Naming the key. */
export function checkKind({ model, survival, optim, eval: { best_metric } }: MilConfig, kind: TaskKind): void {
  const refuse = (key: string, found: string, hint: string) => {
    throw new ConfigError(`Cannot train a ${kind}: ${found}`, { hint, context: { key, kind } });
  };
  if (model.model === "clam" && kind !== "classification") {
    refuse("model", "model is clam, whose instances take classes", "Take gated in place of clam");
  }
  if (kind === "survival" && survival.survival === "cox" && optim.batch_size < 2) {
    refuse("batch_size", `batch_size is ${optim.batch_size}, and cox compares the cases of a batch`, "batch_size=16");
  }
  const scores = ["score", "loss", ...VALIDATION_SCORES[kind]];
  if (!scores.includes(best_metric)) {
    refuse("best_metric", `best_metric is ${best_metric}, wanted one of ${scores.join(", ")}`, "best_metric=score");
  }
}
