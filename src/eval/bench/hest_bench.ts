/**
 * Probes of one task and one set of features: each fold probed, folds summed up; by the protocol that was asked for, and by that
 * of the headline, whose truth is normalised by depth and whose penalty is chosen on donors left out.
 *
 * Source: `benchmark.py` of github.com/mahmoodlab/HEST: samples in the order of the split files, log1p of raw counts, mean over
 * genes, then mean and population deviation over folds.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type Expression, selectSpots } from "../../data/counts.ts";
import type { ReadDisk } from "../../data/data_folder.ts";
import { GeneNames } from "../../data/genes/genes.ts";
import type { SampleOptions } from "../../data/sample.ts";
import {
  type FeatureSource,
  type JoinedSample,
  joinSample,
  readSampleCounts,
  type SampleCounts,
} from "./bench_sample.ts";
import type { Task } from "./bench_task.ts";
import { type FoldResult, type FoldRun, foldsOf, runFold } from "./fold_run.ts";
import { foldPanel, type Panel, panelWithout } from "./fold_panel.ts";
import type { ProbeOptions } from "../probe.ts";
import { findProtocol, HEADLINE_PROTOCOL, type Protocol } from "../protocol.ts";
import { slideProbe, type SlideProbeResult } from "../slide_probe.ts";
import { smoothRank } from "../smooth_rank.ts";
import type { SpotScores } from "../spot_scores.ts";
import { describeSpace, type Space } from "../space.ts";
import { deviation, mean } from "../linalg/statistics.ts";
import { stackTables, takeRows } from "../linalg/table.ts";

export type { FoldResult } from "./fold_run.ts";

/** Rows the smooth rank is taken of: it hardly changes beyond, and each costs D^2 on the host. */
const RANK_ROWS = 10_000;

/** Counts of a task's samples, read once for all encoders. */
export interface TaskCounts {
  /** With the panel as it could be used. */
  readonly task: Task;
  readonly samples: ReadonlyMap<string, SampleCounts>;
  /** What each of the task's folds chose, by its name; empty where the task has a panel. The same for all encoders. */
  readonly panels: ReadonlyMap<string, Panel>;
}

/** How counts are read, and how many genes folds choose. */
export interface TaskCountsOptions extends SampleOptions {
  /** Number of genes each fold chooses where the task ships no panel; default 50. */
  readonly panelGenes?: number;
}

/** Scores of one set of predictions, over folds. */
export interface Scores {
  /** Mean and population deviation over folds of the mean over genes. */
  readonly pearson: Summary;
  readonly slidePearson: Summary;
  readonly spearman: Summary;
  readonly r2Intercept: Summary;
}

/** Sections of donors of one kind. */
export interface DonorScore {
  readonly donors: number;
  readonly sections: number;
  /** Mean over the sections of the mean over genes of the correlation within the section. */
  readonly slidePearson: number;
}

/** What a protocol gave. */
export interface ProtocolResult extends Scores {
  readonly protocol: string;
  readonly folds: readonly FoldResult[];
  /** A probe that knows each spot's depth only, by the same protocol. */
  readonly depth: Scores;
  /** R2 of predicting the training mean, whose correlation is not defined. */
  readonly trainingMeanR2: Summary;
  /** Sections of donors that the fold did not train on, that it trained on, and of which nothing is known. */
  readonly donors: Readonly<Partial<Record<"unseen" | "seen" | "unknown", DonorScore>>>;
  /** By the organ that metadata name, in order of names; sections without one are of none. */
  readonly organs: readonly OrganScore[];
  /** Along the genes of each spot, means over folds; undefined with fewer than two genes. */
  readonly spotScores: SpotScores | undefined;
}

/** Tested sections of an organ. */
export interface OrganScore {
  readonly organ: string;
  readonly sections: number;
  /** Mean over the sections of the mean over genes of the correlation within the section. */
  readonly slidePearson: number;
}

