/**
 * Evaluation of encoders, adapters and features on tasks, side by side, and the folder of its results.
 *
 * @module
 */

import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import { type BenchOutput, safeName, writeSummaries, writeTaskFiles } from "../eval/bench/bench_files.ts";
import { evaluationJson } from "../eval/bench/bench_json.ts";
import { degenerate, type Evaluation, type Failure } from "../eval/bench/bench_result.ts";
import { benchTasks, dataTask, type DataTaskOptions, type Task } from "../eval/bench/bench_task.ts";
import { readTaskCounts, runTask, type TaskCounts, type TaskResult } from "../eval/bench/hest_bench.ts";
import { findProtocol } from "../eval/protocol.ts";
import { encoderIdentity, identityNote } from "../evidence/identity.ts";
import type { Gpu } from "../gpu/device.ts";
import { sha256Of } from "../io/checksum.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { checkFolder, endsAll } from "../io/output.ts";
import type { Lenience } from "../train/pair_data.ts";
import {
  checkFolders,
  checkSources,
  encoderSource,
  folderSource,
  needsEmbedding,
  type OpenSource,
  sourceHash,
  type SourceRequest,
  syntheticSource,
} from "./evaluate_sources.ts";
import { openRunSource } from "./evaluate_runs.ts";
import { samplesHash } from "./facts.ts";
import type { Machine } from "./machine.ts";
import { OutputFolder } from "./output_folder.ts";

/** Name of the result in the output folder. */
export const RESULT = "results.json";

/** Where tasks are: HEST-Benchmark's, of which only some, or one of all samples of data folders. */
export type TaskPlace =
  | { readonly bench: string; readonly only: readonly string[] }
  | { readonly data: readonly string[] } & DataTaskOptions;

