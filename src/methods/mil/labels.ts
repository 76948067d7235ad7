/**
 * The table of labels of slides: `slide_id`, `case_id`, a label, and folds as `fold_0`, `fold_1`, ... with `train`, `val` or
 * `test`, one row a slide; commas or tabs. A case (a patient) has one label and is on one side of a fold.
 *
 * Source: the form of Patho-Bench's `k=all.tsv`.
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { parseCsv } from "../../io/csv.ts";
import { decimal } from "../../io/text_lines.ts";

/** Where a slide is in a fold. */
export type Part = "train" | "val" | "test";

/** A slide of the table. */
export interface SlideLabel {
  readonly slide: string;
  readonly case: string;
  readonly label: string;
  /** Its part in each fold; undefined where the fold leaves it out. */
  readonly folds: readonly (Part | undefined)[];
  /** Line of the file. */
  readonly line: number;
}

/** A table of labels. */
export interface Labels {
  readonly file: string;
  /** Column of the labels. */
  readonly column: string;
  readonly slides: readonly SlideLabel[];
  /** Columns of folds, in their order. */
  readonly folds: readonly string[];
  /** Slides without a label, which take no part. */
  readonly unlabelled: readonly string[];
  /** Whether the table names cases; if not, every slide is its own. */
  readonly cases: boolean;
}

/** Names of columns, and what has a label. */
export interface LabelColumns {
  /** What a label is of; slides of one case may differ in theirs where it is `slide`. Default `case`. */
  readonly of?: "case" | "slide";
  /** Default `slide_id`. */
  readonly slide?: string;
  /** Default `case_id`. */
  readonly case?: string;
  /** Default `label`. */
  readonly label?: string;
}

const PARTS: ReadonlySet<string> = new Set(["train", "val", "test"]);

function fail(file: string, line: number, found: string, expected: string, hint?: string): never {
  throw new FormatError(`Cannot read labels of ${file}: line ${line} ${found}, expected ${expected}`, {
    context: { file, line, found, expected },
    ...(hint !== undefined && { hint }),
  });
}

function places(file: string, header: readonly string[], columns: LabelColumns) {
  const find = (name: string) => header.indexOf(name);
  const wanted = [columns.slide ?? "slide_id", columns.label ?? "label"];
  const missing = wanted.filter((name) => find(name) < 0);
  if (missing.length > 0) {
    throw new DataError(
      `Cannot read labels of ${file}: it has the columns ${header.join(", ") || "none"}, ${
        missing.join(" and ")
      } is missing`,
      { code: "columns", context: { file, found: header, wanted } },
    );
  }
  const twice = header.find((name, i) => name !== "" && header.indexOf(name) !== i);
  if (twice !== undefined) fail(file, 1, `names the column ${twice} twice`, "each once");
  const number = (name: string) => Number(/^fold_(\d+)$/.exec(name)?.[1] ?? NaN);
  const folds = header.filter((name) => !Number.isNaN(number(name))).sort((a, b) => number(a) - number(b));
  return {
    slide: find(wanted[0]!),
    label: find(wanted[1]!),
    case: find(columns.case ?? "case_id"),
    folds: folds.map((name) => ({ name, at: find(name) })),
  };
}

/** The part that a field of a table names; undefined where it is empty. @param fail Told of another word. */
export function partOf(field: string, fail: (found: string) => never): Part | undefined {
  const part = field.trim();
  if (part === "") return undefined;
  return PARTS.has(part) ? part as Part : fail(`has "${part.slice(0, 40)}"`);
}

/**
 * Reads a table; its header says which of comma, tab and semicolon divides it.
 *
 * @param file Name of the file for error messages.
 * @throws {FormatError} If a line is broken, naming it.
 * @throws {DataError} If a column is missing, a slide occurs twice, a case has two labels or is on two sides of a fold.
 */
