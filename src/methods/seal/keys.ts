/**
 * SEAL's configuration keys: those it shares with other methods, and its own for genes, models, losses and the omics warm-up.
 * Names and defaults are those of the reference's `conf/config.yaml` where it has them; keys of its that nothing reads here
 * are known, so that it can be given as it is.
 *
 * @module
 */

import { type Keys, type KeysOf, ordered, withKeysOf } from "../../core/config_key.ts";
import { CONTRASTIVE_KEYS } from "../../losses/contrastive_loss.ts";
import { CONTRASTIVE_LOSSES, CONTRASTIVE_NAMES, GENE_LOSS_NAMES, GENE_LOSSES } from "../../losses/registry.ts";
import { GENE_MODEL_KEYS } from "../../models/gene_model.ts";
import { GENE_MODEL_NAMES, GENE_MODELS, type GeneModelKeys } from "../../models/gene_registry.ts";
import { GENES_KEYS } from "../../train/config/genes_keys.ts";
import {
  BLOCK_KEYS,
  CACHE_KEYS,
  EVAL_KEYS,
  INPUT_KEYS,
  LORA_KEYS,
  methodKey,
  OPTIM_KEYS,
  SPLIT_KEYS,
} from "../../train/config/keys.ts";

const INPUT = {
  method: methodKey("seal"),
  ...INPUT_KEYS,
  adapter: {
    ...INPUT_KEYS.adapter,
    doc: "LoRA to start from: a PEFT folder, or the vision file of a SEAL checkpoint",
  },
  image_size: {
    ...INPUT_KEYS.image_size,
    doc: "Side of the images the encoder is fed; null is SEAL's, which is 224 for CONCH and else the encoder's own",
  },
  omics: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Gene model to start from: omics.safetensors, or the omics file of a SEAL checkpoint",
  },
  filter: { kind: "any", unused: "set technologies, species and organs instead", doc: "Filters of samples" },
  num_patients_train: {
    kind: "number",
    default: 600,
    nullable: true,
    unused: "all donors that are not held out train",
    doc: "Most donors to train on",
  },
} as const satisfies Keys;

const SPLIT = {
  ...SPLIT_KEYS,
  separate_val_split: {
    kind: "flag",
    default: false,
    unused: "what is held out serves early stopping and the report",
    doc: "A validation split of its own",
  },
  num_patches_val: {
    kind: "number",
    default: 20000,
    nullable: true,
    unused: "all held-out patches count",
    doc: "Most validation patches of an organ",
  },
  num_patches_test: {
    kind: "number",
    default: 40000,
    nullable: true,
    unused: "all held-out patches count",
    doc: "Most test patches of an organ",
  },
} as const satisfies Keys;

/** Image model. */
const MODEL = {
  model: {
    kind: "choice",
    of: ["panST", "linprobe"],
    default: "panST",
    refused: {
      bleep: "no public training code defines it",
      stnet: "no public training code defines it",
      pathomclip: "no public training code defines it",
    },
    doc: "SEAL, or a frozen encoder to compare with",
  },
  projection_head: {
    kind: "choice",
    of: ["none", "linear", "mlp", "mlp2"],
    default: "none",
    nullIs: "none",
    doc: "Heads before the contrastive loss; mlp is the reference's, which is linear, mlp2 has a hidden layer",
  },
  use_adapter: { kind: "flag", default: false, doc: "Bottleneck of two linear layers behind the encoder" },
  adapter_bottleneck: { kind: "number", default: 256, min: 1, integer: true, doc: "Width of the bottleneck" },
  adapter_compat_double: { kind: "flag", default: false, doc: "Apply the bottleneck twice, as the reference does" },
  adapter_residual: { kind: "flag", default: false, doc: "Add the bottleneck to its input" },
  organ_token: { kind: "flag", default: false, doc: "Add a learned vector for the organ to the image embedding" },
  final_activation: {
    kind: "choice",
    of: ["relu", "softplus", "none"],
    default: "relu",
    nullIs: "none",
    doc: "Last activation of the image decoder; softplus with negbin of raw counts, where nothing is said",
  },
  out_dim: {
    kind: "number",
    default: 512,
    unused: "the encoder's width decides, as in the reference",
    doc: "Width of the embeddings",
  },
  multi_mag: { kind: "flag", default: false, unused: "patches have one magnification", doc: "Several magnifications" },
  ...BLOCK_KEYS,
} as const satisfies Keys;

