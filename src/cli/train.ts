/**
 * `train`: SEAL fine-tuning. Without arguments, the bundled demo.
 *
 * @module
 */

import { ConfigError, InterruptedError } from "../core/errors.ts";
import { findSamples } from "../data/data_folder.ts";
import { planTrainingSet } from "../data/plan_training_set.ts";
import { disk, openFile } from "../io/fs.ts";
import { lockFolder } from "../io/lock.ts";
import { readEvidence } from "../report/evidence_read.ts";
import { writeReport } from "../report/report.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import { SEAL_CONFIG, type SealConfig } from "../methods/seal/config.ts";
import type { ConfigDocument, UnusedKey } from "../train/config/format.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { checkEncoder } from "./encoder.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { checkFolder } from "./output.ts";
import { Progress } from "./progress.ts";
import { runFolder } from "./report.ts";
import { checkCheckpointFile, findCheckpoint } from "./run_folder.ts";
import { completeManifest, finishedRun, type RunStart, startRun } from "./run_start.ts";
import { prepareGpu } from "./setup.ts";
import { Stopwatch } from "./stopwatch.ts";
import { demoConfig, prepareDemo } from "./train_demo.ts";
import { TIMES } from "./evidence_facts.ts";
import { summaryOf } from "./evidence_summary.ts";
import { frozenFeatures, writeRunEvidence } from "./train_evidence.ts";
import { runFolderOf } from "./train_config.ts";
import { dataOptions, openData } from "../methods/seal/data.ts";
import { panelOf } from "../methods/seal/panel.ts";
import { openSession, organsOf } from "../methods/seal/session.ts";
import { sealTraining } from "../methods/seal/training.ts";
import { runTraining, stateToResume } from "../train/run.ts";
import { hostOf, runStore } from "./host.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "train";
/** What it does. */
export const summary = "fine-tune an encoder with spatial transcriptomics (SEAL); without arguments the bundled demo";
/** One example. */
export const example = "train --config data/configs/conch.yaml --data data/hest --out runs/conch optim.epochs=5";
/** Keys of the configuration may be given behind the flags. */
export const overrides = true;
/** The keys. */
export const keys: () => readonly string[] = () => SEAL_CONFIG.names;
/** Keys of the configuration, for the help. */
export const details: () => string = () => SEAL_CONFIG.help();

