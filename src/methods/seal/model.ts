/**
 * SEAL's model: an image encoder with its trainable side, a gene model, an image decoder and heads, and the objective that
 * ties them together.
 *
 *     z = encoder(image) (+ organ) (then bottleneck);  {z_gene, y_gene} = gene model(x);  y_img = decoder(z)
 *     L = l_contrast contrast(head(z), head(z_gene)) + l_recon_gene s gene_loss(y_gene, x)
 *         + l_recon_img s gene_loss(y_img, x) + the gene model's own + l_cca cca + l_da cross_entropy(discriminator(z), slide)
 *
 * Both decoders read embeddings before their heads. The reference's repository has the modules and the gene losses; the sum,
 * and the factor s on both reconstructions, are reconstructed from its configuration.
 *
 * Source: github.com/mahmoodlab/SEAL (`seal/models/*`, `seal/losses/gene_loss.py`, `conf/config.yaml`), arXiv 2602.14177.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { cca } from "../../losses/contrastive/cca.ts";
import type { ContrastiveLoss } from "../../losses/contrastive_loss.ts";
import type { GeneLossEntry } from "../../losses/gene_loss.ts";
import { CONTRASTIVE_LOSSES, GENE_LOSSES } from "../../losses/registry.ts";
import { type BottleneckAdapter, createBottleneckAdapter } from "../../models/bottleneck_adapter.ts";
import { createDiscriminator, type Discriminator } from "../../models/discriminator.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { GeneModel, GeneOutput } from "../../models/gene_model.ts";
import { createGeneModel, geneModelConfig, geneModelEntry } from "../../models/gene_registry.ts";
import { createImageDecoder, type ImageDecoder } from "../../models/image_decoder.ts";
import { createOrganToken, type OrganToken } from "../../models/organ_token.ts";
import { createProjectionHead, type ProjectionHead } from "../../models/projection_head.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { add } from "../../ops/binary.ts";
import { crossEntropy } from "../../ops/cross_entropy.ts";
import { affine } from "../../ops/scale.ts";
import type { SealConfig } from "./config.ts";

/** Before the names of the gene model's parameters. */
export const GENE_PREFIX = "gene.";

/** What the data decide. */
export interface SealSizes {
  /** Genes of the vocabulary, G. */
  readonly genes: number;
  /** Slides that training pairs come from, which the discriminator tells apart. */
  readonly slides: number;
}

/** What a batch holds beside images. */
export interface SealBatch {
  /** Expression `[B, G]`, f32. */
  readonly x: Tensor;
  /** What a standardised loss divides each gene by, `[G]`, f32. */
  readonly std: Tensor;
  /** Number of the slide of each pair, `[B]`, u32; needed with `lambda_da`. */
  readonly slide?: Tensor | undefined;
}

/** Scalars of a step, `[1]` each; `loss` is what is minimised. */
export type SealLosses = { loss: Tensor } & Record<string, Tensor>;

/** How parts run. */
export interface PartOptions {
  /** Dropout, sampling and batch statistics; default false. */
  readonly training?: boolean;
}

/** A model whose parameters exist. */
export interface SealModel {
  readonly parameters: Parameters;
  readonly encoder: Encoder;
  readonly gene: GeneModel;
  readonly decoder: ImageDecoder | undefined;
  readonly imageHead: ProjectionHead;
  readonly geneHead: ProjectionHead;
  /** Features of both embeddings, D. */
  readonly dim: number;
  /** Whether the projections of both sides have the same width, and can be compared. */
  readonly joint: boolean;
  /** Whether a batch must name organs. */
  readonly organs: boolean;
  /**
   * Appends what follows the encoder up to the embedding that decoder and probes read.
   *
   * @param embedding Of the encoder, `[B, D]`.
   * @param organ Number of each organ, `[B]`, u32.
   */
  embed(g: Plan, embedding: Tensor, organ?: Tensor): Tensor;
  /** Appends the objective of the alignment. @param z As {@linkcode SealModel.embed} gives it, `[B, D]`. */
  objective(g: Plan, z: Tensor, batch: SealBatch): SealLosses;
  /** Appends the objective of the omics warm-up. @param target Expression to reconstruct; `batch.x` unless given. */
  warmup(g: Plan, batch: SealBatch, target?: Tensor): SealLosses;
}

