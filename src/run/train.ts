/**
 * A training run from its configuration to its report, in its folder: locked, checked first, gone on with where it stopped.
 *
 * `run.json` is written last, then the page, then the manifest, which marks the run as finished.
 *
 * @module
 */

import { InterruptedError } from "../core/errors.ts";
import type { Stopwatch } from "../core/stopwatch.ts";
import { VERSION } from "../core/version.ts";
import { lockFolder } from "../io/lock.ts";
import type { AnyMethod, AnyRunConfig, MethodEvidence, MethodRun } from "../methods/method.ts";
import { readEvidence } from "../report/evidence_read.ts";
import { writeEvidence } from "../report/evidence_write.ts";
import { writeReport } from "../report/report.ts";
import { EVIDENCE, EVIDENCE_SCHEMA, type RunFacts } from "../report/run_evidence.ts";
import type { LoopEnd } from "../train/loop.ts";
import { runTraining, stateToResume } from "../train/run.ts";
import { TIMES } from "../train/times.ts";
import { describeNumerics, probeNumerics } from "../verify/numerics.ts";
import type { Gpu } from "../gpu/device.ts";
import { hostOf, runStore } from "./host.ts";
import type { Reporter } from "../core/reporter.ts";
import { runFolder } from "./folder.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { completeManifest, finishedRun, journalled, type RunStart, startRun } from "./start.ts";

