/**
 * The table of a cohort, `k=all.tsv`: a row a slide with `slide_id`, `case_id`, labels, other columns, and folds as `fold_0`,
 * `fold_1`, ... with `train`, `val` or `test`. Names and labels are text as they stand.
 *
 * Source: the form of Patho-Bench's splits.
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { type CsvRecord, parseCsv } from "../../io/csv.ts";

/** Where a slide is in a fold. */
export type FoldPart = "train" | "val" | "test";

/** A slide of the table. */
export interface CohortRow {
  readonly slide: string;
  readonly case: string;
  /** Fields in the order of the table's columns. */
  readonly fields: readonly string[];
  /** Its part in each fold; undefined where the fold leaves it out. */
  readonly folds: readonly (FoldPart | undefined)[];
  /** Line of the file. */
  readonly line: number;
}

/** A table. */
export interface CohortTable {
  readonly file: string;
  /** Columns but the folds, `case_id` and `slide_id` among them. */
  readonly columns: readonly string[];
  /** Names of the folds, in the order of their numbers. */
  readonly folds: readonly string[];
  readonly rows: readonly CohortRow[];
  /** Whether the file names cases; if not, every slide is its own. */
  readonly cases: boolean;
}

const PARTS: ReadonlySet<string> = new Set(["train", "val", "test"]);

/** A table with folds before it is known what its lines are of; its header says which of comma, tab and semicolon divides it. */
export class FoldTable {
  readonly header: readonly string[];
  /** Columns `fold_0`, `fold_1`, ..., in the order of their numbers. */
  readonly folds: readonly string[];
  readonly #at: ReadonlyMap<string, number>;
  readonly #records: readonly CsvRecord[];

  /**
   * @param file Name of the file for error messages.
   * @param what What it is, there: `the table`.
   * @throws {FormatError} If it is no table.
   */
  constructor(text: string, readonly file: string, readonly what: string) {
    const [head, ...records] = parseCsv(text, file);
    this.header = head?.fields.map((name) => name.trim()) ?? [];
    this.folds = this.header.filter((name) => /^fold_\d+$/.test(name))
      .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
    this.#at = new Map(this.header.map((name, i) => [name, i]));
    this.#records = records;
  }

  /** Refuses a line. */
  fail(line: number, found: string, expected: string): never {
    const { file } = this;
    throw new FormatError(`Cannot read ${this.what} ${file}: line ${line} ${found}, expected ${expected}`, {
      context: { file, line, found, expected },
    });
  }

  /** Lines, their fields without blanks around. @throws {FormatError} If a column stands twice, or a field is missing. */
  *records(): Generator<CsvRecord> {
    const { header } = this;
    const twice = header.find((name, i) => name !== "" && header.indexOf(name) !== i);
    if (twice !== undefined) this.fail(1, `names the column ${twice} twice`, "each once");
    for (const { line, fields } of this.#records) {
      if (fields.length !== header.length) {
        this.fail(line, `has ${fields.length} fields`, `${header.length} as in its header`);
      }
      yield { line, fields: fields.map((field) => field.trim()) };
    }
  }

