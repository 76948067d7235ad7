/**
 * The file that says what is predicted, `config.yaml`, and what a table says of it.
 *
 * Keys: `task_col` (a column, or several of a regression), `sample_col` (`case_id` or `slide_id`), `extra_cols`, `metrics`,
 * `label_dict` (label: name), `task_type` (`classification`, `survival`, `regression`). Survival reads `TASK_event` (1: event) and
 * `TASK_days`. Other keys are left alone.
 *
 * Source: the form of Patho-Bench's tasks; `regression` is an addition.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { decimal } from "../../io/text_lines.ts";
import { parseYaml, yamlError, type YamlNode, yamlText } from "../../io/yaml.ts";
import { classColumn, type CohortRow, type CohortTable, columnOf, shortList } from "./cohort_table.ts";

/** Kinds of tasks. */
export const TASK_KINDS = ["classification", "survival", "regression"] as const;
/** A kind of task. */
export type TaskKind = (typeof TASK_KINDS)[number];

/** What is predicted. */
export interface CohortTask {
  readonly file: string;
  /** Columns of the targets; one unless it is a regression. */
  readonly columns: readonly string[];
  /** What has a label. */
  readonly of: "case" | "slide";
  /** Undefined where the file does not say. */
  readonly kind: TaskKind | undefined;
  readonly extra: readonly string[];
  readonly metrics: readonly string[];
  /** Name of each label, in the order of the file; empty where it has none. */
  readonly names: ReadonlyMap<string, string>;
}

/** Reads a file. @throws {ConfigError} Naming the line. */
export function readTask(text: string, file: string): CohortTask {
  const root = parseYaml(text, file);
  if (root.kind !== "map") throw yamlError(file, root.line, "Cannot read a task: a list or text, wanted keys");
  const values = new Map(root.entries.map(({ key, value }) => [key, value]));
  const texts = (key: string): string[] => {
    const node = values.get(key);
    if (node === undefined || (node.kind === "scalar" && /^(null|~|)$/.test(node.text) && !node.quoted)) return [];
    const items = node.kind === "list" ? node.items : [node];
    return items.map((item) => {
      if (item.kind === "scalar") return item.text.trim();
      throw yamlError(file, item.line, `Cannot read ${key}: a ${item.kind}, wanted text`, key);
    });
  };
  const columns = texts("task_col");
  if (columns.length === 0 || columns.includes("")) {
    throw yamlError(
      file,
      values.get("task_col")?.line ?? 1,
      "Cannot read task_col: it is empty, wanted a column of the table",
      "task_col",
    );
  }
  const choice = <T extends string>(key: string, of: readonly T[]): T | undefined => {
    const [given, ...more] = texts(key);
    if (given === undefined) return undefined;
    if (more.length === 0 && (of as readonly string[]).includes(given)) return given as T;
    throw yamlError(
      file,
      values.get(key)!.line,
      `Cannot read ${key}: ${given.slice(0, 40)}, wanted ${of.join(" or ")}`,
      key,
    );
  };
  const kind = choice("task_type", TASK_KINDS);
  if (columns.length > 1 && kind !== "regression") {
    throw yamlError(
      file,
      values.get("task_col")!.line,
      `Cannot read task_col: ${columns.length} columns, wanted one, or task_type: regression`,
      "task_col",
    );
  }
  return {
    file,
    columns,
    of: choice("sample_col", ["case_id", "slide_id"]) === "slide_id" ? "slide" : "case",
    kind,
    extra: texts("extra_cols"),
    metrics: texts("metrics"),
    names: labelNames(values.get("label_dict"), file),
  };
}

