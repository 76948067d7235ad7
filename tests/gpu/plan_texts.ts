/**
 * The kernel texts that plans pick on a GPU, found by recording alone: nothing is compiled and no weights are made. Used
 * to prove that every text a user's GPU will be given is run by some case.
 */

import { backward, backwardFrom } from "../../src/autodiff/backward.ts";
import type { Dtype } from "../../src/core/dtype.ts";
import { LimitError } from "../../src/core/errors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { expand } from "../../src/gpu/expand.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEncoder } from "../../src/models/encoder.ts";
import type { EncoderSpec } from "../../src/models/encoder_spec.ts";
import { preprocess } from "../../src/models/preprocess.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { add } from "../../src/ops/binary.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { cosineRank } from "../../src/ops/rank.ts";
import { affine } from "../../src/ops/scale.ts";
import { cosineTopk } from "../../src/ops/topk.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { parameterGroups } from "../../src/optim/param_groups.ts";
import { readConfig } from "../../src/train/config.ts";
import { createSealModel, type SealModel } from "../../src/train/seal_model.ts";
import { stemInputs, stemTensors } from "../../src/train/trunk.ts";
import { visionPart } from "../../src/train/vision.ts";

/** Texts by what is shown of them when no case runs one: kernel, options, and the first plan that picked it. */
export type Texts = Map<string, { kernel: string; options: string; plan: string }>;

/** Blocks recorded: a first, a middle and a last one are all a plan can tell apart. */
const DEPTH = 3;

/** Texts by kernel and variant, since plans repeat few of them many times. */
const expanded = new Map<string, string>();

/** Adds the texts of a plan. */
export function addTexts(texts: Texts, g: Plan, plan: string): void {
  for (const { kernel, variant } of g.dispatches) {
    const options = JSON.stringify(variant);
    const key = `${kernel.name} ${options}`;
    let text = expanded.get(key);
    if (text === undefined) expanded.set(key, text = expand(kernel, variant));
    if (!texts.has(text)) texts.set(text, { kernel: kernel.name, options, plan });
  }
}

function shallow(spec: EncoderSpec): EncoderSpec {
  return { ...spec, arch: { ...spec.arch, depth: Math.min(spec.arch.depth, DEPTH) } };
}

/** Plans of embedding `batch` images. */
export function embedTexts(texts: Texts, gpu: Gpu, full: EncoderSpec, dtype: Dtype, batch: number): void {
  const spec = shallow(full);
  const parameters = new Parameters(gpu, () => false);
  const encoder = createEncoder(parameters, spec, { dtype });
  const inputs = new Store(gpu);
  for (const tile of new Set([spec.input.size, spec.input.tile ?? 224, 256])) {
    const tiles = inputs.tensor("tiles", "tiles", [batch, tile, tile, 3], "u8");
    const g = new Plan(gpu);
    try {
      g.output(encoder.forward(g, preprocess(g, tiles, spec.input)).embedding);
    } catch (error) {
      if (error instanceof LimitError) continue;
      throw error;
    }
    addTexts(texts, g, `${spec.name} ${dtype} embeds ${batch} of ${tile} px`);
  }
}

/** How a training plan is recorded. */
export interface Training {
  /** `key=value` of the configuration beside the encoder. */
  readonly keys: readonly [string, string][];
  readonly dtype: Dtype;
  /** Pairs a batch, images at a time. */
  readonly batch: number;
  readonly micro: number;
  /** Behind the cached blocks, in this type; from pixels where it is left out. */
  readonly cached?: "f16" | "f32";
  readonly genes: number;
  /** Keep nothing of the blocks but their input. */
  readonly recompute?: boolean;
}

/** Parameters, encoder and SEAL's model with their sizes, and no memory. */
function model(
  gpu: Gpu,
  full: EncoderSpec,
  training: Training,
): { model: SealModel; spec: EncoderSpec } {
  const spec = shallow(full);
  const { config } = readConfig([], [["encoder", `random:${spec.name}`], ...training.keys]);
  const part = visionPart(config, spec);
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || part.trains(name));
  const encoder = createEncoder(parameters, spec, { lora: part.lora, dtype: training.dtype });
  complete = true;
  return { model: createSealModel(encoder, config, { genes: training.genes, slides: 3 }), spec };
}

/** Plans of one training step, with as many images at a time as the device can bind, as training chooses them. */
export function trainTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec, training: Training): void {
  for (let micro = training.micro;; micro = Math.ceil(micro / 2)) {
    try {
      return addTraining(texts, gpu, spec, { ...training, micro });
    } catch (error) {
      if (!(error instanceof LimitError) || micro === 1) throw error;
    }
  }
}

