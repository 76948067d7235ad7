/**
 * The keys of every method as types. Written by scripts/gen_kernels.ts from their tables; do not edit.
 *
 * @module
 */

/** Configuration of method `seal`: the keys of its YAML files; what is left out has its default. */
export interface SealSettings {
  /** Folders in HEST's layout; none is the bundled demo; a list of texts. Default []. */
  readonly data?: readonly string[] | undefined;
  /** Registry name, folder, or random:ARCH; a text. Default conch. */
  readonly encoder?: string | undefined;
  /** LoRA to start from: a PEFT folder, or the vision file of a SEAL checkpoint; a text or null. Default null. */
  readonly adapter?: string | null | undefined;
  /** Side of the images the encoder is fed; null is SEAL's, which is 224 for CONCH and else the encoder's own; px; a whole number from 1 to 8192 or null. Default null. */
  readonly image_size?: number | null | undefined;
  /** Gene model to start from: omics.safetensors, or the omics file of a SEAL checkpoint; a text or null. Default null. */
  readonly omics?: string | null | undefined;
  /** Run folder; a text or null. Default null. */
  readonly out?: string | null | undefined;
  /** Ids of the samples to use; null uses all; a list of texts or null. Default null. */
  readonly samples?: readonly string[] | null | undefined;
  /** Ids of samples to leave out; a list of texts. Default []. */
  readonly exclude_samples?: readonly string[] | undefined;
  /** Use samples of these st_technology values only, such as Visium; null uses all; a list of texts or null. Default null. */
  readonly technologies?: readonly string[] | null | undefined;
  /** Use samples of these species only; null uses all; a list of texts or null. Default null. */
  readonly species?: readonly string[] | null | undefined;
  /** Use samples of these organs only; null uses all; a list of texts or null. Default null. */
  readonly organs?: readonly string[] | null | undefined;
  /** Where the .h5ad files keep raw counts: X, raw, or a layer such as layers/counts; a text. Default X. */
  readonly counts?: string | undefined;
  /** Leave out spots with NaN, infinite or negative counts instead of refusing their sample; true or false. Default false. */
  readonly drop_bad_spots?: boolean | undefined;
  /** Leave out patches whose barcode the counts lack instead of refusing their sample; true or false. Default false. */
  readonly drop_unknown_patches?: boolean | undefined;
  /** What happens where patches and spots of one barcode lie apart on the slide; error | warn | off. Default error. */
  readonly self_test?: "error" | "warn" | "off" | undefined;
  /** Use slides coarser than 1.15 µm a pixel, whose patches are blurred; true or false. Default false. */
  readonly allow_coarse?: boolean | undefined;
  /** Ids of samples to use although they are known to be faulty; a list of texts. Default []. */
  readonly allow_denied?: readonly string[] | undefined;
  /** Share of the genes that every sample must have measured; a number from 0 to 1. Default 0.2. */
  readonly least_coverage?: number | undefined;
  /** Share of the training pairs to use, chosen by the seed; null uses all; a number from 0 to 1 or null. Default null. */
  readonly subsample_frac?: number | null | undefined;
  /** Workers that read and decode patches; null is one less than the cores. Results do not depend on it; a whole number from 0 to 256 or null. Default null. */
  readonly workers?: number | null | undefined;
  /** Keys and groups of other programs that a document may hold besides; they are not used; a list of texts. Default []. */
  readonly ignore_keys?: readonly string[] | undefined;
  /** Donors held out for evaluation; a list of texts. Default []. */
  readonly holdout_donors?: readonly string[] | undefined;
  /** Samples held out; where their donors' other samples train, the report of leakage says so; a list of texts. Default []. */
  readonly holdout_samples?: readonly string[] | undefined;
  /** Share of the samples held out, in whole donors, where neither is named; 0 holds out none; a number from 0 to 0.9. Default 0.2. */
  readonly holdout_fraction?: number | undefined;
  /** Genes of the vocabulary: the panel's, those of genes_include, then the best of the training samples; a whole number from 1 to 100000. Default 2000. */
  readonly n_train_genes?: number | undefined;
  /** Genes that the vocabulary has whatever their rank, as far as a training sample measured them; a list of texts. Default []. */
  readonly genes_include?: readonly string[] | undefined;
  /** File with the genes: one name a line, or genes.json of a run; null chooses them on the training samples; a text or null. Default null. */
  readonly gene_list?: string | null | undefined;
  /** File with the genes that evaluation reports on; null takes the most variable of those that every training sample shows in a tenth of its spots. They are in the vocabulary whatever their rank; a text or null. Default null. */
  readonly panel?: string | null | undefined;
  /** Genes that evaluation reports on; a whole number of at least 1. Default 50. */
  readonly panel_genes?: number | undefined;
  /** Most variable or most expressed genes; hvg | heg. Default hvg. */
  readonly gene_criterion?: "hvg" | "heg" | undefined;
  /** One vocabulary for all samples, or the reference's own choice and order in every sample; fixed | per_sample_hvg. Default fixed. */
  readonly gene_order?: "fixed" | "per_sample_hvg" | undefined;
  /** ln(1 + counts per ten thousand), or raw counts, which negbin then takes for what they are; log_norm | none. Default log_norm. */
  readonly gene_norm?: "log_norm" | "none" | undefined;
  /** Mix half of the neighbourhood's mean into every spot; true or false. Default true. */
  readonly spot_context?: boolean | undefined;
  /** Neighbours: array distance up to sqrt 2 as the reference, all six of the hexagon, or no mixing; compat | hex6 | none. Default compat. */
  readonly smoothing?: "compat" | "hex6" | "none" | undefined;
  /** Subtract the mean of its sample from each gene: gene model and losses see how spots differ within a sample; true or false. Default false. */
  readonly gene_centre?: boolean | undefined;
  /** Expression whose mean and standard deviation standardise the losses; unsmoothed | smoothed. Default unsmoothed. */
  readonly gene_stats?: "unsmoothed" | "smoothed" | undefined;
  /** Least standard deviation of a gene in standardised losses; a number above 0. Default 0.001. */
  readonly std_floor?: number | undefined;
  /** SEAL, or a frozen encoder to compare with; panST | linprobe. Default panST. */
  readonly model?: "panST" | "linprobe" | undefined;
  /** Last blocks that LoRA adapts or, without LoRA, that train; -1 is all, and 0 is 1 with LoRA; blocks; a whole number of at least -1. Default 1. */
  readonly partial_blocks?: number | undefined;
  /** Without LoRA: train the last blocks; false freezes the encoder; true or false. Default true. */
  readonly partial_tune?: boolean | undefined;
  /** Heads before the contrastive loss; mlp is the reference's, which is linear, mlp2 has a hidden layer; none | linear | mlp | mlp2. Default none. */
  readonly projection_head?: "none" | "linear" | "mlp" | "mlp2" | undefined;
  /** Bottleneck of two linear layers behind the encoder; true or false. Default false. */
  readonly use_adapter?: boolean | undefined;
  /** Width of the bottleneck; a whole number of at least 1. Default 256. */
  readonly adapter_bottleneck?: number | undefined;
  /** Apply the bottleneck twice, as the reference does; true or false. Default false. */
  readonly adapter_compat_double?: boolean | undefined;
  /** Add the bottleneck to its input; true or false. Default false. */
  readonly adapter_residual?: boolean | undefined;
  /** Add a learned vector for the organ to the image embedding; true or false. Default false. */
  readonly organ_token?: boolean | undefined;
  /** Last activation of the image decoder; softplus with negbin of raw counts, where nothing is said; relu | softplus | none. Default relu. */
  readonly final_activation?: "relu" | "softplus" | "none" | undefined;
  /** Train low-rank updates of the last blocks; true or false. Default true. */
  readonly use_lora?: boolean | undefined;
  /** Rank; a whole number from 1 to 1024. Default 8. */
  readonly r?: number | undefined;
  /** The update is multiplied by lora_alpha / r; a number above 0. Default 8. */
  readonly lora_alpha?: number | undefined;
  /** Dropout on the input of the updates; a number from 0 to 0.95. Default 0.15. */
  readonly lora_dropout?: number | undefined;
  /** Multiply by lora_alpha / sqrt(r) instead; true or false. Default false. */
  readonly use_rslora?: boolean | undefined;
  /** Layers by the reference's rule (in Phikon-v2 the MLP alone), or all four of a block; seal | standard. Default seal. */
  readonly lora_rule?: "seal" | "standard" | undefined;
  /** Encoder of expression; identity | mae | mlp | transformer | vae. Default vae. */
  readonly gene_model?: "identity" | "mae" | "mlp" | "transformer" | "vae" | undefined;
  /** Widths of its hidden layers; a list of whole numbers of at least 1. Default [1024, 512]. */
  readonly hidden_dims?: readonly number[] | undefined;
  /** Latent of the VAE in training: one draw, the mean, or the mean of several draws; evaluation takes the mean; sample | mean | mc. Default sample. */
  readonly latent?: "sample" | "mean" | "mc" | undefined;
  /** Draws of latent: mc; a whole number from 1 to 64. Default 8. */
  readonly latent_samples?: number | undefined;
  /** Add the divergence from the prior, divided by the latent's width; true or false. Default false. */
  readonly kl_loss?: boolean | undefined;
  /** Divergence as the reference computes it, or the flow's own by the drawn sample; reference | exact. Default reference. */
  readonly kl_form?: "reference" | "exact" | undefined;
  /** Share of the genes masked in training (vae, mae); a number from 0 to 0.95. Default 0. */
  readonly mask_ratio?: number | undefined;
  /** Dropout of the VAE's encoder; a number from 0 to 0.95. Default 0. */
  readonly vae_dropout?: number | undefined;
  /** Dropout of the decoders; a number from 0 to 0.95. Default 0. */
  readonly dec_dropout?: number | undefined;
  /** Batch normalisation in the decoders; true or false. Default false. */
  readonly dec_batch_norm?: boolean | undefined;
  /** Planar flows of the VAE; a whole number from 0 to 16. Default 3. */
  readonly vae_flows?: number | undefined;
  /** Keep the flows invertible; true or false. Default false. */
  readonly flow_constraint?: boolean | undefined;
  /** Let the transformer know which gene a value belongs to; true or false. Default false. */
  readonly gene_embeddings?: boolean | undefined;
  /** Loss of reconstructed expression, each with the reference's own factor; negbin takes log_norm's values back to counts per ten thousand; barlow | barlow_mse | barlow_soft | barlow_std_mse | huber | l1 | mmd | mse | negbin | pcc | pcc_genes | pls | standardized_mse. Default barlow_std_mse. */
  readonly gene_loss?: "barlow" | "barlow_mse" | "barlow_soft" | "barlow_std_mse" | "huber" | "l1" | "mmd" | "mse" | "negbin" | "pcc" | "pcc_genes" | "pls" | "standardized_mse" | undefined;
  /** Loss between image and gene embeddings; barlow | cca | clip | s2l | soft_clip. Default clip. */
  readonly contrast_method?: "barlow" | "cca" | "clip" | "s2l" | "soft_clip" | undefined;
  /** Weight of the loss between the embeddings; a number of at least 0. Default 1. */
  readonly lambda_contrast?: number | undefined;
  /** Weight of expression decoded from the gene embedding; a number of at least 0. Default 1. */
  readonly lambda_recon_gene?: number | undefined;
  /** Weight of expression decoded from the image; 0: no decoder; a number of at least 0. Default 1. */
  readonly lambda_recon_img?: number | undefined;
  /** Weight of an additional CCA loss; a number of at least 0. Default 0. */
  readonly lambda_cca?: number | undefined;
  /** Weight of the adversarial loss against telling slides apart; a number of at least 0. Default 0. */
  readonly lambda_da?: number | undefined;
  /** Bring embeddings to length one before the loss between them; true or false. Default true. */
  readonly l2_norm?: boolean | undefined;
  /** Temperature of clip and soft_clip; a number above 0. Default 0.05. */
  readonly temperature?: number | undefined;
  /** Train the temperature of clip (1 / temperature <= 100); true or false. Default false. */
  readonly trainable_temperature?: boolean | undefined;
  /** Temperature of soft_clip's targets; null is temperature; a number above 0 or null. Default null. */
  readonly target_temperature?: number | null | undefined;
  /** Stop gradients at soft_clip's targets; true or false. Default true. */
  readonly detach_targets?: boolean | undefined;
  /** Squared distances in the weights of s2l; true or false. Default true. */
  readonly s2l_squared?: boolean | undefined;
  /** Added to the variances in cca; a number above 0. Default 0.001. */
  readonly cca_reg?: number | undefined;
  /** Sum of the canonical correlations, or of their squares; nuclear | trace. Default nuclear. */
  readonly cca_form?: "nuclear" | "trace" | undefined;
  /** Weight of different columns in contrast_method: barlow; a number of at least 0. Default 0.005. */
  readonly barlow_lambda?: number | undefined;
  /** Length of the omics warm-up; epochs; a whole number of at least 0. Default 0. */
  readonly warmup_epochs?: number | undefined;
  /** Peak learning rate of the warm-up; a number of at least 0. Default 0.0005. */
  readonly warmup_lr?: number | undefined;
  /** Strength of the noise on expression; a number from 0 to 10. Default 0. */
  readonly warmup_noise?: number | undefined;
  /** Drop that share of the values, or add that many standard normal deviates and clamp at 0; random | gaussian. Default random. */
  readonly noise_method?: "random" | "gaussian" | undefined;
  /** Reconstruct the clean values; the reference reconstructs the noisy ones; true or false. Default false. */
  readonly denoise?: boolean | undefined;
  /** Stop after the warm-up; true or false. Default false. */
  readonly warmup_only?: boolean | undefined;
  /** Freeze the gene model after the warm-up; true or false. Default false. */
  readonly two_stage_training?: boolean | undefined;
  /** Between two evaluations in the warm-up; epochs; a whole number of at least 1. Default 1. */
  readonly warmup_val_every?: number | undefined;
  /** Length of the alignment; epochs; a whole number of at least 0. Default 10. */
  readonly epochs?: number | undefined;
  /** Most optimiser steps of each stage; null is what the epochs give; steps; a whole number of at least 1 or null. Default null. */
  readonly steps?: number | null | undefined;
  /** Pairs a loss sees; pairs; a whole number from 2 to 65536. Default 384. */
  readonly batch_size?: number | undefined;
  /** Patches in memory at a time, by gradient caching: the same run up to rounding; null is what fits; pairs; a whole number of at least 1 or null. Default null. */
  readonly micro_batch?: number | null | undefined;
  /** Batches an optimiser step sees; batches; a whole number of at least 1. Default 1. */
  readonly grad_accum?: number | undefined;
  /** Peak learning rate of the encoder's side; a number of at least 0. Default 0.0001. */
  readonly img_lr?: number | undefined;
  /** Peak learning rate of the gene model; a number of at least 0. Default 0.0001. */
  readonly gene_lr?: number | undefined;
  /** Peak learning rate of image decoder, heads and temperature; null is img_lr; a number of at least 0 or null. Default null. */
  readonly head_lr?: number | null | undefined;
  /** Decoupled weight decay; none on biases and norms; a number of at least 0. Default 0.2. */
  readonly weight_decay?: number | undefined;
  /** AdamW's memory of gradients; a number from 0 to 0.9999. Default 0.9. */
  readonly beta1?: number | undefined;
  /** AdamW's memory of their squares; a number from 0 to 0.999999. Default 0.999. */
  readonly beta2?: number | undefined;
  /** AdamW's epsilon; a number between 0 and 0.01. Default 1e-8. */
  readonly eps?: number | undefined;
  /** Learning rate over the steps; cosine | constant. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate at the start of a stage; steps; a whole number of at least 0. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Learning rate that cosine ends with; a number of at least 0. Default 0. */
  readonly min_lr?: number | undefined;
  /** Without LoRA: factor on the learning rate a block further from the output; a number from 0.01 to 1. Default 0.7. */
  readonly layer_decay?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip; a number of at least 0. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Gradients that algebra makes 0, as of biases before batch normalisation, are 0; false keeps the reference's rounding noise, on which AdamW walks; true or false. Default true. */
  readonly exact_zeros?: boolean | undefined;
  /** f16 stores the encoder's frozen weights and activations in half; sums, losses and what trains are f32, and the loss is scaled; f32 | f16. Default f32. */
  readonly precision?: "f32" | "f16" | undefined;
  /** First factor on the loss where activations are f16, a power of two; it halves when a gradient is beyond f16; a number. Default 65536. */
  readonly loss_scale?: number | undefined;
  /** Steps without overflow after which the factor doubles; a whole number of at least 1. Default 2000. */
  readonly loss_scale_interval?: number | undefined;
  /** Flips and rotations (soft), and colour, blur and crops with them (hard); none | soft | hard. Default hard. */
  readonly augment?: "none" | "soft" | "hard" | undefined;
  /** Near neighbours that a pair may have in its batch; null does not care; pairs; a whole number of at least 0 or null. Default null. */
  readonly neighbour_cap?: number | null | undefined;
  /** Within which spots of a sample are near; distances between neighbouring spots; a number above 0. Default 1. */
  readonly neighbour_distance?: number | undefined;
  /** Share of itself that a running mean of the trained weights keeps in each step; the mean is what is evaluated and saved. 0: the weights themselves; a number from 0 to 0.9999. Default 0. */
  readonly ema?: number | undefined;
  /** Whose pairs make up a batch: those of all samples, or of one sample at a time; mixed | one. Default mixed. */
  readonly batch_samples?: "mixed" | "one" | undefined;
  /** Seed of everything random; a whole number from 0 to 4294967295. Default 42. */
  readonly seed?: number | undefined;
  /** Where the frozen blocks' results are kept; off computes them every time, with exact augmentation; memory | disk | off. Default memory. */
  readonly cache?: "memory" | "disk" | "off" | undefined;
  /** Flips and rotations kept of a patch, of 8; a whole number from 1 to 8. Default 8. */
  readonly cache_views?: number | undefined;
  /** Views with other colours kept of a patch besides, with augment: hard; a whole number from 0 to 64. Default 0. */
  readonly cache_colour_views?: number | undefined;
  /** Precision of what is kept; f16 | f32. Default f16. */
  readonly cache_dtype?: "f16" | "f32" | undefined;
  /** Most the cache may take; GiB; a number above 0. Default 8. */
  readonly cache_budget?: number | undefined;
  /** Folder of cache: disk; null is beside the run; a text or null. Default null. */
  readonly cache_dir?: string | null | undefined;
  /** Between two evaluations; 0: at the end; epochs; a whole number of at least 0. Default 1. */
  readonly eval_every?: number | undefined;
  /** What checkpoints/best and early stopping go by, on what is held out; pearson_mean | recall_at_10_i2g | recall_at_10_g2i. Default pearson_mean. */
  readonly best_metric?: "pearson_mean" | "recall_at_10_i2g" | "recall_at_10_g2i" | undefined;
  /** Evaluations without a better one after which training stops; 0 never stops; evaluations; a whole number of at least 0. Default 0. */
  readonly early_stop_patience?: number | undefined;
  /** Least difference that counts as better; a number of at least 0. Default 0. */
  readonly early_stop_min_delta?: number | undefined;
  /** Between two checkpoints; 0: at the end; epochs; a whole number of at least 0. Default 5. */
  readonly save_every?: number | undefined;
  /** The same by steps; 0: not; steps; a whole number of at least 0. Default 0. */
  readonly save_every_steps?: number | undefined;
  /** Between two lines of metrics; steps; a whole number of at least 1. Default 10. */
  readonly log_every?: number | undefined;
  /** After training also train the image decoder alone on the frozen encoder's features, on the views of the cache in as many steps, to compare with; true or false. Default false. */
  readonly control_head?: boolean | undefined;
  /** Column of obs with the kind of tissue of each spot, which is told from features before and after training; a text or null. Default null. */
  readonly label_column?: string | null | undefined;
  /** Also judge features beside the mean of those of the spots within so far; distances between neighbouring spots; a number above 0 or null. Default null. */
  readonly probe_neighbours?: number | null | undefined;
  /** Training section beside the held-out ones (serial sections) whose expression is mixed into predictions, judged beside them; a text or null. Default null. */
  readonly copy_sample?: string | null | undefined;
  /** Weight of that copy; the prediction has the rest; a number from 0 to 1. Default 0.3. */
  readonly copy_weight?: number | undefined;
  /** Nearest spots it is the mean of; spots; a whole number of at least 1. Default 9. */
  readonly copy_spots?: number | undefined;
}

