/**
 * Training of a model of bags as the engine runs it: one stage over bags, its metrics, inputs and files.
 *
 * | file of a checkpoint | content |
 * |---|---|
 * | `model.safetensors` | parameters, f32 |
 * | `model.json` | what it takes to build the model and to read what it says: kind, sizes, names of the classes |
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { balancedAccuracy, confusionMatrix, macroAuc, predictedClasses } from "../../eval/classification.ts";
import type { Gpu } from "../../gpu/device.ts";
import { AdamW } from "../../optim/adamw.ts";
import { constantSchedule, cosineSchedule } from "../../optim/schedule.ts";
import { loadParts, MODEL_FILE, partFiles, type ReadFile } from "../../train/checkpoint.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Selection, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { RunInputs, Training } from "../../train/training.ts";
import { type BagBatch, mostRows, readBatch } from "./batch.ts";
import type { MilConfig } from "./config.ts";
import type { MilData } from "./data.ts";
import { type BagResult, MilInference } from "./inference.ts";
import { createMil, type MilModel } from "./model.ts";
import { classWeights } from "./objective.ts";
import { epochOrder } from "./sampling.ts";
import { classBatch, type FeatureRow, milStep } from "./step.ts";

/** Columns of the metrics. */
const METRICS: readonly string[] = ["loss", "lr", "auc", "balanced_accuracy"];

/** Name of the file that says how the model is built and what it tells. */
export const MODEL_FACTS = "model.json";

/** Most rows of a block of inference. */
export const INFERENCE_ROWS = 4096;

/** A run that is open. */
export interface MilSession {
  readonly config: MilConfig;
  readonly data: MilData;
  readonly gpu: Gpu;
  readonly model: MilModel;
  readonly optimizer: AdamW;
  /** Runs the model as it is on bags, by their numbers. */
  run(bag: number): Promise<BagResult>;
  close(): void;
}

/** Builds the model on the device. */
export async function openSession(gpu: Gpu, config: MilConfig, data: MilData): Promise<MilSession> {
  const { model: own, optim } = config;
  const model = createMil(gpu, {
    kind: own.model,
    dim: data.set.dim,
    outputs: data.classes.length,
    hidden: own.hidden,
    heads: own.heads,
    dropout: { features: own.dropout, attention: own.attention_dropout },
    seed: optim.seed,
  });
  model.parameters.allocate();
  const optimizer = new AdamW(model.parameters, [{ match: () => true, rate: "lr", weightDecay: optim.weight_decay }], {
    beta1: optim.beta1,
    beta2: optim.beta2,
    eps: optim.eps,
    ...(optim.clip_norm > 0 && { clipNorm: optim.clip_norm }),
  });
  const largest = data.set.bags.reduce((most, { count }) => Math.max(most, count), 1);
  const inference = await MilInference.compile(model, Math.min(INFERENCE_ROWS, largest));
  return {
    config,
    data,
    gpu,
    model,
    optimizer,
    run(at) {
      const bag = data.set.bags[at]!;
      const range = (from: number, to: number) => Uint32Array.from({ length: to - from }, (_, i) => from + i);
      return inference.run({ ...bag, read: (from, to) => data.read(bag, range(from, to)) });
    },
    close() {
      inference.destroy();
      optimizer.destroy();
      model.parameters.destroy();
    },
  };
}

/** Probabilities of logits. */
export function softmax(logits: Float64Array): number[] {
  const top = Math.max(...logits);
  const all = Array.from(logits, (value) => Math.exp(value - top));
  const sum = all.reduce((a, b) => a + b, 0);
  return all.map((value) => value / sum);
}

/** What the model says of the validation part; nothing where there is none. */
async function validate(session: MilSession): Promise<Record<string, number>> {
  const { data: { split: { val }, of, classes } } = session;
  if (val.length === 0) return {};
  const probabilities: number[] = [];
  for (const bag of val) probabilities.push(...softmax((await session.run(bag)).output));
  const labels = val.map((bag) => of[bag]!);
  const table = { labels, probabilities, classes: classes.length };
  const confusion = confusionMatrix(labels, predictedClasses(table), classes.length);
  const loss = labels.reduce((sum, label, i) => sum - Math.log(probabilities[i * classes.length + label]!), 0);
  return {
    loss: loss / val.length,
    auc: macroAuc(table) ?? NaN,
    balanced_accuracy: balancedAccuracy(confusion) ?? NaN,
  };
}

function scheduleOf({ config: { optim }, data: { split: { train }, of } }: MilSession): Schedule {
  const labels = train.map((bag) => of[bag]!);
  const { seed, balance } = optim;
  return new Schedule({
    seed,
    count: train.length,
    batch: optim.batch_size,
    accumulate: optim.grad_accum,
    epochs: optim.epochs,
    steps: optim.steps,
    chosen: Uint32Array.from(train),
    order: (epoch) => epochOrder(labels, { balance, seed, epoch }),
  });
}

