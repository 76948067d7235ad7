/**
 * Variational autoencoder of expression with planar flows: SEAL's default gene model.
 *
 * h = encoder(x), mu and l = log sigma^2 linear in h, z0 = mu + exp(l / 2) e with e ~ N(0, 1), z = fK(.. f1(z0)), y =
 * decoder(z). The original draws z0 in evaluation too; here the default there is e = 0.
 *
 * Its divergence is that of the base posterior less the flows' log-determinant, mean over rows of sum (e^l + mu^2 - 1 - l) / 2
 * - logdet: no bound on the likelihood, since the prior is not asked about z. The exact one for the drawn sample is
 * ln q0(z0) - logdet - ln N(z; 0, 1) = sum (z^2 - l - e^2) / 2 - logdet.
 *
 * Source: SEAL, `seal/models/gene_model.py`; names are its own. Rezende and Mohamed, ICML 2015.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import { ConfigError } from "../../core/errors.ts";
import { expectShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { constant, moduleRng, normal } from "../../nn/init.ts";
import { applyLinear } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { createSequential, type Part, torchLinear } from "../../nn/sequential.ts";
import { exp, softplus, square } from "../../ops/activation.ts";
import { add, div, mul, sub } from "../../ops/binary.ts";
import { planarFlow, type PlanarFlowParams } from "../../ops/planar_flow.ts";
import { random } from "../../ops/random.ts";
import { mean, meanAll, sumAll } from "../../ops/reduce.ts";
import { affine, scale } from "../../ops/scale.ts";
import { expectRates, expectSizes, type ModuleOptions } from "../module_options.ts";
import {
  expectGenes,
  type GeneForward,
  type GeneModel,
  type GeneModelEntry,
  type GeneOutput,
  type Latent,
  MASKED_WEIGHT,
  maskedError,
  maskInputs,
} from "../gene_model.ts";

const keys = {
  latent: {
    kind: "choice",
    of: ["sample", "mean", "mc"],
    default: "sample",
    doc: "Latent of the VAE in training: one draw, the mean, or the mean of several draws; evaluation takes the mean",
  },
  latent_samples: { kind: "number", default: 8, min: 1, max: 64, integer: true, doc: "Draws of latent: mc" },
  kl_loss: { kind: "flag", default: false, doc: "Add the divergence from the prior, divided by the latent's width" },
  kl_form: {
    kind: "choice",
    of: ["reference", "exact"],
    default: "reference",
    doc: "Divergence as the reference computes it, or the flow's own by the drawn sample",
  },
  vae_dropout: { kind: "number", default: 0, min: 0, max: 0.95, doc: "Dropout of the VAE's encoder" },
  vae_flows: { kind: "number", default: 3, min: 0, max: 16, integer: true, doc: "Planar flows of the VAE" },
  flow_constraint: { kind: "flag", default: false, doc: "Keep the flows invertible" },
} as const satisfies Keys;

/** Sizes of the model. Defaults are the original's. */
export interface VaeConfig {
  /** Genes, G. */
  readonly genes: number;
  /** Features of the latent, L. */
  readonly dim: number;
  /** Widths between input and posterior; default 1024 and 512. The decoder has them in reverse. */
  readonly hidden?: readonly number[];
  /** Dropout of the encoder; default 0. */
  readonly dropout?: number;
  /** Dropout before the last layer of the decoder; default 0. */
  readonly decoderDropout?: number;
  /** Batch normalisation in the decoder too; default false. */
  readonly decoderBatchNorm?: boolean;
  /** Planar flows; default 3. */
  readonly flows?: number;
  /** Share of inputs hidden in training; default 0. */
  readonly maskRatio?: number;
  /** Divergence in the objective, with weight 1/L: none (default), as the original has it, or the exact one. */
  readonly kl?: "none" | "reference" | "flow";
  /** Keeps the flows invertible by bending u towards u . w >= -1; default false. */
  readonly constrainFlows?: boolean;
}

/** Values of {@linkcode VaeConfig.kl}, with what each adds to the objective. */
const DIVERGENCES = { none: undefined, reference: "kl", flow: "kl_flow" } as const;

/** Default widths. */
const HIDDEN: readonly number[] = [1024, 512];

const WHAT = "the gene VAE";

