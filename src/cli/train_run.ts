/**
 * Runs a training session inside its run folder: checkpoints, metrics, resumption.
 *
 * @module
 */

import { DataError, NumericsError, WeightsError } from "../core/errors.ts";
import { fixed } from "../core/fixed.ts";
import { lossStatistics } from "../data/vocabulary.ts";
import { disk } from "../io/fs.ts";
import { type AdapterFacts, loadModel, modelFiles, optimizerFile } from "../train/checkpoint.ts";
import { readSafetensorsF32 } from "../io/safetensors.ts";
import { initialState, type LoopEnd, type LoopState, runLoop, type StageRunner } from "../train/loop.ts";
import { METRIC_COLUMNS, type MetricMarks, MetricsWriter } from "../train/metrics.ts";
import { type TrainingSettings, trainingSettings } from "../train/config.ts";
import type { Stage } from "../train/rates.ts";
import { Schedule } from "../train/schedule.ts";
import { SealStep } from "../train/seal_step.ts";
import { compileWarmup } from "../train/warmup_step.ts";
import { TIMES } from "./evidence_facts.ts";
import { checkFed, type FedAs } from "./encoder.ts";
import type { Progress } from "./progress.ts";
import { checkSettings } from "./run_checks.ts";
import { checkWhole, findCheckpoint, type FoundCheckpoint, writeCheckpoint } from "./run_folder.ts";
import { markMetrics } from "./run_start.ts";
import type { Stopwatch } from "./stopwatch.ts";
import { evaluate, organsOfPairs } from "./train_scores.ts";
import type { Session } from "./train_session.ts";

/** What `trainer_state.json` holds. */
interface TrainerState extends FedAs {
  /** 1: lengths of metrics without checksums, data without pictures. */
  readonly format: 1 | 2;
  readonly loop: LoopState;
  readonly metrics: MetricMarks;
  /** What the checkpoint belongs to. */
  readonly encoder: string;
  readonly weights: string;
  readonly data: string;
  /** SHA-256 of the adapter it started from; null without one. */
  readonly adapter?: string | null;
  /** What it was trained with; versions before have none. */
  readonly settings?: TrainingSettings;
}

/** Metrics that only some configurations have. */
const EXTRA = ["loss_kl", "loss_kl_flow", "loss_mlm", "loss_cca", "loss_da"] as const;

/** Most bytes of a step's plan; a device does not say how much it has. */
const BUDGET = { gpu: 12 * 2 ** 30, software: 6 * 2 ** 30 } as const;

/** Chooses a share of the training pairs by seed; all by default. */
function chosenPairs({ set, config }: Session): Uint32Array | undefined {
  const share = config.input.subsample_frac;
  const count = set.pairs("train").length;
  if (share === null || share >= 1) return undefined;
  const all = new Schedule({
    seed: config.optim.seed ^ 0x73756273,
    count,
    batch: count,
    accumulate: 1,
    epochs: 1,
    steps: null,
  });
  return all.pairs(0, 0).slice(0, Math.max(2, Math.round(share * count))).sort();
}

function scheduleOf(session: Session, stage: Stage): Schedule {
  const { optim, warmup } = session.config;
  const chosen = chosenPairs(session);
  const near = optim.neighbour_cap !== null && !chosen
    ? { pairs: session.set.near(optim.neighbour_distance), most: optim.neighbour_cap - 1 }
    : undefined;
  return new Schedule({
    // Stages shuffle differently.
    seed: stage === "warmup" ? (optim.seed ^ 0x7761726d) >>> 0 : optim.seed,
    count: chosen?.length ?? session.set.pairs("train").length,
    batch: optim.batch_size,
    accumulate: optim.grad_accum,
    epochs: stage === "warmup" ? warmup.warmup_epochs : optim.epochs,
    steps: optim.steps,
    near,
    chosen,
  });
}

/** Deviations that standardise losses, `[genes]`. */
function deviations({ set, config }: Session): Float32Array {
  return lossStatistics(set.vocabulary, config.genes.std_floor).std;
}

async function warmupRunner(session: Session, schedule: Schedule): Promise<StageRunner & { destroy(): void }> {
  const { model, optimizer, config, set } = session;
  const { batch, accumulate } = schedule;
  const { step, write, destroy } = await compileWarmup(model, optimizer, config, {
    batch,
    accumulate,
    std: deviations(session),
  });
  return {
    schedule,
    destroy,
    seek: (batches) => step.position = batches,
    submit: (rates, stageStep) => {
      step.submit(rates, (i) => write(set.gather(schedule.pairs(stageStep, i))));
      return Promise.resolve();
    },
    read: () => step.readMetrics(),
  };
}

