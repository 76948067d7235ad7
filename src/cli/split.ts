/**
 * `split`: folds of a cohort by case or by site, in the form of Patho-Bench.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { alignRows, count } from "../core/text_table.ts";
import { type MadeFolds, makeFolds } from "../data/cohort/folds.ts";
import { type CohortTable, cohortText, readCohort } from "../data/cohort/cohort_table.ts";
import { type CohortTask, kindOf, targetsOf, TASK_KINDS, type TaskKind, taskText } from "../data/cohort/task.ts";
import { readBytes } from "../data/data_folder.ts";
import { decodeText } from "../io/csv.ts";
import { disk } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import { contentHash } from "../run/content_hash.ts";
import { flagFacts, OutputFolder } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson, say } from "./terminal.ts";

/** Name of the command. */
export const name = "split";
/** What it does. */
export const summary = "folds of a cohort by case or site, as k=all.tsv and config.yaml of Patho-Bench";
/** An example. */
export const example =
  "split --labels labels.csv --task-col HER2 --by case --stratify HER2 --site-disjoint --out splits/her2";

/** Flags of the command. */
export const flags = {
  labels: { kind: "text", value: "FILE", help: "table of slides: slide_id, case_id, labels, other columns" },
  "task-col": { kind: "list", value: "COLUMN", help: "column of the label; of a regression several" },
  "task-type": {
    kind: "choice",
    of: TASK_KINDS,
    help: "survival where COLUMN_event and COLUMN_days are there, else classification",
  },
  "sample-col": { kind: "choice", of: ["case_id", "slide_id"], default: "case_id", help: "what has a label" },
  by: { kind: "choice", of: ["case"], default: "case", help: "what is never on both sides of a fold" },
  stratify: { kind: "text", value: "COLUMN", help: "column whose values are spread evenly; quarters of numbers" },
  "site-disjoint": { kind: "switch", help: "no site on both sides" },
  site: { kind: "text", value: "COLUMN", help: "column of sites; site, or the code in TCGA's names" },
  folds: { kind: "number", value: "N", integer: true, min: 1, max: 1000, default: 5, help: "folds" },
  "test-fraction": {
    kind: "number",
    value: "F",
    min: 0.01,
    max: 0.99,
    help: "every fold draws this share of the cases; without, each case is tested once",
  },
  seed: { ...COMMON.seed, max: 0xffffffff, default: 0 },
  out: { kind: "text", value: "DIR", help: "folder of k=all.tsv, config.yaml and split.json" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

const [TABLE, TASK] = ["k=all.tsv", "config.yaml"];

/** Metrics that Patho-Bench computes of a kind of task. */
const METRICS: Readonly<Record<TaskKind, readonly string[]>> = {
  classification: ["macro-ovr-auc", "bacc"],
  survival: ["cindex"],
  regression: ["pearson"],
};

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>): Promise<number> {
  const { labels, out } = values;
  if (labels === undefined || out === undefined || values["task-col"].length === 0) {
    const missing = labels === undefined ? "--labels" : out === undefined ? "--out" : "--task-col";
    throw new ConfigError(`Cannot split: no ${missing} is given`, { hint: `For example: ${example}` });
  }
  checkFolder(out);
  if (disk.look(labels)?.kind !== "file") {
    throw new DataError(`Cannot read ${labels}: there is no such file`, {
      code: "file-access",
      context: { file: labels },
    });
  }
  const table = readCohort(decodeText(readBytes(disk, labels), labels), labels);
  const task = taskOf(values, table);
  // Sets of genes are scored when the task is evaluated, and are no columns.
  const sets = task.kind === "regression" && !task.columns.some((column) => table.columns.includes(column));
  if (!sets) targetsOf(task, table);
  const made = makeFolds(table, {
    folds: values.folds,
    testFraction: values["test-fraction"] ?? (values.folds === 1 ? 0.2 : undefined),
    stratify: values.stratify,
    site: siteOf(values, table),
    seed: values.seed,
  });
  const progress = new Progress(values.quiet);
  using folder = OutputFolder.open({
    out,
    command: name,
    result: "split.json",
    names: [TABLE, TASK],
    facts: { ...flagFacts(values, ["labels"]), labels_sha256: await contentHash([labels]) },
    overwrite: values.overwrite,
  });
  if (folder.finished) {
    progress.say(`${folder.path}/split.json: is there`);
    if (values.json) printJson(folder.finished.json);
    return folder.finished.status;
  }
  for (const note of made.notes) progress.warn(note);
  const status = made.notes.some((note) => /^fold_\d+: no /.test(note)) ? 3 : 0;
  folder.begin();
  disk.write(`${folder.path}/${TABLE}`, cohortText(withCases(made.table)));
  disk.write(`${folder.path}/${TASK}`, taskText(task));
  const written = folder.finish({ classes: made.classes, folds: made.counts, notes: made.notes }, status);
  if (!values.quiet) foldLines(folder.path, made).forEach(say);
  if (values.json) printJson(written);
  return status;
}

/** Lines for the terminal: what was divided, and the first folds. */
function foldLines(path: string, { table: { rows }, counts }: MadeFolds): string[] {
  const cases = new Set(rows.map((row) => row.case)).size;
  const sum = (side: readonly number[]) => side.join(" + ");
  const first = counts.slice(0, 10).map(({ fold, train, test }) => [fold, `train ${sum(train)}`, `test ${sum(test)}`]);
  return [
    `${path}: ${count(cases, "case")}, ${count(rows.length, "slide")}, ${count(counts.length, "fold")}`,
    ...alignRows(first),
  ];
}

/** A table that names its cases, as readers of the form expect. */
function withCases(table: CohortTable): CohortTable {
  if (table.cases) return table;
  const rows = table.rows.map((row) => ({ ...row, fields: [row.case, ...row.fields] }));
  return { ...table, columns: ["case_id", ...table.columns], rows };
}

function taskOf(values: Values, table: CohortTable): CohortTask {
  const given: CohortTask = {
    file: "the flags",
    columns: values["task-col"],
    of: values["sample-col"] === "slide_id" ? "slide" : "case",
    kind: values["task-type"] as TaskKind | undefined,
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

function siteOf(values: Values, table: CohortTable): string | true | undefined {
  if (!values["site-disjoint"]) {
    if (values.site === undefined) return undefined;
    throw new ConfigError("Cannot use --site alone: wanted with --site-disjoint", { hint: "Add --site-disjoint" });
  }
  return values.site ?? (table.columns.includes("site") ? "site" : true);
}
