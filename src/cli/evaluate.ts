/**
 * `evaluate`: the linear probe and HEST-Benchmark on encoders, adapters and features, side by side.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { type BenchOutput, safeName, writeSummaries, writeTaskFiles } from "../eval/bench/bench_files.ts";
import { benchTasks, dataTask, type Task } from "../eval/bench/bench_task.ts";
import type { LeaveOut } from "../eval/bench/folds.ts";
import { readTaskCounts, runTask, type TaskCounts, type TaskResult } from "../eval/bench/hest_bench.ts";
import { findProtocol, PROTOCOLS } from "../eval/protocol.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import {
  checkFolders,
  checkSources,
  encoderSource,
  findSources,
  folderSource,
  needsEmbedding,
  type OpenSource,
  sourceHash,
  type SourceRequest,
  syntheticSource,
} from "../run/evaluate_sources.ts";
import { evaluationJson } from "../eval/bench/bench_json.ts";
import { degenerate, type Evaluation, type Failure } from "../eval/bench/bench_result.ts";
import { evaluationText } from "../eval/bench/bench_table.ts";
import { EXPRESSION_FLAGS, expressionOptions } from "./expression_flags.ts";
import { COHORT_FLAGS, evaluateCohortCommand } from "./evaluate_cohort.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { sha256Of } from "../io/checksum.ts";
import { checkFolder, endsAll } from "../io/output.ts";
import { flagFacts, OutputFolder } from "../run/output_folder.ts";
import { samplesHash } from "../run/facts.ts";
import { Progress } from "./progress.ts";
import { printJson, say } from "./terminal.ts";

/** Name of the command. */
export const name = "evaluate";
/** What it does. */
export const summary =
  "linear probe, HEST-Benchmark and slide-level tasks on encoders, adapters or features, side by side";
/** An example. */
export const example = "evaluate --bench bench_data --task IDC --encoder uni2-h --adapter runs/a/checkpoints/best";

