/**
 * Training as the engine runs it: on single slices, on patches with depth of all volumes but that of interest, then on the few
 * spots of that one: ridge regression in closed form, and steps from there.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { learningRate } from "../../train/config/optim.ts";
import { agreeEncoder, encoderFacts, fedFacts } from "../../train/encoder_state.ts";
import { vectorInput } from "../../train/row_input.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Rates, Stage, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { Fields, StepBatch, StepModel } from "../../train/step_model.ts";
import type { Training } from "../../train/training.ts";
import { balancedBatches } from "./balance.ts";
import { depthValues, drawView, geneValues, type View } from "./batch.ts";
import { loadState, stateFiles } from "./checkpoint.ts";
import { pairsOf } from "./data.ts";
import type { Head, VortexModel } from "./model.ts";
import { fitHead, fitPart } from "./ridge.ts";
import type { PatchDepths } from "./sampler.ts";
import type { VortexSession } from "./session.ts";

/** Columns of the metrics. */
const METRICS: readonly string[] = [
  ...["loss", "loss_shared", "loss_volume", "loss_voi", "loss_contrast"],
  ...["lr", "lr_encoder", "val_loss"],
];

/** Extents of a step. */
interface StepSize {
  readonly batch: number;
  /** Slices of a patch. */
  readonly slices: number;
  readonly genes: number;
  readonly dim: number;
  readonly volumes: number;
}

/** Tensors of a batch beside its slices. */
function fieldsOf({ batch: B, slices: Z, genes: G, dim: D, volumes: V }: StepSize, tokens: boolean) {
  return (store: { tensor(group: string, name: string, shape: readonly number[]): Tensor }): Fields => {
    const field = (name: string, shape: readonly number[]) => [name, store.tensor(name, name, shape)] as const;
    return Object.fromEntries([
      field("code", [B, Z, D]),
      field("blind", [B, Z]),
      field("weight", [B, Z]),
      field("x", [B, G]),
      field("measured", [B, G]),
      field("inverse", [1]),
      field("volume", [B, Math.max(1, V)]),
      field("overlap", [B, B]),
      ...tokens ? [field("z", [B * Z, D])] : [],
    ]);
  };
}

/** What a step trains; rows are of patches, or there are none and the tokens of slices are given. */
export function vortexStep(
  { parameters, patchEncoder, model }: Pick<VortexSession, "parameters" | "patchEncoder" | "model">,
  size: StepSize,
  heads: readonly Head[],
  frozen = false,
): StepModel<Float32Array> {
  const { slices } = size;
  const objective = (model: VortexModel): StepModel<Float32Array>["objective"] => (g, z, fields) => {
    const { code, blind, weight, x, measured, inverse, volume, overlap } = fields as Record<string, Tensor>;
    const depths = { code: code!, blind: blind!, weight: weight! };
    const genes = { x: x!, measured: measured!, inverse: inverse!, volume: volume!, overlap: overlap! };
    return model.losses(g, model.pool(g, z ?? fields.z!, depths), genes, heads);
  };
  return {
    parameters,
    ...(!frozen && {
      rows: {
        dim: patchEncoder.dim,
        input: vectorInput(patchEncoder.size(slices), (g, x, options) => patchEncoder.record(g, x, slices, options)),
      },
    }),
    fields: fieldsOf(size, frozen),
    objective: objective(model),
  };
}

/** How long and on what a stage trains. */
interface StageShape {
  readonly name: "2d" | "3d";
  readonly pairs: readonly (readonly number[])[];
  readonly slices: number;
  readonly batch: number;
  readonly epochs: number;
  readonly heads: readonly Head[];
  readonly rates: (step: number) => Rates;
}

const NONE: Rates = { encoder: 0, depth: 0, pool: 0, gene: 0, shared: 0, volume: 0, voi: 0 };

function compileOptions(
  { config, patchEncoder }: VortexSession,
  { batch, accumulate }: Schedule,
  slices: number,
  mostMicro?: number,
) {
  const { optim, eval: evaluation } = config;
  return {
    batch,
    rows: batch * patchEncoder.rowsOf(slices),
    micro: optim.micro_batch ?? undefined,
    mostMicro,
    accumulate,
    seed: optim.seed,
    ring: Math.max(128, evaluation.log_every),
  };
}

/** Most bytes of tokens that are kept in place of encoding slices again in every step. */
const MOST_KEPT = 2 ** 30;

/** Whether slices look the same in every step, and nothing that makes tokens of them trains: they are encoded once. */
function seenOnce({ config: { patch }, patchEncoder }: VortexSession, pairs: number, slices: number): boolean {
  return !patch.flips && !patch.jitter && !patchEncoder.trains() && 4 * pairs * slices * patchEncoder.dim <= MOST_KEPT;
}