function ratesOf({ optim }: MilConfig, total: number): (step: number) => { lr: number } {
  const warmup = Math.min(optim.lr_warmup_steps, total);
  const rate = optim.scheduler === "constant"
    ? constantSchedule({ base: optim.lr, warmup })
    : cosineSchedule({ base: optim.lr, warmup, total, min: optim.min_lr });
  return (step) => ({ lr: rate(step) });
}

function stageOf(session: MilSession): TrainedStage {
  const { config, data, model, optimizer } = session;
  const { optim, eval: evaluation } = config;
  const { set, split, of, classes } = data;
  const schedule = scheduleOf(session);
  const { batch, accumulate } = schedule;
  const weights = optim.balance === "loss"
    ? classWeights(split.train.map((bag) => of[bag]!), classes.length)
    : undefined;
  const select: Selection = {
    metric: evaluation.best_metric,
    mode: evaluation.best_metric === "loss" ? "min" : "max",
    patience: evaluation.early_stop_patience,
    minDelta: evaluation.early_stop_min_delta,
  };
  return {
    name: "train",
    schedule,
    unit: "bags",
    rates: ratesOf(config, Math.max(1, schedule.total)),
    rateColumns: { lr: "lr" },
    labels: { auc: "AUC", balanced_accuracy: "balanced accuracy" },
    // Without a validation part there is nothing to evaluate, and the last checkpoint is the best.
    evaluateEvery: split.val.length > 0 ? evaluation.eval_every : 0,
    split: "val",
    select,
    evaluate: () => validate(session),
    async compile() {
      const step = await Step.compile<FeatureRow>(milStep(model, { bags: batch, task: "classes" }), optimizer, {
        batch,
        rows: mostRows({ bags: split.train.map((bag) => set.bags[bag]!) }, batch, optim.tiles),
        accumulate,
        seed: optim.seed,
        ring: Math.max(128, evaluation.log_every),
      });
      return stepRunner(step, schedule, async (stageStep, i) => {
        const bags = [...schedule.items(stageStep, i)];
        const draw = { most: optim.tiles, seed: optim.seed, epoch: schedule.epoch(stageStep) };
        const rows: BagBatch = await readBatch(data.read, set, bags, draw, batch);
        return classBatch(model, rows, bags.map((bag) => of[bag]!), weights);
      });
    },
  };
}

function inputsOf({ config, data: { mark, set, classes } }: MilSession): RunInputs {
  return {
    settings: trainingSettings(config),
    facts: { data: mark.fingerprint, dim: set.dim, classes },
    agree(state, path) {
      if (state.data === mark.fingerprint) return;
      throw new DataError(`Cannot go on with ${path}: labels or features changed since`, {
        code: "data-changed",
        hint: "Bring them back, or begin anew with --overwrite",
        context: { given: mark.fingerprint, wanted: state.data },
      });
    },
    verify: () => mark.check(),
  };
}

/** Parameters by the file they are in. */
function partsOf({ parameters }: MilModel) {
  return [{ file: MODEL_FILE, names: parameters.state().map(([name]) => name) }];
}

async function modelFiles({ model, config, data }: MilSession): Promise<Map<string, Uint8Array>> {
  const facts = {
    model: config.model.model,
    dim: model.dim,
    hidden: config.model.hidden,
    heads: model.heads,
    target: config.input.target,
    classes: data.classes,
  };
  return new Map([
    ...await partFiles(model.parameters, partsOf(model)),
    [MODEL_FACTS, new TextEncoder().encode(JSON.stringify(facts, undefined, 2) + "\n")],
  ]);
}

/** Puts a checkpoint's weights into the model. @throws {WeightsError} If it is of a model of other sizes. */
export function loadModel(model: MilModel, read: ReadFile, where: string): void {
  loadParts(model.parameters, partsOf(model), read, where);
}

/** The run, for the engine. */
export function milTraining(session: MilSession): Training {
  const { gpu, optimizer, config: { eval: evaluation }, model } = session;
  return {
    gpu,
    optimizer,
    stages: [stageOf(session)],
    columns: METRICS,
    cadence: {
      logEvery: evaluation.log_every,
      saveEvery: evaluation.save_every,
      saveEverySteps: evaluation.save_every_steps,
    },
    hints: {
      first: "Nothing was learned yet: look at the scale of the features",
      later: "Lower lr, or set clip_norm",
    },
    inputs: inputsOf(session),
    files: () => modelFiles(session),
    load: (read, where) => loadModel(model, read, where),
  };
}
