/**
 * A training run from its configuration to its report, in its folder: locked, checked first, resumed where it stopped.
 * Machine and folder are handed in.
 *
 * `run.json` is written last, then the page, then the manifest, which marks the run as finished.
 *
 * @module
 */

import { InterruptedError } from "../core/errors.ts";
import { textChunks } from "../io/text_chunks.ts";
import type { Stopwatch } from "../core/stopwatch.ts";
import { VERSION } from "../core/version.ts";
import { identityNote } from "../evidence/identity.ts";
import type { Gpu } from "../gpu/device.ts";
import type { AnyMethod, AnyRunConfig, MethodEvidence, MethodRun } from "../methods/method.ts";
import { readEvidence } from "../report/evidence_read.ts";
import { type RunFolder, writeEvidence } from "../report/evidence_write.ts";
import { writeReport } from "../report/report.ts";
import { EVIDENCE, EVIDENCE_SCHEMA, type RunFacts } from "../report/run_evidence.ts";
import type { LoopEnd } from "../train/loop.ts";
import type { MetricRow } from "../train/metrics.ts";
import { type RunStore, runTraining, stateToResume } from "../train/run.ts";
import { TIMES } from "../train/times.ts";
import { describeNumerics, probeNumerics } from "../verify/numerics.ts";
import type { HostMachine } from "./machine.ts";

/** Reads a configuration's text and writes it as this version does. */
export type Resolve = (text: string) => string;

/** A run folder that may be written to. */
export interface RunStart {
  /** Whether to resume an earlier run. */
  readonly resume: boolean;
  /** Makes the folder, or empties one that is to be written over of what the program wrote. Until then nothing is changed. */
  begin(): void;
}

/** The folder of a run, as training keeps it. */
export interface RunHome {
  readonly path: string;
  /** Takes the folder for this run alone. `check` throws {@linkcode DataError} when another has taken it since. */
  lock(): { check(): void; [Symbol.dispose](): void };
  /**
   * A finished run of the same configuration: whether it has its report; undefined if the folder holds no such run.
   *
   * @throws {DataError} If a file of it is not what was written.
   */
  finished(config: string, resolve: Resolve): { readonly report: boolean } | undefined;
  /**
   * Looks at the folder before anything is written.
   *
   * @param config Text of the resolved configuration.
   * @throws {ConfigError} If the folder may not be used.
   * @throws {DataError} If what an earlier run left is damaged.
   */
  start(config: string, overwrite: boolean, resolve: Resolve): RunStart;
  /** Its checkpoints and metrics. @param held Asked before a checkpoint is written: whether the folder is still this run's. */
  store(held: () => void): RunStore;
  /** For evidence and report. */
  readonly folder: RunFolder;
  /** The same; what is written is noted first. */
  readonly noted: RunFolder;
  /** Marks files as whole; all of them when none is named, which makes the run complete. */
  complete(only?: readonly string[]): void;
}

/** Where a run takes the time from. */
export interface Clock {
  /** Now. */
  date(): Date;
  /** Milliseconds from some beginning. */
  ms(): number;
}

/** A run that is asked for. */
export interface TrainRequest extends HostMachine {
  readonly method: AnyMethod;
  readonly config: AnyRunConfig;
  readonly home: RunHome;
  readonly clock: Clock;
  readonly overwrite: boolean;
  /** Runs what ends by itself within a step of the signal. */
  gracefully<T>(act: () => Promise<T>): Promise<T>;
  /** Whether that device is another's and stays open. */
  readonly keepGpu?: boolean | undefined;
  /** Told of each row of metrics. */
  onRow?: ((row: MetricRow) => void) | undefined;
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
  const { method, config, home, host, overwrite } = request;
  using lock = home.lock();
  const text = method.config.write(config);
  const resolved = (before: string) =>
    method.config.write(method.config.read([{ name: EVIDENCE.config, text: before }]).config);
  const finished = overwrite ? undefined : home.finished(text, resolved);
  if (finished) return await leaveFinished(request, finished.report);
  const start = home.start(text, overwrite, resolved);
  await method.check(config, host);
  return await trainLocked(request, start, () => lock.check());
}

/** What is to be said of a run that is finished; its report is made again if it is missing. */
async function leaveFinished(
  { method, home, host: { reporter } }: TrainRequest,
  hasReport: boolean,
): Promise<TrainResult> {
  const path = `${home.folder.path}/${EVIDENCE.report}`;
  if (!hasReport) {
    await writeReport(home.folder);
    home.complete([EVIDENCE.report]);
  }
  reporter.say(`${home.path} is finished already; --overwrite trains anew. Report: ${path}`);
  const { facts, results } = await readEvidence(home.folder);
  const { loop } = (home.store(() => {}).find("last")?.state ?? {}) as { loop?: { step?: number } };
  return {
    out: home.path,
    steps: loop?.step ?? null,
    reason: "finished",
    best_step: facts?.best_step ?? null,
    seconds: facts?.seconds,
    report: path,
    ...(results && method.resultJson?.(results)),
  };
}