/** What is compared, on what and how. */
export interface EvaluateOptions {
  readonly sources: readonly SourceRequest[];
  readonly place: TaskPlace;
  /** Name of the protocol. */
  readonly protocol: string;
  /** Genes that a fold chooses. */
  readonly panelGenes: number;
  /** Column of obs that is probed with few labelled spots. */
  readonly fewShot?: string | undefined;
  /** Where counts are, and what is let pass. */
  readonly expression: Lenience;
  /** Whether the result has a row for each gene. */
  readonly perGene: boolean;
  /** Where features are kept; below `out` unless given. */
  readonly cache?: string | undefined;
  /** Patches a batch; 32, on software 8. */
  readonly batchSize?: number | undefined;
  /** Side of the images encoders are fed, px, instead of their own. */
  readonly imageSize?: number | undefined;
  readonly precision: "f32" | "f16";
  /** Folder of the output. */
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** What was found. */
export interface Evaluated {
  /** What `results.json` holds. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Exit status: 3 where something is not defined or failed. */
  readonly status: number;
  /** What is printed of it; missing where it was done before. */
  readonly found?: Evaluation;
}

/**
 * Evaluates, or finds that it was done.
 *
 * @throws {ConfigError | DataError | FormatError | WeightsError | DeviceError} Naming what cannot be used; of several sources, one
 *   that fails later is reported in the result.
 */
export async function evaluate(options: EvaluateOptions, machine: Machine): Promise<Evaluated> {
  const { sources, place, out, overwrite } = options;
  const { reporter } = machine;
  checkFolder(out);
  if (options.cache !== undefined) checkFolder(options.cache, "--cache");
  const tasks = "bench" in place ? benchTasks(disk, place.bench, place.only) : [dataTask(disk, place.data, place)];
  await checkSources(sources, tasks);
  // One at a time: each may be of gigabytes.
  const hashes = new Map<string, string>();
  for (const source of sources) hashes.set(source.name, await sourceHash(source));
  using folder = OutputFolder.open({
    out,
    command: "evaluate",
    result: RESULT,
    names: ["dataset_results.json", "dataset_results.csv", ...tasks.map((task) => safeName(task.name))],
    facts: await evaluationFacts(options, tasks, hashes),
    overwrite,
  });
  if (folder.finished) {
    reporter.say(`${folder.path}/${RESULT}: is there`);
    return folder.finished;
  }
  for (const task of tasks) task.warnings.forEach((text) => reporter.warn(`${task.name}: ${text}`));
  const counts: TaskCounts[] = [];
  for (const task of tasks) {
    const { fewShot, expression, panelGenes } = options;
    const read = await readTaskCounts(disk, task, fewShot, { ...expression, panelGenes });
    for (const { warnings } of read.samples.values()) warnings.forEach((text) => reporter.warn(text));
    counts.push(read);
  }
  await checkFolders(sources, counts, { dropUnknownPatches: options.expression.dropUnknownPatches });
  const gpu = sources.some((source) => source.run !== undefined || needsEmbedding(source))
    ? await machine.openGpu()
    : undefined;
  try {
    const all = await evaluateAll(counts, { ...machine, options, folder, gpu });
    const found = {
      ...all,
      madeOf: madeOf(all.results, { place, tasks, hashes, gpu }),
      protocol: options.protocol,
      tasks: counts.map(({ task }) => task),
      perGene: options.perGene,
    };
    return { ...finish(found, folder), found };
  } finally {
    gpu?.destroy();
  }
}

/** What the results are made from and how: content, not places, of all that is read. */
async function evaluationFacts(
  { settings }: EvaluateOptions,
  tasks: readonly Task[],
  hashes: ReadonlyMap<string, string>,
): Promise<Facts> {
  const folds = tasks.map(({ name, folds, panel }) => ({ name, folds, panel }));
  return {
    ...settings,
    ...Object.fromEntries(hashes),
    data_sha256: await samplesHash(tasks.flatMap(({ samples }) => samples)),
    folds_sha256: sha256Of(JSON.stringify(folds)),
  };
}

/** What the result is of. @param hashes Of the sources by name. */
function madeOf(
  results: readonly TaskResult[],
  { place, tasks, hashes, gpu }: Pick<Setting, "gpu"> & {
    place: TaskPlace;
    tasks: readonly Task[];
    hashes: ReadonlyMap<string, string>;
  },
): string {
  const panels = results.flatMap(({ task, folds }) =>
    folds.map(({ name, panel }) => [task, name, ...panel.genes].join("\t"))
  );
  const split = tasks.flatMap(({ name: task, folds }) =>
    folds.flatMap(({ name, train, test }) =>
      [["train", train], ["test", test]].flatMap(([part, ids]) =>
        [...ids!].map((id) => [`${task}/${name}/${id}`, part as string] as const)
      )
    )
  );
  return identityNote({
    encoder: [...hashes].map(([name, hash]) => encoderIdentity(name, hash)).join(" and "),
    genes: sha256Of([...new Set(panels)].sort().join("\n")),
    split,
    seed: "data" in place ? place.seed : undefined,
    gpu,
  });
}

interface Setting extends Pick<Machine, "reporter" | "signal"> {
  readonly options: EvaluateOptions;
  readonly folder: OutputFolder;
  readonly gpu: Gpu | undefined;
}

function outputOf({ path }: OutputFolder): BenchOutput {
  return { disk, folder: path, makeFolder };
}

async function evaluateAll(
  counts: readonly TaskCounts[],
  setting: Setting,
): Promise<{ results: TaskResult[]; failures: Failure[] }> {
  const { options: { sources }, reporter } = setting;
  const results: TaskResult[] = [];
  const failures: Failure[] = [];
  for (const source of sources) {
    try {
      results.push(...await evaluateOne(source, counts, setting));
    } catch (error) {
      // One encoder: its own error and exit status. Several: the others go on.
      if (sources.length === 1 || endsAll(error)) throw error;
      failures.push({ encoder: source.name, error: (error as Error).message });
      reporter.warn(`${source.name}: ${(error as Error).message}`);
    }
  }
  return { results, failures };
}

async function evaluateOne(
  request: SourceRequest,
  counts: readonly TaskCounts[],
  setting: Setting,
): Promise<TaskResult[]> {
  const { options, folder, gpu, reporter, signal } = setting;
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
        protocol: findProtocol(options.protocol),
        panelGenes: options.panelGenes,
        dropUnknownPatches: options.expression.dropUnknownPatches,
        gpu,
        onProbe: (done, total) => total > 1 && reporter.update(`${request.name}: ${current}`, done, total, "probes"),
      });
      folder.begin();
      writeTaskFiles(outputOf(folder), result);
      results.push(result);
    }
    return results;
  } finally {
    source.close();
  }
}

async function openSource(request: SourceRequest, task: () => string, setting: Setting): Promise<OpenSource> {
  const { options: { sources, cache, precision, batchSize, imageSize }, folder, gpu, reporter, signal } = setting;
  const { run } = request;
  if (run !== undefined) {
    return await openRunSource({ ...request, run }, await openSource(sources[0]!, task, setting), gpu!);
  }
  if (request.encoder === undefined) return folderSource(request, task);
  if (!needsEmbedding(request)) return syntheticSource(request);
  return await encoderSource(request, task, {
    gpu: gpu!,
    cache: cache ?? `${folder.path}/features`,
    precision,
    batchSize,
    imageSize,
    progress: reporter,
    signal,
  });
}

function finish(evaluation: Evaluation, folder: OutputFolder): Pick<Evaluated, "json" | "status"> {
  folder.begin();
  writeSummaries(outputOf(folder), evaluation.results);
  const json = evaluationJson(evaluation);
  const flawed = evaluation.results.some((result) => degenerate(result).length > 0 || result.warnings.length > 0) ||
    // Genes that were asked for and are not judged; those of a panel that a fold chose are replaced by others.
    evaluation.tasks.some(({ panel }) => panel !== undefined && panel.leftOut.length > 0);
  const status = flawed || evaluation.failures.length > 0 ? INCOMPLETE : 0;
  return { json: folder.finish(json, status), status };
}
