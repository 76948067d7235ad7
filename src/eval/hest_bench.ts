/**
 * HEST-Benchmark's procedure on one task and one set of features: each fold probed, folds summed up.
 *
 * Source: `benchmark.py` of github.com/mahmoodlab/HEST: samples in the order of the split files, log1p of raw counts, mean over
 * genes, then mean and population deviation over folds.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { choosePanel } from "../data/panel.ts";
import type { ReadDisk } from "../data/data_folder.ts";
import type { SampleOptions } from "../data/sample.ts";
import {
  type FeatureSource,
  type JoinedSample,
  joinSample,
  logCounts,
  readSampleCounts,
  type SampleCounts,
} from "./bench_sample.ts";
import type { Panel, Task, TaskFold } from "./bench_task.ts";
import { sealFolds } from "./folds.ts";
import { kshot, type KshotResult } from "./kshot.ts";
import { probe, type ProbeOptions, type ProbeResult, type ProbeSet } from "./probe.ts";
import { findProtocol, type Protocol } from "./protocol.ts";
import { slideProbe, type SlideProbeResult } from "./slide_probe.ts";
import { smoothRank } from "./smooth_rank.ts";
import { deviation, mean } from "./statistics.ts";
import { stackTables, type Table, takeRows } from "./table.ts";

/** Rows the smooth rank is taken of: it hardly changes beyond, and each costs D^2 on the host. */
const RANK_ROWS = 10_000;

/** Counts of a task's samples, read once for all encoders. */
export interface TaskCounts {
  readonly task: Task;
  readonly samples: ReadonlyMap<string, SampleCounts>;
}

/** One fold's outcome. */
export interface FoldResult {
  readonly name: string;
  readonly panel: Panel;
  readonly result: ProbeResult;
  /** What should have been predicted, `[n, genes]`. */
  readonly targets: Table;
  /** With few labels, where labels were asked for. */
  readonly kshot?: KshotResult;
}

/** One encoder on one task. */
export interface TaskResult {
  readonly task: string;
  readonly encoder: string;
  readonly protocol: string;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly dim: number;
  readonly spots: number;
  readonly folds: readonly FoldResult[];
  /** Mean and population deviation over folds of the mean over genes. */
  readonly pearson: Summary;
  readonly slidePearson: Summary;
  readonly spearman: Summary;
  readonly r2Intercept: Summary;
  /** All samples of the task. */
  readonly slideProbe: SlideProbeResult;
  /** Of at most 10,000 rows. */
  readonly smoothRank: number | undefined;
  /** Spots that were left out. */
  readonly warnings: readonly string[];
}

/** Of values over folds. */
export interface Summary {
  readonly mean: number;
  readonly std: number;
  readonly values: readonly number[];
}

/** Options of {@linkcode runTask}. */
export interface TaskOptions extends ProbeOptions {
  readonly protocol?: string | Protocol;
  /** Number of genes each fold chooses where the task ships no panel; default 50. */
  readonly panelGenes?: number;
  /** Leave out rows of features whose barcode the counts lack, instead of refusing the sample. */
  readonly dropUnknownPatches?: boolean;
  readonly onFold?: (done: number, total: number) => void;
}

/**
 * Reads the counts of a task.
 *
 * @param labels Column of obs with classes for few-shot probes.
 * @param options Where counts are, and what becomes of rows that are none.
 * @throws {DataError} If a panel gene is missing from a sample, naming both, or counts are none (`counts`).
 */
export async function readTaskCounts(
  disk: ReadDisk,
  task: Task,
  labels?: string,
  options: SampleOptions = {},
): Promise<TaskCounts> {
  const samples = new Map<string, SampleCounts>();
  for (const files of task.samples) {
    samples.set(files.id, await readSampleCounts(disk, files, { ...options, panel: task.panel?.genes, labels }));
  }
  return { task, samples };
}

/**
 * Probes one set of features on one task.
 *
 * @throws {DataError} If features are missing or do not fit the counts.
 */