function check(config: VaeConfig): void {
  const { genes, dim, hidden = HIDDEN, dropout = 0, decoderDropout = 0, flows = 3, maskRatio = 0 } = config;
  expectSizes(WHAT, { genes, dim, "number of hidden layers": hidden.length });
  expectSizes(WHAT, Object.fromEntries(hidden.map((width, i) => [`hidden[${i}]`, width])));
  if (flows !== 0) expectSizes(WHAT, { flows });
  expectRates(WHAT, { dropout, decoderDropout, maskRatio });
  const { kl = "none" } = config;
  if (!Object.hasOwn(DIVERGENCES, kl)) {
    throw new ConfigError(`Cannot build ${WHAT}: kl is ${kl}, wanted ${Object.keys(DIVERGENCES).join(", ")}`, {
      context: { key: "kl", given: kl },
    });
  }
}

function encoderParts(genes: number, hidden: readonly number[], dropout: number): Part[] {
  return hidden.flatMap((width, i): Part[] => [
    ["linear", hidden[i - 1] ?? genes, width],
    ["batchnorm", width],
    ["relu"],
    ["dropout", dropout],
  ]);
}

/** Normalisation comes after relu here, as the original has it. */
function decoderParts(
  { genes, dim, decoderDropout = 0, decoderBatchNorm = false }: VaeConfig,
  widths: number[],
): Part[] {
  return [
    ...widths.flatMap((width, i): Part[] => [
      ["linear", widths[i - 1] ?? dim, width],
      ["relu"],
      ...(decoderBatchNorm ? [["batchnorm", width] as const] : []),
    ]),
    ["dropout", decoderDropout],
    ["linear", widths.at(-1)!, genes],
  ];
}

/** u such that u . w >= -1: u + (softplus(u . w) - 1 - u . w) w / |w|^2. Source: Rezende and Mohamed, appendix A.1. */
function invertible(g: Plan, { u, w, b }: PlanarFlowParams): PlanarFlowParams {
  const dot = sumAll(g, mul(g, u, w));
  const short = sub(g, affine(g, softplus(g, dot), 1, -1), dot);
  return { u: add(g, u, scale(g, w, div(g, short, sumAll(g, square(g, w))))), w, b };
}

/** The noise of a latent; undefined for the mean. */
function noiseOf(
  g: Plan,
  name: string,
  [B, L]: readonly number[],
  latent: Latent,
  given: Tensor | undefined,
): Tensor | undefined {
  if (latent === "mean") {
    if (given) throw new ConfigError("Cannot use noise: the latent is the mean, wanted sample or mc");
    return undefined;
  }
  const mc = latent === "sample" ? undefined : latent.mc;
  if (mc !== undefined) expectSizes("a latent of several samples", { mc });
  const shape = mc === undefined ? [B!, L!] : [mc, B!, L!];
  if (given) expectShape("the gene model", "noise", given.shape, shape);
  return given ?? random(g, `${name}.latent`, shape, { rows: shape.length - 2 });
}

/** Both divergences; the exact one only where the latent was drawn. */
function divergences(
  g: Plan,
  { mu, logvar, std }: { mu: Tensor; logvar: Tensor; std: Tensor },
  { samples, logdet, noise }: { samples: Tensor; logdet: Tensor; noise: Tensor | undefined },
): Record<string, Tensor> {
  const B = mu.dim(0);
  const volume = meanAll(g, logdet);
  const base = affine(g, sub(g, add(g, square(g, std), square(g, mu)), logvar), 0.5, -0.5);
  const kl = sub(g, affine(g, sumAll(g, base), 1 / B), volume);
  if (!noise) return { kl };
  // Several samples share mu and l: subtract e^2 from z^2 sample by sample, l once.
  const rows = noise.size / mu.dim(1);
  const drawn = affine(g, sumAll(g, sub(g, square(g, samples), square(g, noise))), 0.5 / rows);
  const exact = sub(g, sub(g, drawn, affine(g, sumAll(g, logvar), 0.5 / B)), volume);
  return { kl, kl_flow: exact };
}

/**
 * Adds the model: `encoder.*`, `fc_mu`, `fc_logvar`, `flows.*`, `decoder.*`.
 *
 * @throws {ConfigError} If a size or rate is unusable.
 */
