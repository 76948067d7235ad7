/**
 * Configuration of VORTEX: keys, and what must hold between them. Neither code nor sizes of the original are public: defaults
 * are this engine's.
 *
 * @module
 */

import type { Keys, Rule } from "../../core/config_key.ts";
import { ConfigFormat, type ConfigOf, type ConfigRules } from "../../train/config/format.ts";
import {
  ADAMW_KEYS,
  BLOCK_KEYS,
  EVAL_KEYS,
  INPUT_KEYS,
  LORA_KEYS,
  methodKey,
  OPTIM_KEYS,
} from "../../train/config/keys.ts";

const INPUT = {
  method: methodKey("vortex"),
  volumes: {
    kind: "text",
    default: null,
    nullable: true,
    doc:
      "Table (TSV or CSV), a measured section a line: volume, path, patient, expression, and z (µm) or landmarks, part, spacing (Z,Y,X)",
  },
  voi: {
    kind: "text",
    default: null,
    nullable: true,
    doc:
      "Volume of interest, which is trained on last and predicted; null trains on all volumes and on none at the end",
  },
  serial: {
    kind: "flag",
    default: false,
    doc: "Volumes are tables of serial sections (H&E), an extension: VORTEX is of continuous volumes",
  },
  encoder: INPUT_KEYS.encoder,
  adapter: INPUT_KEYS.adapter,
  image_size: INPUT_KEYS.image_size,
  out: INPUT_KEYS.out,
} as const satisfies Keys;

const count = (least: number, most: number) => ({ kind: "number", min: least, max: most, integer: true }) as const;

const PATCH = {
  field: { kind: "number", default: 112, min: 0, open: true, unit: "µm", doc: "Side of a patch, within a slice" },
  slices: { ...count(1, 256), default: 8, unit: "slices", doc: "Slices of a patch; that of the spot is at its middle" },
  slice_step: { kind: "number", default: 8, min: 0, open: true, unit: "µm", doc: "Between slices of a patch" },
  window: {
    kind: "numbers",
    default: [],
    doc: "Intensities that become 0 and 1: LOW,HIGH; none is 0,255 of bytes and else 0 and the 99th percentile",
  },
  flips: { kind: "flag", default: true, doc: "Flip and turn patches within the slice; depth is never turned" },
  jitter: { kind: "flag", default: true, doc: "Change brightness by 10 % and offset by 5 %" },
} as const satisfies Keys;

const GENES = {
  n_genes: { ...count(1, 100_000), default: 50, doc: "Genes, by variance and autocorrelation in space" },
  genes_include: { kind: "texts", default: [], doc: "Genes to have besides" },
  gene_list: { kind: "text", default: null, nullable: true, doc: "File with genes, one a line, in place of those" },
  least_spots: {
    kind: "number",
    default: 0.1,
    min: 0,
    max: 1,
    doc:
      "Share of the spots of a volume's training sections in which a gene is seen, else the volume does not count for it",
  },
  gene_norm: {
    kind: "choice",
    of: ["log_norm", "none"],
    default: "log_norm",
    doc: "log1p of counts per ten thousand, or values as the files have them",
  },
} as const satisfies Keys;

const MODEL = {
  ...BLOCK_KEYS,
  aggregate: {
    kind: "choice",
    of: ["depth", "tubelets", "mean", "centre"],
    default: "depth",
    doc:
      "Slices of a patch: a transformer over depth behind the encoder; tubelets, which the encoder sees all at once; or to compare with, their mean, or that of the spot alone",
  },
  tubelet: { ...count(1, 64), default: 2, doc: "Slices of a tubelet; its weights begin as the encoder's of slices" },
  depth_blocks: { ...count(1, 24), default: 2, doc: "Blocks of the transformer over depth" },
  depth_heads: { ...count(0, 64), default: 0, doc: "Its heads; 0 are as many as the encoder has" },
  width: { ...count(1, 4096), default: 512, doc: "Width of what is pooled" },
  pool_heads: { ...count(1, 64), default: 8, doc: "Heads of the poolers" },
  gene_hidden: { ...count(1, 8192), default: 1024, doc: "Width of the gene encoder" },
  gene_dropout: { kind: "number", default: 0.2, min: 0, max: 0.9, doc: "Its dropout" },
  heads: {
    kind: "choice",
    of: ["per_volume", "shared"],
    default: "per_volume",
    doc:
      "A head of each volume beside the shared one, and one of the volume of interest by ridge; or the shared one alone",
  },
} as const satisfies Keys;

const LOSS = {
  lambda_contrast: { kind: "number", default: 0.2, min: 0, doc: "Weight of the loss between patches and expression" },
  lambda_reg: { kind: "number", default: 1, min: 0, doc: "Weight of the regression" },
  temperature: {
    kind: "number",
    default: 0.07,
    min: 0.01,
    max: 0.5,
    doc: "Of the loss between patches and expression at the start; it is trained between 0.01 and 0.5",
  },
  near: {
    kind: "number",
    default: 100,
    min: 0,
    unit: "µm",
    doc: "Patches of a volume nearer than this are no negatives of each other",
  },
} as const satisfies Keys;

