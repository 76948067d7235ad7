/**
 * Folds of a cohort from its table of labels, and the folder that they are written to.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { type FoldOptions, type MadeFolds, makeFolds } from "../data/cohort/folds.ts";
import { type CohortTable, cohortText, readCohort } from "../data/cohort/cohort_table.ts";
import { type CohortTask, kindOf, targetsOf, type TaskKind, taskText } from "../data/cohort/task.ts";
import { disk } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import { readGiven } from "./cohort.ts";
import { contentHash } from "./content_hash.ts";
import { OutputFolder } from "./output_folder.ts";

/** Name of the result in the output folder. */
const RESULT = "split.json";
const [TABLE, TASK] = ["k=all.tsv", "config.yaml"];

/** Metrics that Patho-Bench computes of a kind of task. */
const METRICS: Readonly<Record<TaskKind, readonly string[]>> = {
  classification: ["macro-ovr-auc", "bacc"],
  survival: ["cindex"],
  regression: ["pearson"],
};

/** What is divided and how. */
export interface SplitOptions extends FoldOptions {
  /** Table of slides with labels. */
  readonly labels: string;
  /** Columns of the label; several of a regression. */
  readonly columns: readonly string[];
  /** Kind of the task; told from the table where not given. */
  readonly kind?: TaskKind | undefined;
  /** What has a label. */
  readonly of: "slide" | "case";
  /** As of folds; `true` takes the column `site` where there is one. */
  readonly site?: string | true | undefined;
  /** Folder of the output. */
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** Folds that were made. */
export interface Split {
  /** What `split.json` holds. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Exit status: 3 where a fold lacks a class on a side. */
  readonly status: number;
  /** The folder. */
  readonly path: string;
  /** What is printed of it; missing where it was done before. */
  readonly made?: MadeFolds;
}

/**
 * Divides a cohort, or finds that it was done.
 *
 * @throws {ConfigError | DataError} Naming file and line of what cannot be used.
 */
export async function split(options: SplitOptions, reporter: Reporter): Promise<Split> {
  const { labels, site, out, overwrite, settings } = options;
  checkFolder(out);
  const table = readCohort(readGiven(labels), labels);
  const task = taskOf(options, table);
  // Sets of genes are scored when the task is evaluated, and are no columns.
  const sets = task.kind === "regression" && !task.columns.some((column) => table.columns.includes(column));
  if (!sets) targetsOf(task, table);
  const made = makeFolds(table, { ...options, site: site === true && table.columns.includes("site") ? "site" : site });
  using folder = OutputFolder.open({
    out,
    command: "split",
    result: RESULT,
    names: [TABLE, TASK],
    facts: { ...settings, labels_sha256: await contentHash([labels]) },
    overwrite,
  });
  const { path, finished } = folder;
  if (finished) {
    reporter.say(`${path}/${RESULT}: is there`);
    return { ...finished, path };
  }
  for (const note of made.notes) reporter.warn(note);
  const status = made.counts.some(({ train, test }) => [...train, ...test].includes(0)) ? INCOMPLETE : 0;
  folder.begin();
  disk.write(`${path}/${TABLE}`, cohortText(withCases(made.table)));
  disk.write(`${path}/${TASK}`, taskText(task));
  const json = folder.finish({ classes: made.classes, folds: made.counts, notes: made.notes }, status);
  return { json, status, path, made };
}

/** A table that names its cases, as readers of the form expect. */
function withCases(table: CohortTable): CohortTable {
  if (table.cases) return table;
  const rows = table.rows.map((row) => ({ ...row, fields: [row.case, ...row.fields] }));
  return { ...table, columns: ["case_id", ...table.columns], rows };
}

function taskOf({ columns, kind: wanted, of }: SplitOptions, table: CohortTable): CohortTask {
  const given: CohortTask = {
    file: "the flags",
    columns,
    of,
    kind: wanted,
    extra: [],
    metrics: [],
    names: new Map(),
  };
  const kind = kindOf(given, table);
  if (given.columns.length > 1 && kind !== "regression") {
    throw new ConfigError(`Cannot split for ${given.columns.length} columns: one --task-col wanted`, {
      hint: "--task-type regression takes several",
    });
  }
  const [column] = given.columns;
  const extra = kind === "survival" ? [`${column}_event`, `${column}_days`] : [];
  return { ...given, kind, extra, metrics: METRICS[kind] };
}