/** Parts of a model. */
interface Parts extends Pick<SealModel, "parameters" | "encoder" | "gene" | "decoder" | "imageHead" | "geneHead"> {
  readonly organ: OrganToken | undefined;
  readonly adapter: BottleneckAdapter | undefined;
  readonly discriminator: Discriminator | undefined;
  readonly contrast: ContrastiveLoss;
  readonly geneLoss: GeneLossEntry;
}

/** Refuses what compares both sides where they have different widths. */
function checkWidths({ gene, loss, eval: { best_metric } }: SealConfig, given: number, wanted: number): void {
  const widths = `gene_model ${gene.gene_model} embeds ${given} features, the encoder ${wanted}`;
  if (loss.lambda_contrast > 0) {
    throw new ConfigError(`Cannot align: ${widths}`, {
      hint: `gene_model=vae, lambda_contrast=0, or n_train_genes=${wanted}`,
      context: { given, wanted },
    });
  }
  if (best_metric.startsWith("recall")) {
    throw new ConfigError(`Cannot go by ${best_metric}: ${widths}`, {
      hint: "best_metric=pearson_mean",
      context: { keys: ["best_metric", "gene_model"] },
    });
  }
}

/**
 * Adds everything beside the encoder to its set of parameters; call `parameters.allocate()` afterwards.
 *
 * @param encoder Whose parameters train or not, and have low-rank updates or not, already.
 * @throws {ConfigError} If parts do not fit each other.
 */
export function createSealModel(encoder: Encoder, config: SealConfig, sizes: SealSizes): SealModel {
  const { parameters, dim } = encoder;
  const { model, gene, loss, optim } = config;
  const { genes, slides } = sizes;
  const { seed } = optim;
  const geneOptions = { prefix: GENE_PREFIX, seed };
  const head = model.projection_head;
  const geneModel = createGeneModel(parameters, geneModelConfig(gene, { genes, dim }), geneOptions);
  if (geneModel.dim !== dim) checkWidths(config, geneModel.dim, dim);
  const nuclear = loss.cca_form === "nuclear" &&
    (loss.lambda_cca > 0 || (loss.contrast_method === "cca" && loss.lambda_contrast > 0));
  if (nuclear && optim.batch_size <= dim) {
    throw new ConfigError(
      `Cannot train with cca: batch_size is ${optim.batch_size}, wanted more than the embedding's ${dim} features`,
      { hint: `cca_form=trace, or batch_size=${dim + 1} or more`, context: { keys: ["cca_form", "batch_size"] } },
    );
  }
  return assemble(config, {
    parameters,
    encoder,
    gene: geneModel,
    decoder: loss.lambda_recon_img > 0
      ? createImageDecoder(parameters, {
        dim,
        genes,
        dropout: gene.dec_dropout,
        batchNorm: gene.dec_batch_norm,
        finalActivation: model.final_activation,
      }, { seed })
      : undefined,
    imageHead: createProjectionHead(parameters, { kind: head, dim }, { seed }),
    geneHead: createProjectionHead(parameters, { kind: head, dim: geneModel.dim }, geneOptions),
    organ: model.organ_token ? createOrganToken(parameters, { dim }, { seed }) : undefined,
    adapter: model.use_adapter
      ? createBottleneckAdapter(parameters, {
        dim,
        bottleneck: model.adapter_bottleneck,
        mode: model.adapter_compat_double ? "twice" : model.adapter_residual ? "residual" : "once",
      }, { seed })
      : undefined,
    discriminator: loss.lambda_da > 0
      ? createDiscriminator(parameters, { dim, classes: Math.max(2, slides) }, { seed })
      : undefined,
    contrast: CONTRASTIVE_LOSSES[loss.contrast_method].create(loss, parameters),
    geneLoss: GENE_LOSSES[loss.gene_loss],
  });
}

/** Weighted sum of scalars; those of weight 0 are left out. */
function weighted(g: Plan, terms: readonly (readonly [Tensor, number])[]): Tensor {
  const parts = terms.filter(([, weight]) => weight !== 0).map(([term, weight]) => affine(g, term, weight));
  if (!parts.length) throw new ConfigError("Cannot train: every term of the loss has weight 0");
  return parts.reduce((sum, part) => add(g, sum, part));
}

/** The loss of decoded expression, told what expression is. */
export function reconstruction(
  { genes, loss: values }: Pick<SealConfig, "genes" | "loss">,
  { loss, needsStd }: GeneLossEntry,
) {
  const space = genes.gene_norm === "none" ? "counts" : "log1p";
  // Deviations have their floor already.
  return (g: Plan, y: Tensor, { x, std }: SealBatch): Tensor =>
    g.module("reconstruction", () => loss(g, y, x, { ...values, space, ...(needsStd && { std, floor: 0 }) }));
}