const { lr: _lr, weight_decay, ...ADAMW } = ADAMW_KEYS;
const { precision, layer_decay, micro_batch, grad_accum } = OPTIM_KEYS;

const STAGES = {
  epochs_2d: {
    ...count(0, 100_000),
    default: 10,
    unit: "epochs",
    doc: "On single slices; sections of one slice where there are any",
  },
  batch_2d: { ...OPTIM_KEYS.batch_size, default: 256, doc: "Pairs a step" },
  epochs_3d: {
    ...count(0, 100_000),
    default: 20,
    unit: "epochs",
    doc: "On patches with depth, of all volumes but that of interest",
  },
  batch_3d: {
    ...OPTIM_KEYS.batch_size,
    default: 128,
    doc: "Pairs a step; every other batch is of one volume, the others of all in equal parts",
  },
  voi_steps: {
    ...count(0, 1_000_000),
    default: 0,
    unit: "steps",
    doc: "On the volume of interest, behind the ridge regression that its head begins with; 0 leaves that",
  },
  batch_voi: { ...OPTIM_KEYS.batch_size, default: 64, doc: "Pairs a step" },
  voi_spots: {
    kind: "number",
    default: null,
    nullable: true,
    min: 4,
    integer: true,
    unit: "spots",
    doc: "Most spots of the volume of interest to train on, drawn by the seed; null uses all",
  },
  val_fraction: {
    kind: "number",
    default: 0.2,
    min: 0,
    max: 0.5,
    doc: "Share of the spots of interest, at one end of the section, by which the steps on them stop; 0: the last step",
  },
} as const satisfies Keys;

const OPTIM = {
  lr: { ...ADAMW_KEYS.lr, doc: "Learning rate of what is new, in 2D and 3D" },
  lr_encoder: { kind: "number", default: 2e-5, min: 0, doc: "Of the encoder in 3D; in 2D it has lr" },
  lr_voi: { ...ADAMW_KEYS.lr, default: 3e-4, doc: "Of poolers and head on the volume of interest" },
  lr_voi_depth: { kind: "number", default: 1e-4, min: 0, doc: "Of the transformer over depth there" },
  lr_voi_encoder: {
    kind: "number",
    default: 0,
    min: 0,
    doc: "Of the encoder there, slices flipped and turned as before; 0 leaves it as it is, and slices are encoded once",
  },
  weight_decay: { ...weight_decay, default: 0.05 },
  ...ADAMW,
  layer_decay,
  micro_batch: {
    ...micro_batch,
    unit: "slices",
    doc: "Slices in memory at a time, by gradient caching; null is what fits",
  },
  grad_accum,
  precision,
} as const satisfies Keys;

const { eval_every, log_every, save_every, save_every_steps, early_stop_patience } = EVAL_KEYS;

/** All keys by concern. */
export const VORTEX_KEYS = {
  input: INPUT,
  patch: PATCH,
  genes: GENES,
  model: MODEL,
  lora: LORA_KEYS,
  loss: LOSS,
  stages: STAGES,
  optim: OPTIM,
  eval: {
    eval_every: { ...eval_every, default: 5 },
    early_stop_patience,
    save_every: { ...save_every, default: 0 },
    save_every_steps,
    log_every,
  },
} as const;

/** A configuration. */
export type VortexConfig = ConfigOf<typeof VORTEX_KEYS>;

const RULES: ConfigRules<VortexConfig> = {
  rules: ({ patch, stages, input, loss, optim }): Rule[] => [
    [
      ["window"],
      patch.window.length === 0 || (patch.window.length === 2 && patch.window[0]! < patch.window[1]!),
      `Cannot train: window is ${patch.window.join(", ")}, wanted two rising numbers`,
      "window=100,10000",
    ],
    [
      ["epochs_2d", "epochs_3d", "voi_steps", "voi"],
      stages.epochs_2d > 0 || stages.epochs_3d > 0 || input.voi !== null,
      "Cannot train: there is no stage, wanted epochs_2d, epochs_3d or a volume of interest",
      "voi=NAME, or epochs_3d=20",
    ],
    [
      ["lambda_contrast", "lambda_reg"],
      loss.lambda_contrast > 0 || loss.lambda_reg > 0,
      "Cannot train: every term of the loss has weight 0",
      "lambda_reg=1",
    ],
    [
      ["min_lr", "lr"],
      optim.scheduler !== "cosine" || optim.min_lr <= optim.lr,
      `Cannot train: min_lr is ${optim.min_lr}, wanted at most lr, ${optim.lr}`,
      "Lower min_lr",
    ],
  ],
};

/** Reads and writes it. */
export const VORTEX_CONFIG: ConfigFormat<typeof VORTEX_KEYS> = new ConfigFormat(VORTEX_KEYS, RULES);