/** Configuration of method `mil`: the keys of its YAML files; what is left out has its default. */
export interface MilSettings {
  /** Folders with a feature file a slide, as embed, TRIDENT, CLAM and STAMP write them; a list of texts. Default []. */
  readonly features?: readonly string[] | undefined;
  /** Table of slides (CSV or TSV): slide_id, case_id, labels, and folds as fold_0, fold_1, ...; a text or null. Default null. */
  readonly labels?: string | null | undefined;
  /** Patho-Bench's config.yaml in place of target and sample_col: task_col, sample_col, label_dict, task_type; a text or null. Default null. */
  readonly task?: string | null | undefined;
  /** Column of the labels that are learnt; survival where TARGET_event and TARGET_days are columns; a text. Default label. */
  readonly target?: string | undefined;
  /** What a bag is: all slides of a case, or a slide; case_id | slide_id. Default case_id. */
  readonly sample_col?: "case_id" | "slide_id" | undefined;
  /** Slides of a case as one bag of tiles, or the mean of their pooled vectors; combine | mean. Default combine. */
  readonly case_slides?: "combine" | "mean" | undefined;
  /** Bulk expression, case_id and a column a gene, log scale: gene_sets scored on it are the targets; a text or null. Default null. */
  readonly expression?: string | null | undefined;
  /** GMT of the sets that are scored on expression; a text or null. Default null. */
  readonly gene_sets?: string | null | undefined;
  /** Slides, or folders of them, over which the report draws the attention of test cases; a list of texts. Default []. */
  readonly slides?: readonly string[] | undefined;
  /** Whether the order of the classes means something, as of grades; true or false. Default false. */
  readonly ordinal?: boolean | undefined;
  /** Leave out slides without features or tiles, with NaN, or damaged, instead of refusing them; true or false. Default false. */
  readonly drop_missing?: boolean | undefined;
  /** Run folder; a text or null. Default null. */
  readonly out?: string | null | undefined;
  /** Table (CSV or TSV) that divides them in place of the labels': slide_id or case_id, and fold_0, ... or split; a text or null. Default null. */
  readonly split_file?: string | null | undefined;
  /** Fold of the table: 3 is its column fold_3; null is its first, or holdout_fraction where it has none; a whole number of at least 0 or null. Default null. */
  readonly fold?: number | null | undefined;
  /** Share of the cases of each class that is tested on, where the table has no folds; a number between 0 and 0.9. Default 0.2. */
  readonly holdout_fraction?: number | undefined;
  /** Share of the training cases of each class that chooses the checkpoint, where the fold has no val part; 0: none; a number from 0 to 0.9. Default 0. */
  readonly val_fraction?: number | undefined;
  /** Attention (abmil), gated attention (gated), the mean of the tiles (meanmil), or CLAM-SB (clam), which takes more epochs than the others; abmil | gated | meanmil | clam. Default abmil. */
  readonly model?: "abmil" | "gated" | "meanmil" | "clam" | undefined;
  /** Width of the attention's layers; null is 512, of clam 256; a whole number from 1 to 8192 or null. Default null. */
  readonly hidden?: number | null | undefined;
  /** Width of an embedded tile of clam; other models keep that of the features; a whole number from 1 to 8192. Default 512. */
  readonly width?: number | undefined;
  /** Attention heads; a whole number from 1 to 64. Default 1. */
  readonly heads?: number | undefined;
  /** Dropout of tiles and of slides behind GELU or ReLU; null is 0.1, of clam 0.25; a number from 0 to 0.95 or null. Default null. */
  readonly dropout?: number | null | undefined;
  /** Dropout within the attention; null is 0.25; a number from 0 to 0.95 or null. Default null. */
  readonly attention_dropout?: number | null | undefined;
  /** Share of the loss of instances in that of clam; a number from 0 to 0.99. Default 0.3. */
  readonly instance_share?: number | undefined;
  /** Tiles of most attention and of least that are instances of clam; a whole number from 1 to 4096. Default 8. */
  readonly instance_tiles?: number | undefined;
  /** Hazards of intervals of time, or Cox's partial likelihood of each batch; discrete | cox. Default discrete. */
  readonly survival?: "discrete" | "cox" | undefined;
  /** Intervals of discrete: quantiles of the training events; a whole number from 1 to 64. Default 4. */
  readonly intervals?: number | undefined;
  /** Events at the same time, of cox; breslow | efron. Default breslow. */
  readonly ties?: "breslow" | "efron" | undefined;
  /** Passes over the bags; epochs; a whole number of at least 0. Default 20. */
  readonly epochs?: number | undefined;
  /** Most optimiser steps; null is what the epochs give; steps; a whole number of at least 1 or null. Default null. */
  readonly steps?: number | null | undefined;
  /** Bags a step; those left over at the end of an epoch are not trained on in it; bags; a whole number from 1 to 65536. Default 1. */
  readonly batch_size?: number | undefined;
  /** Batches an optimiser step sees; batches; a whole number of at least 1. Default 1. */
  readonly grad_accum?: number | undefined;
  /** Most tiles of a bag in a training step, drawn anew in every epoch; tests see all; tiles; a whole number from 1 to 65536. Default 2048. */
  readonly tiles?: number | undefined;
  /** Classes drawn equally often, with replacement (sampler); weighted in the loss (loss); or as they are (none); sampler | loss | none. Default sampler. */
  readonly balance?: "sampler" | "loss" | "none" | undefined;
  /** Learning rate; a number above 0. Default 0.0003. */
  readonly lr?: number | undefined;
  /** Decoupled weight decay of all parameters; a number of at least 0. Default 0.00001. */
  readonly weight_decay?: number | undefined;
  /** AdamW's memory of gradients; a number from 0 to 0.9999. Default 0.9. */
  readonly beta1?: number | undefined;
  /** AdamW's memory of their squares; a number from 0 to 0.999999. Default 0.999. */
  readonly beta2?: number | undefined;
  /** AdamW's epsilon; a number between 0 and 0.01. Default 1e-8. */
  readonly eps?: number | undefined;
  /** Learning rate over the steps; cosine | constant. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate at the start of a stage; steps; a whole number of at least 0. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Learning rate that cosine ends with; a number of at least 0. Default 1e-8. */
  readonly min_lr?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip; a number of at least 0. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Seed of everything random; a whole number from 0 to 4294967295. Default 42. */
  readonly seed?: number | undefined;
  /** What the validation part chooses the checkpoint by; score: AUC, C-index or Pearson. Without one it is the last; score | auc | balanced_accuracy | cindex | pearson | loss. Default score. */
  readonly best_metric?: "score" | "auc" | "balanced_accuracy" | "cindex" | "pearson" | "loss" | undefined;
  /** Between two evaluations; 0: at the end; epochs; a whole number of at least 0. Default 1. */
  readonly eval_every?: number | undefined;
  /** Evaluations without a better one after which training stops; 0 never stops; evaluations; a whole number of at least 0. Default 0. */
  readonly early_stop_patience?: number | undefined;
  /** Least difference that counts as better; a number of at least 0. Default 0. */
  readonly early_stop_min_delta?: number | undefined;
  /** Between two checkpoints; 0: at the end; epochs; a whole number of at least 0. Default 5. */
  readonly save_every?: number | undefined;
  /** The same by steps; 0: not; steps; a whole number of at least 0. Default 0. */
  readonly save_every_steps?: number | undefined;
  /** Between two lines of metrics; steps; a whole number of at least 1. Default 10. */
  readonly log_every?: number | undefined;
  /** Trained in any case, before early_stop_patience may stop; epochs; a whole number of at least 0. Default 0. */
  readonly early_stop_after?: number | undefined;
  /** Features of as many slides as take no more are kept in memory, others read at every step; 0 keeps none; GiB; a number of at least 0. Default 2. */
  readonly cache_budget?: number | undefined;
}

