/**
 * A cohort from its files: the table with folds, the task, features of each encoder, and gene sets where they are the targets.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import { readCaseExpression, readGeneSets } from "../data/cohort/gene_sets.ts";
import { type LeftOut, type PooledFolder, poolFolder } from "../data/cohort/pooled.ts";
import { type CohortTable, readCohort, shortList } from "../data/cohort/cohort_table.ts";
import { checkFolds, type CohortTask, type Labelled, readTask, targetsOf } from "../data/cohort/task.ts";
import { readBytes } from "../data/data_folder.ts";
import {
  type CaseSlides,
  type Cohort,
  type CohortSource,
  foldsOf,
  type Unit,
  unitFeatures,
  unitsOf,
  type UnitTargets,
  unitTargets,
} from "../eval/cohort/cohort.ts";
import { placeSets, scoreSets } from "../eval/pathways.ts";
import { tiedEvents } from "../eval/cohort/output.ts";
import { decodeText } from "../io/csv.ts";
import { findFeatureFiles } from "../io/feature_folder.ts";
import { disk } from "../io/fs.ts";
import { contentHash } from "./content_hash.ts";

/** Files of a cohort. */
export interface CohortFiles {
  readonly split: string;
  readonly task: string;
  readonly features: readonly { readonly name: string; readonly path: string }[];
  /** Bulk expression by case and gene sets, given together. */
  readonly expression?: string | undefined;
  readonly geneSets?: string | undefined;
}

/** What the files say before any feature is read. */
export interface OpenedCohort {
  readonly table: CohortTable;
  readonly task: CohortTask;
  readonly labelled: Labelled;
  /** Targets of units where they are not in the table. */
  readonly targets?: ((units: readonly Unit[]) => UnitTargets) | undefined;
  readonly notes: readonly string[];
}

/** A cohort with its features. */
export interface LoadedCohort {
  readonly cohort: Cohort;
  readonly sources: readonly CohortSource[];
  /** Slides that take no part, by encoder. */
  readonly leftOut: readonly (LeftOut & { readonly source: string })[];
  /** What a reader must know. */
  readonly notes: readonly string[];
}

/** Text of a file that was named. @throws {DataError} If it is not there, or a folder. */
export function readGiven(path: string): string {
  if (disk.look(path) === undefined) {
    throw new DataError(`Cannot read ${path}: there is no such file`, { code: "file-access", context: { file: path } });
  }
  return decodeText(readBytes(disk, path), path);
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
  const notes = table.cases ? [] : [`${split} has no case_id: every slide counts as a case`];
  const validation = table.rows.filter(({ folds }) => folds.includes("val")).length;
  if (validation > 0) {
    notes.push(`${count(validation, "slide")} of validation parts: neither trained nor tested on there`);
  }
  if (expression === undefined || geneSets === undefined) {
    const labelled = targetsOf(task, table);
    const { unlabelled } = labelled;
    if (unlabelled.length > 0) {
      notes.push(
        `${count(unlabelled.length, "slide")} without ${task.columns.join(", ")} of the table: ${
          shortList(unlabelled)
        }`,
      );
    }
    return { table, task, labelled, notes };
  }
  return { table, task, ...pathwayTargets({ table, task, expression, geneSets }, notes) };
}

/** Targets of gene sets; slides of cases without expression are left out. */
function pathwayTargets(
  { table, task, expression, geneSets }: { table: CohortTable; task: CohortTask; expression: string; geneSets: string },
  notes: string[],
): Pick<OpenedCohort, "labelled" | "targets" | "notes"> {
  if (task.kind !== "regression") {
    throw new ConfigError(
      `Cannot score gene sets: task_type of ${task.file} is ${task.kind ?? "not given"}, wanted regression`,
    );
  }
  const all = readGeneSets(readGiven(geneSets), geneSets);
  const sets = task.columns.length === 1 && task.columns[0] === "all" ? all : task.columns.map((name) => {
    const found = all.find((set) => set.name === name);
    if (found !== undefined) return found;
    throw new DataError(
      `Cannot find gene set ${name} of ${task.file} in ${geneSets}: it has ${shortList(all.map(({ name }) => name))}`,
      {
        code: "gene-set",
        hint: "task_col: all takes every set",
        context: { file: geneSets, set: name },
      },
    );
  });
  const read = readCaseExpression(readGiven(expression), expression);
  const { places, absent } = placeSets(read.genes, sets);
  if (absent > 0) notes.push(`${count(absent, "gene")} of the sets not in ${expression}`);
  const rows = table.rows.filter((row) => read.cases.has(row.case));
  const unlabelled = table.rows.filter((row) => !read.cases.has(row.case)).map(({ slide }) => slide);
  if (rows.length === 0) {
    throw new DataError(
      `Cannot use expression of ${expression}: it has cases ${
        shortList([...read.cases.keys()], 3)
      }, none of ${table.file}`,
      { code: "labels", context: { file: expression } },
    );
  }
  if (unlabelled.length > 0) {
    notes.push(`${count(unlabelled.length, "slide")} of cases without expression: ${shortList(unlabelled)}`);
  }
  const targets = (units: readonly Unit[]): UnitTargets => {
    const columns = read.genes.length;
    const data = new Float64Array(units.length * columns);
    units.forEach((unit, u) => data.set(read.cases.get(unit.case)!, u * columns));
    return {
      kind: "regression",
      names: sets.map(({ name }) => name),
      raw: (train) => scoreSets({ rows: units.length, columns, data }, places, train),
    };
  };
  const values = rows.map(() => [] as number[]);
  return { labelled: { rows, unlabelled, targets: { kind: "regression", names: [], values } }, targets, notes };
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
      },
    );
  }
  const own = targets?.(units) ?? unitTargets(labelled, at);
  const tied = own.kind === "survival" ? tiedEvents(own) : 0;
  if (tied > 0) said.push(`${count(tied, "event")} at the time of another: Breslow's likelihood`);
  return {
    cohort: { units, targets: own, folds: foldsOf(table, labelled.rows, at) },
    sources: pooled.map(({ name, folder }) => ({ name, x: unitFeatures(folder, units, caseSlides) })),
    leftOut: pooled.flatMap(({ name, folder }) => folder.leftOut.map((one) => ({ source: name, ...one }))),
    notes: said,
  };
}
