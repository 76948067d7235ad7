/**
 * Configuration keys that methods share: a method's table takes those it has a use for, under the same names and with the same
 * meaning, and adds its own. Names and defaults are those of `conf/config.yaml` of mahmoodlab's reference where it has them.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import { LORA_RULE_KEY } from "../../models/lora_recipe.ts";

/** The key that chooses the method, in its own table. @param name The method's. */
export function methodKey<N extends string>(name: N) {
  return { kind: "choice", of: [name], default: name, doc: "Training method; the other keys are its own" } as const;
}

/** Data, encoder and starting weights. */
export const INPUT_KEYS = {
  data: { kind: "texts", default: [], doc: "Folders in HEST's layout; none is the bundled demo" },
  encoder: { kind: "text", default: "conch", doc: "Registry name, folder, or random:ARCH" },
  adapter: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "LoRA to start from: a PEFT folder",
  },
  image_size: {
    kind: "number",
    default: null,
    nullable: true,
    min: 1,
    max: 8192,
    integer: true,
    unit: "px",
    doc: "Side of the images the encoder is fed; null is 224 for CONCH and else the encoder's own",
  },
  out: { kind: "text", default: null, nullable: true, doc: "Run folder" },
  samples: { kind: "texts", default: null, nullable: true, doc: "Ids of the samples to use; null uses all" },
  exclude_samples: { kind: "texts", default: [], doc: "Ids of samples to leave out" },
  technologies: {
    kind: "texts",
    default: null,
    nullable: true,
    doc: "Use samples of these st_technology values only, such as Visium; null uses all",
  },
  species: { kind: "texts", default: null, nullable: true, doc: "Use samples of these species only; null uses all" },
  organs: { kind: "texts", default: null, nullable: true, doc: "Use samples of these organs only; null uses all" },
  counts: {
    kind: "text",
    default: "X",
    doc: "Where the .h5ad files keep raw counts: X, raw, or a layer such as layers/counts",
  },
  drop_bad_spots: {
    kind: "flag",
    default: false,
    doc: "Leave out spots with NaN, infinite or negative counts instead of refusing their sample",
  },
  drop_unknown_patches: {
    kind: "flag",
    default: false,
    doc: "Leave out patches whose barcode the counts lack instead of refusing their sample",
  },
  self_test: {
    kind: "choice",
    of: ["error", "warn", "off"],
    default: "error",
    doc: "What happens where patches and spots of one barcode lie apart on the slide",
  },
  allow_coarse: {
    kind: "flag",
    default: false,
    doc: "Use slides coarser than 1.15 µm a pixel, whose patches are blurred",
  },
  allow_denied: {
    kind: "texts",
    default: [],
    doc: "Ids of samples to use although they are known to be faulty",
  },
  least_coverage: {
    kind: "number",
    default: 0.2,
    min: 0,
    max: 1,
    doc: "Share of the genes that every sample must have measured",
  },
  subsample_frac: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    max: 1,
    doc: "Share of the training pairs to use, chosen by the seed; null uses all",
  },
  workers: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    max: 256,
    integer: true,
    doc: "Workers that read and decode patches; null is one less than the cores. Results do not depend on it",
  },
  ignore_keys: {
    kind: "texts",
    default: [],
    doc: "Keys and groups of other programs that a document may hold besides; they are not used",
  },
} as const satisfies Keys;

/** What is held out. */
export const SPLIT_KEYS = {
  holdout_donors: { kind: "texts", default: [], doc: "Donors held out for evaluation" },
  holdout_samples: {
    kind: "texts",
    default: [],
    doc: "Samples held out; where their donors' other samples train, the report of leakage says so",
  },
  holdout_fraction: {
    kind: "number",
    default: 0.2,
    min: 0,
    max: 0.9,
    doc: "Share of the samples held out, in whole donors, where neither is named; 0 holds out none",
  },
} as const satisfies Keys;