export function readLabels(text: string, file: string, columns: LabelColumns = {}): Labels {
  const [head, ...records] = parseCsv(text, file);
  const header = head?.fields.map((name) => name.trim()) ?? [];
  const at = places(file, header, columns);
  const slides: SlideLabel[] = [];
  const unlabelled: string[] = [];
  for (const { line, fields } of records) {
    if (fields.length !== header.length) {
      fail(file, line, `has ${fields.length} fields`, `${header.length} as in its header`);
    }
    const slide = fields[at.slide]!.trim();
    const owner = at.case < 0 ? slide : fields[at.case]!.trim();
    if (slide === "" || owner === "") fail(file, line, `has no ${slide === "" ? "slide" : "case"}`, "its name");
    const label = fields[at.label]!.trim();
    const folds = at.folds.map(({ name, at }) =>
      partOf(fields[at]!, (found) => fail(file, line, `${found} in ${name}`, "train, val, test or nothing"))
    );
    if (label === "") unlabelled.push(slide);
    else slides.push({ slide, case: owner, label, folds, line });
  }
  const labels: Labels = {
    file,
    column: header[at.label]!,
    slides,
    folds: at.folds.map(({ name }) => name),
    unlabelled,
    cases: at.case >= 0,
  };
  checkSlides(labels);
  checkCases(labels, columns.of ?? "case");
  return labels;
}

function checkSlides({ file, column, slides }: Labels): void {
  if (slides.length === 0) {
    throw new DataError(`Cannot use labels of ${file}: no slide has a ${column}, at least one is wanted`, {
      code: "labels",
      context: { file, column },
    });
  }
  const seen = new Map<string, number>();
  for (const { slide, line } of slides) {
    const before = seen.get(slide);
    if (before !== undefined) {
      throw new DataError(
        `Cannot use labels of ${file}: slide ${slide} is in lines ${before} and ${line}, expected once`,
        {
          code: "labels",
          context: { file, slide, lines: [before, line] },
        },
      );
    }
    seen.set(slide, line);
  }
}

/**
 * Refuses cases on two sides of a fold and, where a label is of a case, with two labels.
 *
 * @param divides The file whose folds they are.
 */
export function checkCases(
  { file, column, slides, folds }: Labels,
  of: "case" | "slide",
  divides: string = file,
): void {
  const first = new Map<string, SlideLabel>();
  for (const row of slides) {
    const other = first.get(row.case);
    if (other === undefined) {
      first.set(row.case, row);
      continue;
    }
    const lines = `lines ${other.line} and ${row.line}`;
    const context = { file, case: row.case, lines: [other.line, row.line] };
    if (of === "case" && other.label !== row.label) {
      throw new DataError(
        `Cannot use labels of ${file}: case ${row.case} has ${column} ${other.label} and ${row.label} in ${lines}, expected one`,
        { code: "case-label", context },
      );
    }
    const fold = row.folds.findIndex((part, i) => part !== other.folds[i]);
    if (fold < 0) continue;
    throw new DataError(
      `Cannot use ${
        divides === file ? `labels of ${file}` : `the split of ${divides}`
      }: case ${row.case} is on both sides of ${folds[fold]}: ${other.folds[fold] ?? "nothing"} and ${
        row.folds[fold] ?? "nothing"
      } in ${lines}${divides === file ? "" : ` of ${file}`}, expected one side`,
      { code: "split-leak", hint: "Put all slides of a case into one part of a fold", context },
    );
  }
}

/** Classes of a table: its labels, as numbers where all are whole ones, else as text. */
export function classesOf(labels: Pick<Labels, "slides">): string[] {
  const names = [...new Set(labels.slides.map(({ label }) => label))];
  const numbers = names.every((name) => /^-?\d+$/.test(name));
  return names.sort((a, b) => (numbers ? Number(a) - Number(b) : a < b ? -1 : 1));
}

/**
 * Labels as numbers, for a regression.
 *
 * @throws {DataError} If one is no finite number.
 */
export function numbersOf({ file, column, slides }: Labels): Float64Array {
  return Float64Array.from(slides, ({ label, line }) => {
    const value = decimal(label);
    if (Number.isFinite(value)) return value;
    throw new DataError(`Cannot use labels of ${file}: line ${line} has ${column} "${label}", expected a number`, {
      code: "labels",
      context: { file, line, found: label },
    });
  });
}