async function trainLocked(request: TrainRequest, start: RunStart, held: () => void): Promise<TrainResult> {
  const { method, config, home, host, clock, stopwatch } = request;
  const { reporter, signal = new AbortController().signal } = host;
  const data = await stopwatch.time(TIMES.data, () => method.openData(config, host));
  const gpu = await request.openGpu();
  reporter.say(`Adapter: ${gpu.description}${gpu.caps.software ? " (software)" : ""}`);
  let run: MethodRun | undefined;
  try {
    run = await stopwatch.time(TIMES.open, () => method.open(gpu, config, data, host));
    reporter.say(run.describe());
    const store = home.store(held);
    const { training } = run;
    const before = start.resume ? stateToResume(training, store, reporter) : undefined;
    // What is refused up to here leaves the folder as it was.
    start.begin();
    if (run.before) await stopwatch.time(TIMES.before, run.before);
    const end = await stopwatch.time(TIMES.training, () =>
      request.gracefully(() =>
        runTraining(training, {
          store,
          before,
          reporter,
          signal,
          onRow: request.onRow,
          now: () => clock.ms(),
          time: (part, act) => stopwatch.time(TIMES[part], act),
        })
      ));
    if (end.reason === "interrupted") throw new InterruptedError(`Interrupted at step ${end.state.step}`);
    signal.throwIfAborted();
    return await writeRunEvidence(run, end, request, store);
  } finally {
    run?.close();
    if (!request.keepGpu) gpu.destroy();
  }
}

/** Writes evidence, report and manifest. */
async function writeRunEvidence(
  run: MethodRun,
  end: LoopEnd,
  request: TrainRequest,
  store: RunStore,
): Promise<TrainResult> {
  const { home: { path, noted: folder, complete }, host: { reporter }, stopwatch, demo } = request;
  const best = store.find("best") ?? store.find("last");
  const made = await stopwatch.time(TIMES.evidence, () => run.evidence({ folder: path, best, end, demo }));
  await run.training.inputs.verify();
  store.held();
  await writeEvidence(folder, made.parts);
  for (const [file, content] of made.files ?? []) {
    folder.makeFolder(`${path}/${file}`.replace(/\/[^/]*$/, ""));
    const whole = typeof content === "function" ? await content() : content;
    if (typeof whole === "string" || whole instanceof Uint8Array) folder.disk.write(`${path}/${file}`, whole);
    else folder.disk.writeChunks(`${path}/${file}`, textChunks(whole));
  }
  const facts = await factsOf(run, made, request);
  await writeEvidence(folder, { facts });
  const report = await writeReport(folder);
  complete();
  for (const error of report.errors) reporter.warn(error.message);
  for (const line of made.lines) reporter.say(line);
  reporter.say(`Report: ${report.path}`);
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

/** What the arithmetic of devices is: runs on one device probe it once. */
const ARITHMETIC = new WeakMap<Gpu, Promise<Record<string, string>>>();

function arithmeticOf(gpu: Gpu): Promise<Record<string, string>> {
  const known = ARITHMETIC.get(gpu) ?? probeNumerics(gpu).then(describeNumerics);
  ARITHMETIC.set(gpu, known);
  return known;
}

/** `run.json`. */
async function factsOf(
  { training: { gpu } }: MethodRun,
  { identity, facts, precision, timeNotes = {} }: MethodEvidence,
  { started, clock, stopwatch, command, versions }: TrainRequest,
): Promise<RunFacts> {
  const { title, seed, best_step, ...rest } = facts;
  return {
    schema: EVIDENCE_SCHEMA,
    title,
    status: "finished",
    command,
    started: started.toISOString(),
    seconds: (clock.date().getTime() - started.getTime()) / 1000,
    ...(seed === undefined ? {} : { seed }),
    ...(best_step === undefined ? {} : { best_step }),
    versions: { "seal-webgpu": VERSION, ...versions },
    device: {
      ...{ name: gpu.description, software: gpu.caps.software, ...(precision === undefined ? {} : { precision }) },
      ...(gpu.tuning && { tuning: `${gpu.tuning.file} (mark ${gpu.tuning.mark})` }),
    },
    made_of: identityNote({ ...identity, seed, gpu }),
    arithmetic: await arithmeticOf(gpu),
    ...rest,
    times: [...stopwatch.spent].map(([name, ms]) => ({
      name,
      seconds: ms / 1000,
      ...(timeNotes[name] === undefined ? {} : { note: timeNotes[name] }),
    })),
  };
}