function labelNames(node: YamlNode | undefined, file: string): Map<string, string> {
  if (node === undefined || (node.kind === "scalar" && /^(null|~|)$/.test(node.text))) return new Map();
  if (node.kind !== "map") {
    throw yamlError(file, node.line, `Cannot read label_dict: a ${node.kind}, wanted label: name`, "label_dict");
  }
  const names = node.entries.map(({ key, value }): [string, string] => {
    if (value.kind === "scalar" && value.text.trim() !== "") return [key.trim(), value.text.trim()];
    throw yamlError(
      file,
      value.line,
      `Cannot read label_dict: no name of label ${key.slice(0, 40)}, wanted one`,
      "label_dict",
    );
  });
  // Probabilities stand in the order of the labels, as scikit-learn has them.
  if (names.every(([label]) => /^-?\d+$/.test(label))) names.sort(([a], [b]) => Number(a) - Number(b));
  return new Map(names);
}

/** The text of a file. */
export function taskText(task: Omit<CohortTask, "file">): string {
  const list = (items: readonly string[]) => `[${items.map(yamlText).join(", ")}]`;
  const [first] = task.columns;
  return [
    `task_col: ${task.columns.length === 1 ? yamlText(first!) : list(task.columns)}`,
    `sample_col: ${task.of}_id`,
    `extra_cols: ${list(task.extra)}`,
    `metrics: ${list(task.metrics)}`,
    ...(task.names.size === 0
      ? []
      : ["label_dict:", ...[...task.names].map(([label, name]) => `  ${yamlText(label)}: ${yamlText(name)}`)]),
    ...(task.kind === undefined ? [] : [`task_type: ${task.kind}`]),
    "",
  ].join("\n");
}

/** Targets of the rows of a table that have one. */
export type Targets =
  | { readonly kind: "classification"; readonly classes: readonly string[]; readonly labels: readonly number[] }
  | { readonly kind: "survival"; readonly times: readonly number[]; readonly events: readonly number[] }
  | { readonly kind: "regression"; readonly names: readonly string[]; readonly values: readonly (readonly number[])[] };

/** What is known of the rows that take part. */
export interface Labelled {
  readonly rows: readonly CohortRow[];
  readonly targets: Targets;
  /** Slides whose label is empty: they take no part. */
  readonly unlabelled: readonly string[];
}

/** Kind of a task, from its file or else from the table's columns. */
export function kindOf(task: CohortTask, table: CohortTable): TaskKind {
  const [name] = task.columns;
  if (task.kind !== undefined) return task.kind;
  return table.columns.includes(`${name}_event`) && table.columns.includes(`${name}_days`)
    ? "survival"
    : "classification";
}

/**
 * Reads the targets of a table. Rows of one case agree where labels are of cases.
 *
 * @throws {DataError} If a column is missing, a value cannot be read, or a case has two; if no row has one.
 */
export function targetsOf(task: CohortTask, table: CohortTable): Labelled {
  const kind = kindOf(task, table);
  const names = kind === "survival" ? [`${task.columns[0]}_days`, `${task.columns[0]}_event`] : task.columns;
  const columns = names.map((name) =>
    kind === "classification" ? classColumn(table, name, task.names) : columnOf(table, name)
  );
  const has = table.rows.map((_, r) => columns.every((column) => column[r] !== ""));
  const kept = [...table.rows.keys()].filter((r) => has[r]);
  const rows = kept.map((r) => table.rows[r]!);
  if (rows.length === 0) {
    throw new DataError(`Cannot use the table ${table.file}: no slide has ${names.join(" and ")}, expected some`, {
      code: "labels",
      context: { file: table.file, columns: names },
    });
  }
  const fields = kept.map((r) => columns.map((column) => column[r]!));
  if (task.of === "case") checkAgreement(table.file, names, rows, fields);
  const unlabelled = table.rows.filter((_, r) => !has[r]).map(({ slide }) => slide);
  const number = (r: number, c: number): number => {
    const value = decimal(fields[r]![c]!);
    if (Number.isFinite(value)) return value;
    throw badValue(table.file, rows[r]!, names[c]!, fields[r]![c]!, "a number");
  };
  if (kind === "regression") {
    return {
      rows,
      unlabelled,
      targets: { kind, names, values: rows.map((_, r) => names.map((_, c) => number(r, c))) },
    };
  }
  if (kind === "classification") {
    const own = fields.map(([label]) => label!);
    return { rows, unlabelled, targets: { kind, ...classesOf(task, table, rows, own) } };
  }
  const times = rows.map((row, r) => {
    const time = number(r, 0);
    if (time >= 0) return time;
    throw badValue(table.file, row, names[0]!, fields[r]![0]!, "a time of 0 or more");
  });
  const events = rows.map((row, r) => {
    const text = fields[r]![1]!;
    if (/^(0|1)(\.0+)?$|^(true|false)$/i.test(text)) return /^(1|true)/i.test(text) ? 1 : 0;
    throw badValue(table.file, row, names[1]!, text, "1 for an event or 0");
  });
  return { rows, unlabelled, targets: { kind, times, events } };
}

