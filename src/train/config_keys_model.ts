/**
 * Configuration keys of what is trained: data, genes, image model, LoRA, gene model. Names and defaults are those of the
 * reference's `conf/config.yaml` where it has them.
 *
 * @module
 */

import { type Keys, ordered, withKeysOf } from "../core/config_key.ts";
import { GENE_MODEL_KEYS } from "../models/gene_model.ts";
import { GENE_MODEL_NAMES, GENE_MODELS, type GeneModelKeys } from "../models/gene_registry.ts";

/** Data, encoder and starting weights. */
export const INPUT_KEYS = {
  data: { kind: "texts", default: [], doc: "Folders in HEST's layout; none is the bundled demo" },
  encoder: { kind: "text", default: "conch", doc: "Registry name, folder, or random:ARCH" },
  adapter: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "LoRA to start from: a PEFT folder, or the vision file of a SEAL checkpoint",
  },
  image_size: {
    kind: "number",
    default: null,
    nullable: true,
    min: 1,
    max: 8192,
    integer: true,
    unit: "px",
    doc: "Side of the images the encoder is fed; null is SEAL's, which is 224 for CONCH and else the encoder's own",
  },
  omics: {
    kind: "text",
    default: null,
    nullable: true,
    doc: "Gene model to start from: omics.safetensors, or the omics file of a SEAL checkpoint",
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
  filter: { kind: "any", unused: "set technologies, species and organs instead", doc: "Filters of samples" },
  num_patients_train: {
    kind: "number",
    default: 600,
    nullable: true,
    unused: "all donors that are not held out train",
    doc: "Most donors to train on",
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

/** Image model. */
export const MODEL_KEYS = {
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
  partial_blocks: {
    kind: "number",
    default: 1,
    min: -1,
    integer: true,
    unit: "blocks",
    doc: "Last blocks that LoRA adapts or, without LoRA, that train; -1 is all, and 0 is 1 with LoRA",
  },
  partial_tune: { kind: "flag", default: true, doc: "Without LoRA: train the last blocks; false freezes the encoder" },
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
} as const satisfies Keys;

/** Low-rank adapters. */
export const LORA_KEYS = {
  use_lora: { kind: "flag", default: true, doc: "Train low-rank updates of the last blocks" },
  r: { kind: "number", default: 8, min: 1, max: 1024, integer: true, doc: "Rank" },
  lora_alpha: { kind: "number", default: 8, min: 0, open: true, doc: "The update is multiplied by lora_alpha / r" },
  lora_dropout: { kind: "number", default: 0.15, min: 0, max: 0.95, doc: "Dropout on the input of the updates" },
  use_rslora: { kind: "flag", default: false, doc: "Multiply by lora_alpha / sqrt(r) instead" },
  lora_rule: {
    kind: "choice",
    of: ["seal", "standard"],
    default: "seal",
    doc: "Layers by the reference's rule (in Phikon-v2 the MLP alone), or all four of a block",
  },
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
export const GENE_KEYS: typeof COMMON_GENE_KEYS & GeneModelKeys = ordered(
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
