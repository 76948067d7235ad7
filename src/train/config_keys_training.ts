/**
 * Configuration keys of how it is trained: losses, omics warm-up, optimiser, trunk cache, evaluation. Names and defaults are
 * those of the reference's `conf/config.yaml` where it has them.
 *
 * @module
 */

import { type Keys, type KeysOf, ordered, withKeysOf } from "../core/config_key.ts";
import { CONTRASTIVE_KEYS } from "../losses/contrastive_loss.ts";
import { CONTRASTIVE_LOSSES, CONTRASTIVE_NAMES, GENE_LOSS_NAMES, GENE_LOSSES } from "../losses/registry.ts";

/** Of the objective: what belongs to no single loss. */
const OBJECTIVE_KEYS = {
  gene_loss: {
    kind: "choice",
    of: GENE_LOSS_NAMES,
    default: "barlow_std_mse",
    doc:
      "Loss of reconstructed expression, each with the reference's own factor; negbin takes log_norm's values back to " +
      "counts per ten thousand",
  },
  contrast_method: {
    kind: "choice",
    of: CONTRASTIVE_NAMES,
    default: "clip",
    doc: "Loss between image and gene embeddings",
  },
  lambda_contrast: { kind: "number", default: 1, min: 0, doc: "Weight of the loss between the embeddings" },
  lambda_recon_gene: {
    kind: "number",
    default: 1,
    min: 0,
    doc: "Weight of expression decoded from the gene embedding",
  },
  lambda_recon_img: {
    kind: "number",
    default: 1,
    min: 0,
    doc: "Weight of expression decoded from the image; 0: no decoder",
  },
  lambda_cca: { kind: "number", default: 0, min: 0, doc: "Weight of an additional CCA loss" },
  lambda_da: { kind: "number", default: 0, min: 0, doc: "Weight of the adversarial loss against telling slides apart" },
  ...CONTRASTIVE_KEYS,
} as const satisfies Keys;

/** Objective: its own keys and those of every loss. */
export const LOSS_KEYS:
  & typeof OBJECTIVE_KEYS
  & KeysOf<typeof CONTRASTIVE_LOSSES>
  & KeysOf<typeof GENE_LOSSES> = ordered(
    [
      ...(Object.keys(OBJECTIVE_KEYS) as (keyof typeof OBJECTIVE_KEYS)[]),
      "trainable_temperature",
      "target_temperature",
      "detach_targets",
      "s2l_squared",
      "cca_reg",
      "cca_form",
      "barlow_lambda",
    ],
    withKeysOf(withKeysOf(OBJECTIVE_KEYS, CONTRASTIVE_LOSSES), GENE_LOSSES),
  );

/** Stage 0: the gene model alone. */
export const WARMUP_KEYS = {
  warmup_epochs: {
    kind: "number",
    default: 0,
    min: 0,
    integer: true,
    unit: "epochs",
    doc: "Length of the omics warm-up",
  },
  warmup_lr: { kind: "number", default: 5e-4, min: 0, doc: "Peak learning rate of the warm-up" },
  warmup_noise: { kind: "number", default: 0, min: 0, max: 10, doc: "Strength of the noise on expression" },
  noise_method: {
    kind: "choice",
    of: ["random", "gaussian"],
    default: "random",
    doc: "Drop that share of the values, or add that many standard normal deviates and clamp at 0",
  },
  denoise: {
    kind: "flag",
    default: false,
    doc: "Reconstruct the clean values; the reference reconstructs the noisy ones",
  },
  warmup_only: { kind: "flag", default: false, doc: "Stop after the warm-up" },
  two_stage_training: { kind: "flag", default: false, doc: "Freeze the gene model after the warm-up" },
  warmup_val_every: {
    kind: "number",
    default: 1,
    min: 1,
    integer: true,
    unit: "epochs",
    doc: "Between two evaluations in the warm-up",
  },
  warmup_test_every: {
    kind: "number",
    default: 1,
    unused: "one set of donors is held out",
    doc: "Between two tests in the warm-up",
  },
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
  img_lr: { kind: "number", default: 1e-4, min: 0, doc: "Peak learning rate of the encoder's side" },
  gene_lr: { kind: "number", default: 1e-4, min: 0, doc: "Peak learning rate of the gene model" },
  head_lr: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    doc: "Peak learning rate of image decoder, heads and temperature; null is img_lr",
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
    doc: "Storage of frozen weights; activations and what trains are f32",
  },
  loss_scale: {
    kind: "number",
    default: 65536,
    unused: "activations are f32, in which no gradient is too small",
    doc: "First factor on the loss where activations are f16",
  },
  loss_scale_interval: {
    kind: "number",
    default: 2000,
    unused: "activations are f32, in which no gradient is too small",
    doc: "Steps without overflow after which the factor doubles",
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
  seed: { kind: "number", default: 42, min: 0, max: 2 ** 32 - 1, integer: true, doc: "Seed of everything random" },
  opt: { kind: "choice", of: ["adamw"], default: "adamw", unused: "AdamW is the only one", doc: "Optimiser" },
  find_unused_parameters: {
    kind: "flag",
    default: false,
    unused: "one process trains",
    doc: "Setting of distributed training",
  },
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
  best_metric: {
    kind: "choice",
    of: ["pearson_mean", "recall_at_10_i2g", "recall_at_10_g2i"],
    default: "pearson_mean",
    doc: "What checkpoints/best and early stopping go by, on what is held out",
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
  hest_every: {
    kind: "number",
    default: 10,
    unused: "evaluate runs the benchmark",
    doc: "Between two HEST benchmarks",
  },
  rank_every: { kind: "number", default: 1, unused: "evaluate computes it", doc: "Between two ranks of the features" },
  pca_reduce: { kind: "flag", default: true, unused: "evaluate decides", doc: "PCA before probes" },
  slide_level_eval: { kind: "flag", default: true, unused: "evaluate decides", doc: "Figures by slide" },
  hest_eval: {
    kind: "flag",
    default: true,
    unused: "evaluate runs the benchmark",
    doc: "Whether to run HEST's benchmark",
  },
  hest_tasks: { kind: "any", unused: "evaluate runs the benchmark", doc: "Tasks of HEST's benchmark" },
  plot_every: { kind: "number", default: 0, unused: "the report has the plots", doc: "Between two plots" },
  hestbench: { kind: "any", unused: "evaluate runs the benchmark", doc: "Settings of HEST's benchmark" },
} as const satisfies Keys;
