/**
 * Runs an opened training inside its run folder: checkpoints, metrics, resumption.
 *
 * @module
 */

import { ConfigError, DataError, NumericsError } from "../core/errors.ts";
import { fixed } from "../core/fixed.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Gpu } from "../gpu/device.ts";
import { matrixInUse } from "../gpu/matrix_units.ts";
import type { FileMark } from "../io/checksum.ts";
import type { Disk } from "../io/disk.ts";
import { readSafetensorsF32 } from "../io/torch/safetensors.ts";
import { OPTIMIZER_FILE, optimizerFile, type ReadFile, STATE_FILE } from "./checkpoint.ts";
import { initialState, type LoopEnd, type LoopState, runLoop } from "./loop.ts";
import { type MetricMarks, type MetricRow, MetricsWriter } from "./metrics.ts";
import { checkSettings, type TrainingSettings } from "./settings.ts";
import type { Stage } from "./stage.ts";
import type { Training } from "./training.ts";

/** Kinds of checkpoints. */
export type CheckpointName = "last" | "best";

/** A checkpoint that was found. */
export interface FoundCheckpoint {
  readonly path: string;
  /** What `trainer_state.json` holds. */
  readonly state: unknown;
  /** Whether it has checksums; those of earlier versions have none. */
  readonly checked: boolean;
  /** Reads a file of it; throws {@linkcode DataError} if that is not what was written. */
  readonly read: ReadFile;
  /** Files it should have, as they should be; none where it has no checksums. */
  readonly files: Readonly<Record<string, FileMark>>;
}

/** A run's folder, as the host keeps it. */
export interface RunStore {
  readonly disk: Disk;
  /** The folder. */
  readonly path: string;
  /** A checkpoint; undefined where there is none. @throws {DataError} If its state is damaged. */
  find(name: CheckpointName): FoundCheckpoint | undefined;
  /** Compares a checkpoint's files with its state. @throws {DataError} Naming the first that differs. */
  checkWhole(found: FoundCheckpoint): void;
  /** Writes a checkpoint, whole or not at all. */
  write(name: CheckpointName, files: ReadonlyMap<string, Uint8Array>, state: object): void;
  /** Marks the metrics as they are at a checkpoint, for those who read an unfinished run. */
  markMetrics(marks: MetricMarks): void;
  /** Makes sure that the folder is still this process's. */
  held(): void;
}

/** What `trainer_state.json` holds beside the facts of {@linkcode Training.inputs}. */
export interface TrainerState {
  /** 1: lengths of metrics without checksums, data without images. */
  readonly format: 1 | 2;
  readonly loop: LoopState;
  readonly metrics: MetricMarks;
  /** What it was trained with; earlier versions have none. */
  readonly settings?: TrainingSettings;
  /** Mark of the measured kernels it was trained with; none where the rule chose. */
  readonly tuning?: string;
  /** Matrix units it was trained with. */
  readonly matrix?: string;
}

/** A run under way. */
export interface RunOptions {
  readonly store: RunStore;
  /** What is resumed, by {@linkcode stateToResume}; undefined where training begins. */
  readonly before: SavedState | undefined;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  now(): number;
  /** Told of each row of metrics. */
  onRow?: ((row: MetricRow) => void) | undefined;
  /** Runs a part that is timed by itself. */
  time<T>(part: "evaluation" | "checkpoints", act: () => Promise<T>): Promise<T>;
}

/** A checkpoint that training resumes from. */
export type SavedState = FoundCheckpoint & { readonly state: TrainerState };

/**
 * Where a run that was begun before stands; undefined if it left no checkpoint.
 *
 * @throws {DataError | WeightsError} If it is damaged, or of other inputs than the training has.
 * @throws {ConfigError} If its kernels were chosen by another measurement or multiplied by other units, so that it would round
 *   otherwise from here on.
 */