/** Flags of the command. */
export const flags = {
  config: COMMON.config,
  data: { kind: "list", value: "DIR", help: "folder in HEST's layout: st, patches, metadata" },
  encoder: { kind: "text", value: "NAME|PATH", help: "registry name, folder, weights file, or random:ARCH" },
  adapter: { kind: "text", value: "PATH", help: "PEFT LoRA folder or SEAL .pth to start from" },
  "genes-include": {
    kind: "list",
    value: "GENE,…",
    help: "genes the vocabulary has whatever their rank, beside the panel's; the rest are the most variable",
  },
  out: { kind: "text", value: "DIR", help: "run folder; one that was begun is gone on with (default runs/ENCODER)" },
  seed: COMMON.seed,
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  "no-install": COMMON.noInstall,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Files, flags and overrides as one configuration; flags win over files, overrides over flags. */
function configOf(
  { flags: values, overrides: given }: Args<typeof flags>,
  onUnused?: (keys: readonly UnusedKey[]) => void,
): SealConfig {
  const documents: ConfigDocument[] = values.config === undefined
    ? []
    : [{ name: values.config, text: readText(values.config) }];
  const fromFlags = Object.entries({
    data: values.data.length ? JSON.stringify(values.data) : undefined,
    encoder: values.encoder,
    adapter: values.adapter,
    genes_include: values["genes-include"].length ? values["genes-include"].join(",") : undefined,
    out: values.out,
    seed: values.seed,
    precision: values.precision,
  }).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  const { config, unused } = SEAL_CONFIG.read(documents, [
    ...fromFlags.map(([key, value]): [string, string] => [key, String(value)]),
    ...given,
  ]);
  if (unused.length > 0) onUnused?.(unused);
  return { ...config, input: { ...config.input, out: runFolderOf(config) } };
}

/** Most keys that are told of with their reasons; of more, as a whole file of another program has, the names do. */
const FEW_KEYS = 3;

/** What is said of keys that were given although nothing reads them. */
function unusedText(keys: readonly UnusedKey[]): string {
  const few = keys.length <= FEW_KEYS;
  return `Understood, not used: ${keys.map(({ key, reason }) => (few ? `${key} (${reason})` : key)).join(", ")}`;
}

/** Encoders that are opened. */
export function encoders(args: Args<typeof flags>): string[] {
  return isDemo(args.flags, args.overrides) ? [] : [configOf(args).input.encoder];
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new ConfigError(`Cannot read ${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
}

/** Whether nothing but a place, a seed or how to run was said. */
function isDemo(values: Values, given: readonly unknown[]): boolean {
  return values.config === undefined && !values.data.length && values.encoder === undefined && given.length === 0;
}

/** Runs the command. */
export async function run(args: Args<typeof flags>, job: Job): Promise<number> {
  const { flags: values } = args;
  const started = new Date();
  const progress = new Progress(values.quiet);
  const demo = isDemo(values, args.overrides);
  const config = demo ? demoConfig(values) : configOf(args, (unused) => progress.say(unusedText(unused)));
  if (!config.input.data.length) {
    throw new ConfigError("Cannot train: no data folder is given", {
      hint: "Pass --data DIR, or no argument at all for the demo",
    });
  }
  checkFolder(config.input.out!);
  const stopwatch = new Stopwatch();
  // The demo's data take a while to make, in vain where there is no adapter.
  if (demo) await prepareGpu(values);
  if (demo && !await stopwatch.time(TIMES.data, () => prepareDemo(config, progress, job.signal))) {
    throw new InterruptedError("Interrupted while the demo's slides were made");
  }
  return await trainConfigured(config, values, { progress, job, started, stopwatch, demo });
}

/** How a run is made. */
interface Circumstances {
  readonly progress: Progress;
  readonly job: Job;
  readonly started: Date;
  readonly stopwatch: Stopwatch;
  readonly demo: boolean;
}

async function trainConfigured(config: SealConfig, values: Values, circumstances: Circumstances): Promise<number> {
  const folder = config.input.out!;
  const { progress } = circumstances;
  using lock = lockFolder(folder, "train");
  const text = SEAL_CONFIG.write(config);
  const finished = values.overwrite ? undefined : finishedRun(folder, text);
  if (finished) return await leaveFinished(folder, finished.report, values, progress);
  const start = startRun(folder, text, values.overwrite);
  await checkInputs(config, progress);
  return await trainLocked(config, values, circumstances, { start, held: () => lock.check() });
}

/** Refuses what can be told of the inputs before samples are read: names, places, paths, donors. */
async function checkInputs(config: SealConfig, progress: Progress): Promise<void> {
  const { input: { encoder, adapter, omics, data, exclude_samples }, genes, cache } = config;
  await checkEncoder(encoder, adapter ?? undefined);
  for (const path of [genes.gene_list, omics]) if (path !== null) (await openFile(path)).close?.();
  if (cache.cache === "disk" && cache.cache_dir !== null) checkFolder(cache.cache_dir, "cache_dir");
  organsOf(planTrainingSet(disk, dataOptions(config, { disk, checkFile: checkCheckpointFile })).order, config);
  const found = new Set(findSamples(disk, data).map(({ id }) => id));
  const unknown = exclude_samples.filter((id) => !found.has(id));
  if (unknown.length > 0) progress.warn(`exclude_samples: the folders have no ${unknown.join(", ")}`);
}

/** What is to be said of a run that is finished; its report is made again if it is missing. */
async function leaveFinished(
  folder: string,
  hasReport: boolean,
  { json }: Values,
  progress: Progress,
): Promise<number> {
  const run = runFolder(folder);
  const path = `${run.path}/${EVIDENCE.report}`;
  if (!hasReport) {
    await writeReport(run);
    completeManifest(folder, [EVIDENCE.report]);
  }
  progress.say(`${folder} is finished already; --overwrite trains anew. Report: ${path}`);
  if (json) {
    const { facts, results } = await readEvidence(run);
    const { loop } = (findCheckpoint(folder, "last")?.state ?? {}) as { loop?: { step?: number } };
    printJson({
      out: folder,
      steps: loop?.step ?? null,
      reason: "finished",
      best_step: facts?.best_step ?? null,
      seconds: facts?.seconds,
      report: path,
      ...(results && summaryOf(results).json),
    });
  }
  return 0;
}

async function trainLocked(
  config: SealConfig,
  values: Values,
  { progress, job, started, stopwatch, demo }: Circumstances,
  { start, held }: { start: RunStart; held: () => void },
): Promise<number> {
  const folder = config.input.out!;
  const host = hostOf(progress, job.signal);
  const set = await stopwatch.time(TIMES.data, () => openData(config, host));
  const panel = panelOf(config, set);
  const gpu = await openGpu(values.software);
  progress.say(`Adapter: ${gpu.description}${gpu.caps.software ? " (software)" : ""}`);
  const session = await stopwatch.time(TIMES.open, () => openSession(gpu, config, set, host));
  try {
    const { all, trainable } = session.model.parameters.count();
    progress.say(
      `Model: ${session.opened.name}, ${all} parameters, ${trainable} train; ${set.genes} genes; ` +
        `${set.pairs("train").length} training pairs, ${set.count - set.pairs("train").length} held out`,
    );
    const store = runStore(folder, held);
    const training = sealTraining(session, panel.columns);
    const before = start.resume ? stateToResume(training, store, progress) : undefined;
    // What is refused up to here leaves the folder as it was.
    start.begin();
    const frozen = await stopwatch.time(TIMES.frozen, () => frozenFeatures(session, progress));
    const end = await stopwatch.time(
      TIMES.training,
      () =>
        job.gracefully(() =>
          runTraining(training, {
            store,
            before,
            reporter: progress,
            signal: job.signal,
            now: () => performance.now(),
            time: (part, act) => stopwatch.time(TIMES[part], act),
          })
        ),
    );
    if (end.reason === "interrupted") throw new InterruptedError(`Interrupted at step ${end.state.step}`);
    job.signal.throwIfAborted();
    const args = Deno.args.slice(1);
    const made = { folder, frozen, panel, end, started, stopwatch, progress, demo, args, held };
    const result = await writeRunEvidence(session, made);
    if (values.json) printJson(result);
    return 0;
  } finally {
    session.close();
    gpu.destroy();
  }
}