export function createVae(parameters: Parameters, config: VaeConfig, options: ModuleOptions = {}): GeneModel {
  const { genes, dim, hidden = HIDDEN, dropout = 0, flows: count = 3, maskRatio = 0 } = config;
  const { kl = "none", constrainFlows = false } = config;
  const { prefix = "", seed } = options;
  check(config);
  const name = `${prefix}vae`;
  const rng = moduleRng(seed, name);
  const start = rng && { init: normal(rng, 0.01) };
  const last = hidden.at(-1)!;
  const encoder = createSequential(parameters, `${prefix}encoder`, encoderParts(genes, hidden, dropout), rng);
  const fcMu = torchLinear(parameters, `${prefix}fc_mu`, [last, dim], rng);
  const fcLogvar = torchLinear(parameters, `${prefix}fc_logvar`, [last, dim], rng);
  const flows = Array.from({ length: count }, (_, i) => ({
    u: parameters.add(`${prefix}flows.${i}.u`, [dim], start),
    w: parameters.add(`${prefix}flows.${i}.w`, [dim], start),
    b: parameters.add(`${prefix}flows.${i}.b`, [1], rng && { init: constant(0) }),
  }));
  const parts = decoderParts(config, [...hidden].reverse());
  const decoder = createSequential(parameters, `${prefix}decoder`, parts, rng);

  const flow = (g: Plan, z0: Tensor) => {
    let z = z0;
    let logdet: Tensor | undefined;
    for (const params of flows) {
      const step = planarFlow(g, z, constrainFlows ? invertible(g, params) : params);
      z = step.y;
      logdet = logdet ? add(g, logdet, step.logdet) : step.logdet;
    }
    return { samples: z, logdet: logdet ?? zeros(g, z0.shape.slice(0, -1)) };
  };

  const forward = (g: Plan, input: Tensor, options: GeneForward = {}): GeneOutput => {
    const { training = false, latent = training ? "sample" : "mean" } = options;
    expectGenes(WHAT, input.shape, genes);
    const { x, mask } = maskInputs(g, name, input, maskRatio, options);
    const h = encoder.forward(g, x, training);
    const mu = applyLinear(g, fcMu, h);
    const logvar = applyLinear(g, fcLogvar, h);
    const std = exp(g, affine(g, logvar, 0.5));
    const noise = noiseOf(g, name, mu.shape, latent, options.noise);
    const { samples, logdet } = flow(g, noise ? add(g, mul(g, noise, std), mu) : mu);
    const several = typeof latent !== "string";
    const z = several ? mean(g, samples, { dims: 0 }) : samples;
    const y = decoder.forward(g, z, training);
    const aux = divergences(g, { mu, logvar, std }, { samples, logdet, noise });
    return {
      z,
      y,
      mu,
      logvar,
      logdet: several ? mean(g, logdet, { dims: 0 }) : logdet,
      ...(mask && { mask }),
      aux: mask ? { ...aux, mlm: maskedError(g, y, input, mask) } : aux,
    };
  };
  const divergence = DIVERGENCES[kl];
  const auxWeights = { ...(divergence && { [divergence]: 1 / dim }), mlm: MASKED_WEIGHT };
  return { name: "vae", genes, dim, auxWeights, forward };
}

function zeros(g: Plan, shape: readonly number[]): Tensor {
  return g.constant(`zeros ${shape.join("x")}`, shape, "f32", () => new Float32Array(shape.reduce((a, b) => a * b, 1)));
}

/** How configurations and files build it. */
export const entry: GeneModelEntry<VaeConfig, typeof keys> = {
  keys,
  create: createVae,
  sizes: (values, size) => ({
    ...size,
    dropout: values.vae_dropout,
    decoderDropout: values.dec_dropout,
    hidden: values.hidden_dims,
    decoderBatchNorm: values.dec_batch_norm,
    flows: values.vae_flows,
    maskRatio: values.mask_ratio,
    kl: values.kl_loss ? (values.kl_form === "exact" ? "flow" : "reference") : "none",
    constrainFlows: values.flow_constraint,
  }),
  hidden: true,
  masks: true,
  latent: ({ latent, latent_samples }) => (latent === "mc" ? { mc: latent_samples } : latent),
  rules: ({ kl_loss, kl_form, latent }, chosen) => [
    [
      ["kl_loss", "gene_model"],
      !kl_loss || chosen === "vae",
      `Cannot add a divergence: gene_model ${chosen} has no posterior, wanted vae`,
      "kl_loss=false",
    ],
    [
      ["kl_form", "latent"],
      !kl_loss || kl_form === "reference" || chosen !== "vae" || latent !== "mean",
      "Cannot add the exact divergence: latent is mean, wanted a drawn one (sample or mc)",
      "kl_form=reference, or latent=sample",
    ],
  ],
  file: {
    marker: "fc_mu.weight",
    sizes(shapes) {
      const layers = shapes.linears("encoder");
      if (!layers.length) throw shapes.fail("encoder.0.weight", "is missing", "a matrix");
      return {
        genes: layers[0]![1],
        dim: shapes.matrix("fc_mu.weight")[0],
        hidden: layers.map(([out]) => out),
        flows: shapes.indices("flows.", ".u").length,
        decoderBatchNorm: shapes.indices("decoder.", ".running_mean").length > 0,
      };
    },
  },
};

export type { VaeConfig as Config };