  /** Parts of a line in folds; undefined where a fold leaves it out. @throws {FormatError} If there is another word. */
  parts({ line, fields }: CsvRecord, folds: readonly string[] = this.folds): (FoldPart | undefined)[] {
    return folds.map((fold) => {
      const part = fields[this.#at.get(fold)!]!;
      if (part === "") return undefined;
      if (PARTS.has(part)) return part as FoldPart;
      return this.fail(line, `has "${part.slice(0, 40)}" in ${fold}`, "train, val, test or nothing");
    });
  }
}

/**
 * Reads a table.
 *
 * @param file Name of the file for error messages.
 * @throws {FormatError} If a line is broken, naming it.
 * @throws {DataError} If there is no `slide_id`, a slide occurs twice, or a case is on two sides of a fold.
 */
export function readCohort(text: string, file: string): CohortTable {
  const lines = new FoldTable(text, file, "the table");
  const { header, folds } = lines;
  if (!header.includes("slide_id")) {
    throw new DataError(
      `Cannot read the table ${file}: its columns are ${shortList(header)}, expected slide_id among them`,
      {
        code: "columns",
        hint: "A row a slide, with its name in slide_id",
        context: { file, found: header.slice(0, 50) },
      },
    );
  }
  // What pandas writes for an index without a name.
  const own = [...header.keys()].filter((i) => !/^(Unnamed: \d+|fold_\d+)?$/.test(header[i]!));
  const [slideAt, caseAt] = [header.indexOf("slide_id"), header.indexOf("case_id")];
  const rows = Array.from(lines.records(), (record): CohortRow => {
    const { line, fields } = record;
    const slide = fields[slideAt]!;
    const owner = caseAt < 0 ? slide : fields[caseAt]!;
    if (slide === "" || owner === "") lines.fail(line, `has no ${slide === "" ? "slide_id" : "case_id"}`, "a name");
    return { slide, case: owner, fields: own.map((i) => fields[i]!), folds: lines.parts(record), line };
  });
  const table: CohortTable = {
    file,
    columns: own.map((i) => header[i]!),
    folds,
    rows,
    cases: caseAt >= 0,
  };
  checkRows(table);
  return table;
}

/** Some of many names. */
export function shortList(names: readonly string[], most = 8): string {
  if (names.length === 0) return "none";
  return names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} more` : "");
}

function checkRows(table: CohortTable): void {
  const { file, rows } = table;
  if (rows.length === 0) {
    throw new DataError(`Cannot use the table ${file}: it has no slide, expected a row each`, {
      code: "labels",
      context: { file },
    });
  }
  const slides = new Map<string, CohortRow>();
  for (const row of rows) {
    const before = slides.get(row.slide);
    if (before !== undefined) {
      throw new DataError(
        `Cannot use the table ${file}: slide ${row.slide} is in lines ${before.line} and ${row.line}, expected once`,
        { code: "labels", context: { file, slide: row.slide, lines: [before.line, row.line] } },
      );
    }
    slides.set(row.slide, row);
  }
  checkSides(table);
}

/**
 * Refuses cases on two sides of a fold.
 *
 * @param divides The file whose folds they are, if it is another.
 */
export function checkSides({ file, rows, folds }: CohortTable, divides?: string): void {
  const cases = new Map<string, CohortRow>();
  for (const row of rows) {
    const first = cases.get(row.case) ?? row;
    cases.set(row.case, first);
    const fold = row.folds.findIndex((part, i) => part !== first.folds[i]);
    if (fold < 0) continue;
    const [a, b] = [first, row].map(({ folds }) => folds[fold] ?? "nothing");
    const whose = divides === undefined ? "" : ` of ${file}`;
    throw new DataError(
      `Cannot use ${divides === undefined ? `the table ${file}` : `the split of ${divides}`}: case ${row.case} is on ` +
        `both sides of ${folds[fold]}: ${a} in line ${first.line}, ${b} in line ${row.line}${whose}, expected one side`,
      {
        code: "split-leak",
        hint: "Put all slides of a case into one part of a fold; split --by case makes such folds",
        context: { file, case: row.case, fold: folds[fold], lines: [first.line, row.line] },
      },
    );
  }
}

/**
 * One column, a field a row.
 *
 * @throws {DataError} If there is none of that name.
 */
export function columnOf({ file, columns, rows }: CohortTable, name: string): string[] {
  const at = columns.indexOf(name);
  if (at >= 0) return rows.map(({ fields }) => fields[at]!);
  throw new DataError(`Cannot use the table ${file}: its columns are ${shortList(columns)}, ${name} is missing`, {
    code: "columns",
    context: { file, found: columns.slice(0, 50), wanted: name },
  });
}

/** What pandas and R write, and pandas reads, where there is no value. */
const MISSING = /^(<NA>|#?N\/?A|n\/a|-?(NaN|nan)|NULL|null|None)?$/;

/**
 * One column of classes, a field a row; empty where it says that there is no value.
 *
 * @param known Classes that are meant as they stand.
 * @throws {DataError} If there is none of that name.
 */
export function classColumn(
  table: CohortTable,
  name: string,
  known: { has(value: string): boolean } = new Set(),
): string[] {
  return columnOf(table, name).map((field) => MISSING.test(field) && !known.has(field) ? "" : field);
}

/** The text of a table, divided by tabs. */
export function cohortText({ columns, folds, rows }: Pick<CohortTable, "columns" | "folds" | "rows">): string {
  const line = (fields: readonly string[]) =>
    `${fields.map((f) => /["\t\r\n]/.test(f) ? `"${f.replaceAll('"', '""')}"` : f).join("\t")}\n`;
  return line([...columns, ...folds]) +
    rows.map((row) => line([...row.fields, ...row.folds.map((part) => part ?? "")])).join("");
}
