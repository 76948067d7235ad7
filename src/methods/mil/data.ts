/**
 * The data of a run: labels, bags of stored features, and which of them are trained on, chosen by and tested on.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { count } from "../../core/text_table.ts";
import type { FoldPart } from "../../data/cohort/cohort_table.ts";
import { readBytes } from "../../data/data_folder.ts";
import { decodeText } from "../../io/csv.ts";
import type { Disk } from "../../io/disk.ts";
import type { FilesMark, Host } from "../../train/host.ts";
import { allRows, type Bag, type BagSet, openBags, readRows } from "./bags.ts";
import type { ReadRows } from "./batch.ts";
import type { MilConfig } from "./config.ts";
import { classesOf, type Labels, readLabels } from "./labels.ts";
import { withSplit } from "./split_file.ts";
import { type BagSplit, foldName, holdOut, splitBags, withValidation } from "./split.ts";

/** Data that are open. */
export interface MilData {
  readonly labels: Labels;
  /** Names of the classes by index. */
  readonly classes: readonly string[];
  readonly set: BagSet;
  /** Class of each bag. */
  readonly of: readonly number[];
  readonly split: BagSplit;
  /** Name of the fold. */
  readonly fold: string;
  /** Mean of the rows of each bag, `[d]`. */
  readonly means: readonly Float64Array[];
  readonly read: ReadRows;
  /** Labels and features as files. */
  readonly mark: FilesMark;
  /** What a reader must know. */
  readonly notes: readonly string[];
}

/** The part of each slide of the table in the fold that is asked for. */
interface Parts {
  readonly name: string;
  readonly parts: readonly (FoldPart | undefined)[];
}

/** Reads the table and divides it; no feature is read. */
export function openLabels(config: MilConfig, disk: Disk): { labels: Labels; fold: Parts } {
  const { input, split, optim } = config;
  if (input.labels === null || input.features.length === 0) {
    const [key, hint] = input.labels === null
      ? ["labels", "labels=FILE, a table with slide_id and the labels"]
      : ["features", "features=DIR, a folder with a feature file a slide"];
    throw new ConfigError(`Cannot train: ${key} is empty, wanted where they are`, { hint, context: { key } });
  }
  const text = (path: string) => decodeText(readBytes(disk, path), path);
  const own = readLabels(text(input.labels), input.labels, { label: input.target, of: levelOf(config) });
  const divides = split.split_file ?? input.labels;
  const labels = split.split_file === null ? own : withSplit(own, text(divides), divides);
  if (classesOf(labels).length < 2) {
    throw new DataError(
      `Cannot use labels of ${input.labels}: all ${labels.slides.length} slides have ${input.target} ${
        classesOf(labels)[0]
      }, expected two classes or more`,
      { code: "labels", context: { file: input.labels, column: input.target } },
    );
  }
  const name = foldName({ file: divides, folds: labels.folds }, split.fold);
  const at = name === undefined ? -1 : labels.folds.indexOf(name);
  const parts = at < 0
    ? holdOut(labels, split.holdout_fraction, optim.seed)
    : labels.slides.map(({ folds }) => folds[at]);
  const fold = {
    name: name ?? `${split.holdout_fraction} held out`,
    parts: withValidation(labels, parts, split.val_fraction, optim.seed),
  };
  if (config.eval.early_stop_patience > 0 && !fold.parts.includes("val")) {
    throw new ConfigError(`Cannot stop early: ${fold.name} of ${divides} has no validation part`, {
      hint: "val_fraction=0.1, or early_stop_patience=0",
      context: { key: "early_stop_patience", fold: fold.name },
    });
  }
  return { labels, fold };
}

/** What has a label. */
export function levelOf({ input }: Pick<MilConfig, "input">): "case" | "slide" {
  return input.sample_col === "case_id" ? "case" : "slide";
}