/** Configuration of method `spade`: the keys of its YAML files; what is left out has its default. */
export interface SpadeSettings {
  /** Folders with a feature file a sample, its rows named by barcodes, as embed writes them; a list of texts. Default []. */
  readonly features?: readonly string[] | undefined;
  /** Folders in HEST's layout; none is the bundled demo; a list of texts. Default []. */
  readonly data?: readonly string[] | undefined;
  /** Run folder; a text or null. Default null. */
  readonly out?: string | null | undefined;
  /** Ids of the samples to use; null uses all; a list of texts or null. Default null. */
  readonly samples?: readonly string[] | null | undefined;
  /** Ids of samples to leave out; a list of texts. Default []. */
  readonly exclude_samples?: readonly string[] | undefined;
  /** Use samples of these st_technology values only, such as Visium; null uses all; a list of texts or null. Default null. */
  readonly technologies?: readonly string[] | null | undefined;
  /** Use samples of these species only; null uses all; a list of texts or null. Default null. */
  readonly species?: readonly string[] | null | undefined;
  /** Use samples of these organs only; null uses all; a list of texts or null. Default null. */
  readonly organs?: readonly string[] | null | undefined;
  /** Where the .h5ad files keep raw counts: X, raw, or a layer such as layers/counts; a text. Default X. */
  readonly counts?: string | undefined;
  /** Leave out spots with NaN, infinite or negative counts instead of refusing their sample; true or false. Default false. */
  readonly drop_bad_spots?: boolean | undefined;
  /** Leave out patches whose barcode the counts lack instead of refusing their sample; true or false. Default false. */
  readonly drop_unknown_patches?: boolean | undefined;
  /** What happens where patches and spots of one barcode lie apart on the slide; error | warn | off. Default error. */
  readonly self_test?: "error" | "warn" | "off" | undefined;
  /** Use slides coarser than 1.15 µm a pixel, whose patches are blurred; true or false. Default false. */
  readonly allow_coarse?: boolean | undefined;
  /** Ids of samples to use although they are known to be faulty; a list of texts. Default []. */
  readonly allow_denied?: readonly string[] | undefined;
  /** Share of the genes that every sample must have measured; a number from 0 to 1. Default 0.2. */
  readonly least_coverage?: number | undefined;
  /** Keys and groups of other programs that a document may hold besides; they are not used; a list of texts. Default []. */
  readonly ignore_keys?: readonly string[] | undefined;
  /** Donors held out for evaluation; a list of texts. Default []. */
  readonly holdout_donors?: readonly string[] | undefined;
  /** Samples held out; where their donors' other samples train, the report of leakage says so; a list of texts. Default []. */
  readonly holdout_samples?: readonly string[] | undefined;
  /** Share of the samples held out, in whole donors, where neither is named; 0 holds out none; a number from 0 to 0.9. Default 0.2. */
  readonly holdout_fraction?: number | undefined;
  /** Genes of the vocabulary: the panel's, those of genes_include, then the best of the training samples; a whole number from 1 to 100000. Default 2000. */
  readonly n_train_genes?: number | undefined;
  /** Genes that the vocabulary has whatever their rank, as far as a training sample measured them; a list of texts. Default []. */
  readonly genes_include?: readonly string[] | undefined;
  /** File with the genes: one name a line, or genes.json of a run; null chooses them on the training samples; a text or null. Default null. */
  readonly gene_list?: string | null | undefined;
  /** File with the genes that evaluation reports on; null takes the most variable of those that every training sample shows in a tenth of its spots. They are in the vocabulary whatever their rank; a text or null. Default null. */
  readonly panel?: string | null | undefined;
  /** Genes that evaluation reports on; a whole number of at least 1. Default 50. */
  readonly panel_genes?: number | undefined;
  /** Most variable or most expressed genes; hvg | heg. Default hvg. */
  readonly gene_criterion?: "hvg" | "heg" | undefined;
  /** ln(1 + counts per ten thousand), or raw counts, which negbin then takes for what they are; log_norm | none. Default log_norm. */
  readonly gene_norm?: "log_norm" | "none" | undefined;
  /** Expression as it is, or by mean and deviation of the training spots (z); none | z. Default none. */
  readonly gene_scale?: "none" | "z" | undefined;
  /** Clusters of features within each organ; clusters; a whole number from 1 to 256. Default 16. */
  readonly fine?: number | undefined;
  /** Clusters of the fine clusters' centroids over all organs: one expert each; clusters; a whole number from 1 to 64. Default 16. */
  readonly coarse?: number | undefined;
  /** Most iterations of a clustering; a whole number of at least 1. Default 50. */
  readonly cluster_iterations?: number | undefined;
  /** Starts, the best of them kept; a whole number from 1 to 100. Default 5. */
  readonly cluster_restarts?: number | undefined;
  /** Most rows for each cluster that clustering looks at, drawn by the seed; all are assigned; rows; a whole number of at least 1. Default 50000. */
  readonly points_per_cluster?: number | undefined;
  /** Of the router: weights are the softmax of the negative distances to the centroids over it; a number above 0. Default 0.1. */
  readonly temperature?: number | undefined;
  /** Numbers of clusters whose inertia the report shows for each organ; empty: none; a list of whole numbers of at least 1. Default [2, 4, 8, 16, 32]. */
  readonly curve?: readonly number[] | undefined;
  /** Width of the heads, which is that of the embedding; a whole number from 1 to 8192. Default 256. */
  readonly width?: number | undefined;
  /** Dropout of the heads' second layer; a number from 0 to 0.95. Default 0.1. */
  readonly dropout?: number | undefined;
  /** T of the soft-target loss; a number above 0. Default 1. */
  readonly loss_temperature?: number | undefined;
  /** Stop gradients at the soft targets; true or false. Default false. */
  readonly detach_targets?: boolean | undefined;
  /** Bring embeddings to length one before the loss; true or false. Default false. */
  readonly l2_norm?: boolean | undefined;
  /** Share of the training samples that choose each expert's checkpoint (of its rows below 5 samples); 0: the last; a number from 0 to 0.5. Default 0.1. */
  readonly val_fraction?: number | undefined;
  /** Trained beside it on the same pairs: one expert for all (single), one as large as all experts together (wide), experts on a random partition (random); a list of texts. Default [single, random]. */
  readonly controls?: readonly string[] | undefined;
  /** Passes over the pairs of each expert; epochs; a whole number of at least 0. Default 100. */
  readonly epochs?: number | undefined;
  /** Most optimiser steps of each expert; null is what the epochs give; steps; a whole number of at least 1 or null. Default null. */
  readonly steps?: number | null | undefined;
  /** Pairs of one expert a step; experts with fewer than two batches are merged into the nearest; pairs; a whole number from 2 to 65536. Default 128. */
  readonly batch_size?: number | undefined;
  /** Batches an optimiser step sees; batches; a whole number of at least 1. Default 1. */
  readonly grad_accum?: number | undefined;
  /** Learning rate; a number above 0. Default 0.0001. */
  readonly lr?: number | undefined;
  /** Decoupled weight decay of all parameters; a number of at least 0. Default 0.01. */
  readonly weight_decay?: number | undefined;
  /** AdamW's memory of gradients; a number from 0 to 0.9999. Default 0.9. */
  readonly beta1?: number | undefined;
  /** AdamW's memory of their squares; a number from 0 to 0.999999. Default 0.999. */
  readonly beta2?: number | undefined;
  /** AdamW's epsilon; a number between 0 and 0.01. Default 1e-8. */
  readonly eps?: number | undefined;
  /** Learning rate over the steps; cosine | constant. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate at the start of a stage; steps; a whole number of at least 0. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Learning rate that cosine ends with; a number of at least 0. Default 0. */
  readonly min_lr?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip; a number of at least 0. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Seed of everything random; a whole number from 0 to 4294967295. Default 42. */
  readonly seed?: number | undefined;
  /** Between two evaluations; 0: at the end; epochs; a whole number of at least 0. Default 1. */
  readonly eval_every?: number | undefined;
  /** Between two checkpoints; 0: at the end; epochs; a whole number of at least 0. Default 0. */
  readonly save_every?: number | undefined;
  /** The same by steps; 0: not; steps; a whole number of at least 0. Default 0. */
  readonly save_every_steps?: number | undefined;
  /** Between two lines of metrics; steps; a whole number of at least 1. Default 10. */
  readonly log_every?: number | undefined;
}