function badValue(file: string, { line }: CohortRow, column: string, found: string, expected: string): DataError {
  return new DataError(
    `Cannot use the table ${file}: line ${line} has ${column} "${found.slice(0, 40)}", expected ${expected}`,
    {
      code: "labels",
      context: { file, line, column, found: found.slice(0, 200), expected },
    },
  );
}

function checkAgreement(
  file: string,
  names: readonly string[],
  rows: readonly CohortRow[],
  fields: readonly string[][],
): void {
  const first = new Map<string, number>();
  rows.forEach((row, r) => {
    const before = first.get(row.case);
    if (before === undefined) return void first.set(row.case, r);
    const column = fields[r]!.findIndex((field, c) => field !== fields[before]![c]);
    if (column < 0) return;
    throw new DataError(
      `Cannot use the table ${file}: case ${row.case} has ${names[column]} ${fields[before]![column]} in line ` +
        `${rows[before]!.line} and ${fields[r]![column]} in line ${row.line}, expected one`,
      {
        code: "case-label",
        hint: "Labels of slides: sample_col: slide_id",
        context: { file, case: row.case, column: names[column], lines: [rows[before]!.line, row.line] },
      },
    );
  });
}

function classesOf(task: CohortTask, table: CohortTable, rows: readonly CohortRow[], own: readonly string[]) {
  // pandas writes whole numbers of a column with gaps as 1.0.
  const bare = own.map((label) => label.replace(/^(-?\d+)\.0+$/, "$1"));
  const found = [...new Set(bare)];
  const numbers = found.every((label) => /^-?\d+$/.test(label));
  found.sort((a, b) => numbers ? Number(a) - Number(b) : a < b ? -1 : 1);
  const labels = task.names.size > 0 ? [...task.names.keys()] : found;
  if (labels.length < 2) {
    throw new DataError(
      `Cannot use the table ${table.file}: all ${rows.length} slides have ${task.columns[0]} ${
        shortList(found)
      }, expected two classes or more`,
      { code: "labels", context: { file: table.file, column: task.columns[0], found } },
    );
  }
  const place = new Map(labels.map((label, k) => [label, k]));
  return {
    classes: labels.map((label) => task.names.get(label) ?? label),
    labels: bare.map((label, r) => {
      const at = place.get(label);
      if (at !== undefined) return at;
      throw badValue(
        table.file,
        rows[r]!,
        task.columns[0]!,
        own[r]!,
        `one of ${shortList(labels)} as in label_dict of ${task.file}`,
      );
    }),
  };
}

/** Refuses a task and a table that cannot be used together for want of folds. */
export function checkFolds({ file, folds }: CohortTable): void {
  if (folds.length > 0) return;
  throw new ConfigError(`Cannot evaluate on ${file}: it has no column fold_0, wanted one or more`, {
    code: "folds",
    hint: `split --labels ${file} --by case makes them`,
    context: { file },
  });
}