/** A whole step, or the three plans of gradient caching; the update. */
function addTraining(texts: Texts, gpu: Gpu, full: EncoderSpec, training: Training): void {
  const { batch, micro, cached, genes } = training;
  const { model: seal, spec } = model(gpu, full, training);
  const { encoder } = seal;
  const name = `${spec.name} trains ${JSON.stringify(training)}`;
  const inputs = new Store(gpu);
  const random = inputs.tensor("random", "random", [4], "u32");
  const cut = encoder.deepestCut();
  if (cached && !cut) return;
  const pieces = cached
    ? stemInputs(inputs, encoder, { cut: cut!, dtype: cached }, micro)
    : [inputs.tensor("tiles", "tiles", [micro, spec.input.size, spec.input.size, 3], "u8")];
  const organ = seal.organs ? inputs.tensor("organ", "organ", [micro], "u32") : undefined;
  const recompute = training.recompute ? Array.from({ length: spec.arch.depth }, () => true) : undefined;
  const options = { training: true, ...(recompute && { recompute }) };
  const embed = (g: Plan): Tensor => {
    g.random = random;
    const embedding = cached
      ? encoder.finish(g, stemTensors(g, pieces), cut!, options)
      : encoder.forward(g, preprocess(g, pieces[0]!, spec.input), options).embedding;
    return seal.embed(g, embedding, organ);
  };
  const numbers = {
    x: inputs.tensor("x", "x", [batch, genes]),
    std: inputs.tensor("std", "std", [genes]),
    slide: inputs.tensor("slide", "slide", [batch], "u32"),
  };
  const plans: Plan[] = [];
  const record = (body: (g: Plan) => void): void => {
    const g = new Plan(gpu);
    g.random = random;
    body(g);
    plans.push(g);
  };
  if (cached) {
    record((g) => {
      const tiles = inputs.tensor("tiles", "all", [micro, spec.input.size, spec.input.size, 3], "u8");
      stemTensors(g, encoder.trunk(g, preprocess(g, tiles, spec.input), cut!));
    });
  }
  if (micro === batch) {
    record((g) => backwardFrom(g, seal.objective(g, embed(g), numbers).loss));
  } else {
    const z = inputs.tensor("z", "z", [batch, seal.dim]);
    z.requiresGrad = true;
    record((g) => g.output(g.withoutTape(() => affine(g, embed(g), 1))));
    record((g) => backwardFrom(g, seal.objective(g, z, numbers).loss));
    record((g) => backward(g, [{ tensor: embed(g), grad: inputs.tensor("dz", "dz", [micro, seal.dim]) }]));
  }
  record((g) => backwardFrom(g, seal.warmup(g, numbers).loss));
  record((g) => new AdamW(seal.parameters, parameterGroups({ weightDecay: 0.01 }), { clipNorm: 1 }).step(g));
  for (const g of plans) addTexts(texts, g, name);
}

/** Plans of both sides in evaluation: embedding, projections, predicted expression. */
export function inferenceTexts(texts: Texts, gpu: Gpu, full: EncoderSpec, training: Training): void {
  const { model: seal, spec } = model(gpu, full, training);
  const inputs = new Store(gpu);
  const { micro } = training;
  const tiles = inputs.tensor("tiles", "tiles", [micro, spec.input.size, spec.input.size, 3], "u8");
  const organ = seal.organs ? inputs.tensor("organ", "organ", [micro], "u32") : undefined;
  const g = new Plan(gpu);
  g.withoutTape(() => {
    const z = seal.embed(g, seal.encoder.forward(g, preprocess(g, tiles, spec.input)).embedding, organ);
    seal.imageHead.forward(g, z);
    seal.decoder?.forward(g, z);
    const out = seal.gene.forward(g, inputs.tensor("x", "x", [micro, training.genes]), {
      training: false,
      ...(seal.gene.name === "vae" && { latent: "mean" as const }),
    });
    seal.geneHead.forward(g, out.z);
  });
  addTexts(texts, g, `${spec.name} evaluates ${JSON.stringify(training)}`);
}

/** Plans of a search: ranks of partners and nearest rows, and the Gram matrix of a probe. */
export function searchTexts(texts: Texts, gpu: Gpu): void {
  const inputs = new Store(gpu);
  for (
    const [queries, width, dtype] of [[1, 512, "f32"], [48, 768, "f32"], [256, 1536, "f32"], [256, 512, "f16"]] as const
  ) {
    const gallery = inputs.tensor("gallery", "gallery", [4096, width], dtype);
    const q = inputs.tensor("queries", "queries", [queries, width]);
    const partner = inputs.tensor("partner", "partner", [queries], "u32");
    const g = new Plan(gpu);
    g.withoutTape(() => {
      cosineRank(g, q, [gallery], partner);
      cosineTopk(g, q, [gallery], { k: 10 });
    });
    addTexts(texts, g, `search of ${queries} among rows of ${width} in ${dtype}`);
  }
  for (const columns of [384, 1024, 3072]) {
    const block = inputs.tensor("block", "block", [128, columns]);
    const g = new Plan(gpu);
    g.withoutTape(() => add(g, matmul(g, block, block, { transA: true }), matmul(g, block, block, { transA: true })));
    addTexts(texts, g, `products of ${columns} standardised features`);
  }
}
