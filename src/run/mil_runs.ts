/**
 * Runs of models of slides on the folds of a cohort: each in a folder of its own that is resumed where it stopped, one behind
 * another on one device, with the data read once.
 *
 * @module
 */

import { InterruptedError } from "../core/errors.ts";
import { Stopwatch } from "../core/stopwatch.ts";
import { alignRows, count } from "../core/text_table.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Cohort } from "../eval/cohort/cohort.ts";
import type { TrainedModel } from "../eval/cohort/evaluate.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk } from "../io/fs.ts";
import type { AnyMethod, AnyRunConfig, FoldTraining } from "../methods/method.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import type { ConfigOverrides } from "../train/config/format.ts";
import type { Host } from "../train/host.ts";
import { type CohortFiles, readGiven } from "./cohort.ts";
import { hostOf, runHome } from "./host.ts";
import { type Clock, train } from "./train.ts";

/** Folder of the runs below the output. */
export const RUNS = "runs";

/** A method that trains on folds. */
export type FoldMethod = AnyMethod & { readonly folds: FoldTraining<AnyRunConfig, unknown> };

/** What is trained. */
export interface RunPlan {
  readonly method: FoldMethod;
  readonly files: CohortFiles;
  readonly models: readonly string[];
  /** Names of the folds that can be judged. */
  readonly folds: readonly string[];
  /** Slides that take part. */
  readonly slides: ReadonlySet<string>;
  readonly caseSlides: "combine" | "mean";
  /** What every model is trained from on every fold. */
  readonly seeds: readonly number[];
  /** Keys of the method, which win over its defaults. */
  readonly keys: ConfigOverrides;
  /** Folder of the output. */
  readonly out: string;
  readonly overwrite: boolean;
}

/** One run. */
export interface FoldRun {
  readonly source: string;
  readonly model: string;
  readonly fold: string;
  readonly seed: number;
  readonly folder: string;
  readonly config: AnyRunConfig;
}

const plain = (name: string): string => name.replace(/[^\w.+-]+/g, "_");

/** All runs, encoders and models apart, in the order they are trained. @throws {ConfigError} If a key does not fit. */
export function runsOf(plan: RunPlan): FoldRun[] {
  const { files, models, folds, seeds } = plan;
  return files.features.flatMap((features) =>
    models.flatMap((model) =>
      folds.flatMap((fold) => seeds.map((seed) => runOf(plan, { features, model, fold, seed })))
    )
  );
}

function runOf(
  { method, files, seeds, caseSlides, keys, out }: RunPlan,
  { features: { name: source, path }, model, fold, seed }: {
    readonly features: CohortFiles["features"][number];
    readonly model: string;
    readonly fold: string;
    readonly seed: number;
  },
): FoldRun {
  const folder = `${out}/${RUNS}/${plain(source)}/${model}/${fold}${seeds.length > 1 ? `_seed_${seed}` : ""}`;
  const { defaults, fixed } = method.folds.settings({
    model,
    fold,
    features: path,
    split: files.split,
    task: files.task,
    caseSlides,
    expression: files.expression,
    geneSets: files.geneSets,
    seed,
  });
  const { config } = method.config.read([], [...defaults, ...keys, ...fixed, ["out", folder]]);
  return { source, model, fold, seed, folder, config };
}

/** What the machine gives to runs. */
export interface RunMachine {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Opens the device, which all runs share. */
  openGpu(): Promise<Gpu>;
  /** Whether that device is another's and stays open. */
  readonly keepGpu?: boolean | undefined;
  /** Runs what ends by itself within a step of the signal. */
  gracefully<T>(act: () => Promise<T>): Promise<T>;
  /** The command, for `run.json`. */
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Data of runs: those of an encoder are read when its first run asks for them. */
export class FoldData {
  readonly #open = new Map<string, Promise<(config: AnyRunConfig) => unknown>>();

  constructor(readonly plan: RunPlan, readonly host: Host) {}