export function stateToResume(
  { inputs, gpu }: Pick<Training, "inputs" | "gpu">,
  store: Pick<RunStore, "find" | "checkWhole">,
  reporter: Reporter,
): SavedState | undefined {
  const best = store.find("best");
  if (best) {
    checkSettings(best, inputs.settings);
    store.checkWhole(best);
  }
  const found = store.find("last");
  if (!found) return undefined;
  checkSettings(found, inputs.settings);
  store.checkWhole(found);
  const { path, checked } = found;
  const state = found.state as TrainerState & Record<string, unknown>;
  if (state.format !== 1 && state.format !== 2) {
    throw new DataError(`Cannot read ${path}: format ${state.format}, wanted 1 or 2`, { context: { file: path } });
  }
  if (!checked) {
    reporter.warn(`${path} is of a version before and has no checksums: its files are read unchecked`);
  }
  checkTuning(path, state.tuning, gpu);
  checkMatrix(path, state.matrix, matrixInUse(gpu.caps.matrix, inputs.settings.precision));
  inputs.agree(state, path, checked);
  return { ...found, state };
}

/** Compares the kernels that a checkpoint was trained with to those of the device. */
function checkTuning(path: string, before: string | undefined, { tuning }: Gpu): void {
  if (before === tuning?.mark) return;
  const was = before === undefined ? "without --tuning" : `with kernels as measured (mark ${before})`;
  const now = tuning === undefined ? "without --tuning" : `with ${tuning.file} (mark ${tuning.mark})`;
  throw new ConfigError(`Cannot go on with ${path}: it was trained ${was}, the command is ${now}`, {
    code: "tuning",
    hint: before === undefined
      ? "Leave --tuning out, or train anew with --overwrite"
      : "Give --tuning the file it was begun with, whose mark deno task tune --show FILE says, or train anew with --overwrite",
    context: { path, given: tuning?.mark ?? null, wanted: before ?? null },
  });
}

async function restore({ optimizer, gpu, load }: Training, { read, path }: FoundCheckpoint): Promise<void> {
  load(read, path);
  const bytes = read(OPTIMIZER_FILE);
  if (!bytes) throw new DataError(`Cannot go on with ${path}: ${OPTIMIZER_FILE} is missing`);
  optimizer.load(readSafetensorsF32(bytes, `${path}/${OPTIMIZER_FILE}`).tensors);
  // A checkpoint's weights are the running mean, where there is one, and those that train lie in the optimiser's file.
  optimizer.swapMean();
  await gpu.queue.onSubmittedWorkDone();
}

/** Goes on from the weights of the best checkpoint; the running mean, where there is one, begins anew from them. */
async function restoreBest({ optimizer, gpu, load }: Training, store: RunStore): Promise<void> {
  const best = store.find("best");
  if (!best) return;
  for (let side = 0; side < 2; side++) {
    load(best.read, best.path);
    optimizer.swapMean();
  }
  await gpu.queue.onSubmittedWorkDone();
}

/** Runs a part with the running mean of the weights in their place, where there is one. */
async function averaged<T>({ optimizer }: Training, act: () => Promise<T>): Promise<T> {
  optimizer.swapMean();
  try {
    return await act();
  } finally {
    optimizer.swapMean();
  }
}

