/**
 * The plans of SEAL's training and evaluation as an encoder's run chooses them, recorded and not run: what is proved on a
 * device.
 *
 * @module
 */

import { backward, backwardFrom } from "../../../autodiff/backward.ts";
import { LimitError } from "../../../core/errors.ts";
import type { Gpu } from "../../../gpu/device.ts";
import { drawChanges, type Recipe, viewChanges } from "../../../data/image/augment.ts";
import { DIHEDRAL } from "../../../data/image/dihedral.ts";
import { Plan } from "../../../graph/plan.ts";
import type { Tensor } from "../../../graph/tensor.ts";
import { createEncoder } from "../../../models/encoder.ts";
import type { EncoderSpec } from "../../../models/encoder_spec.ts";
import { preprocess } from "../../../models/preprocess.ts";
import { Parameters } from "../../../nn/parameters.ts";
import { augment, CHANGE_WORDS } from "../../../ops/augment.ts";
import { affine } from "../../../ops/scale.ts";
import { AdamW } from "../../../optim/adamw.ts";
import { parameterGroups } from "../../../optim/param_groups.ts";
import { changesRows, reachOf, reachOfViews } from "../../../train/changes_row.ts";
import { visionPart } from "../../../train/trainable.ts";
import { keptPieces, stemInputs } from "../../../train/stem_cache.ts";
import { fillParameters, Inputs, type RecordedPlan, shallow, type Training } from "../../../verify/plans.ts";
import { SEAL_CONFIG } from "../config.ts";
import { createSealModel, type SealModel } from "../model.ts";

/** The model of a training plan; its memory does not exist yet. */
export function recordedModel(
  gpu: Gpu,
  full: EncoderSpec,
  training: Training,
): { model: SealModel; spec: EncoderSpec; recipe: Recipe } {
  const spec = shallow(full);
  const { config } = SEAL_CONFIG.read([], [
    ["encoder", `random:${spec.name}`],
    ["batch_size", String(training.batch)],
    ...training.keys.map(([k, v]): [string, string] => [k, v]),
  ]);
  const part = visionPart(config, spec);
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || part.trains(name));
  const encoder = createEncoder(parameters, spec, { lora: part.lora, dtype: training.dtype, seed: 1 });
  complete = true;
  return {
    model: createSealModel(encoder, config, { genes: training.genes, slides: 3 }),
    spec,
    recipe: config.optim.augment,
  };
}

/**
 * Records a training step: a whole one, or the three plans of gradient caching; the frozen blocks where they are cached;
 * the omics warm-up; the update.
 */
export function trainingPlans(gpu: Gpu, spec: EncoderSpec, training: Training): RecordedPlan[] {
  for (let micro = training.micro;; micro = Math.ceil(micro / 2)) {
    try {
      return record(gpu, spec, { ...training, micro });
    } catch (error) {
      if (!(error instanceof LimitError) || micro === 1) throw error;
    }
  }
}

/** What a training plan reads, and how it embeds its images. */
interface Side {
  readonly seal: SealModel;
  readonly inputs: Inputs;
  readonly random: Tensor;
  embed(g: Plan): Tensor;
  /** Appends what comes before the cut; undefined from pixels. */
  readonly frozen: ((g: Plan) => readonly Tensor[]) | undefined;
}

/** Views that a cache with colours of its own has. */
const VIEWS = 16;

/** What training sees of tiles: as the recipe has it or, for a cache, in views. */
function seenTiles(inputs: Inputs, tiles: Tensor, recipe: Recipe, cached: boolean): (g: Plan) => Tensor {
  const views = Array.from({ length: recipe === "none" ? 1 : recipe === "soft" ? DIHEDRAL : VIEWS }, (_, k) => k);
  const reach = cached ? reachOfViews(views) : reachOf(recipe);
  if (reach === undefined) return () => tiles;
  const [count, side] = [tiles.dim(0), tiles.dim(1)];
  const changes = inputs.given("changes", [count, CHANGE_WORDS], "u32", () => {
    const drawn = Array.from(
      { length: count },
      (_, index) =>
        cached
          ? viewChanges(views[index % views.length]!, { seed: 1, index, colours: index % 2 ? "hed" : "jitter" })
          : drawChanges(recipe, { seed: 1, epoch: 1, index }),
    );
    return changesRows(side, drawn);
  });
  return (g) => augment(g, tiles, changes, reach);
}