/** Flags of the command. */
export const flags = {
  encoder: {
    kind: "list",
    value: "X",
    help:
      "registry name, folder, weights file, random:ARCH; X+DIR with an adapter; colour: what colours alone score; of synthetic data also oracle:all, oracle:visible",
  },
  adapter: { kind: "list", value: "DIR", help: "PEFT LoRA folder or SEAL .pth, compared with its --encoder" },
  features: { kind: "list", value: "DIR", help: "folder of features that embed wrote, instead of an encoder" },
  data: { kind: "list", value: "DIR", help: "samples in HEST's layout" },
  bench: { kind: "text", value: "DIR", help: "HEST-Benchmark's bench_data, or one of its tasks" },
  task: { kind: "list", value: "NAME", help: "only these tasks of --bench; of --split its config.yaml" },
  ...COHORT_FLAGS,
  protocol: {
    kind: "choice",
    of: Object.keys(PROTOCOLS),
    default: "hest-bench/1",
    help: Object.values(PROTOCOLS).map(({ name, what }) => `${name}: ${what}`).join("; "),
  },
  "leave-out": {
    kind: "choice",
    of: ["donor", "organ", "technology", "sample"],
    help: "of --data: one fold for each; donor unless the folder has splits/",
  },
  folds: { kind: "number", value: "N", integer: true, min: 2, help: "of --data: N folds of whole donors" },
  panel: {
    kind: "text",
    value: "FILE",
    help: 'of --data: genes as {"genes": []}; else var_50genes.json, else each fold\'s own',
  },
  "panel-genes": { kind: "number", value: "N", integer: true, min: 1, default: 50, help: "genes a fold chooses" },
  "few-shot": {
    kind: "text",
    value: "COLUMN",
    help: "also probe this column of obs with 1 to 32 labelled spots a class",
  },
  ...EXPRESSION_FLAGS,
  "per-gene": { kind: "switch", help: "each gene in the table and in results.json" },
  cache: { kind: "text", value: "DIR", help: "where features are kept; OUT/features unless given" },
  "batch-size": COMMON["batch-size"],
  out: { kind: "text", value: "DIR", default: "evaluation", help: "folder of results.json and HEST's result files" },
  "image-size": COMMON["image-size"],
  seed: COMMON.seed,
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Exit status of a run in which something is not defined or failed. */
const SOME_FAILED = 3;

/** Encoders that are opened. */
export function encoders({ flags: values }: Args<typeof flags>): string[] {
  if (values.split !== undefined) return [];
  return findSources(values).filter(needsEmbedding).map(({ encoder }) => encoder!);
}

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, job: Job): Promise<number> {
  const { signal } = job;
  if (values.split !== undefined) return await evaluateCohortCommand(name, values, job);
  const sources = findSources(values);
  checkFolder(values.out!);
  if (values.cache !== undefined) checkFolder(values.cache, "--cache");
  const tasks = findTasks(values);
  await checkSources(sources, tasks);
  const progress = new Progress(values.quiet);
  using folder = OutputFolder.open({
    out: values.out!,
    command: name,
    result: "results.json",
    names: ["dataset_results.json", "dataset_results.csv", ...tasks.map((task) => safeName(task.name))],
    facts: await evaluationFacts(sources, tasks, values),
    overwrite: values.overwrite,
  });
  if (folder.finished) {
    progress.say(`${folder.path}/results.json: is there`);
    if (values.json) printJson(folder.finished.json);
    return folder.finished.status;
  }
  for (const task of tasks) task.warnings.forEach((text) => progress.warn(`${task.name}: ${text}`));
  const needsGpu = sources.some(needsEmbedding);
  const counts: TaskCounts[] = [];
  for (const task of tasks) {
    const read = await readTaskCounts(disk, task, values["few-shot"], {
      ...expressionOptions(values),
      panelGenes: values["panel-genes"]!,
    });
    for (const { warnings } of read.samples.values()) warnings.forEach((text) => progress.warn(text));
    counts.push(read);
  }
  await checkFolders(sources, counts, { dropUnknownPatches: values["drop-unknown-patches"] });
  const gpu = needsGpu ? await openGpu(values.software) : undefined;
  try {
    const out: BenchOutput = { disk, folder: folder.path, makeFolder };
    const begin = () => folder.begin();
    const found = await evaluateAll(sources, counts, { values, out, begin, gpu, progress, signal });
    const judged = counts.map(({ task }) => task);
    const evaluation = { ...found, protocol: values.protocol!, tasks: judged, perGene: values["per-gene"] };
    return finish(evaluation, values, out, folder);
  } finally {
    gpu?.destroy();
  }
}

/** What the results are made from and how: content, not places, of all that is read. */
async function evaluationFacts(
  sources: readonly SourceRequest[],
  tasks: readonly Task[],
  values: Values,
): Promise<Facts> {
  const facts: Record<string, string> = {};
  for (const source of sources) facts[source.name] = await sourceHash(source);
  const folds = tasks.map(({ name, folds, panel }) => ({ name, folds, panel }));
  return {
    ...flagFacts(values, ["encoder", "adapter", "features", "data", "bench", "panel", "cache"]),
    ...facts,
    data_sha256: await samplesHash(tasks.flatMap(({ samples }) => samples)),
    folds_sha256: sha256Of(JSON.stringify(folds)),
  };
}