/** Of gene models: what belongs to no single one. */
const COMMON_GENE_KEYS = {
  gene_model: {
    kind: "choice",
    of: GENE_MODEL_NAMES,
    default: "vae",
    nullIs: "identity",
    refused: { scgpt: "its weights and vocabulary are not supported" },
    doc: "Encoder of expression",
  },
  ...GENE_MODEL_KEYS,
  vae_norm_flow: { kind: "flag", default: true, unused: "vae_flows says it", doc: "Whether the VAE has flows" },
  scgpt_blocks: { kind: "number", default: 3, unused: "scGPT is not supported", doc: "Blocks of scGPT that train" },
} as const satisfies Keys;

/** Gene model: the common keys and those of every model. */
const GENE: typeof COMMON_GENE_KEYS & GeneModelKeys = ordered(
  [
    "gene_model",
    "hidden_dims",
    "latent",
    "latent_samples",
    "kl_loss",
    "kl_form",
    "mask_ratio",
    "vae_dropout",
    "dec_dropout",
    "dec_batch_norm",
    "vae_flows",
    "flow_constraint",
    "gene_embeddings",
  ],
  withKeysOf(COMMON_GENE_KEYS, GENE_MODELS),
);

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
const LOSS:
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
const WARMUP = {
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

const OPTIM = {
  ...OPTIM_KEYS,
  img_lr: { kind: "number", default: 1e-4, min: 0, doc: "Peak learning rate of the encoder's side" },
  gene_lr: { kind: "number", default: 1e-4, min: 0, doc: "Peak learning rate of the gene model" },
  head_lr: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    doc: "Peak learning rate of image decoder, heads and temperature; null is img_lr",
  },
  loss_scale: {
    kind: "number",
    default: 65536,
    doc: "First factor on the loss where activations are f16, a power of two; it halves when a gradient is beyond f16",
  },
  loss_scale_interval: {
    kind: "number",
    default: 2000,
    min: 1,
    integer: true,
    doc: "Steps without overflow after which the factor doubles",
  },
  opt: { kind: "choice", of: ["adamw"], default: "adamw", unused: "AdamW is the only one", doc: "Optimiser" },
  find_unused_parameters: {
    kind: "flag",
    default: false,
    unused: "one process trains",
    doc: "Setting of distributed training",
  },
} as const satisfies Keys;

const EVAL = {
  ...EVAL_KEYS,
  best_metric: {
    kind: "choice",
    of: ["pearson_mean", "recall_at_10_i2g", "recall_at_10_g2i"],
    default: "pearson_mean",
    doc: "What checkpoints/best and early stopping go by, on what is held out",
  },
  control_head: {
    kind: "flag",
    default: false,
    doc:
      "After training also train the image decoder alone on the frozen encoder's features, on the views of the cache in as many steps, to compare with",
  },
  label_column: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Column of obs with the kind of tissue of each spot, which is told from features before and after training",
  },
  probe_neighbours: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    open: true,
    unit: "distances between neighbouring spots",
    doc: "Also judge features beside the mean of those of the spots within so far",
  },
  copy_sample: {
    kind: "text",
    default: null,
    nullable: true,
    doc:
      "Training section beside the held-out ones (serial sections) whose expression is mixed into predictions, judged beside them",
  },
  copy_weight: {
    kind: "number",
    default: 0.3,
    min: 0,
    max: 1,
    doc: "Weight of that copy; the prediction has the rest",
  },
  copy_spots: {
    kind: "number",
    default: 9,
    min: 1,
    integer: true,
    unit: "spots",
    doc: "Nearest spots it is the mean of",
  },
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

/** All keys, by concern, in the order that files have. */
export const SEAL_KEYS = {
  input: ordered(["method", "data", "encoder", "adapter", "image_size", "omics"], INPUT),
  split: SPLIT,
  genes: GENES_KEYS,
  model: ordered(["model", "partial_blocks", "partial_tune"], MODEL),
  lora: LORA_KEYS,
  gene: GENE,
  loss: LOSS,
  warmup: WARMUP,
  optim: ordered(
    [
      "epochs",
      "steps",
      "batch_size",
      "micro_batch",
      "grad_accum",
      "img_lr",
      "gene_lr",
      "head_lr",
      "weight_decay",
      "beta1",
      "beta2",
      "eps",
      "scheduler",
      "lr_warmup_steps",
      "min_lr",
      "layer_decay",
      "clip_norm",
      "exact_zeros",
      "precision",
      "loss_scale",
      "loss_scale_interval",
    ],
    OPTIM,
  ),
  cache: CACHE_KEYS,
  eval: ordered(["eval_every", "best_metric"], EVAL),
} as const;
