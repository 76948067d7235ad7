/**
 * One fold of a task by one protocol: its rows put together, its panel, its probe, and what a predictor scores that sees no
 * image.
 *
 * @module
 */

import { depthFeatures, type JoinedSample, truthOf } from "./bench_sample.ts";
import type { Task, TaskFold } from "./bench_task.ts";
import { rSquared } from "../correlation.ts";
import { foldPanel, type Panel } from "./fold_panel.ts";
import { sealFolds } from "./folds.ts";
import { kshot, type KshotResult } from "../kshot.ts";
import { probe, type ProbeBasis, probeBasis, type ProbeOptions, type ProbeResult, type ProbeSet } from "../probe.ts";
import type { Protocol } from "../protocol.ts";
import { columnMoments } from "../linalg/standardize.ts";
import { mean } from "../linalg/statistics.ts";
import { column, stackTables, type Table, takeRows } from "../linalg/table.ts";

/** A tested sample. */
export interface TestedSample {
  readonly sample: string;
  readonly donor?: string;
  /** Whether the fold trained on the donor; undefined where donors are not known. */
  readonly seen?: boolean;
}

/** One fold's outcome. */
export interface FoldResult {
  readonly name: string;
  readonly panel: Panel;
  readonly result: ProbeResult;
  /** What should have been predicted, `[n, genes]`. */
  readonly targets: Table;
  /** The same probe on each spot's depth alone. */
  readonly depth: ProbeResult;
  /** R2 of predicting the training mean, mean over genes. */
  readonly trainingMeanR2: number;
  readonly tested: readonly TestedSample[];
  /** With few labels, where labels were asked for. */
  readonly kshot?: KshotResult;
}

/** What folds of one encoder on one task share. */
export interface FoldRun {
  readonly task: Task;
  readonly joined: ReadonlyMap<string, JoinedSample>;
  readonly options: ProbeOptions & { readonly panelGenes?: number };
  /** Panels that were chosen, by fold. */
  readonly panels: Map<string, Panel>;
  /** What was made of training features, by fold and what the protocol does to them. */
  readonly bases: Map<string, ProbeBasis>;
}

/** Rows of whole or parted samples. */
interface Part {
  readonly sample: JoinedSample;
  /** Undefined for all. */
  readonly rows?: readonly number[];
}

/** A fold by the parts of its sides; made when its turn comes, for it copies features. */
export interface Fold {
  readonly name: string;
  readonly train: readonly Part[];
  readonly test: readonly Part[];
}

/** The folds that a protocol wants. */
export function foldsOf({ task, joined }: FoldRun, protocol: Protocol): (() => Fold)[] {
  return protocol.folds === "task"
    ? task.folds.map((fold) => taskFold(fold, joined))
    : randomFolds([...joined.values()]);
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

/** Probes a fold. */
export async function runFold(run: FoldRun, fold: Fold, protocol: Protocol): Promise<FoldResult> {
  const { task, options } = run;
  const panel = panelOf(run, fold);
  const [train, test] = [fold.train, fold.test].map((parts) => probeSet(parts, panel.genes, protocol, task.donors)) as [
    ProbeSet,
    ProbeSet,
  ];
  const basis = await basisOf(run, fold, train.features, protocol);
  const result = await probe({ train, test, genes: panel.genes }, protocol, { ...options, basis });
  const blind = (set: ProbeSet, parts: readonly Part[]): ProbeSet => ({ ...set, features: depthOf(parts) });
  const depth = await probe(
    { train: blind(train, fold.train), test: blind(test, fold.test), genes: panel.genes },
    protocol,
    options,
  );
  const labelled = fold.train.every(({ sample }) => sample.labels !== undefined);
  return {
    name: fold.name,
    panel,
    result,
    targets: test.targets,
    depth,
    trainingMeanR2: trainingMeanR2(train.targets, test.targets),
    tested: testedOf(fold, task.donors),
    ...(labelled ? { kshot: kshot(labels(fold.train, train), labels(fold.test, test)) } : {}),
  };
}

function samplesOf(parts: readonly Part[]): JoinedSample[] {
  return [...new Set(parts.map(({ sample }) => sample))];
}

function panelOf({ task, panels, options }: FoldRun, { name, train, test }: Fold): Panel {
  if (task.panel !== undefined) return task.panel;
  const known = panels.get(name);
  if (known !== undefined) return known;
  const [seen, tested] = [train, test].map((parts) => samplesOf(parts).map(({ expression }) => expression));
  const panel = foldPanel(seen!, tested!, options.panelGenes ?? 50);
  panels.set(name, panel);
  return panel;
}

async function basisOf(run: FoldRun, fold: Fold, features: Table, protocol: Protocol): Promise<ProbeBasis> {
  const key = JSON.stringify([fold.name, protocol.standardise, protocol.components]);
  const known = run.bases.get(key);
  if (known !== undefined) return known;
  const basis = await probeBasis(features, protocol, run.options);
  run.bases.set(key, basis);
  return basis;
}

function testedOf({ train, test }: Fold, donors: Task["donors"]): TestedSample[] {
  const trained = samplesOf(train).map(({ id }) => id);
  const seenDonors = new Set(trained.map((id) => donors?.get(id)?.key));
  // A training section without a name may be of anyone.
  const allNamed = trained.every((id) => donors?.get(id)?.named);
  const seenOf = (key: string) => seenDonors.has(key) ? true : allNamed ? false : undefined;
  return samplesOf(test).map(({ id }) => {
    const donor = donors?.get(id);
    // A section that is itself trained on is seen, whoever it is of.
    const seen = trained.includes(id) ? true : donor?.named ? seenOf(donor.key) : undefined;
    return { sample: id, ...(donor?.named ? { donor: donor.key } : {}), ...(seen === undefined ? {} : { seen }) };
  });
}

function probeSet(
  parts: readonly Part[],
  genes: readonly string[],
  { truth }: Protocol,
  donors: Task["donors"],
): ProbeSet {
  const targets = new Map<JoinedSample, Table>();
  const targetsOf = (sample: JoinedSample) => {
    const found = targets.get(sample) ?? truthOf(sample, genes, truth);
    targets.set(sample, found);
    return found;
  };
  const each = (of: (id: string) => string) =>
    parts.flatMap(({ sample, rows }) => Array<string>(rows?.length ?? sample.features.rows).fill(of(sample.id)));
  return {
    features: stackTables(parts.map(({ sample, rows }) => rows ? takeRows(sample.features, rows) : sample.features)),
    targets: stackTables(parts.map(({ sample, rows }) => rows ? takeRows(targetsOf(sample), rows) : targetsOf(sample))),
    slides: each((id) => id),
    ...(donors === undefined ? {} : {
      donors: each((id) => donors.get(id)?.key ?? id),
      unnamed: parts.some(({ sample }) => donors.get(sample.id)?.named !== true),
    }),
  };
}

/** Depth of the rows of a side, as its only feature. */
function depthOf(parts: readonly Part[]): Table {
  return stackTables(parts.map(({ sample, rows }) => {
    const all = depthFeatures(sample.totals);
    return rows ? takeRows(all, rows) : all;
  }));
}

function trainingMeanR2(train: Table, test: Table): number {
  const { mean: means } = columnMoments(train);
  return mean(
    Array.from(means, (value, j) => rSquared(new Float64Array(test.rows).fill(value), column(test, j)).value ?? 0),
  );
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