function findTasks(values: Values): Task[] {
  const { data, bench, task } = values;
  if ((data.length > 0) === (bench !== undefined)) {
    throw new ConfigError(`Cannot evaluate: ${bench === undefined ? "neither" : "both"} --data and --bench given`, {
      hint: "Give --bench bench_data, or --data with a folder in HEST's layout",
    });
  }
  if (bench !== undefined) {
    const idle = (["leave-out", "folds", "panel"] as const).find((flag) => values[flag] !== undefined);
    if (idle === undefined) return benchTasks(disk, bench, task);
    throw new ConfigError(`Cannot use --${idle} with --bench: a task has its own splits and panel`, {
      hint: "Use --data",
    });
  }
  if (task.length > 0) throw new ConfigError("Cannot use --task with --data: it is for --bench");
  if (values.folds !== undefined && values["leave-out"] !== undefined) {
    throw new ConfigError("Cannot use --folds and --leave-out together: one of them decides the folds");
  }
  const leaveOut = values["leave-out"] as LeaveOut | undefined;
  return [dataTask(disk, data, { leaveOut, folds: values.folds, panel: values.panel, seed: values.seed })];
}

interface Setting {
  readonly values: Values;
  readonly out: BenchOutput;
  /** Says that files are written from here on. */
  begin(): void;
  readonly gpu: Gpu | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

async function evaluateAll(
  sources: readonly SourceRequest[],
  counts: readonly TaskCounts[],
  setting: Setting,
): Promise<{ results: TaskResult[]; failures: Failure[] }> {
  const results: TaskResult[] = [];
  const failures: Failure[] = [];
  for (const source of sources) {
    try {
      results.push(...await evaluateOne(source, counts, setting));
    } catch (error) {
      // One encoder: its own error and exit status. Several: the others go on.
      if (sources.length === 1 || endsAll(error)) throw error;
      failures.push({ encoder: source.name, error: (error as Error).message });
      setting.progress.warn(`${source.name}: ${(error as Error).message}`);
    }
  }
  return { results, failures };
}

async function evaluateOne(
  request: SourceRequest,
  counts: readonly TaskCounts[],
  setting: Setting,
): Promise<TaskResult[]> {
  const { values, out, gpu, progress, signal } = setting;
  let current = "";
  const task = () => current;
  const source = await openSource(request, task, setting);
  try {
    const results: TaskResult[] = [];
    for (const own of counts) {
      // Lets signals in: probing computes without a pause.
      await new Promise((resolve) => setTimeout(resolve, 0));
      signal.throwIfAborted();
      current = own.task.name;
      const result = await runTask(own, source, {
        protocol: findProtocol(values.protocol!),
        panelGenes: values["panel-genes"]!,
        dropUnknownPatches: values["drop-unknown-patches"],
        gpu,
        onProbe: (done, total) => total > 1 && progress.update(`${request.name}: ${current}`, done, total, "probes"),
      });
      setting.begin();
      writeTaskFiles(out, result);
      results.push(result);
    }
    return results;
  } finally {
    source.close();
  }
}

async function openSource(request: SourceRequest, task: () => string, setting: Setting): Promise<OpenSource> {
  const { values, out, gpu, progress, signal } = setting;
  if (request.encoder === undefined) return folderSource(request, task);
  if (!needsEmbedding(request)) return syntheticSource(request);
  return await encoderSource(request, task, {
    gpu: gpu!,
    cache: values.cache ?? `${out.folder}/features`,
    precision: values.precision === "f16" ? "f16" : "f32",
    batchSize: values["batch-size"],
    imageSize: values["image-size"],
    progress,
    signal,
  });
}

function finish(evaluation: Evaluation, values: Values, out: BenchOutput, folder: OutputFolder): number {
  folder.begin();
  writeSummaries(out, evaluation.results);
  const json = evaluationJson(evaluation);
  const flawed = evaluation.results.some((result) => degenerate(result).length > 0 || result.warnings.length > 0) ||
    // Genes that were asked for and are not judged; those of a panel that a fold chose are replaced by others.
    evaluation.tasks.some(({ panel }) => panel !== undefined && panel.leftOut.length > 0);
  const status = flawed || evaluation.failures.length > 0 ? SOME_FAILED : 0;
  const written = folder.finish(json, status);
  if (!values.quiet) evaluationText(evaluation).forEach(say);
  if (values.json) printJson(written);
  return status;
}
