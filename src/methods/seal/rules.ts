/**
 * Rules between configuration keys: defaults that depend on other keys, and contradictions.
 *
 * @module
 */

import type { Rule } from "../../core/config_key.ts";
import type { ContrastiveEntry } from "../../losses/contrastive_loss.ts";
import { CONTRASTIVE_LOSSES, GENE_LOSSES } from "../../losses/registry.ts";
import { GENE_MODEL_NAMES, geneModelEntry } from "../../models/gene_registry.ts";
import type { ConfigRules } from "../../train/config/format.ts";
import { isLossScale } from "../../optim/loss_scale.ts";
import { visionTraining } from "../../train/trainable.ts";
import type { SealConfig } from "./config.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Defaults and rules of a SEAL configuration. */
export const SEAL_RULES: ConfigRules<SealConfig> = {
  adapt: adaptDefaults,
  rules: (config) =>
    [encoderRules, geneRules, geneModelRules, lossRules, stageRules, batchRules, dataRules].flatMap((of) => of(config)),
};

/** Values that follow where nothing was said: they are written into the resolved configuration. */
function adaptDefaults(config: SealConfig, given: ReadonlySet<string>): SealConfig {
  const { spot_context, smoothing } = config.genes;
  const genes: Mutable<SealConfig["genes"]> = { ...config.genes };
  if (smoothing === "none") genes.spot_context = false;
  else if (!spot_context && !given.has("smoothing")) genes.smoothing = "none";
  const cache: Mutable<SealConfig["cache"]> = { ...config.cache };
  if (visionTraining(config) === "full" && !given.has("cache")) cache.cache = "off";
  if (config.optim.augment === "none") cache.cache_views = 1;
  if (config.optim.augment !== "hard") cache.cache_colour_views = 0;
  const model: Mutable<SealConfig["model"]> = { ...config.model };
  // What is centred is below 0 for half of the spots.
  if (config.genes.gene_centre && !given.has("final_activation")) model.final_activation = "none";
  // Of counts a mean of 0 is infinitely unlikely where anything was counted, and teaches relu nothing.
  if (countsLikelihood(config) && !given.has("final_activation")) model.final_activation = "softplus";
  return { ...config, genes, cache, model };
}

/** Whether the loss is the likelihood of raw counts. */
function countsLikelihood({ genes, loss }: Pick<SealConfig, "genes" | "loss">): boolean {
  return GENE_LOSSES[loss.gene_loss].likelihood === true && genes.gene_norm === "none";
}

function encoderRules(config: SealConfig): Rule[] {
  const { model, cache, input } = config;
  const trains = visionTraining(config);
  return [
    [
      ["encoder"],
      input.encoder !== "",
      "Cannot train without an encoder: encoder is empty, wanted a name or folder",
      "--encoder conch, or a folder with weights",
    ],
    [
      ["use_lora", "partial_blocks"],
      trains !== "partial" || model.partial_blocks !== 0,
      "Cannot train the encoder: use_lora is false and partial_blocks is 0, wanted low-rank updates or blocks to train",
      "partial_tune=false freezes the encoder on purpose",
    ],
    [
      ["adapter", "use_lora"],
      input.adapter === null || trains === "lora",
      `Cannot start from ${input.adapter}: use_lora is false or model is linprobe, wanted low-rank updates`,
      "Merge it into the encoder with convert merge",
    ],
    [
      ["adapter_compat_double", "adapter_residual", "use_adapter"],
      model.use_adapter || !(model.adapter_compat_double || model.adapter_residual),
      "Cannot change a bottleneck: use_adapter is false, wanted true",
      "use_adapter=true",
    ],
    [
      ["cache", "partial_blocks"],
      trains !== "full" || cache.cache === "off",
      `Cannot cache frozen blocks in ${cache.cache}: partial_blocks ${model.partial_blocks} trains them all, wanted cache off`,
      "cache=off",
    ],
  ];
}

