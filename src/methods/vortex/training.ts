/**
 * Training as the engine runs it: on single slices, on patches with depth of all volumes but that of interest, then on the few
 * spots of that one: ridge regression in closed form, and steps from there.
 *
 * @module
 */

import { DataError, WeightsError } from "../../core/errors.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { checkFed } from "../../models/opened_encoder.ts";
import { learningRate } from "../../train/config/optim.ts";
import { vectorInput } from "../../train/row_input.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Rates, Stage, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { Fields, StepBatch, StepModel } from "../../train/step_model.ts";
import type { Training } from "../../train/training.ts";
import { balancedBatches } from "./balance.ts";
import { depthValues, drawView, geneValues, sliceRows } from "./batch.ts";
import { loadState, stateFiles } from "./checkpoint.ts";
import { pairsOf } from "./data.ts";
import type { Head, VortexModel } from "./model.ts";
import { fitHead, fitPart } from "./ridge.ts";
import type { VortexSession } from "./session.ts";

/** Columns of the metrics. */
const METRICS: readonly string[] = [
  ...["loss", "loss_shared", "loss_volume", "loss_voi", "loss_contrast"],
  ...["lr", "lr_encoder", "val_loss"],
];

/** Extents of a step. */
interface StepSize {
  readonly batch: number;
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

/** What a step trains; rows are slices, or there are none and their tokens are given. */
export function vortexStep(
  { parameters, slices, model }: Pick<VortexSession, "parameters" | "slices" | "model">,
  size: StepSize,
  heads: readonly Head[],
  frozen = false,
): StepModel<Float32Array> {
  const objective = (model: VortexModel): StepModel<Float32Array>["objective"] => (g, z, fields) => {
    const { code, blind, weight, x, measured, inverse, volume, overlap } = fields as Record<string, Tensor>;
    const depths = { code: code!, blind: blind!, weight: weight! };
    const genes = { x: x!, measured: measured!, inverse: inverse!, volume: volume!, overlap: overlap! };
    return model.losses(g, model.pool(g, z ?? fields.z!, depths), genes, heads);
  };
  return {
    parameters,
    ...(!frozen && {
      rows: { dim: size.dim, input: vectorInput(slices.size, (g, x, options) => slices.record(g, x, options)) },
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
  { config }: VortexSession,
  { batch, accumulate }: Schedule,
  slices: number,
  mostMicro?: number,
) {
  const { optim, eval: evaluation } = config;
  return {
    batch,
    rows: batch * slices,
    micro: optim.micro_batch ?? undefined,
    mostMicro,
    accumulate,
    seed: optim.seed,
    ring: Math.max(128, evaluation.log_every),
  };
}

/** A stage on many volumes. */
function wideStage(session: VortexSession, shape: StageShape, schedule: Schedule): TrainedStage {
  const { config, data, slices, model, heads } = session;
  const { sizes } = model;
  const { patch, optim, loss } = config;
  return {
    name: shape.name,
    schedule,
    unit: "pairs",
    rates: shape.rates,
    rateColumns: { lr: "pool", lr_encoder: "encoder" },
    evaluateEvery: 0,
    evaluate: () => Promise.resolve({}),
    async compile(mostMicro) {
      const size = { batch: schedule.batch, slices: shape.slices, ...sizes, genes: data.genes.length };
      const made = vortexStep(session, size, shape.heads);
      const step = await Step.compile(
        made,
        session.optimizer,
        compileOptions(session, schedule, shape.slices, mostMicro),
      );
      const pairs = shape.pairs.flat();
      return stepRunner(step, schedule, async (stageStep, i): Promise<StepBatch<Float32Array>> => {
        const chosen = Array.from(schedule.items(stageStep, i), (item) => pairs[item]!);
        const epoch = schedule.epoch(stageStep);
        const patches = await session.patches(chosen, shape.slices);
        const views = chosen.map((pair) => drawView(patch, { seed: optim.seed, epoch, pair }));
        return {
          rows: sliceRows(patches, session.shape, slices.channels, views),
          fields: {
            ...depthValues(patches, { dim: sizes.dim, aggregate: config.model.aggregate }),
            ...geneValues(data, chosen, { near: loss.near, heads }),
          },
        };
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

/** Steps on the spots of interest, whose slices are encoded once. */
function voiStage(session: VortexSession): TrainedStage {
  const { config, data, model, heads, optimizer } = session;
  const { stages, optim, loss, eval: evaluation } = config;
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
  const [fast, slow] = [optim.lr_voi, optim.lr_voi_depth].map((lr) =>
    lr === 0 ? () => 0 : learningRate({ ...optim, lr, min_lr: Math.min(lr, optim.min_lr) }, schedule.total)
  );
  return {
    name: "voi",
    schedule,
    unit: "pairs",
    rates: (step) => ({ ...NONE, pool: fast!(step), [head]: fast!(step), depth: slow!(step) }),
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
      const patches = await session.patches(fit);
      const tokens = await session.tokens(patches);
      const size = { batch: schedule.batch, slices, ...sizes, genes: data.genes.length };
      const made = vortexStep(session, size, [head], true);
      const step = await Step.compile(made, optimizer, compileOptions(session, schedule, slices, mostMicro));
      const row = slices * sizes.dim;
      return stepRunner(step, schedule, (stageStep, i): StepBatch<Float32Array> => {
        const chosen = [...schedule.items(stageStep, i)];
        const z = new Float32Array(chosen.length * row);
        chosen.forEach((item, b) => z.set(tokens.subarray(item * row, (item + 1) * row), b * row));
        const depths = { dim: sizes.dim, aggregate: config.model.aggregate };
        return {
          fields: {
            z,
            ...depthValues(chosen.map((item) => patches[item]!), depths),
            ...geneValues(data, chosen.map((item) => fit[item]!), { near: loss.near, heads }),
          },
        };
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
  const hint = "Bring them back, or begin anew with --overwrite";
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
        encoder: opened.name,
        weights: opened.weightsHash,
        adapter: opened.adapterHash ?? null,
        data: mark.fingerprint,
        genes: manifest,
        image_size: opened.encoder.spec.input.size,
        preparation: opened.preparation,
      },
      agree(state, path) {
        if (state.weights !== opened.weightsHash || state.adapter !== (opened.adapterHash ?? null)) {
          throw new WeightsError(`Cannot go on with ${path}: the weights of ${opened.name} changed since`, {
            hint,
            context: { given: opened.weightsHash, wanted: state.weights },
          });
        }
        checkFed(state, opened, path, config.input.image_size);
        if (state.data === mark.fingerprint && state.genes === manifest) return;
        throw new DataError(`Cannot go on with ${path}: volumes, expression or genes changed since`, {
          code: "data-changed",
          hint,
          context: { given: mark.fingerprint, wanted: state.data },
        });
      },
      verify: () => mark.check(),
    },
    files: () => stateFiles(session),
    load: (read, where) => loadState(session, read, where),
  };
}