/** Configuration of method `bulk`: the keys of its YAML files; what is left out has its default. */
export interface BulkSettings {
  /** What is trained: a change of stored features, or the encoder itself by gradients through its tiles; features | encoder. Default features. */
  readonly train?: "features" | "encoder" | undefined;
  /** Folders with a feature file a slide, as embed, TRIDENT, CLAM and STAMP write them; a list of texts. Default []. */
  readonly features?: readonly string[] | undefined;
  /** Of train=encoder: folders with a patch file a slide (HEST's patches/NAME.h5); a list of texts. Default []. */
  readonly patches?: readonly string[] | undefined;
  /** Of train=encoder: registry name, folder, or random:ARCH; a text. Default conch. */
  readonly encoder?: string | undefined;
  /** LoRA to start from: a PEFT folder; a text or null. Default null. */
  readonly adapter?: string | null | undefined;
  /** Side of the images the encoder is fed; null is 224 for CONCH and else the encoder's own; px; a whole number from 1 to 8192 or null. Default null. */
  readonly image_size?: number | null | undefined;
  /** Workers that read and decode patches; null is one less than the cores. Results do not depend on it; a whole number from 0 to 256 or null. Default null. */
  readonly workers?: number | null | undefined;
  /** Bulk expression: a folder of STAR's or HTSeq's files, a matrix of genes by samples (TSV), or an h5ad; a text or null. Default null. */
  readonly expression?: string | null | undefined;
  /** What values of a matrix or h5ad are: logarithms (log2, which auto takes them for), TPM or counts; auto | log2 | tpm | counts. Default auto. */
  readonly bulk_unit?: "auto" | "log2" | "tpm" | "counts" | undefined;
  /** Table (CSV or TSV) of slides: slide_id, case_id, fold_0, labels; without it names of TCGA are cut to patients; a text or null. Default null. */
  readonly slides?: string | null | undefined;
  /** Table (CSV or TSV) with a further vector of each patient (case_id, numbers), aligned too by contrastive arms; a text or null. Default null. */
  readonly modality?: string | null | undefined;
  /** Columns of the table whose classes the report probes, before and after; a list of texts. Default []. */
  readonly labels?: readonly string[] | undefined;
  /** Run folder; a text or null. Default null. */
  readonly out?: string | null | undefined;
  /** Genes, by variance over the training patients; all where there are fewer; a whole number from 1 to 100000. Default 5000. */
  readonly n_genes?: number | undefined;
  /** File with genes, one a line, in place of those; the expression must have all of them; a text or null. Default null. */
  readonly gene_list?: string | null | undefined;
  /** Share of the patients that is tested on, where the table has no fold_0; a number between 0 and 0.8. Default 0.2. */
  readonly holdout_fraction?: number | undefined;
  /** Share of the training patients that watches the rank of the features and, from 5 of them on, chooses the weights: those with which probes of them gain most; a number from 0 to 0.5. Default 0.1. */
  readonly val_fraction?: number | undefined;
  /** What is trained, one after another from the same start on the same tiles: contrastive, direct (regression), shuffled and shuffled_direct (the same on exchanged patients: controls). With train=encoder one, direct unless said; a list of texts. Default [contrastive, direct]. */
  readonly arms?: readonly string[] | undefined;
  /** Width of the layer that changes tile features: h = x + W2 GELU(W1 LN(x)), W2 zero at the start; a whole number from 1 to 8192. Default 256. */
  readonly hidden?: number | undefined;
  /** Last blocks that LoRA adapts or, without LoRA, that train; -1 is all, and 0 is 1 with LoRA; blocks; a whole number of at least -1. Default 1. */
  readonly partial_blocks?: number | undefined;
  /** Without LoRA: train the last blocks; false freezes the encoder; true or false. Default true. */
  readonly partial_tune?: boolean | undefined;
  /** What expression belongs to: the bag of a slide's tiles, or each tile by itself; bag | tile. Default bag. */
  readonly pairing?: "bag" | "tile" | undefined;
  /** How tiles become a bag; mean | gated. Default mean. */
  readonly aggregate?: "mean" | "gated" | undefined;
  /** Width of gated attention; a whole number from 1 to 4096. Default 128. */
  readonly attention_hidden?: number | undefined;
  /** Width of the RNA encoder; a whole number from 1 to 8192. Default 1024. */
  readonly rna_hidden?: number | undefined;
  /** Width of the joint space; a whole number from 1 to 4096. Default 256. */
  readonly width?: number | undefined;
  /** Where the head of direct arms starts: at what is told without an image (zero), or as torch's layers do. Features of a large scale lose much to the latter; zero | torch. Default zero. */
  readonly head_start?: "zero" | "torch" | undefined;
  /** Dropout of the RNA encoder; a number from 0 to 0.9. Default 0.2. */
  readonly rna_dropout?: number | undefined;
  /** Of the contrastive loss at the start; it is trained, and 0.01 at least; a number from 0.01 to 10. Default 0.07. */
  readonly temperature?: number | undefined;
  /** Weight of the squared distance, by dimension, of tile features to those before training; 0 keeps none; a number of at least 0. Default 0. */
  readonly lambda_kd?: number | undefined;
  /** Share of the smooth rank of the given features below which training stops as collapsed; 0 never; a number from 0 to 1. Default 0.3. */
  readonly collapse?: number | undefined;
  /** Train low-rank updates of the last blocks; true or false. Default true. */
  readonly use_lora?: boolean | undefined;
  /** Rank; a whole number from 1 to 1024. Default 8. */
  readonly r?: number | undefined;
  /** The update is multiplied by lora_alpha / r; a number above 0. Default 8. */
  readonly lora_alpha?: number | undefined;
  /** Dropout on the input of the updates; a number from 0 to 0.95. Default 0.15. */
  readonly lora_dropout?: number | undefined;
  /** Multiply by lora_alpha / sqrt(r) instead; true or false. Default false. */
  readonly use_rslora?: boolean | undefined;
  /** Layers by the reference's rule (in Phikon-v2 the MLP alone), or all four of a block; seal | standard. Default seal. */
  readonly lora_rule?: "seal" | "standard" | undefined;
  /** Optimiser steps of each arm; steps; a whole number of at least 1. Default 2000. */
  readonly steps?: number | undefined;
  /** Slides a loss sees; bags; a whole number from 2 to 65536. Default 64. */
  readonly batch_size?: number | undefined;
  /** Tiles of a slide in a step, drawn with replacement; tiles; a whole number from 1 to 65536. Default 16. */
  readonly tiles?: number | undefined;
  /** Tiles in memory at a time, by gradient caching: the same run up to rounding; null is what fits; tiles; a whole number of at least 1 or null. Default null. */
  readonly micro_batch?: number | null | undefined;
  /** Batches an optimiser step sees; batches; a whole number of at least 1. Default 1. */
  readonly grad_accum?: number | undefined;
  /** Learning rate; a number above 0. Default 0.0001. */
  readonly lr?: number | undefined;
  /** Decoupled weight decay of matrices; a number of at least 0. Default 0.01. */
  readonly weight_decay?: number | undefined;
  /** AdamW's memory of gradients; a number from 0 to 0.9999. Default 0.9. */
  readonly beta1?: number | undefined;
  /** AdamW's memory of their squares; a number from 0 to 0.999999. Default 0.999. */
  readonly beta2?: number | undefined;
  /** AdamW's epsilon; a number between 0 and 0.01. Default 1e-8. */
  readonly eps?: number | undefined;
  /** Learning rate over the steps; cosine | constant. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate at the start of a stage; steps; a whole number of at least 0. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Learning rate that cosine ends with; a number of at least 0. Default 0. */
  readonly min_lr?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip; a number of at least 0. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Seed of everything random; a whole number from 0 to 4294967295. Default 42. */
  readonly seed?: number | undefined;
  /** Of train=encoder: learning rate of the encoder; lr is that of heads; a number above 0. Default 0.00002. */
  readonly encoder_lr?: number | undefined;
  /** f16 stores the encoder's frozen weights and activations in half; sums, losses and what trains are f32, and the loss is scaled; f32 | f16. Default f32. */
  readonly precision?: "f32" | "f16" | undefined;
  /** Flips and rotations (soft), and colour, blur and crops with them (hard); none | soft | hard. Default none. */
  readonly augment?: "none" | "soft" | "hard" | undefined;
  /** Where the frozen blocks' results are kept; off computes them every time, with exact augmentation; memory | disk | off. Default memory. */
  readonly cache?: "memory" | "disk" | "off" | undefined;
  /** Flips and rotations kept of a patch, of 8; a whole number from 1 to 8. Default 1. */
  readonly cache_views?: number | undefined;
  /** Views with other colours kept of a patch besides, with augment: hard; a whole number from 0 to 64. Default 0. */
  readonly cache_colour_views?: number | undefined;
  /** Precision of what is kept; f16 | f32. Default f16. */
  readonly cache_dtype?: "f16" | "f32" | undefined;
  /** Most the cache may take; GiB; a number above 0. Default 8. */
  readonly cache_budget?: number | undefined;
  /** Folder of cache: disk; null is beside the run; a text or null. Default null. */
  readonly cache_dir?: string | null | undefined;
  /** Between two evaluations; 0: at the end; epochs; a whole number of at least 0. Default 10. */
  readonly eval_every?: number | undefined;
  /** Evaluations without a better one after which training stops; 0 never stops; evaluations; a whole number of at least 0. Default 10. */
  readonly early_stop_patience?: number | undefined;
  /** Least difference that counts as better; a number of at least 0. Default 0. */
  readonly early_stop_min_delta?: number | undefined;
  /** Between two checkpoints; 0: at the end; epochs; a whole number of at least 0. Default 0. */
  readonly save_every?: number | undefined;
  /** The same by steps; 0: not; steps; a whole number of at least 0. Default 0. */
  readonly save_every_steps?: number | undefined;
  /** Between two lines of metrics; steps; a whole number of at least 1. Default 10. */
  readonly log_every?: number | undefined;
}