/** Terms of the gene model's own that have a weight, each with its name before it. */
function ownTerms({ auxWeights }: GeneModel, { aux }: GeneOutput): [string, Tensor, number][] {
  return Object.entries(aux)
    .map(([name, term]): [string, Tensor, number] => [`loss_${name}`, term, auxWeights[name] ?? 0])
    .filter(([, , weight]) => weight !== 0);
}

/** Runs the gene model: as in evaluation and with nothing recorded where it is frozen, but not in its own warm-up. */
function geneRunner({ gene: values, warmup }: SealConfig, gene: GeneModel) {
  const latent = geneModelEntry(values.gene_model).latent?.(values);
  return (g: Plan, x: Tensor, frozen = warmup.two_stage_training): GeneOutput =>
    g.module(
      "gene model",
      () =>
        frozen
          ? g.withoutTape(() => gene.forward(g, x, { training: false, latent: "mean" }))
          : gene.forward(g, x, { training: true, ...(latent !== undefined && { latent }) }),
    );
}

function assemble(config: SealConfig, parts: Parts): SealModel {
  const { loss, warmup, optim } = config;
  const { encoder, gene, decoder, imageHead, geneHead, organ, adapter, discriminator, contrast, geneLoss } = parts;
  const frozenGene = warmup.two_stage_training;
  const runGene = geneRunner(config, gene);
  const reconstruct = reconstruction(config, geneLoss);

  const objective: SealModel["objective"] = (g, z, batch) => {
    g.exactZeros = optim.exact_zeros;
    const out = runGene(g, batch.x);
    const [image, genes] = [
      g.module("image head", () => imageHead.forward(g, z, { training: true })),
      g.module("gene head", () => geneHead.forward(g, out.z, { training: true })),
    ];
    const terms: [string, Tensor, number][] = [];
    if (loss.lambda_contrast > 0) {
      terms.push(["loss_contrast", g.module("contrast", () => contrast(g, image, genes)), loss.lambda_contrast]);
    }
    const geneWeight = frozenGene ? 0 : loss.lambda_recon_gene * geneLoss.scale;
    terms.push(["loss_recon_gene", reconstruct(g, out.y, batch), geneWeight]);
    if (decoder) {
      const y = g.module("image decoder", () => decoder.forward(g, z, { training: true }));
      terms.push(["loss_recon_img", reconstruct(g, y, batch), loss.lambda_recon_img * geneLoss.scale]);
    }
    if (!frozenGene) terms.push(...ownTerms(gene, out));
    if (loss.lambda_cca > 0) {
      const options = { regularisation: loss.cca_reg, form: loss.cca_form };
      terms.push(["loss_cca", g.module("cca", () => cca(g, image, genes, options)), loss.lambda_cca]);
    }
    if (discriminator) {
      const adversary = () => crossEntropy(g, discriminator.forward(g, z), batch.slide!);
      terms.push(["loss_da", g.module("discriminator", adversary), loss.lambda_da]);
    }
    const total = weighted(g, terms.map(([, term, weight]) => [term, weight]));
    return { loss: total, ...Object.fromEntries(terms.map(([name, term]) => [name, term])) };
  };
  const warmUp = (g: Plan, batch: SealBatch, target: Tensor): SealLosses => {
    g.exactZeros = optim.exact_zeros;
    const out = runGene(g, batch.x, false);
    const recon = reconstruct(g, out.y, { ...batch, x: target });
    const terms = ownTerms(gene, out);
    // Unscaled, as the reference's loop has it.
    const total = weighted(g, [[recon, 1], ...terms.map(([, term, weight]) => [term, weight] as const)]);
    return { loss: total, loss_recon_gene: recon, ...Object.fromEntries(terms.map(([name, term]) => [name, term])) };
  };

  return {
    ...parts,
    dim: encoder.dim,
    joint: parts.gene.dim === encoder.dim,
    organs: organ !== undefined,
    embed(g, embedding, organId) {
      g.exactZeros = optim.exact_zeros;
      const z = organ ? g.module("organ token", () => organ.forward(g, embedding, organId!)) : embedding;
      return adapter ? g.module("adapter", () => adapter.forward(g, z)) : z;
    },
    objective: (g, z, batch) => g.module("objective", () => objective(g, z, batch)),
    warmup: (g, batch, target = batch.x) => g.module("warm-up", () => warmUp(g, batch, target)),
  };
}