export async function runTask(
  { task, samples }: TaskCounts,
  source: FeatureSource,
  options: TaskOptions = {},
): Promise<TaskResult> {
  const protocol = typeof options.protocol === "object"
    ? options.protocol
    : findProtocol(options.protocol ?? "hest-bench/1");
  const joined = new Map<string, JoinedSample>();
  for (const files of task.samples) {
    const sample = joinSample(samples.get(files.id)!, await source.load(files), options);
    const dim = joined.values().next().value?.features.columns ?? sample.features.columns;
    if (sample.features.columns !== dim) {
      throw new DataError(
        `Cannot probe ${source.name}: ${files.id} has ${sample.features.columns} features, ${dim} wanted`,
      );
    }
    if (sample.features.rows === 0) {
      throw new DataError(`Cannot probe ${source.name}: ${files.id} has no spots with features`);
    }
    joined.set(files.id, sample);
  }
  const all = [...joined.values()];
  const folds: FoldResult[] = [];
  const parts = protocol.folds === "task" ? task.folds.map((fold) => taskFold(fold, joined)) : randomFolds(all);
  for (const [i, part] of parts.entries()) {
    folds.push(await runFold(part(), task.panel, { ...options, protocol }));
    options.onFold?.(i + 1, parts.length);
  }
  const features = stackTables(all.map((sample) => sample.features));
  return {
    task: task.name,
    encoder: source.name,
    protocol: protocol.name,
    facts: source.facts,
    dim: features.columns,
    spots: features.rows,
    folds,
    pearson: summary(folds.map(({ result }) => result.pearsonMean)),
    slidePearson: summary(folds.map(({ result }) => result.slidePearsonMean)),
    spearman: summary(folds.map(({ result }) => result.spearmanMean)),
    r2Intercept: summary(folds.map(({ result }) => mean(result.perGene.map(({ r2Intercept }) => r2Intercept ?? 0)))),
    slideProbe: await slideProbe(features, all.flatMap(({ id, features }) => Array<string>(features.rows).fill(id))),
    smoothRank: smoothRank(takeRows(features, spread(features.rows, RANK_ROWS))),
    warnings: all.flatMap((sample) => sample.warnings),
  };
}

/** At most `most` of n rows, evenly spread. */
function spread(n: number, most: number): number[] {
  const count = Math.min(n, most);
  return Array.from({ length: count }, (_, i) => Math.floor(i * n / count));
}

function summary(values: readonly number[]): Summary {
  return { mean: mean(values), std: deviation(values), values };
}

/** Rows of whole or parted samples. */
interface Part {
  readonly sample: JoinedSample;
  /** Undefined for all. */
  readonly rows?: readonly number[];
}

/** A fold by the parts of its sides; made when its turn comes, for it copies features. */
interface Fold {
  readonly name: string;
  readonly train: readonly Part[];
  readonly test: readonly Part[];
}

function taskFold({ name, train, test }: TaskFold, samples: ReadonlyMap<string, JoinedSample>): () => Fold {
  const side = (ids: readonly string[]) => ids.map((id) => ({ sample: samples.get(id)! }));
  return () => ({ name, train: side(train), test: side(test) });
}

/** SEAL's folds: spots of all samples, whatever slide they are of. */
function randomFolds(samples: readonly JoinedSample[]): (() => Fold)[] {
  const places = samples.flatMap((sample, s) =>
    Array.from({ length: sample.features.rows }, (_, row) => [s, row] as const)
  );
  return sealFolds(places.length).map((split, i) => () => {
    const side = (rows: Uint32Array): Part[] =>
      [...rows].map((at) => ({ sample: samples[places[at]![0]]!, rows: [places[at]![1]] }));
    return { name: `random${i}`, train: side(split.train), test: side(split.test) };
  });
}

async function runFold(
  fold: Fold,
  panel: Panel | undefined,
  options: TaskOptions & { protocol: Protocol },
): Promise<FoldResult> {
  const genes = panel ?? {
    genes: choosePanel([...new Set(fold.train.map(({ sample }) => sample))].map(({ expression }) => expression), {
      genes: options.panelGenes ?? 50,
    }),
    source: "chosen on the training samples of the fold",
  };
  const [train, test] = [probeSet(fold.train, genes.genes), probeSet(fold.test, genes.genes)];
  const result = await probe({ train, test, genes: genes.genes }, options.protocol, options);
  const labelled = fold.train.every(({ sample }) => sample.labels !== undefined);
  return {
    name: fold.name,
    panel: genes,
    result,
    targets: test.targets,
    ...(labelled ? { kshot: kshot(labels(fold.train, train), labels(fold.test, test)) } : {}),
  };
}

function probeSet(parts: readonly Part[], genes: readonly string[]): ProbeSet {
  const targets = new Map<JoinedSample, ProbeSet["targets"]>();
  const targetsOf = (sample: JoinedSample) => {
    const found = targets.get(sample) ?? logCounts(sample.expression, genes);
    targets.set(sample, found);
    return found;
  };
  return {
    features: stackTables(parts.map(({ sample, rows }) => rows ? takeRows(sample.features, rows) : sample.features)),
    targets: stackTables(parts.map(({ sample, rows }) => rows ? takeRows(targetsOf(sample), rows) : targetsOf(sample))),
    slides: parts.flatMap(({ sample, rows }) => Array<string>(rows?.length ?? sample.features.rows).fill(sample.id)),
  };
}

/** Rows with a label. */
function labels(parts: readonly Part[], { features }: ProbeSet): { features: ProbeSet["features"]; labels: string[] } {
  const all = parts.flatMap(({ sample, rows }) => {
    const own = sample.labels!;
    return rows === undefined ? [...own] : rows.map((row) => own[row]);
  });
  const kept = all.flatMap((label, row) => label === undefined ? [] : [row]);
  return { features: takeRows(features, kept), labels: kept.map((row) => all[row]!) };
}
