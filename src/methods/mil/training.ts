/**
 * Training of a model of bags as the engine runs it: one stage over bags, its metrics, inputs and files.
 *
 * | file of a checkpoint | content |
 * |---|---|
 * | `model.safetensors` | parameters, f32 |
 * | `model.json` | what it takes to build the model and to read what it says: kind, sizes, names of classes or targets, their scale |
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Gpu } from "../../gpu/device.ts";
import { AdamW } from "../../optim/adamw.ts";
import { loadParts, MODEL_FILE, partFiles, type ReadFile } from "../../train/checkpoint.ts";
import { adamwOptions, learningRate } from "../../train/config/optim.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Selection, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { RunInputs, Training } from "../../train/training.ts";
import { bagRows } from "./bags.ts";
import { mostRows, mostSlides, readBatch } from "./batch.ts";
import { type MilConfig, VALIDATION_SCORES } from "./config.ts";
import type { MilData } from "./data.ts";
import { type BagResult, type BagRows, MilInference } from "./inference.ts";
import { createMil, milDefaults, type MilModel, type MilOptions } from "./model.ts";
import { epochOrder } from "./sampling.ts";
import { type FeatureRow, milStep, stepBatch } from "./step.ts";
import { type MilTask, taskOf, validationScores } from "./task.ts";

/** Name of the file that says how the model is built and what it tells. */
export const MODEL_FACTS = "model.json";

/** Most rows of a block of inference. */
export const INFERENCE_ROWS = 4096;

/** A run that is open. */
export interface MilSession {
  readonly config: MilConfig;
  readonly data: MilData;
  readonly task: MilTask;
  readonly gpu: Gpu;
  readonly model: MilModel;
  readonly optimizer: AdamW;
  /** Rows of a block of inference. */
  readonly block: number;
  /** Rows of a bag, by its number. */
  rowsOf(bag: number): BagRows;
  /** Runs the model as it is on bags, by their numbers. */
  run(bag: number): Promise<BagResult>;
  close(): void;
}

/** Sizes of a configuration's model, but for what data and task say. */
export function modelSizes({ model: own }: Pick<MilConfig, "model">): Omit<MilOptions, "dim" | "outputs" | "seed"> {
  const { hidden, dropout } = milDefaults(own.model);
  return {
    kind: own.model,
    hidden: own.hidden ?? hidden,
    width: own.width,
    heads: own.heads,
    dropout: {
      features: own.dropout ?? dropout.features,
      attention: own.attention_dropout ?? dropout.attention,
    },
  };
}

/** Builds the model on the device. */
export async function openSession(gpu: Gpu, config: MilConfig, data: MilData): Promise<MilSession> {
  const { optim } = config;
  const task = taskOf(config, data);
  const model = createMil(gpu, {
    ...modelSizes(config),
    dim: data.set.dim,
    outputs: task.goal.outputs,
    seed: optim.seed,
  });
  model.parameters.allocate();
  const optimizer = new AdamW(
    model.parameters,
    [{ match: () => true, rate: "lr", weightDecay: optim.weight_decay }],
    adamwOptions(optim),
  );
  const largest = data.set.bags.reduce((most, { count }) => Math.max(most, count), 1);
  const inference = await MilInference.compile(model, Math.min(INFERENCE_ROWS, largest));
  const rowsOf = (at: number) => {
    const bag = data.set.bags[at]!;
    return bagRows(bag, (rows) => data.read(bag, rows), bySlide(config));
  };
  return {
    config,
    data,
    task,
    gpu,
    model,
    optimizer,
    block: inference.block,
    rowsOf,
    run: (at) => inference.run(rowsOf(at)),
    close() {
      inference.destroy();
      optimizer.destroy();
      model.parameters.destroy();
    },
  };
}

/** Whether a bag is the mean of its slides. */
export function bySlide({ input }: MilConfig): boolean {
  return input.case_slides === "mean" && input.sample_col === "case_id";
}

/** What the model says of the validation part; nothing where there is none. */
async function validate(session: MilSession): Promise<Record<string, number>> {
  const { data: { split: { val } }, task } = session;
  if (val.length === 0) return {};
  const outputs: Float64Array[] = [];
  for (const bag of val) outputs.push((await session.run(bag)).output);
  return validationScores(task, val, outputs);
}

