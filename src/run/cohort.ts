/**
 * A cohort from its files: the table with folds, the task, features of each encoder, and gene sets where they are the targets.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import { type LeftOut, type PooledFolder, poolFolder } from "../data/cohort/pooled.ts";
import { readCohort, shortList } from "../data/cohort/cohort_table.ts";
import { checkFolds, readTask } from "../data/cohort/task.ts";
import {
  type CaseSlides,
  type Cohort,
  type CohortSource,
  foldsOf,
  unitFeatures,
  unitsOf,
} from "../eval/cohort/cohort.ts";
import { type LabelledTable, labelTable, type PathwayFiles, readText } from "../eval/cohort/targets.ts";
import { tiedEvents } from "../eval/cohort/output.ts";
import { findFeatureFiles } from "../io/feature_folder.ts";
import { featuresIdentity } from "../evidence/identity.ts";
import { disk } from "../io/fs.ts";
import { contentHash } from "./content_hash.ts";

/** Files of a cohort. */
export interface CohortFiles extends PathwayFiles {
  readonly split: string;
  readonly task: string;
  readonly features: readonly { readonly name: string; readonly path: string }[];
}

/** What the files say before any feature is read. */
export type OpenedCohort = LabelledTable;

/** A cohort with its features. */
export interface LoadedCohort {
  readonly cohort: Cohort;
  /** With the encoder that files name. */
  readonly sources: readonly (CohortSource & { readonly madeBy: string })[];
  /** Slides that take no part, by encoder. */
  readonly leftOut: readonly (LeftOut & { readonly source: string })[];
  /** What a reader must know. */
  readonly notes: readonly string[];
}

/** Text of a file that was named. @throws {DataError} If it is not there, or a folder. */
export function readGiven(path: string): string {
  return readText(disk, path);
}

/**
 * Reads table and task, and looks for the folders of features.
 *
 * @throws {ConfigError | DataError | FormatError} Naming file and line of what cannot be used.
 */
export function openCohort({ split, task: taskFile, features, expression, geneSets }: CohortFiles): OpenedCohort {
  if ((expression === undefined) !== (geneSets === undefined)) {
    throw new ConfigError(
      `Cannot score gene sets: ${expression === undefined ? "--expression" : "--gene-sets"} is missing, wanted both`,
      {
        hint: "--expression FILE.csv --gene-sets FILE.gmt",
      },
    );
  }
  const table = readCohort(readGiven(split), split);
  const task = readTask(readGiven(taskFile), taskFile);
  checkFolds(table);
  for (const { path } of features) findFeatureFiles(disk, path);
  const opened = labelTable(disk, { table, task }, { expression, geneSets });
  const validation = table.rows.filter(({ folds }) => folds.includes("val")).length;
  if (validation === 0) return opened;
  const note = `${count(validation, "slide")} of validation parts: neither trained nor tested on there`;
  return { ...opened, notes: [...opened.notes, note] };
}

/** Content of everything that is read, not where it lies, by name. */
export async function cohortFacts(
  { split, task, features, expression, geneSets }: CohortFiles,
  { labelled: { rows } }: OpenedCohort,
): Promise<Record<string, string>> {
  const facts: Record<string, string> = {
    split_sha256: await contentHash([split]),
    task_sha256: await contentHash([task]),
  };
  if (expression !== undefined) facts["expression_sha256"] = await contentHash([expression]);
  if (geneSets !== undefined) facts["gene_sets_sha256"] = await contentHash([geneSets]);
  for (const { name, path } of features) {
    const files = findFeatureFiles(disk, path);
    facts[`features ${name}`] = await contentHash(rows.flatMap(({ slide }) => files.get(slide) ?? []));
  }
  return facts;
}

/** How features are read. */
export interface LoadOptions {
  readonly caseSlides: CaseSlides;
  readonly signal?: AbortSignal | undefined;
  onSlide?(source: string, done: number, total: number): void;
}

/**
 * Reads the features. A slide that one encoder lacks is left out for all of them, so that all are judged on the same.
 *
 * @throws {DataError} If an encoder has no slide that can be used, or files of several encoders.
 */
export async function loadCohort(
  { table, task, labelled, targets, notes }: OpenedCohort,
  features: CohortFiles["features"],
  { caseSlides, signal, onSlide }: LoadOptions,
): Promise<LoadedCohort> {
  const wanted = labelled.rows.map(({ slide }) => slide);
  const unlabelled = new Set(labelled.unlabelled);
  const pooled: { name: string; folder: PooledFolder }[] = [];
  const said = [...notes];
  for (const { name, path } of features) {
    const folder = await poolFolder(disk, path, wanted, {
      signal,
      onSlide: (done, total) => onSlide?.(name, done, total),
    });
    pooled.push({ name, folder });
    const unknown = folder.unused.filter((slide) => !unlabelled.has(slide));
    if (unknown.length > 0) {
      said.push(`${name}: ${count(unknown.length, "slide")} with features but not in the table: ${shortList(unknown)}`);
    }
  }
  const { units, at } = unitsOf(task, labelled.rows, (slide) => pooled.every(({ folder }) => folder.slides.has(slide)));
  if (units.length === 0) {
    throw new DataError(
      `Cannot evaluate: no slide has features of all of ${pooled.map(({ name }) => name).join(", ")}, expected some`,
      {
        code: "features-missing",
        hint: "Names of files are slide_id and an ending, the same of all folders",
      },
    );
  }
  const own = targets(units, at);
  const tied = own.kind === "survival" ? tiedEvents(own) : 0;
  if (tied > 0) said.push(`${count(tied, "event")} at the time of another: Breslow's likelihood`);
  return {
    cohort: { units, targets: own, folds: foldsOf(table, labelled.rows, at) },
    sources: pooled.map(({ name, folder }) => ({
      name,
      x: unitFeatures(folder, units, caseSlides),
      madeBy: featuresIdentity(folder.facts),
    })),
    leftOut: pooled.flatMap(({ name, folder }) => folder.leftOut.map((one) => ({ source: name, ...one }))),
    notes: said,
  };
}