/** Configuration of method `vortex`: the keys of its YAML files; what is left out has its default. */
export interface VortexSettings {
  /** Table (TSV or CSV), a measured section a line: volume, path, patient, expression, and z (µm) or landmarks, part, spacing (Z,Y,X); a text or null. Default null. */
  readonly volumes?: string | null | undefined;
  /** Volume of interest, which is trained on last and predicted; null trains on all volumes and on none at the end; a text or null. Default null. */
  readonly voi?: string | null | undefined;
  /** Volumes are tables of serial sections (H&E), an extension: VORTEX is of continuous volumes; true or false. Default false. */
  readonly serial?: boolean | undefined;
  /** Registry name, folder, or random:ARCH; a text. Default conch. */
  readonly encoder?: string | undefined;
  /** LoRA to start from: a PEFT folder; a text or null. Default null. */
  readonly adapter?: string | null | undefined;
  /** Side of the images the encoder is fed; null is 224 for CONCH and else the encoder's own; px; a whole number from 1 to 8192 or null. Default null. */
  readonly image_size?: number | null | undefined;
  /** Run folder; a text or null. Default null. */
  readonly out?: string | null | undefined;
  /** Side of a patch, within a slice; µm; a number above 0. Default 112. */
  readonly field?: number | undefined;
  /** Slices of a patch; that of the spot is at its middle; slices; a whole number from 1 to 256. Default 8. */
  readonly slices?: number | undefined;
  /** Between slices of a patch; µm; a number above 0. Default 8. */
  readonly slice_step?: number | undefined;
  /** Intensities that become 0 and 1: LOW,HIGH; none is 0,255 of bytes and else 0 and the 99th percentile; a list of numbers. Default []. */
  readonly window?: readonly number[] | undefined;
  /** Flip and turn patches within the slice; depth is never turned; true or false. Default true. */
  readonly flips?: boolean | undefined;
  /** Change brightness by 10 % and offset by 5 %; true or false. Default true. */
  readonly jitter?: boolean | undefined;
  /** Genes, by variance and autocorrelation in space; a whole number from 1 to 100000. Default 50. */
  readonly n_genes?: number | undefined;
  /** Genes to have besides; a list of texts. Default []. */
  readonly genes_include?: readonly string[] | undefined;
  /** File with genes, one a line, in place of those; a text or null. Default null. */
  readonly gene_list?: string | null | undefined;
  /** Share of the spots of a volume's training sections in which a gene is seen, else the volume does not count for it; a number from 0 to 1. Default 0.1. */
  readonly least_spots?: number | undefined;
  /** log1p of counts per ten thousand, or values as the files have them; log_norm | none. Default log_norm. */
  readonly gene_norm?: "log_norm" | "none" | undefined;
  /** Last blocks that LoRA adapts or, without LoRA, that train; -1 is all, and 0 is 1 with LoRA; blocks; a whole number of at least -1. Default 1. */
  readonly partial_blocks?: number | undefined;
  /** Without LoRA: train the last blocks; false freezes the encoder; true or false. Default true. */
  readonly partial_tune?: boolean | undefined;
  /** Slices of a patch: a transformer over depth behind the encoder; tubelets, which the encoder sees all at once; or to compare with, their mean, or that of the spot alone; depth | tubelets | mean | centre. Default depth. */
  readonly aggregate?: "depth" | "tubelets" | "mean" | "centre" | undefined;
  /** Slices of a tubelet; its weights begin as the encoder's of slices; a whole number from 1 to 64. Default 2. */
  readonly tubelet?: number | undefined;
  /** Blocks of the transformer over depth; a whole number from 1 to 24. Default 2. */
  readonly depth_blocks?: number | undefined;
  /** Its heads; 0 are as many as the encoder has; a whole number from 0 to 64. Default 0. */
  readonly depth_heads?: number | undefined;
  /** Width of what is pooled; a whole number from 1 to 4096. Default 512. */
  readonly width?: number | undefined;
  /** Heads of the poolers; a whole number from 1 to 64. Default 8. */
  readonly pool_heads?: number | undefined;
  /** Width of the gene encoder; a whole number from 1 to 8192. Default 1024. */
  readonly gene_hidden?: number | undefined;
  /** Its dropout; a number from 0 to 0.9. Default 0.2. */
  readonly gene_dropout?: number | undefined;
  /** A head of each volume beside the shared one, and one of the volume of interest by ridge; or the shared one alone; per_volume | shared. Default per_volume. */
  readonly heads?: "per_volume" | "shared" | undefined;
  /** Train low-rank updates of the last blocks; true or false. Default true. */
  readonly use_lora?: boolean | undefined;
  /** Rank; a whole number from 1 to 1024. Default 8. */
  readonly r?: number | undefined;
  /** The update is multiplied by lora_alpha / r; a number above 0. Default 8. */
  readonly lora_alpha?: number | undefined;
  /** Dropout on the input of the updates; a number from 0 to 0.95. Default 0.15. */
  readonly lora_dropout?: number | undefined;
  /** Multiply by lora_alpha / sqrt(r) instead; true or false. Default false. */
  readonly use_rslora?: boolean | undefined;
  /** Layers by the reference's rule (in Phikon-v2 the MLP alone), or all four of a block; seal | standard. Default seal. */
  readonly lora_rule?: "seal" | "standard" | undefined;
  /** Weight of the loss between patches and expression; a number of at least 0. Default 0.2. */
  readonly lambda_contrast?: number | undefined;
  /** Weight of the regression; a number of at least 0. Default 1. */
  readonly lambda_reg?: number | undefined;
  /** Of the loss between patches and expression at the start; it is trained between 0.01 and 0.5; a number from 0.01 to 0.5. Default 0.07. */
  readonly temperature?: number | undefined;
  /** Patches of a volume nearer than this are no negatives of each other; µm; a number of at least 0. Default 100. */
  readonly near?: number | undefined;
  /** On single slices; sections of one slice where there are any; epochs; a whole number from 0 to 100000. Default 10. */
  readonly epochs_2d?: number | undefined;
  /** Pairs a step; pairs; a whole number from 2 to 65536. Default 256. */
  readonly batch_2d?: number | undefined;
  /** On patches with depth, of all volumes but that of interest; epochs; a whole number from 0 to 100000. Default 20. */
  readonly epochs_3d?: number | undefined;
  /** Pairs a step; every other batch is of one volume, the others of all in equal parts; pairs; a whole number from 2 to 65536. Default 128. */
  readonly batch_3d?: number | undefined;
  /** On the volume of interest, behind the ridge regression that its head begins with; 0 leaves that; steps; a whole number from 0 to 1000000. Default 0. */
  readonly voi_steps?: number | undefined;
  /** Pairs a step; pairs; a whole number from 2 to 65536. Default 64. */
  readonly batch_voi?: number | undefined;
  /** Most spots of the volume of interest to train on, drawn by the seed; null uses all; spots; a whole number of at least 4 or null. Default null. */
  readonly voi_spots?: number | null | undefined;
  /** Share of the spots of interest, at one end of the section, by which the steps on them stop; 0: the last step; a number from 0 to 0.5. Default 0.2. */
  readonly val_fraction?: number | undefined;
  /** Learning rate of what is new, in 2D and 3D; a number above 0. Default 0.0001. */
  readonly lr?: number | undefined;
  /** Of the encoder in 3D; in 2D it has lr; a number of at least 0. Default 0.00002. */
  readonly lr_encoder?: number | undefined;
  /** Of poolers and head on the volume of interest; a number above 0. Default 0.0003. */
  readonly lr_voi?: number | undefined;
  /** Of the transformer over depth there; a number of at least 0. Default 0.0001. */
  readonly lr_voi_depth?: number | undefined;
  /** Of the encoder there, slices flipped and turned as before; 0 leaves it as it is, and slices are encoded once; a number of at least 0. Default 0. */
  readonly lr_voi_encoder?: number | undefined;
  /** Decoupled weight decay of all parameters; a number of at least 0. Default 0.05. */
  readonly weight_decay?: number | undefined;
  /** AdamW's memory of gradients; a number from 0 to 0.9999. Default 0.9. */
  readonly beta1?: number | undefined;
  /** AdamW's memory of their squares; a number from 0 to 0.999999. Default 0.999. */
  readonly beta2?: number | undefined;
  /** AdamW's epsilon; a number between 0 and 0.01. Default 1e-8. */
  readonly eps?: number | undefined;
  /** Learning rate over the steps; cosine | constant. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate at the start of a stage; steps; a whole number of at least 0. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Learning rate that cosine ends with; a number of at least 0. Default 0. */
  readonly min_lr?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip; a number of at least 0. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Seed of everything random; a whole number from 0 to 4294967295. Default 42. */
  readonly seed?: number | undefined;
  /** Without LoRA: factor on the learning rate a block further from the output; a number from 0.01 to 1. Default 0.7. */
  readonly layer_decay?: number | undefined;
  /** Slices in memory at a time, by gradient caching; null is what fits; slices; a whole number of at least 1 or null. Default null. */
  readonly micro_batch?: number | null | undefined;
  /** Batches an optimiser step sees; batches; a whole number of at least 1. Default 1. */
  readonly grad_accum?: number | undefined;
  /** f16 stores the encoder's frozen weights and activations in half; sums, losses and what trains are f32, and the loss is scaled; f32 | f16. Default f32. */
  readonly precision?: "f32" | "f16" | undefined;
  /** Between two evaluations; 0: at the end; epochs; a whole number of at least 0. Default 5. */
  readonly eval_every?: number | undefined;
  /** Evaluations without a better one after which training stops; 0 never stops; evaluations; a whole number of at least 0. Default 0. */
  readonly early_stop_patience?: number | undefined;
  /** Between two checkpoints; 0: at the end; epochs; a whole number of at least 0. Default 0. */
  readonly save_every?: number | undefined;
  /** The same by steps; 0: not; steps; a whole number of at least 0. Default 0. */
  readonly save_every_steps?: number | undefined;
  /** Between two lines of metrics; steps; a whole number of at least 1. Default 10. */
  readonly log_every?: number | undefined;
}

/** Configurations by the name of the method. */
export interface MethodSettings {
  /** Of method `seal`. */
  readonly seal: SealSettings;
  /** Of method `mil`. */
  readonly mil: MilSettings;
  /** Of method `spade`. */
  readonly spade: SpadeSettings;
  /** Of method `bulk`. */
  readonly bulk: BulkSettings;
  /** Of method `vortex`. */
  readonly vortex: VortexSettings;
}