/** Batches of a run. */
export function scheduleOf(
  { optim }: MilConfig,
  { split: { train } }: Pick<MilData, "split">,
  { strata }: Pick<MilTask, "strata">,
): Schedule {
  const labels = train.map((bag) => strata[bag]!);
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

/** Names of metrics where they are printed. */
const LABELS: Readonly<Record<string, string>> = {
  auc: "AUC",
  balanced_accuracy: "balanced accuracy",
  cindex: "C-index",
  pearson: "Pearson",
};

/** What the checkpoint is chosen by. */
function selectionOf({ config: { eval: evaluation }, data: { targets } }: MilSession): Selection {
  const { best_metric } = evaluation;
  const metric = best_metric === "score" ? VALIDATION_SCORES[targets.kind][0]! : best_metric;
  return {
    metric,
    mode: metric === "loss" ? "min" : "max",
    patience: evaluation.early_stop_patience,
    after: evaluation.early_stop_after,
    minDelta: evaluation.early_stop_min_delta,
  };
}

/** A compiled step of a session, and what fills it. */
export async function compileStep(session: MilSession, schedule: Schedule) {
  const { config, data: { set, split, read }, model, optimizer, task: { goal } } = session;
  const { optim, eval: evaluation } = config;
  const { batch, accumulate } = schedule;
  const trained = { bags: split.train.map((bag) => set.bags[bag]!) };
  const slides = bySlide(config) ? mostSlides(trained, batch) : undefined;
  const step = await Step.compile<FeatureRow>(milStep(model, goal, { bags: batch, slides }), optimizer, {
    batch,
    rows: mostRows(trained, batch, optim.tiles),
    accumulate,
    seed: optim.seed,
    ring: Math.max(128, evaluation.log_every),
  });
  const fill = async (stageStep: number, i: number) => {
    const bags = [...schedule.items(stageStep, i)];
    const draw = { most: optim.tiles, seed: optim.seed, epoch: schedule.epoch(stageStep), size: batch, slides };
    return stepBatch(model, goal, await readBatch(read, set, bags, draw), bags);
  };
  return { step, fill };
}

function stageOf(session: MilSession): TrainedStage {
  const { config, data, task } = session;
  const { eval: evaluation } = config;
  const schedule = scheduleOf(config, data, task);
  const rate = learningRate(config.optim, schedule.total);
  return {
    name: "train",
    schedule,
    unit: "bags",
    rates: (step) => ({ lr: rate(step) }),
    rateColumns: { lr: "lr" },
    labels: LABELS,
    // Without a validation part there is nothing to evaluate, and the last checkpoint is the best.
    evaluateEvery: data.split.val.length > 0 ? evaluation.eval_every : 0,
    split: "val",
    select: selectionOf(session),
    evaluate: () => validate(session),
    async compile() {
      const { step, fill } = await compileStep(session, schedule);
      return stepRunner(step, schedule, fill);
    },
  };
}

/** Names of what the model says. */
export function outputNames({ targets }: Pick<MilData, "targets">): Readonly<Record<string, readonly string[]>> {
  if (targets.kind === "classification") return { classes: targets.classes };
  return targets.kind === "regression" ? { targets: targets.names } : {};
}

function inputsOf({ config, data }: MilSession): RunInputs {
  const { mark, set } = data;
  return {
    settings: trainingSettings(config),
    facts: { data: mark.fingerprint, dim: set.dim, ...outputNames(data) },
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

async function modelFiles({ model, config, data, task }: MilSession): Promise<Map<string, Uint8Array>> {
  const facts = {
    model: config.model.model,
    dim: model.dim,
    hidden: modelSizes(config).hidden,
    heads: model.heads,
    target: data.labels.task.columns.join(", "),
    task: data.targets.kind,
    ...outputNames(data),
    ...task.scale,
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
  const { gpu, optimizer, config: { eval: evaluation }, data, model } = session;
  return {
    gpu,
    optimizer,
    stages: [stageOf(session)],
    columns: ["loss", "lr", ...VALIDATION_SCORES[data.targets.kind]],
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