function geneRules({ genes, model, loss }: SealConfig): Rule[] {
  return [
    [
      ["gene_centre", "final_activation"],
      !genes.gene_centre || model.final_activation === "none",
      `Cannot predict centred expression with final_activation ${model.final_activation}: it is below 0 too, wanted none`,
      "final_activation=none",
    ],
    [
      ["gene_centre", "gene_loss", "gene_norm"],
      !genes.gene_centre || (genes.gene_norm === "log_norm" && GENE_LOSSES[loss.gene_loss].likelihood !== true),
      `Cannot centre expression for gene_loss ${loss.gene_loss} with gene_norm ${genes.gene_norm}: counts are not below 0`,
      "gene_centre=false, or gene_norm=log_norm and a loss that is no likelihood of counts",
    ],
    [
      ["smoothing", "spot_context"],
      genes.spot_context || genes.smoothing === "none",
      `Cannot smooth by ${genes.smoothing}: spot_context is false, wanted true`,
      "spot_context=true, or smoothing=none",
    ],
    [
      ["gene_order", "gene_list"],
      genes.gene_order === "fixed" || genes.gene_list === null,
      "Cannot take genes from gene_list: gene_order is per_sample_hvg, which chooses them in every sample, wanted fixed",
      "gene_order=fixed",
    ],
    [
      ["genes_include", "gene_list"],
      genes.genes_include.length === 0 || genes.gene_list === null,
      "Cannot include genes_include: gene_list names the whole vocabulary, wanted one of them",
      "Add the genes to the file of gene_list",
    ],
    [
      ["genes_include", "n_train_genes"],
      genes.genes_include.length <= genes.n_train_genes,
      `Cannot include ${genes.genes_include.length} genes: n_train_genes is ${genes.n_train_genes}, wanted at least as many`,
      `n_train_genes=${genes.genes_include.length}`,
    ],
    [
      ["gene_order"],
      genes.gene_order === "fixed",
      "Cannot train with gene_order per_sample_hvg: a model needs one gene a column, wanted fixed",
      "gene_order=fixed",
    ],
    [
      ["gene_stats"],
      genes.gene_stats === "unsmoothed",
      "Cannot train with gene_stats smoothed: deviations are of spots' own expression, wanted unsmoothed",
      "gene_stats=unsmoothed",
    ],
  ];
}

function geneModelRules({ gene }: SealConfig): Rule[] {
  const { gene_model } = gene;
  const { hidden, masks } = geneModelEntry(gene_model);
  const masking = GENE_MODEL_NAMES.filter((name) => geneModelEntry(name).masks);
  return [
    [
      ["hidden_dims"],
      gene.hidden_dims.length > 0 || !hidden,
      `Cannot build gene_model ${gene_model}: hidden_dims is empty, wanted at least one width`,
      "hidden_dims=1024,512",
    ],
    ...GENE_MODEL_NAMES.flatMap((name) => geneModelEntry(name).rules?.(gene, gene_model) ?? []),
    [
      ["mask_ratio", "gene_model"],
      gene.mask_ratio === 0 || masks === true,
      `Cannot mask genes: gene_model is ${gene_model}, wanted ${masking.join(" or ")}`,
      "mask_ratio=0",
    ],
  ];
}

function lossRules({ loss, warmup }: SealConfig): Rule[] {
  const { lambda_contrast, lambda_recon_gene, lambda_recon_img, lambda_cca } = loss;
  return [
    [
      ["lambda_contrast", "lambda_recon_img", "lambda_cca"],
      warmup.warmup_only || lambda_contrast + lambda_recon_img + lambda_cca > 0,
      "Cannot align: lambda_contrast, lambda_recon_img and lambda_cca are 0, wanted a loss that reaches the encoder",
      "lambda_contrast=1, or warmup_only=true with warmup_epochs=20",
    ],
    [
      ["lambda_recon_gene", "warmup_epochs"],
      warmup.warmup_epochs === 0 || lambda_recon_gene > 0,
      "Cannot warm the gene model up: lambda_recon_gene is 0, wanted a weight above 0",
      "lambda_recon_gene=1, or warmup_epochs=0",
    ],
    ...Object.values(CONTRASTIVE_LOSSES).flatMap((entry: ContrastiveEntry) =>
      entry.rules?.(loss, loss.contrast_method) ?? []
    ),
  ];
}

