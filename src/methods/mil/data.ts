/**
 * The data of a run: targets, bags of stored features, and which of them are trained on, chosen by and tested on. What runs on
 * several folds share is read once.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { count } from "../../core/text_table.ts";
import { readCohort, shortList } from "../../data/cohort/cohort_table.ts";
import { type LeftOut, poolFiles } from "../../data/cohort/pooled.ts";
import { type CohortTask, readTask, type Targets } from "../../data/cohort/task.ts";
import { type CaseSlides, unitFeatures, unitsOf, type UnitTargets } from "../../eval/cohort/cohort.ts";
import { type LabelledTable, labelTable, readText } from "../../eval/cohort/targets.ts";
import type { Table } from "../../eval/linalg/table.ts";
import { featuresIdentity } from "../../evidence/identity.ts";
import type { Disk } from "../../io/disk.ts";
import { featureFilesOf } from "../../io/feature_folder.ts";
import type { FilesMark, Host } from "../../train/host.ts";
import { type BagSet, bagsOf, readRows } from "./bags.ts";
import type { ReadRows } from "./batch.ts";
import { checkKind, type MilConfig } from "./config.ts";
import { RowCache } from "./row_cache.ts";
import { withSplit } from "./split_file.ts";
import { type BagSplit, foldName, holdOut, type PartsOfBags, splitBags, withValidation } from "./split.ts";

/** What all folds of a task share. */
export interface SharedData {
  readonly labels: LabelledTable;
  readonly set: BagSet;
  /** Of each bag. */
  readonly targets: UnitTargets;
  /** Vector of each bag, the mean of its rows or of its slides: `[bags, d]`. */
  readonly means: Table;
  readonly read: ReadRows;
  /** Labels and features as files. */
  readonly mark: FilesMark;
  /** What made the features, as far as they say. */
  readonly madeBy: string;
  /** Slides that take no part, and why. */
  readonly leftOut: readonly LeftOut[];
  /** What a reader must know. */
  readonly notes: readonly string[];
}

/** Data that are open. */
export interface MilData extends SharedData {
  readonly split: BagSplit;
  /** Name of the fold. */
  readonly fold: string;
}

/** What has a label. */
export function levelOf({ input }: Pick<MilConfig, "input">): "case" | "slide" {
  return input.sample_col === "case_id" ? "case" : "slide";
}

/** The task, from its file or from keys. */
function taskOf(config: MilConfig, disk: Disk): CohortTask {
  const { task, labels, target } = config.input;
  if (task !== null) return readTask(readText(disk, task), task);
  return {
    file: labels!,
    columns: [target],
    of: levelOf(config),
    kind: undefined,
    extra: [],
    metrics: [],
    names: new Map(),
  };
}

/** Reads table and task; no feature is read. */
export function openLabels(config: MilConfig, disk: Disk): LabelledTable {
  const { input, split } = config;
  if (input.labels === null || input.features.length === 0) {
    const [key, hint] = input.labels === null
      ? ["labels", "labels=FILE, a table with slide_id and the labels"]
      : ["features", "features=DIR, a folder with a feature file a slide"];
    throw new ConfigError(`Cannot train: ${key} is empty, wanted where they are`, { hint, context: { key } });
  }
  const own = readCohort(readText(disk, input.labels), input.labels);
  const file = split.split_file;
  const table = file === null ? own : withSplit(own, readText(disk, file), file);
  const { expression, gene_sets } = input;
  const labels = labelTable(disk, { table, task: taskOf(config, disk) }, {
    expression: expression ?? undefined,
    geneSets: gene_sets ?? undefined,
  });
  checkKind(config, labels.labelled.targets.kind);
  return labels;
}

/** What is spread evenly: classes, or whether there was an event. */
function strataOf(targets: Targets): readonly number[] {
  if (targets.kind === "classification") return targets.labels;
  return targets.kind === "survival" ? targets.events : targets.values.map(() => 0);
}

/** The part of each slide with a label in the fold that is asked for. */
function foldOf(config: MilConfig, { table, labelled: { rows, targets } }: LabelledTable): PartsOfBags {
  const { split, optim } = config;
  const file = split.split_file ?? table.file;
  const name = foldName({ file, folds: table.folds }, split.fold);
  const at = name === undefined ? -1 : table.folds.indexOf(name);
  const strata = { rows, of: strataOf(targets) };
  const own = at < 0 ? holdOut(strata, split.holdout_fraction, optim.seed) : rows.map(({ folds }) => folds[at]);
  const fold = name ?? `${split.holdout_fraction} held out`;
  const parts = withValidation(strata, own, split.val_fraction, optim.seed);
  if (config.eval.early_stop_patience > 0 && !parts.includes("val")) {
    throw new ConfigError(`Cannot stop early: ${fold} of ${file} has no validation part`, {
      hint: "val_fraction=0.1, or early_stop_patience=0",
      context: { key: "early_stop_patience", fold },
    });
  }
  return { name: fold, parts };
}