/** Which of an encoder's own blocks train. */
export const BLOCK_KEYS = {
  partial_blocks: {
    kind: "number",
    default: 1,
    min: -1,
    integer: true,
    unit: "blocks",
    doc: "Last blocks that LoRA adapts or, without LoRA, that train; -1 is all, and 0 is 1 with LoRA",
  },
  partial_tune: { kind: "flag", default: true, doc: "Without LoRA: train the last blocks; false freezes the encoder" },
} as const satisfies Keys;

/** Low-rank adapters. */
export const LORA_KEYS = {
  use_lora: { kind: "flag", default: true, doc: "Train low-rank updates of the last blocks" },
  r: { kind: "number", default: 8, min: 1, max: 1024, integer: true, doc: "Rank" },
  lora_alpha: { kind: "number", default: 8, min: 0, open: true, doc: "The update is multiplied by lora_alpha / r" },
  lora_dropout: { kind: "number", default: 0.15, min: 0, max: 0.95, doc: "Dropout on the input of the updates" },
  use_rslora: { kind: "flag", default: false, doc: "Multiply by lora_alpha / sqrt(r) instead" },
  lora_rule: LORA_RULE_KEY,
} as const satisfies Keys;

/** Optimiser, batches and precision. */
export const OPTIM_KEYS = {
  epochs: { kind: "number", default: 10, min: 0, integer: true, unit: "epochs", doc: "Length of the alignment" },
  steps: {
    kind: "number",
    default: null,
    nullable: true,
    min: 1,
    integer: true,
    unit: "steps",
    doc: "Most optimiser steps of each stage; null is what the epochs give",
  },
  batch_size: {
    kind: "number",
    default: 384,
    min: 2,
    max: 65536,
    integer: true,
    unit: "pairs",
    doc: "Pairs a loss sees",
  },
  micro_batch: {
    kind: "number",
    default: null,
    nullable: true,
    min: 1,
    integer: true,
    unit: "pairs",
    doc: "Patches in memory at a time, by gradient caching: the same run up to rounding; null is what fits",
  },
  grad_accum: {
    kind: "number",
    default: 1,
    min: 1,
    integer: true,
    unit: "batches",
    doc: "Batches an optimiser step sees",
  },
  weight_decay: { kind: "number", default: 0.2, min: 0, doc: "Decoupled weight decay; none on biases and norms" },
  beta1: { kind: "number", default: 0.9, min: 0, max: 0.9999, doc: "AdamW's memory of gradients" },
  beta2: { kind: "number", default: 0.999, min: 0, max: 0.999999, doc: "AdamW's memory of their squares" },
  eps: { kind: "number", default: 1e-8, min: 0, max: 1e-2, open: true, doc: "AdamW's epsilon" },
  scheduler: { kind: "choice", of: ["cosine", "constant"], default: "cosine", doc: "Learning rate over the steps" },
  lr_warmup_steps: {
    kind: "number",
    default: 0,
    min: 0,
    integer: true,
    unit: "steps",
    doc: "Linear rise of the learning rate at the start of a stage",
  },
  min_lr: { kind: "number", default: 0, min: 0, doc: "Learning rate that cosine ends with" },
  layer_decay: {
    kind: "number",
    default: 0.7,
    min: 0.01,
    max: 1,
    doc: "Without LoRA: factor on the learning rate a block further from the output",
  },
  clip_norm: { kind: "number", default: 0, min: 0, doc: "Largest norm of all gradients together; 0 does not clip" },
  exact_zeros: {
    kind: "flag",
    default: true,
    doc:
      "Gradients that algebra makes 0, as of biases before batch normalisation, are 0; false keeps the reference's " +
      "rounding noise, on which AdamW walks",
  },
  precision: {
    kind: "choice",
    of: ["f32", "f16"],
    default: "f32",
    doc:
      "f16 stores the encoder's frozen weights and activations in half; sums, losses and what trains are f32, and the loss is scaled",
  },
  augment: {
    kind: "choice",
    of: ["none", "soft", "hard"],
    default: "hard",
    nullIs: "none",
    doc: "Flips and rotations (soft), and colour, blur and crops with them (hard)",
  },
  neighbour_cap: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    integer: true,
    unit: "pairs",
    doc: "Near neighbours that a pair may have in its batch; null does not care",
  },
  neighbour_distance: {
    kind: "number",
    default: 1,
    min: 0,
    open: true,
    unit: "distances between neighbouring spots",
    doc: "Within which spots of a sample are near",
  },
  ema: {
    kind: "number",
    default: 0,
    min: 0,
    max: 0.9999,
    doc:
      "Share of itself that a running mean of the trained weights keeps in each step; the mean is what is evaluated " +
      "and saved. 0: the weights themselves",
  },
  batch_samples: {
    kind: "choice",
    of: ["mixed", "one"],
    default: "mixed",
    doc: "Whose pairs make up a batch: those of all samples, or of one sample at a time",
  },
  seed: { kind: "number", default: 42, min: 0, max: 2 ** 32 - 1, integer: true, doc: "Seed of everything random" },
} as const satisfies Keys;