function stageRules({ input, gene, warmup, optim, eval: evaluation, split }: SealConfig): Rule[] {
  const { warmup_epochs, warmup_only, two_stage_training, noise_method, warmup_noise } = warmup;
  const holdsOut = split.holdout_fraction > 0 || split.holdout_donors.length > 0 || split.holdout_samples.length > 0;
  return [
    [
      ["warmup_only", "warmup_epochs"],
      !warmup_only || warmup_epochs > 0,
      "Cannot stop after the warm-up: warmup_epochs is 0, wanted at least 1",
      "warmup_epochs=20, or warmup_only=false",
    ],
    [
      ["two_stage_training", "warmup_epochs"],
      !two_stage_training || warmup_epochs > 0 || input.omics !== null,
      "Cannot freeze the gene model: two_stage_training is true and warmup_epochs 0, wanted a warm-up or trained weights",
      "warmup_epochs=20, or omics=FILE",
    ],
    [
      ["warmup_epochs", "gene_model"],
      warmup_epochs === 0 || !geneModelEntry(gene.gene_model).fixed,
      `Cannot warm the gene model up: gene_model ${gene.gene_model} has nothing to train, wanted another`,
      "warmup_epochs=0",
    ],
    [
      ["warmup_noise"],
      noise_method !== "random" || warmup_noise < 1,
      `Cannot drop values at random: warmup_noise is ${warmup_noise}, wanted below 1`,
      "warmup_noise=0.1, or noise_method=gaussian",
    ],
    [
      ["epochs"],
      optim.epochs > 0 || warmup_only,
      "Cannot align: epochs is 0, wanted at least 1, or warmup_only",
      "epochs=10, or warmup_only=true with warmup_epochs=20",
    ],
    [
      ["early_stop_patience", "holdout_fraction"],
      evaluation.early_stop_patience === 0 || holdsOut,
      "Cannot stop early: no donor is held out, wanted holdout_donors, holdout_samples or a holdout_fraction",
      "early_stop_patience=0",
    ],
    [
      ["early_stop_patience", "eval_every"],
      evaluation.early_stop_patience === 0 || evaluation.eval_every > 0,
      "Cannot stop early: eval_every is 0, wanted an evaluation every few epochs",
      "eval_every=1",
    ],
  ];
}

function batchRules({ optim, input }: SealConfig): Rule[] {
  const { steps, lr_warmup_steps, min_lr, img_lr, gene_lr } = optim;
  const rates = [img_lr, gene_lr, optim.head_lr ?? img_lr].filter((rate) => rate > 0);
  return [
    [
      ["batch_samples", "neighbour_cap", "subsample_frac"],
      optim.batch_samples === "mixed" || (optim.neighbour_cap === null && (input.subsample_frac ?? 1) >= 1),
      "Cannot make batches of one sample from a share of the pairs or with a cap on neighbours: wanted neither",
      "batch_samples=mixed, or neighbour_cap=null and subsample_frac=null",
    ],
    [
      ["neighbour_cap", "subsample_frac"],
      optim.neighbour_cap === null || (input.subsample_frac ?? 1) >= 1,
      "Cannot keep neighbours apart in a share of the pairs: neighbour_cap goes with subsample_frac=null",
      "subsample_frac=null, or neighbour_cap=null",
    ],
    [
      ["loss_scale", "precision"],
      optim.precision !== "f16" || isLossScale(optim.loss_scale),
      `Cannot scale losses by ${optim.loss_scale}: wanted a power of two from 2^-16 to 2^24`,
      "loss_scale=65536",
    ],
    [
      ["lr_warmup_steps", "steps"],
      steps === null || lr_warmup_steps <= steps,
      `Cannot raise the learning rate for ${lr_warmup_steps} steps: steps is ${steps}, wanted at most that`,
      `lr_warmup_steps=${steps}, or more steps`,
    ],
    [
      ["min_lr"],
      optim.scheduler !== "cosine" || rates.every((rate) => min_lr <= rate),
      `Cannot end with a learning rate of ${min_lr}: peaks are ${rates.join(", ")}, wanted at most the least of them`,
      "min_lr=0",
    ],
  ];
}

function dataRules({ input, split, eval: { copy_sample } }: SealConfig): Rule[] {
  const out = split.holdout_samples.find((id) => input.exclude_samples.includes(id));
  const missing = split.holdout_samples.find((id) => input.samples !== null && !input.samples.includes(id));
  const both = input.samples?.find((id) => input.exclude_samples.includes(id));
  return [
    [
      ["holdout_samples", "exclude_samples"],
      out === undefined,
      `Cannot hold out ${out}: exclude_samples leaves it out`,
      `Take ${out} out of one of them`,
    ],
    [
      ["copy_sample", "holdout_samples"],
      copy_sample === null || !split.holdout_samples.includes(copy_sample),
      `Cannot copy from ${copy_sample}: it is held out, wanted a training section`,
      "copy_sample=null, or a section that trains",
    ],
    [
      ["holdout_samples", "samples"],
      missing === undefined,
      `Cannot hold out ${missing}: samples does not name it`,
      `Add ${missing} to samples`,
    ],
    [
      ["samples", "exclude_samples"],
      both === undefined,
      `Cannot use ${both}: exclude_samples leaves it out`,
      `Take ${both} out of one of them`,
    ],
    [
      ["subsample_frac"],
      input.subsample_frac === null || input.subsample_frac > 0,
      "Cannot train on no pairs: subsample_frac is 0, wanted more",
      "subsample_frac=null uses all",
    ],
  ];
}