/** Makes batches of some pairs: rows of their patches or, where they are encoded once, the tokens of their slices. */
async function batchMaker(
  session: VortexSession,
  { pairs, slices, once }: { readonly pairs: readonly number[]; readonly slices: number; readonly once: boolean },
): Promise<(items: ArrayLike<number>, view?: (pair: number) => View) => Promise<StepBatch<Float32Array>>> {
  const { config: { model: { aggregate }, loss: { near } }, data, heads, model: { sizes: { dim } }, patchEncoder } =
    session;
  const kept = once ? await session.encode(pairs, slices) : undefined;
  const row = slices * dim;
  const fields = (chosen: readonly number[], depths: readonly PatchDepths[]) => ({
    ...depthValues(depths, { dim, aggregate }),
    ...geneValues(data, chosen, { near, heads }),
  });
  return async (items, view) => {
    const chosen = Array.from(items, (item) => pairs[item]!);
    if (!kept) {
      const patches = await session.patches(chosen, slices);
      return { rows: patchEncoder.rows(patches, view && chosen.map(view)), fields: fields(chosen, patches) };
    }
    const z = new Float32Array(chosen.length * row);
    for (let b = 0; b < items.length; b++) z.set(kept.tokens.subarray(items[b]! * row, (items[b]! + 1) * row), b * row);
    return { fields: { z, ...fields(chosen, Array.from(items, (item) => kept.depths[item]!)) } };
  };
}

/** A stage on many volumes. */
function wideStage(session: VortexSession, shape: StageShape, schedule: Schedule): TrainedStage {
  const { config: { patch, optim }, data, model: { sizes } } = session;
  return {
    name: shape.name,
    schedule,
    unit: "pairs",
    rates: shape.rates,
    rateColumns: { lr: "pool", lr_encoder: "encoder" },
    evaluateEvery: 0,
    evaluate: () => Promise.resolve({}),
    async compile(mostMicro) {
      const { slices, heads } = shape;
      const pairs = shape.pairs.flat();
      const once = seenOnce(session, pairs.length, slices);
      const size = { batch: schedule.batch, slices, ...sizes, genes: data.genes.length };
      const options = compileOptions(session, schedule, slices, mostMicro);
      const step = await Step.compile(vortexStep(session, size, heads, once), session.optimizer, options);
      const batch = await batchMaker(session, { pairs, slices, once });
      return stepRunner(step, schedule, (stageStep, i) => {
        const epoch = schedule.epoch(stageStep);
        return batch(schedule.items(stageStep, i), (pair) => drawView(patch, { seed: optim.seed, epoch, pair }));
      });
    },
  };
}

/** Pairs of the training volumes, volume by volume; for the plane those of single slices, where there are any. */
function trainingPairs({ data, heads }: VortexSession, plane: boolean): number[][] {
  const volumes = data.volumes.map((_, v) => v).filter((v) => heads[v]! >= 0);
  const flat = volumes.filter((v) => data.volumes[v]!.volume.shape[0] === 1);
  const chosen = plane ? (flat.length > 0 ? flat : volumes) : volumes.filter((v) => !flat.includes(v));
  return chosen.map((v) => pairsOf(data, v, "train"));
}

/** The stages before that of interest. */
function wideStages(session: VortexSession): TrainedStage[] {
  const { config: { stages, optim, model }, heads } = session;
  const own: readonly Head[] = model.heads === "per_volume" && heads.some((head) => head >= 0)
    ? ["shared", "volume"]
    : ["shared"];
  const shapes = [
    { name: "2d", slices: 1, batch: stages.batch_2d, epochs: stages.epochs_2d, heads: ["shared"] },
    { name: "3d", slices: session.shape.slices, batch: stages.batch_3d, epochs: stages.epochs_3d, heads: own },
  ] as const;
  return shapes.flatMap((shape) => {
    const pairs = trainingPairs(session, shape.name === "2d");
    if (shape.epochs === 0 || pairs.flat().length === 0) return [];
    // Items of the order are places among all pairs, volume by volume.
    let at = 0;
    const places = pairs.map((of) => of.map(() => at++));
    const schedule = new Schedule({
      seed: optim.seed,
      ...balancedBatches(places, { batch: shape.batch, seed: optim.seed }),
      batch: shape.batch,
      accumulate: optim.grad_accum,
      epochs: shape.epochs,
      steps: null,
    });
    const rate = learningRate(optim, schedule.total);
    const encoder = shape.name === "2d" ? 1 : optim.lr_encoder / optim.lr;
    const rates = (step: number): Rates => {
      const lr = rate(step);
      const depth = shape.name === "3d" ? lr : 0;
      const volume = own.length > 1 ? depth : 0;
      return { ...NONE, pool: lr, gene: lr, shared: lr, depth, volume, encoder: lr * encoder };
    };
    return [wideStage(session, { ...shape, pairs, rates }, schedule)];
  });
}