/** A run that is asked for. */
export interface TrainRequest {
  readonly method: AnyMethod;
  readonly config: AnyRunConfig;
  /** Folder of the run. */
  readonly folder: string;
  readonly overwrite: boolean;
  readonly progress: Reporter;
  /** Aborted when training is to stop; its reason is the error to end with. */
  readonly signal: AbortSignal;
  /** Runs what ends by itself within a step of the signal. */
  gracefully<T>(act: () => Promise<T>): Promise<T>;
  /** Opens the device, when all that can be refused without it has been looked at. */
  openGpu(): Promise<Gpu>;
  readonly started: Date;
  readonly stopwatch: Stopwatch;
  /** Whether it is the bundled demo. */
  readonly demo: boolean;
  /** The command that trains, for `run.json`. */
  readonly command: string;
  /** Versions of what it runs on, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** The result of the command. */
export type TrainResult = Readonly<Record<string, unknown>>;

/**
 * Trains, or finds that it was done.
 *
 * @throws {ConfigError | DataError | WeightsError} If the folder or the inputs cannot be used; nothing is left then.
 * @throws {InterruptedError} If a signal came; what was trained is kept.
 */
export async function train(request: TrainRequest): Promise<TrainResult> {
  const { method, config, folder, overwrite, progress, signal } = request;
  using lock = lockFolder(folder, "train");
  const text = method.config.write(config);
  const resolved = (before: string) =>
    method.config.write(method.config.read([{ name: EVIDENCE.config, text: before }]).config);
  const finished = overwrite ? undefined : finishedRun(folder, text, resolved);
  if (finished) return await leaveFinished(request, finished.report);
  const start = startRun(folder, text, overwrite, resolved);
  await method.check(config, hostOf(progress, signal));
  return await trainLocked(request, start, () => lock.check());
}

/** What is to be said of a run that is finished; its report is made again if it is missing. */
async function leaveFinished({ method, folder, progress }: TrainRequest, hasReport: boolean): Promise<TrainResult> {
  const run = runFolder(folder);
  const path = `${run.path}/${EVIDENCE.report}`;
  if (!hasReport) {
    await writeReport(run);
    completeManifest(folder, [EVIDENCE.report]);
  }
  progress.say(`${folder} is finished already; --overwrite trains anew. Report: ${path}`);
  const { facts, results } = await readEvidence(run);
  const { loop } = (findCheckpoint(folder, "last")?.state ?? {}) as { loop?: { step?: number } };
  return {
    out: folder,
    steps: loop?.step ?? null,
    reason: "finished",
    best_step: facts?.best_step ?? null,
    seconds: facts?.seconds,
    report: path,
    ...(results && method.resultJson?.(results)),
  };
}

async function trainLocked(request: TrainRequest, start: RunStart, held: () => void): Promise<TrainResult> {
  const { method, config, folder, progress, signal, stopwatch } = request;
  const host = hostOf(progress, signal);
  const data = await stopwatch.time(TIMES.data, () => method.openData(config, host));
  const gpu = await request.openGpu();
  progress.say(`Adapter: ${gpu.description}${gpu.caps.software ? " (software)" : ""}`);
  let run: MethodRun | undefined;
  try {
    run = await stopwatch.time(TIMES.open, () => method.open(gpu, config, data, host));
    progress.say(run.describe());
    const store = runStore(folder, held);
    const { training } = run;
    const before = start.resume ? stateToResume(training, store, progress) : undefined;
    // What is refused up to here leaves the folder as it was.
    start.begin();
    if (run.before) await stopwatch.time(TIMES.before, run.before);
    const end = await stopwatch.time(TIMES.training, () =>
      request.gracefully(() =>
        runTraining(training, {
          store,
          before,
          reporter: progress,
          signal,
          now: () => performance.now(),
          time: (part, act) => stopwatch.time(TIMES[part], act),
        })
      ));
    if (end.reason === "interrupted") throw new InterruptedError(`Interrupted at step ${end.state.step}`);
    signal.throwIfAborted();
    return await writeRunEvidence(run, end, request, held);
  } finally {
    run?.close();
    gpu.destroy();
  }
}

/** Writes evidence, report and manifest. */
async function writeRunEvidence(
  run: MethodRun,
  end: LoopEnd,
  request: TrainRequest,
  held: () => void,
): Promise<TrainResult> {
  const { folder: path, progress, stopwatch, demo } = request;
  const folder = journalled(runFolder(path));
  const best = findCheckpoint(path, "best") ?? findCheckpoint(path, "last");
  const made = await stopwatch.time(TIMES.evidence, () => run.evidence({ folder: path, best, end, demo }));
  await run.training.inputs.verify();
  held();
  await writeEvidence(folder, made.parts);
  for (const [file, content] of made.files ?? []) {
    folder.makeFolder(`${path}/${file}`.replace(/\/[^/]*$/, ""));
    folder.disk.write(`${path}/${file}`, content);
  }
  const facts = await factsOf(run, made, request);
  await writeEvidence(folder, { facts });
  const report = await writeReport(folder);
  completeManifest(path);
  for (const error of report.errors) progress.warn(error.message);
  for (const line of made.lines) progress.say(line);
  progress.say(`Report: ${report.path}`);
  return {
    out: path,
    steps: end.state.step,
    reason: end.reason,
    best_step: facts.best_step ?? null,
    seconds: facts.seconds,
    report: report.path,
    ...made.json,
  };
}

/** `run.json`. */
async function factsOf(
  { training: { gpu } }: MethodRun,
  { facts, precision, timeNotes = {} }: MethodEvidence,
  { started, stopwatch, command, versions }: TrainRequest,
): Promise<RunFacts> {
  const { title, seed, best_step, ...rest } = facts;
  return {
    schema: EVIDENCE_SCHEMA,
    title,
    status: "finished",
    command,
    started: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    ...(seed === undefined ? {} : { seed }),
    ...(best_step === undefined ? {} : { best_step }),
    versions: { "seal-webgpu": VERSION, ...versions },
    device: { name: gpu.description, software: gpu.caps.software, ...(precision === undefined ? {} : { precision }) },
    arithmetic: describeNumerics(await probeNumerics(gpu)),
    ...rest,
    times: [...stopwatch.spent].map(([name, ms]) => ({
      name,
      seconds: ms / 1000,
      ...(timeNotes[name] === undefined ? {} : { note: timeNotes[name] }),
    })),
  };
}
