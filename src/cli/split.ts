/**
 * `split`: folds of a cohort by case or by site, in the form of Patho-Bench.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { alignRows, count } from "../core/text_table.ts";
import type { MadeFolds } from "../data/cohort/folds.ts";
import { TASK_KINDS, type TaskKind } from "../data/cohort/task.ts";
import { flagFacts } from "../run/output_folder.ts";
import { split } from "../run/split.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

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

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>): Promise<number> {
  const { labels, out, "task-col": columns } = values;
  if (labels === undefined || out === undefined || columns.length === 0) {
    const missing = labels === undefined ? "--labels" : out === undefined ? "--out" : "--task-col";
    throw new ConfigError(`Cannot split: no ${missing} is given`, { hint: `For example: ${example}` });
  }
  const reporter = new Progress(values.quiet);
  const { json, status, path, made } = await split({
    labels,
    columns,
    kind: values["task-type"] as TaskKind | undefined,
    of: values["sample-col"] === "slide_id" ? "slide" : "case",
    folds: values.folds,
    testFraction: values["test-fraction"] ?? (values.folds === 1 ? 0.2 : undefined),
    stratify: values.stratify,
    site: siteOf(values),
    seed: values.seed,
    out,
    overwrite: values.overwrite,
    settings: flagFacts(values, ["labels"]),
  }, reporter);
  if (made !== undefined) { for (const line of foldLines(path, made)) reporter.say(line); }
  if (values.json) printJson(json);
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

function siteOf(values: Values): string | true | undefined {
  if (values["site-disjoint"]) return values.site ?? true;
  if (values.site === undefined) return undefined;
  throw new ConfigError("Cannot use --site alone: wanted with --site-disjoint", { hint: "Add --site-disjoint" });
}
