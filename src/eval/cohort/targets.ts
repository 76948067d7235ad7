/**
 * The targets of a cohort: what table and task say of each slide, or scores of gene sets in bulk expression.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { count } from "../../core/text_table.ts";
import { readCaseExpression, readGeneSets } from "../../data/cohort/gene_sets.ts";
import { type CohortTable, shortList } from "../../data/cohort/cohort_table.ts";
import { type CohortTask, type Labelled, targetsOf } from "../../data/cohort/task.ts";
import type { ReadDisk } from "../../data/data_folder.ts";
import { readBytes } from "../../io/disk.ts";
import { decodeText } from "../../io/csv.ts";
import { describeOthers } from "../../data/genes/resolve.ts";
import { placeSets, scoreSets } from "../pathways.ts";
import { type Unit, type UnitTargets, unitTargets } from "./cohort.ts";

/** Bulk expression by case and gene sets, given together. */
export interface PathwayFiles {
  readonly expression?: string | undefined;
  readonly geneSets?: string | undefined;
}

/** A table with its targets. */
export interface LabelledTable {
  readonly table: CohortTable;
  readonly task: CohortTask;
  readonly labelled: Labelled;
  /** Targets of units. @param at Rows of `labelled` of each. */
  targets(units: readonly Unit[], at: readonly (readonly number[])[]): UnitTargets;
  readonly notes: readonly string[];
}

/** Text of a file that was named. @throws {DataError} If it is not there, or a folder. */
export function readText(disk: ReadDisk, path: string): string {
  if (disk.look(path) === undefined) {
    throw new DataError(`Cannot read ${path}: there is no such file`, {
      code: "file-access",
      hint: "Paths are taken from the folder that the program was started in",
      context: { file: path },
    });
  }
  return decodeText(readBytes(disk, path), path);
}

/**
 * Reads the targets.
 *
 * @throws {ConfigError | DataError | FormatError} Naming file and line of what cannot be used.
 */
export function labelTable(
  disk: ReadDisk,
  of: { readonly table: CohortTable; readonly task: CohortTask },
  { expression, geneSets }: PathwayFiles,
): LabelledTable {
  const { table, task } = of;
  const cases = table.cases ? [] : [`${table.file} has no case_id: every slide counts as a case`];
  if (expression !== undefined && geneSets !== undefined) {
    const { notes, ...own } = pathwayTargets(disk, of, { expression, geneSets });
    return { ...of, ...own, notes: [...cases, ...notes] };
  }
  const labelled = targetsOf(task, table);
  const { unlabelled } = labelled;
  const names = task.columns.join(", ");
  const notes = unlabelled.length === 0
    ? cases
    : [...cases, `${count(unlabelled.length, "slide")} without ${names} of the table: ${shortList(unlabelled)}`];
  return { ...of, labelled, targets: (_, at) => unitTargets(labelled, at), notes };
}

/** Targets of gene sets; slides of cases without expression are left out. */
function pathwayTargets(
  disk: ReadDisk,
  { table, task }: { table: CohortTable; task: CohortTask },
  { expression, geneSets }: { expression: string; geneSets: string },
): Pick<LabelledTable, "labelled" | "targets" | "notes"> {
  const notes: string[] = [];
  if (task.kind !== "regression") {
    throw new ConfigError(
      `Cannot score gene sets: task_type of ${task.file} is ${task.kind ?? "not given"}, wanted regression`,
      { hint: "task_type: regression", context: { file: task.file } },
    );
  }
  const all = readGeneSets(readText(disk, geneSets), geneSets);
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
  const read = readCaseExpression(readText(disk, expression), expression);
  const { places, absent, others } = placeSets(read.genes, sets);
  const named = others.length > 0 ? `; under other names: ${describeOthers(others)}` : "";
  if (absent > 0) notes.push(`${count(absent, "gene")} of the sets not in ${expression}${named}`);
  const rows = table.rows.filter((row) => read.cases.has(row.case));
  const unlabelled = table.rows.filter((row) => !read.cases.has(row.case)).map(({ slide }) => slide);
  if (rows.length === 0) {
    throw new DataError(
      `Cannot use expression of ${expression}: it has cases ${
        shortList([...read.cases.keys()], 3)
      }, none of ${table.file}`,
      {
        code: "labels",
        hint: "case_id of both is compared as it is written",
        context: { file: expression },
      },
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