/** Trains to the end, or until the signal; writes metrics and checkpoints. The weights are then those that are saved. */
export async function runTraining(training: Training, options: RunOptions): Promise<LoopEnd> {
  const { store, before, reporter, signal, now, time, onRow } = options;
  const { stages, columns, cadence, hints } = training;
  if (before) {
    await restore(training, before);
    const { stage, step } = before.state.loop;
    reporter.say(`Going on from ${before.path}: step ${step}${stage === "done" ? ", trained" : `, stage ${stage}`}`);
  }
  const metrics = MetricsWriter.open(store.disk, store.path, {
    columns,
    ...(before && { resumeAt: before.state.metrics, keeper: `${before.path}/${STATE_FILE}` }),
  });
  const known = new Set(columns);
  const listed = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => known.has(name)));
  try {
    const end = await runLoop({
      stages,
      ...cadence,
      hints,
      evaluate: (stage) => time("evaluation", () => averaged(training, () => stage.evaluate())),
      onRow: ({ values, ...row }) => {
        metrics.write({ ...row, values: listed(values) });
        onRow?.({ ...row, values });
        if (row.split !== "train") {
          reporter.say(described(row.epoch, values, stages.find(({ name }) => name === row.stage)));
        }
      },
      onTiming: (step, values) => metrics.timing(step, values),
      onProgress: ({ stage, ...done }) => reporter.training({ what: stage.name, unit: stage.unit, ...done }),
      save: (kind, loop) =>
        time("checkpoints", () => averaged(training, () => save(training, store, metrics, kind, loop))),
      restore: () => restoreBest(training, store),
      reset: () => training.optimizer.reset(),
      signal,
      now,
    }, before?.state.loop ?? initialState(stages));
    training.optimizer.swapMean();
    return end;
  } catch (error) {
    throw error instanceof NumericsError ? withCheckpoint(error, store) : error;
  } finally {
    metrics.close();
  }
}

/** The same of matrix units, whose products round in another order. */
function checkMatrix(path: string, before: string | undefined, now: string | undefined): void {
  if (before === now) return;
  const by = (units: string | undefined) =>
    units === undefined ? "without matrix units" : `by matrix units of ${units}`;
  throw new ConfigError(`Cannot go on with ${path}: it was trained ${by(before)}, products are now ${by(now)}`, {
    code: "matrix",
    hint: before === undefined
      ? "Leave --backend dawn out, or train anew with --overwrite"
      : "Give --backend dawn on an adapter that has these units, or train anew with --overwrite",
    context: { path, given: now ?? null, wanted: before ?? null },
  });
}

/** Writes a checkpoint: first what it counts on outlasts a power cut, then the checkpoint, then the marks for readers. */
async function save(
  { inputs, optimizer, gpu, files: filesOf }: Training,
  store: RunStore,
  metrics: MetricsWriter,
  kind: CheckpointName,
  loop: LoopState,
): Promise<void> {
  await inputs.verify();
  const files = await filesOf();
  if (kind === "last") files.set(OPTIMIZER_FILE, await optimizerFile(optimizer));
  const marks = metrics.marks();
  const matrix = matrixInUse(gpu.caps.matrix, inputs.settings.precision);
  const state: TrainerState = {
    ...{ format: 2, loop, metrics: marks, ...inputs.facts, settings: inputs.settings },
    ...(gpu.tuning && { tuning: gpu.tuning.mark }),
    ...(matrix && { matrix }),
  };
  store.held();
  // The clock's file is another in every run; the best checkpoint is to be the same in all.
  const { timing: _, ...timeless } = marks;
  store.write(kind, files, kind === "last" ? state : { ...state, metrics: timeless });
  if (kind === "last") store.markMetrics(marks);
}

/** Says whether there is a checkpoint to go back to. */
function withCheckpoint(error: NumericsError, store: RunStore): NumericsError {
  const found = store.find("last");
  const { loop } = (found?.state ?? {}) as Partial<TrainerState>;
  const left = found ? `the checkpoint of step ${loop?.step} is intact in ${found.path}` : "there is no checkpoint yet";
  const { message, code, context, hint } = error;
  return new NumericsError(message, { code, context, cause: error, hint: hint ? `${hint}; ${left}` : left });
}

/** The line of an evaluation. */
function described(epoch: number, values: Readonly<Record<string, number>>, stage: Stage | undefined): string {
  const labels: Readonly<Record<string, string>> = stage && "labels" in stage ? stage.labels ?? {} : {};
  const parts = Object.entries(values).map(([name, value]) => `${labels[name] ?? name} ${fixed(value, 3)}`);
  return `Epoch ${epoch + 1}, held out: ${parts.join(", ") || "nothing"}`;
}