async function alignRunner(
  session: Session,
  schedule: Schedule,
  progress: Progress,
): Promise<StageRunner & { destroy(): void }> {
  const { model, optimizer, config, set, training, gpu } = session;
  const { optim, loss } = config;
  const step = await SealStep.compile(model, training, optimizer, {
    batch: schedule.batch,
    micro: optim.micro_batch ?? undefined,
    accumulate: schedule.accumulate,
    seed: optim.seed,
    ring: Math.max(128, config.eval.log_every),
    budgetBytes: gpu.caps.software ? BUDGET.software : BUDGET.gpu,
    std: deviations(session),
    slides: loss.lambda_da > 0,
  });
  const bytes = Math.max(...Object.values(step.memory).map(({ total }) => total));
  progress.say(
    `Step: batch ${schedule.batch}${step.micro < schedule.batch ? ` in micro-batches of ${step.micro}` : ""}, ` +
      `${schedule.stepsPerEpoch} steps an epoch, ${(bytes / 2 ** 20).toFixed(0)} MiB`,
  );
  return {
    schedule,
    destroy: () => step.destroy(),
    seek: (batches) => step.position = batches,
    submit: (rates, stageStep) =>
      step.submit(rates, (i) => {
        const pairs = schedule.pairs(stageStep, i);
        const epoch = schedule.epoch(stageStep);
        const organ = organsOfPairs(session, [...pairs]);
        return {
          views: Array.from(pairs, (pair) => session.view(epoch, pair)),
          x: set.gather(pairs),
          slide: loss.lambda_da > 0 ? pairs.map((pair) => set.locate(pair).sample) : undefined,
          organ: organ && Uint32Array.from(organ),
        };
      }),
    read: () => step.readMetrics(),
  };
}

/** A checkpoint that training goes on with. */
export type SavedState = FoundCheckpoint & { readonly state: TrainerState };

/**
 * Where a run that was begun before stands; undefined if it left no checkpoint.
 *
 * @throws {DataError | WeightsError} If it is damaged, or of other data or weights than the session has.
 */
export function stateToResume(
  { opened, data, config }: Session,
  run: string,
  progress: Progress,
): SavedState | undefined {
  const best = findCheckpoint(run, "best");
  if (best) {
    checkSettings(best, config);
    checkWhole(best);
  }
  const found = findCheckpoint(run, "last");
  if (!found) return undefined;
  checkSettings(found, config);
  checkWhole(found);
  const { path } = found;
  const state = found.state as TrainerState;
  if (state.format !== 1 && state.format !== 2) {
    throw new DataError(`Cannot read ${path}: format ${state.format}, wanted 1 or 2`, { context: { file: path } });
  }
  if (!found.checked) {
    progress.warn(`${path} is of a version before and has no checksums: its files are read unchecked`);
  }
  const hint = "Bring them back, or begin anew with --overwrite";
  if (state.weights !== opened.weightsHash) {
    throw new WeightsError(`Cannot go on with ${path}: the weights of ${opened.name} changed since`, {
      hint,
      context: { given: opened.weightsHash, wanted: state.weights },
    });
  }
  if (state.adapter !== undefined && state.adapter !== (opened.adapterHash ?? null)) {
    throw new WeightsError(`Cannot go on with ${path}: the adapter it started from changed since`, {
      hint,
      context: { given: opened.adapterHash, wanted: state.adapter },
    });
  }
  checkFed(state, opened, path, config.input.image_size);
  if (!data.agrees(state.data)) {
    const what = found.checked ? "expression or pictures" : "or this version reads them otherwise than the one before";
    throw new DataError(`Cannot go on with ${path}: the data changed since, ${what}`, {
      hint,
      context: { given: data.fingerprint, wanted: state.data },
    });
  }
  return { ...found, state };
}

async function restore(session: Session, read: (name: string) => Uint8Array | undefined, path: string): Promise<void> {
  const { model, optimizer } = session;
  loadModel(model, read, path);
  const bytes = read("optimizer.safetensors");
  if (!bytes) throw new DataError(`Cannot go on with ${path}: optimizer.safetensors is missing`);
  optimizer.load(readSafetensorsF32(bytes, `${path}/optimizer.safetensors`).tensors);
  await session.gpu.queue.onSubmittedWorkDone();
}

/** Sets all moments and counters of the optimiser to 0. */
async function resetOptimizer({ optimizer }: Session): Promise<void> {
  const values = await optimizer.read();
  optimizer.load(
    new Map([...values].map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }])),
  );
}

/** A run under way. */
export interface RunOptions {
  /** Folder. */
  readonly run: string;
  /** What is gone on with, by {@linkcode stateToResume}; undefined where training begins. */
  readonly before: SavedState | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly stopwatch: Stopwatch;
  /** Places of the reported genes in the vocabulary. */
  readonly panel: readonly number[];
  /** Asked before a checkpoint is written: whether the folder is still this process's. */
  readonly held?: () => void;
}