function imageSide(gpu: Gpu, full: EncoderSpec, training: Training): Side | undefined {
  const { micro, cached } = training;
  const { model: seal, spec, recipe } = recordedModel(gpu, full, training);
  const { encoder } = seal;
  const { size } = spec.input;
  const cut = encoder.deepestCut();
  if (cached && !cut) return undefined;
  const inputs = new Inputs(gpu);
  const tiles = inputs.tiles(micro, size, training.images);
  const seen = seenTiles(inputs, tiles, recipe, cached !== undefined);
  const pieces = cached
    ? stemInputs(inputs.store, encoder, { cut: cut!, dtype: cached }, micro).map((t, i) =>
      inputs.draw(t, `stem ${i}`, -1, 1)
    )
    : [tiles];
  const organ = seal.organs ? inputs.add("organ", [micro], "u32", 0, 14) : undefined;
  const recompute = training.recompute ? Array.from({ length: spec.arch.depth }, () => true) : undefined;
  const options = { training: true, ...(recompute && { recompute }) };
  return {
    seal,
    inputs,
    random: inputs.random(),
    embed(g) {
      const embedding = cached
        ? encoder.finish(g, pieces, cut!, options)
        : encoder.forward(g, preprocess(g, seen(g), spec.input), options).embedding;
      return seal.embed(g, embedding, organ);
    },
    frozen: cached && ((g) => keptPieces(g, encoder.stem(g, preprocess(g, seen(g), spec.input), cut!), cached)),
  };
}

/** Plans of a step by what they do. */
function stepPlans({ seal, inputs, random, embed, frozen }: Side, { batch, micro, genes }: Training): [string, Plan][] {
  const numbers = {
    x: inputs.add("x", [batch, genes], "f32", 0, 4),
    std: inputs.add("std", [genes], "f32", 0.5, 1.5),
    slide: inputs.add("slide", [batch], "u32", 0, 3),
  };
  const plans: [string, Plan][] = [];
  const overflow = inputs.overflow();
  const add = (what: string, body: (g: Plan) => void): void => {
    const g = new Plan(seal.parameters.gpu);
    g.random = random;
    g.overflow = overflow;
    body(g);
    plans.push([what, g]);
  };
  if (frozen) add("frozen blocks", (g) => g.output(...frozen(g)));
  if (micro === batch) {
    add("whole step", (g) => backwardFrom(g, seal.objective(g, embed(g), numbers).loss));
  } else {
    const z = inputs.add("z", [batch, seal.dim], "f32", -1, 1);
    z.requiresGrad = true;
    const dz = inputs.add("dz", [micro, seal.dim], "f32", -1, 1);
    add("images, forward", (g) => g.output(g.withoutTape(() => affine(g, embed(g), 1))));
    add("objective", (g) => g.output(backwardFrom(g, seal.objective(g, z, numbers).loss).of(z)!));
    add("images, backward", (g) => backward(g, [{ tensor: embed(g), grad: dz }]));
  }
  add("warm-up", (g) => backwardFrom(g, seal.warmup(g, numbers).loss));
  return plans;
}

function record(gpu: Gpu, full: EncoderSpec, training: Training): RecordedPlan[] {
  const side = imageSide(gpu, full, training);
  if (!side) return [];
  const { seal, inputs, random } = side;
  const plans = stepPlans(side, training);
  const optimizer = new AdamW(seal.parameters, parameterGroups({ weightDecay: 0.01 }), { clipNorm: 1 });
  const update = new Plan(gpu);
  optimizer.step(update);
  plans.push(["update", update]);
  const { keys, dtype, batch, micro, cached } = training;
  const how = [...keys.map(([key, value]) => `${key}=${value}`), dtype, cached && `cached in ${cached}`].filter(
    Boolean,
  );
  let filled = false;
  let used = plans.length;
  return plans.map(([what, plan]) => ({
    name: `${full.name} trains ${batch} pairs (${micro} images at a time; ${how.join(" ")}): ${what}`,
    plan,
    fill() {
      if (filled) return;
      filled = true;
      fillParameters(seal.parameters);
      inputs.fill(random);
      // Without a rate an update changes nothing, whatever it computes.
      optimizer.setLearningRate(0.01);
    },
    destroy() {
      if (--used !== 0) return;
      optimizer.destroy();
      seal.parameters.destroy();
      inputs.store.destroy();
    },
  }));
}

/** Records both sides in evaluation: embedding, projections, predicted expression. */
export function inferencePlan(gpu: Gpu, full: EncoderSpec, training: Training): RecordedPlan {
  const { model: seal, spec } = recordedModel(gpu, full, training);
  const inputs = new Inputs(gpu);
  const { micro, genes } = training;
  const { size } = spec.input;
  const tiles = inputs.tiles(micro, size, training.images);
  const organ = seal.organs ? inputs.add("organ", [micro], "u32", 0, 14) : undefined;
  const x = inputs.add("x", [micro, genes], "f32", 0, 4);
  const plan = new Plan(gpu);
  plan.withoutTape(() => {
    const z = seal.embed(plan, seal.encoder.forward(plan, preprocess(plan, tiles, spec.input)).embedding, organ);
    const out = seal.gene.forward(plan, x, { training: false, latent: "mean" });
    const outputs = [
      z,
      seal.imageHead.forward(plan, z),
      seal.decoder?.forward(plan, z),
      out.y,
      seal.geneHead.forward(plan, out.z),
    ];
    plan.output(...outputs.filter((tensor) => tensor !== undefined));
  });
  return {
    name: `${spec.name} evaluates ${micro} pairs (${training.keys.map(([key, value]) => `${key}=${value}`).join(" ")})`,
    plan,
    fill() {
      fillParameters(seal.parameters);
      inputs.fill();
    },
    destroy() {
      seal.parameters.destroy();
      inputs.store.destroy();
    },
  };
}