/** One encoder on one task. */
export interface TaskResult extends ProtocolResult {
  readonly task: string;
  readonly encoder: string;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly dim: number;
  readonly spots: number;
  /** By the protocol of the headline; of the asked one where that is it. */
  readonly headline: ProtocolResult;
  /** All samples of the task. */
  readonly slideProbe: SlideProbeResult;
  /** Of at most 10,000 rows. */
  readonly smoothRank: number | undefined;
  /** How all features lie. */
  readonly space: Space;
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
  /** Number of genes that random folds choose where the task ships no panel; default 50. */
  readonly panelGenes?: number;
  /** Leave out rows of features whose barcode the counts lack, instead of refusing the sample. */
  readonly dropUnknownPatches?: boolean | undefined;
  /** Called after each probe: of every fold, by every protocol. */
  readonly onProbe?: (done: number, total: number) => void;
}

/**
 * Reads the counts of a task. Genes of a panel that is not a benchmark's are left out where a sample lacks them.
 *
 * @param labels Column of obs with classes for few-shot probes.
 * @param options Where counts are, and what becomes of rows that are none.
 * @throws {DataError} If a gene of a benchmark's panel is missing from a sample, naming both, or all of another's are, or counts
 * are none (`counts`).
 */
export async function readTaskCounts(
  disk: ReadDisk,
  task: Task,
  labels?: string,
  { panelGenes = 50, ...options }: TaskCountsOptions = {},
): Promise<TaskCounts> {
  const samples = new Map<string, SampleCounts>();
  const names = new GeneNames();
  const wanted = { ...options, panel: task.panel?.genes, some: !task.strict, labels, names };
  for (const files of task.samples) samples.set(files.id, await readSampleCounts(disk, files, wanted));
  const expression = new Map([...samples].map(([id, sample]) => [id, soundSpots(sample)]));
  const of = (ids: readonly string[]) => ids.map((id) => expression.get(id)!);
  // Chosen before any feature is made: what cannot be done is said before work.
  const panels = task.panel !== undefined
    ? []
    : task.folds.map(({ name, train, test }) => [name, foldPanel(of(train), of(test), panelGenes)] as const);
  if (task.panel === undefined) return { task, samples, panels: new Map(panels) };
  const own = new Set([...expression.values()].flatMap(({ genes }) => genes));
  const named = { ...task.panel, genes: names.like(task.panel.genes, own) };
  const panel = task.strict ? named : panelWithout(named, [...expression.values()]);
  return { task: { ...task, panel }, samples, panels: new Map() };
}

/** Counts without the rows that are to be left out. */
function soundSpots({ expression, bad }: SampleCounts): Expression {
  if (bad.size === 0) return expression;
  return selectSpots(expression, expression.spots.flatMap((_, row) => bad.has(row) ? [] : [row]));
}

/**
 * Probes one set of features on one task.
 *
 * @throws {DataError} If features are missing or do not fit the counts.
 */
export async function runTask(
  { task, samples, panels }: TaskCounts,
  source: FeatureSource,
  options: TaskOptions = {},
): Promise<TaskResult> {
  const asked = typeof options.protocol === "object"
    ? options.protocol
    : findProtocol(options.protocol ?? "hest-bench/1");
  const headline = findProtocol(HEADLINE_PROTOCOL);
  const joined = await joinSamples(task, samples, source, options);
  const all = [...joined.values()];
  const run: FoldRun = { task, joined, options, panels: new Map(panels), bases: new Map() };
  const protocols = asked.name === headline.name ? [asked] : [asked, headline];
  const parts = protocols.map((protocol) => ({ protocol, folds: foldsOf(run, protocol) }));
  const total = parts.reduce((sum, { folds }) => sum + folds.length, 0);
  const done: ProtocolResult[] = [];
  let count = 0;
  for (const { protocol, folds } of parts) {
    const results: FoldResult[] = [];
    for (const fold of folds) {
      // Probing computes without a pause; this lets signals in.
      await new Promise((resolve) => setTimeout(resolve, 0));
      results.push(await runFold(run, fold(), protocol));
      options.onProbe?.(++count, total);
    }
    done.push(protocolResult(protocol, results, task));
  }
  const features = stackTables(all.map((sample) => sample.features));
  const slides = all.flatMap(({ id, features }) => Array<string>(features.rows).fill(id));
  return {
    ...done[0]!,
    task: task.name,
    encoder: source.name,
    facts: source.facts,
    dim: features.columns,
    spots: features.rows,
    headline: done.at(-1)!,
    slideProbe: await slideProbe(features, slides),
    space: describeSpace(features, slides),
    smoothRank: smoothRank(takeRows(features, spread(features.rows, RANK_ROWS))),
    warnings: all.flatMap((sample) => sample.warnings),
  };
}