/** Opens labels and features by their headers, and divides the bags. */
export async function openSet(config: MilConfig, disk: Disk) {
  const { labels, fold } = openLabels(config, disk);
  const level = levelOf(config);
  const set = await openBags(disk, config.input.features, labels, { level, complete: !config.input.drop_missing });
  const partOf = new Map(labels.slides.map((row, i) => [level === "case" ? row.case : row.slide, fold.parts[i]]));
  const split = splitBags(set.bags, {
    name: `${fold.name} of ${config.split.split_file ?? labels.file}`,
    parts: set.bags.map(({ name }) => partOf.get(name)),
  });
  return { labels, fold, set, split };
}

/**
 * Opens the data: every row is read once, for the means of the bags and so that no step meets a number that is none.
 *
 * @throws {DataError} Naming file, row and column of what cannot be used.
 */
export async function openData(config: MilConfig, { disk, reporter, signal, markFiles }: Host): Promise<MilData> {
  const { labels, fold, set, split } = await openSet(config, disk);
  const classes = classesOf(labels);
  const notes = notesOf(labels, set, split);
  for (const note of notes) reporter.warn(note);
  const paths = set.bags.flatMap(({ files }) => files.map(({ path }) => path));
  const mark = await markFiles([labels.file, config.split.split_file ?? [], paths].flat());
  const total = set.bags.reduce((sum, { count }) => sum + count, 0) * set.dim * 4;
  const kept = total <= config.eval.cache_budget * 2 ** 30 ? new Map<string, Float32Array>() : undefined;
  const means: Float64Array[] = [];
  for (const bag of set.bags) {
    signal?.throwIfAborted();
    means.push(await meanOf(disk, bag, set.dim, kept));
    reporter.update("features", means.length, set.bags.length, "slides");
  }
  const read: ReadRows = async (bag, rows) => {
    const all = kept?.get(bag.name);
    if (!all) return await readRows(disk, bag, set.dim, rows);
    const out = new Float32Array(rows.length * set.dim);
    rows.forEach((row, i) => out.set(all.subarray(row * set.dim, (row + 1) * set.dim), i * set.dim));
    return out;
  };
  const of = set.bags.map(({ label }) => classes.indexOf(label));
  return { labels, classes, set, of, split, fold: fold.name, means, read, mark, notes };
}

/** Mean of the rows of a bag, which is kept where there is room. */
async function meanOf(disk: Disk, bag: Bag, dim: number, kept?: Map<string, Float32Array>): Promise<Float64Array> {
  const mean = new Float64Array(dim);
  const all = kept && new Float32Array(bag.count * dim);
  let at = 0;
  for await (const rows of allRows(disk, bag, dim)) {
    for (let k = 0; k < rows.length; k++) mean[k % dim]! += rows[k]!;
    all?.set(rows, at);
    at += rows.length;
  }
  if (all) kept.set(bag.name, all);
  return mean.map((sum) => sum / bag.count);
}

function notesOf(labels: Labels, { missing, unused, bags }: BagSet, split: BagSplit): string[] {
  const some = (names: readonly string[]) => names.slice(0, 5).join(", ") + (names.length > 5 ? ", ..." : "");
  const out = bags.length - split.train.length - split.val.length - split.test.length;
  return [
    ...(missing.length ? [`${count(missing.length, "slide")} with a label but no features: ${some(missing)}`] : []),
    ...(unused.length ? [`${count(unused.length, "slide")} with features but no label: ${some(unused)}`] : []),
    ...(labels.unlabelled.length
      ? [
        `${count(labels.unlabelled.length, "slide")} of ${labels.file} without ${labels.column}: ${
          some(labels.unlabelled)
        }`,
      ]
      : []),
    ...(out > 0 ? [`${count(out, "bag")} in no part of the fold`] : []),
    ...(split.unseen.length ? [`Classes tested on but never trained on: ${some(split.unseen)}`] : []),
    ...(labels.cases ? [] : [`${labels.file} has no case_id: every slide counts as a patient of its own`]),
  ];
}