/** Divides bags into the sides of a fold. */
function divide(
  config: MilConfig,
  labels: LabelledTable,
  { bags, targets, at }: {
    bags: readonly { readonly name: string; readonly case: string }[];
    targets: UnitTargets;
    /** Rows with a label of each bag. */
    at: readonly (readonly number[])[];
  },
): { fold: string; split: BagSplit } {
  const { name, parts } = foldOf(config, labels);
  const split = splitBags(bags, targets, {
    name: `${name} of ${config.split.split_file ?? labels.table.file}`,
    parts: at.map(([first]) => parts[first!]),
  });
  return { fold: name, split };
}

/** Refuses what labels and the names of files tell; no feature is read. */
export function checkData(config: MilConfig, disk: Disk): void {
  const labels = openLabels(config, disk);
  const files = featureFilesOf(disk, config.input.features);
  const { rows } = labels.labelled;
  const missing = rows.filter(({ slide }) => !files.has(slide)).map(({ slide }) => slide);
  if (missing.length > 0 && (!config.input.drop_missing || missing.length === rows.length)) {
    const folder = config.input.features.join(", ");
    throw new DataError(
      `Cannot use features of ${folder}: ${missing.length} of ${rows.length} slides of ${labels.table.file} have no file ` +
        `(${shortList(missing, 5)}), expected one each; it has files of ${shortList([...files.keys()], 3)}`,
      {
        code: "features-missing",
        hint: "drop_missing=true leaves them out",
        context: { folder, labels: labels.table.file, missing: missing.slice(0, 100) },
      },
    );
  }
  const { units, at } = unitsOf(labels.task, rows, (slide) => files.has(slide));
  divide(config, labels, { bags: units, targets: labels.targets(units, at), at });
}

/**
 * Reads what all folds share: every row is read once, for the means of the bags and so that no step meets a number that is none.
 *
 * @param takesPart Whether a slide does; all by default.
 * @throws {DataError} Naming file, row and column of what cannot be used, unless it is left out.
 */
export async function openShared(
  config: MilConfig,
  host: Host,
  takesPart: (slide: string) => boolean = () => true,
): Promise<SharedData> {
  const { disk, reporter, signal } = host;
  const labels = openLabels(config, disk);
  const { input, split, eval: { cache_budget } } = config;
  const { rows, unlabelled } = labels.labelled;
  const files = featureFilesOf(disk, input.features);
  const kept = new RowCache(cache_budget * 2 ** 30);
  const where = input.features.join(", ");
  const wanted = rows.map(({ slide }) => slide).filter(takesPart);
  const pooled = await poolFiles(disk, { where, files }, wanted, {
    signal,
    strict: !input.drop_missing,
    onSlide: (done, total) => reporter.update("features", done, total, "slides"),
    onRows: (slide, block) => kept.add(slide, block),
  });
  const { units, at } = unitsOf(labels.task, rows, (slide) => pooled.slides.has(slide));
  const set = bagsOf(units, pooled, files);
  const paths = set.bags.flatMap(({ files }) => files.map(({ path }) => path));
  const others = [input.task, split.split_file, input.expression, input.gene_sets].flatMap((path) => path ?? []);
  const unknown = pooled.unused.filter((slide) => !unlabelled.includes(slide) && takesPart(slide));
  const { leftOut } = pooled;
  const notes = [
    ...labels.notes,
    ...(unknown.length > 0
      ? [`${count(unknown.length, "slide")} with features but not in the table: ${shortList(unknown)}`]
      : []),
    ...leftOut.map(({ slide, reason }) => `${slide} is left out: ${reason}`),
  ];
  for (const note of notes) reporter.warn(note);
  return {
    labels,
    set,
    targets: labels.targets(units, at),
    means: unitFeatures(pooled, units, input.case_slides as CaseSlides, "case_slides=mean"),
    read: (bag, rows) => readRows(disk, bag, set.dim, rows, kept),
    mark: await host.markFiles([labels.table.file, ...others, ...paths]),
    madeBy: featuresIdentity(pooled.facts),
    leftOut,
    notes,
  };
}

/** Data of the fold that is asked for. @throws {ConfigError} If it is no task of the model. */
export function foldData(config: MilConfig, shared: SharedData): MilData {
  const { labels, set, targets } = shared;
  // Runs that share data differ in their models.
  checkKind(config, targets.kind);
  const { at } = unitsOf(labels.task, labels.labelled.rows, isIn(set));
  const { fold, split } = divide(config, labels, { bags: set.bags, targets, at });
  const out = set.bags.length - split.train.length - split.val.length - split.test.length;
  const notes = [
    ...shared.notes,
    ...(out > 0 ? [`${count(out, "bag")} in no part of the fold`] : []),
    ...(split.unseen.length > 0 ? [`Classes tested on but never trained on: ${shortList(split.unseen)}`] : []),
  ];
  return { ...shared, fold, split, notes };
}

function isIn({ bags }: BagSet): (slide: string) => boolean {
  const all = new Set(bags.flatMap(({ files }) => files.map(({ slide }) => slide)));
  return (slide) => all.has(slide);
}

/** Opens the data of one run. */
export async function openData(config: MilConfig, host: Host): Promise<MilData> {
  const shared = await openShared(config, host);
  const data = foldData(config, shared);
  for (const note of data.notes.slice(shared.notes.length)) host.reporter.warn(note);
  return data;
}