/**
 * Features of a task's samples, joined to the counts.
 *
 * @throws {DataError} If features are missing or do not fit the counts.
 */
export async function joinSamples(
  task: Task,
  samples: TaskCounts["samples"],
  source: FeatureSource,
  options: TaskOptions,
): Promise<Map<string, JoinedSample>> {
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
  return joined;
}

/** At most `most` of n rows, evenly spread. */
function spread(n: number, most: number): number[] {
  const count = Math.min(n, most);
  return Array.from({ length: count }, (_, i) => Math.floor(i * n / count));
}

function summary(values: readonly number[]): Summary {
  return { mean: mean(values), std: deviation(values), values };
}

function scoresOf(results: readonly FoldResult["result"][]): Scores {
  return {
    pearson: summary(results.map((result) => result.pearsonMean)),
    slidePearson: summary(results.map((result) => result.slidePearsonMean)),
    spearman: summary(results.map((result) => result.spearmanMean)),
    r2Intercept: summary(results.map((result) => mean(result.perGene.map(({ r2Intercept }) => r2Intercept ?? 0)))),
  };
}

function protocolResult({ name }: Protocol, folds: readonly FoldResult[], task: Task): ProtocolResult {
  return {
    protocol: name,
    folds,
    ...scoresOf(folds.map(({ result }) => result)),
    depth: scoresOf(folds.map(({ depth }) => depth)),
    trainingMeanR2: summary(folds.map(({ trainingMeanR2 }) => trainingMeanR2)),
    donors: donorScores(folds),
    organs: organScores(folds, task),
    spotScores: meanSpotScores(folds.map(({ result }) => result.spots)),
  };
}

/** Averages over the sections of each organ, as SEAL reports its own. */
function organScores(folds: readonly FoldResult[], { samples }: Task): OrganScore[] {
  const organs = new Map(samples.map(({ id, metadata }) => [id, metadata?.text("organ")]));
  const sections = folds.flatMap(({ result }) => result.perSlide).flatMap(({ slide, pearsonMean }) => {
    const organ = organs.get(slide);
    return organ === undefined ? [] : [{ organ, slide, pearsonMean }];
  });
  return [...Map.groupBy(sections, ({ organ }) => organ)].sort(([a], [b]) => a < b ? -1 : 1).map(([organ, own]) => ({
    organ,
    sections: new Set(own.map(({ slide }) => slide)).size,
    slidePearson: mean(own.map(({ pearsonMean }) => pearsonMean)),
  }));
}

function meanSpotScores(of: readonly (SpotScores | undefined)[]): SpotScores | undefined {
  const all = of.filter((scores) => scores !== undefined);
  if (all.length === 0) return undefined;
  const over = (value: (scores: SpotScores) => number) => mean(all.map(value));
  return {
    mse: over(({ mse }) => mse),
    pearson: over(({ pearson }) => pearson),
    spearman: over(({ spearman }) => spearman),
    spearmanOrdinal: over(({ spearmanOrdinal }) => spearmanOrdinal),
    constant: over(({ constant }) => constant),
  };
}

function donorScores(folds: readonly FoldResult[]): ProtocolResult["donors"] {
  const kind = (seen: boolean | undefined) => seen === undefined ? "unknown" : seen ? "seen" : "unseen";
  const sections = folds.flatMap(({ tested, result }) =>
    result.perSlide.map(({ slide, pearsonMean }) => ({
      pearsonMean,
      ...tested.find(({ sample }) => sample === slide)!,
    }))
  );
  return Object.fromEntries(
    [...Map.groupBy(sections, ({ seen }) => kind(seen))].map(([name, own]) => [name, {
      donors: new Set(own.map(({ donor, sample }) => donor ?? sample)).size,
      sections: new Set(own.map(({ sample }) => sample)).size,
      slidePearson: mean(own.map(({ pearsonMean }) => pearsonMean)),
    }]),
  );
}