  async of({ source, config }: FoldRun): Promise<unknown> {
    let opened = this.#open.get(source);
    if (opened === undefined) {
      // The rows of one encoder are in memory at a time.
      this.#open.clear();
      opened = this.plan.method.folds.open(config, this.host, this.plan.slides);
      this.#open.set(source, opened);
    }
    return (await opened)(config);
  }
}

/** Told of a run among many: only where it stands. */
function quietly(reporter: Reporter, { model, folder }: FoldRun): Reporter {
  const name = `${model}, ${folder.slice(folder.lastIndexOf("/") + 1)}`;
  return {
    update: (what, done, total, unit) => reporter.update(`${name}: ${what}`, done, total, unit),
    training: (at) => reporter.training({ ...at, what: name }),
    say() {},
    // What is to be known of the data is said once, of all runs.
    warn() {},
  };
}

/** Whether a run has its result. */
function isFinished({ folder }: FoldRun): boolean {
  return disk.look(`${folder}/manifest.json`) !== undefined && disk.look(`${folder}/${EVIDENCE.facts}`) !== undefined;
}

/**
 * Measures what is left to train, before anything is trained.
 *
 * @returns Lines that say it.
 */
export async function costOf(
  { method, overwrite }: RunPlan,
  runs: readonly FoldRun[],
  data: FoldData,
  { signal, clock }: RunMachine,
  gpu: Gpu,
): Promise<string[]> {
  const left = runs.filter((run) => overwrite || !isFinished(run));
  const groups = [...Map.groupBy(left, ({ source, model }) => `${source}\0${model}`).values()];
  if (groups.length === 0) return [`All ${runs.length} runs are trained`];
  const rows: string[][] = [];
  let [total, bytes] = [0, 0];
  for (const own of groups) {
    signal.throwIfAborted();
    const [first] = own as [FoldRun];
    const cost = await method.folds.cost(gpu, first.config, await data.of(first), data.host, () => clock.ms());
    const { openSeconds, steps, stepSeconds, testSeconds, shownSeconds } = cost;
    const seconds = own.length * (openSeconds + steps * stepSeconds + testSeconds + shownSeconds);
    total += seconds;
    bytes += own.length * cost.bytes;
    rows.push([
      first.source,
      method.folds.models[first.model]!,
      `${cost.parameters} parameters`,
      `${count(own.length, "run")} of ${steps} steps, ${short(stepSeconds)} each, tests of ${short(testSeconds)}${
        shownSeconds > 0 ? ` and maps of ${short(shownSeconds)}` : ""
      }`,
      short(seconds),
    ]);
  }
  return [
    `To train: ${left.length} of ${runs.length} runs, about ${short(total)} and ${
      size(bytes)
    } of disk on ${gpu.description}`,
    ...alignRows(rows).map((row) => `  ${row}`),
  ];
}

/** Bytes in words. */
function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Seconds in words. */
function short(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * Trains all runs; those that are finished are compared with their checksums and left as they are.
 *
 * @throws {InterruptedError} If a signal came; what was trained is kept.
 */
export async function trainRuns(
  plan: RunPlan,
  runs: readonly FoldRun[],
  data: FoldData,
  machine: RunMachine,
  gpu: Gpu,
): Promise<void> {
  const { reporter, signal, clock } = machine;
  for (const [i, run] of runs.entries()) {
    if (signal.aborted) throw new InterruptedError(`Interrupted before ${run.model} of ${run.fold}`);
    const method: AnyMethod = {
      ...plan.method,
      // The cohort was looked at as a whole.
      check: () => Promise.resolve(),
      openData: () => data.of(run),
    };
    await train({
      method,
      config: run.config,
      home: runHome(run.folder),
      host: hostOf(quietly(reporter, run), signal),
      clock,
      overwrite: plan.overwrite,
      openGpu: () => Promise.resolve(gpu),
      keepGpu: true,
      gracefully: (act) => machine.gracefully(act),
      started: clock.date(),
      stopwatch: new Stopwatch(),
      demo: false,
      command: machine.command,
      versions: machine.versions,
    });
    reporter.update("runs", i + 1, runs.length, "probes");
  }
}

/** What trained models say of the test units of every fold, in the cohort's order. */
export function trainedModels({ method }: RunPlan, runs: readonly FoldRun[], cohort: Cohort): TrainedModel[] {
  const groups = [...Map.groupBy(runs, ({ source, model }) => `${source}\0${model}`).values()];
  return groups.map((own): TrainedModel => {
    const [{ source, model, config }] = own as [FoldRun];
    const said = ({ fold, folder }: FoldRun): Float64Array => {
      const path = `${folder}/${EVIDENCE.outputs}`;
      const { bags } = method.folds.outputs(readGiven(path), path);
      const by = new Map(bags.map(({ name, output }) => [name, output]));
      const { test } = cohort.folds.find(({ name }) => name === fold)!;
      return Float64Array.from(test.flatMap((u) => [...by.get(cohort.units[u]!.name) ?? []]));
    };
    const outputs = [...Map.groupBy(own, ({ fold }) => fold)].map(([fold, runs]) => [fold, runs.map(said)] as const);
    return {
      id: model,
      label: method.folds.models[model]!,
      note: method.folds.note(config),
      source,
      outputs: new Map(outputs),
    };
  });
}