/** Steps on the spots of interest; their slices are encoded once, where the encoder neither trains nor is what sees depth. */
function voiStage(session: VortexSession): TrainedStage {
  const { config, data, model, optimizer, patchEncoder } = session;
  const { stages, optim, patch, eval: evaluation } = config;
  const { fit, held } = fitPart(session);
  const head: Head = config.model.heads === "per_volume" ? "voi" : "shared";
  const schedule = new Schedule({
    seed: optim.seed,
    count: fit.length,
    batch: stages.batch_voi,
    accumulate: optim.grad_accum,
    epochs: stages.voi_steps,
    steps: stages.voi_steps,
  });
  const [fast, slow, encoder] = [optim.lr_voi, optim.lr_voi_depth, optim.lr_voi_encoder].map((lr) =>
    lr === 0 ? () => 0 : learningRate({ ...optim, lr, min_lr: Math.min(lr, optim.min_lr) }, schedule.total)
  );
  return {
    name: "voi",
    schedule,
    unit: "pairs",
    rates: (step) => ({ ...NONE, pool: fast!(step), [head]: fast!(step), depth: slow!(step), encoder: encoder!(step) }),
    rateColumns: { lr: "pool", lr_encoder: "encoder" },
    evaluateEvery: evaluation.eval_every,
    split: "val",
    ...(held.length > 0 && {
      select: { metric: "val_loss", mode: "min", patience: evaluation.early_stop_patience, minDelta: 0 } as const,
    }),
    async evaluate(): Promise<Record<string, number>> {
      if (held.length === 0) return {};
      const said = (await session.say(held)).heads[head]!;
      return { val_loss: squared(said, held, data) };
    },
    async compile(mostMicro) {
      const { sizes } = model;
      const slices = session.shape.slices;
      const frozen = optim.lr_voi_encoder === 0;
      const once = frozen && !patchEncoder.whole;
      const size = { batch: schedule.batch, slices, ...sizes, genes: data.genes.length };
      const options = compileOptions(session, schedule, slices, mostMicro);
      const step = await Step.compile(vortexStep(session, size, [head], once), optimizer, options);
      const batch = await batchMaker(session, { pairs: fit, slices, once });
      return stepRunner(step, schedule, (stageStep, i) => {
        const epoch = schedule.epoch(stageStep);
        const view = frozen ? undefined : (pair: number) => drawView(patch, { seed: optim.seed, epoch, pair });
        return batch(schedule.items(stageStep, i), view);
      });
    },
  };
}

/** Mean square of what was measured. */
function squared(said: Float32Array, pairs: readonly number[], { x, measured, genes }: VortexSession["data"]): number {
  const G = genes.length;
  let [sum, count] = [0, 0];
  pairs.forEach((pair, i) => {
    for (let g = 0; g < G; g++) {
      if (measured[pair * G + g] === 0) continue;
      sum += (said[i * G + g]! - x[pair * G + g]!) ** 2;
      count++;
    }
  });
  return count ? sum / count : 0;
}

function stagesOf(session: VortexSession): Stage[] {
  const { config, data } = session;
  const own = config.model.heads === "per_volume";
  return [
    ...wideStages(session),
    ...data.voi !== undefined && own ? [{ name: "ridge", work: () => fitHead(session) }] : [],
    ...data.voi !== undefined && config.stages.voi_steps > 0 ? [voiStage(session)] : [],
  ];
}

/** The run, for the engine. */
export function vortexTraining(session: VortexSession): Training {
  const { gpu, optimizer, config, data: { mark, manifest }, opened } = session;
  return {
    gpu,
    optimizer,
    stages: stagesOf(session),
    columns: METRICS,
    cadence: {
      logEvery: config.eval.log_every,
      saveEvery: config.eval.save_every,
      saveEverySteps: config.eval.save_every_steps,
    },
    hints: { first: "Nothing was learned yet: look at window and expression", later: "Lower lr, or set clip_norm" },
    inputs: {
      settings: trainingSettings(config),
      facts: {
        ...encoderFacts(opened),
        data: mark.fingerprint,
        genes: manifest,
        ...fedFacts(opened),
      },
      agree(state, path) {
        agreeEncoder(state, path, opened, config.input.image_size);
        if (state.data === mark.fingerprint && state.genes === manifest) return;
        throw new DataError(`Cannot go on with ${path}: volumes, expression or genes changed since`, {
          code: "data-changed",
          hint: "Bring them back, or begin anew with --overwrite",
          context: { given: mark.fingerprint, wanted: state.data },
        });
      },
      verify: () => mark.check(),
    },
    files: () => stateFiles(session),
    load: (read, where) => loadState(session, read, where),
  };
}