const { beta1, beta2, eps, scheduler, lr_warmup_steps, min_lr, clip_norm, seed } = OPTIM_KEYS;

/** AdamW with one learning rate; methods have these behind their lengths and batches. */
export const ADAMW_KEYS = {
  lr: { kind: "number", default: 1e-4, min: 0, open: true, doc: "Learning rate" },
  weight_decay: { ...OPTIM_KEYS.weight_decay, default: 1e-2, doc: "Decoupled weight decay of all parameters" },
  beta1,
  beta2,
  eps,
  scheduler,
  lr_warmup_steps,
  min_lr,
  clip_norm,
  seed,
} as const satisfies Keys;

/** Cache of what the frozen blocks compute. */
export const CACHE_KEYS = {
  cache: {
    kind: "choice",
    of: ["memory", "disk", "off"],
    default: "memory",
    nullIs: "off",
    doc: "Where the frozen blocks' results are kept; off computes them every time, with exact augmentation",
  },
  cache_views: {
    kind: "number",
    default: 8,
    min: 1,
    max: 8,
    integer: true,
    doc: "Flips and rotations kept of a patch, of 8",
  },
  cache_colour_views: {
    kind: "number",
    default: 0,
    min: 0,
    max: 64,
    integer: true,
    doc: "Views with other colours kept of a patch besides, with augment: hard",
  },
  cache_dtype: { kind: "choice", of: ["f16", "f32"], default: "f16", doc: "Precision of what is kept" },
  cache_budget: { kind: "number", default: 8, min: 0, open: true, unit: "GiB", doc: "Most the cache may take" },
  cache_dir: { kind: "text", default: null, nullable: true, doc: "Folder of cache: disk; null is beside the run" },
} as const satisfies Keys;

/** Evaluation, logs and checkpoints. */
export const EVAL_KEYS = {
  eval_every: {
    kind: "number",
    default: 1,
    min: 0,
    integer: true,
    unit: "epochs",
    doc: "Between two evaluations; 0: at the end",
  },
  early_stop_patience: {
    kind: "number",
    default: 0,
    min: 0,
    integer: true,
    unit: "evaluations",
    doc: "Evaluations without a better one after which training stops; 0 never stops",
  },
  early_stop_min_delta: { kind: "number", default: 0, min: 0, doc: "Least difference that counts as better" },
  save_every: {
    kind: "number",
    default: 5,
    min: 0,
    integer: true,
    unit: "epochs",
    doc: "Between two checkpoints; 0: at the end",
  },
  save_every_steps: {
    kind: "number",
    default: 0,
    min: 0,
    integer: true,
    unit: "steps",
    doc: "The same by steps; 0: not",
  },
  log_every: { kind: "number", default: 10, min: 1, integer: true, unit: "steps", doc: "Between two lines of metrics" },
} as const satisfies Keys;