/** How the encoder is named to PEFT. */
function adapterFacts({ opened, config }: Session): AdapterFacts {
  const { lora_dropout: dropout, use_rslora: rsLora } = config.lora;
  const { source, input } = opened.encoder.spec;
  return { dropout, rsLora, baseModel: source.repo ?? opened.name, imageSize: input.size };
}

/** Files of the model as it is. */
export async function currentFiles(session: Session): Promise<Map<string, Uint8Array>> {
  return await modelFiles(session.model, session.set.vocabulary, adapterFacts(session));
}

/** Trains to the end, or until the signal; writes metrics and checkpoints. */
export async function trainInFolder(session: Session, options: RunOptions): Promise<LoopEnd> {
  const { run, before, progress, signal, stopwatch, panel } = options;
  const { config } = session;
  if (before) {
    await restore(session, before.read, before.path);
    const { stage, step } = before.state.loop;
    progress.say(`Going on from ${before.path}: step ${step}${stage === "done" ? ", trained" : `, stage ${stage}`}`);
  }
  const metrics = MetricsWriter.open(disk, run, {
    extra: EXTRA,
    ...(before && { resumeAt: before.state.metrics, keeper: `${before.path}/trainer_state.json` }),
  });
  const open: { destroy(): void }[] = [];
  try {
    return await runLoop({
      config,
      optimizer: session.optimizer,
      async runner(stage) {
        for (const runner of open.splice(0)) runner.destroy();
        const schedule = scheduleOf(session, stage);
        const runner = stage === "warmup"
          ? await warmupRunner(session, schedule)
          : await alignRunner(session, schedule, progress);
        open.push(runner);
        return runner;
      },
      evaluate: (stage) => stopwatch.time(TIMES.evaluation, () => evaluate(session, stage, panel)),
      onRow: ({ values, ...row }) => {
        metrics.write({ ...row, values: known(values) });
        if (row.split !== "train") progress.say(described(row.epoch, row.stage, values));
      },
      onTiming: (step, values) => metrics.timing(step, values),
      onProgress: ({ stage, step, total, loss, rate }) => progress.training({ what: stage, step, total, loss, rate }),
      save: (kind, loop) => stopwatch.time(TIMES.checkpoints, () => save(session, options, metrics, kind, loop)),
      reset: () => resetOptimizer(session),
      signal,
      now: () => performance.now(),
    }, before?.state.loop ?? initialState(config));
  } catch (error) {
    throw error instanceof NumericsError ? withCheckpoint(error, run) : error;
  } finally {
    for (const runner of open) runner.destroy();
    metrics.close();
  }
}

/** Writes a checkpoint: first what it counts on outlasts a power cut, then the checkpoint, then the marks for readers. */
async function save(
  session: Session,
  { run, held }: RunOptions,
  metrics: MetricsWriter,
  kind: "last" | "best",
  loop: LoopState,
): Promise<void> {
  const { opened, data, optimizer } = session;
  await data.check();
  const files = await currentFiles(session);
  if (kind === "last") files.set("optimizer.safetensors", await optimizerFile(optimizer));
  const marks = metrics.marks();
  const state: TrainerState = {
    format: 2,
    loop,
    metrics: marks,
    encoder: opened.name,
    weights: opened.weightsHash,
    adapter: opened.adapterHash ?? null,
    data: data.fingerprint,
    image_size: opened.encoder.spec.input.size,
    preparation: opened.preparation,
    settings: trainingSettings(session.config),
  };
  held?.();
  // The clock's file is another in every run; the best checkpoint is to be the same in all.
  const { timing: _, ...timeless } = marks;
  writeCheckpoint(run, kind, files, kind === "last" ? state : { ...state, metrics: timeless });
  if (kind === "last") markMetrics(run, marks);
}

/** Says whether there is a checkpoint to go back to. */
function withCheckpoint(error: NumericsError, run: string): NumericsError {
  const found = findCheckpoint(run, "last");
  const { loop } = (found?.state ?? {}) as Partial<TrainerState>;
  const left = found ? `the checkpoint of step ${loop?.step} is intact in ${found.path}` : "there is no checkpoint yet";
  const { message, code, context, hint } = error;
  return new NumericsError(message, { code, context, cause: error, hint: hint ? `${hint}; ${left}` : left });
}

const COLUMNS = new Set([...METRIC_COLUMNS, ...EXTRA]);

function known(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => COLUMNS.has(name)));
}

/** What `pearson_mean` is of: not the probe's r of the result, which is on the features. */
const predicts = (stage: string) => stage === "warmup" ? "omics model" : "image decoder";

/** The line of an evaluation. */
export function described(epoch: number, stage: string, values: Readonly<Record<string, number>>): string {
  const parts = Object.entries(values).map(([name, value]) =>
    `${name === "pearson_mean" ? `r within sections of the ${predicts(stage)}` : name} ${fixed(value, 3)}`
  );
  return `Epoch ${epoch + 1}, held out: ${parts.join(", ") || "no donors"}`;
}
