/**
 * The table of labels of slides: `slide_id`, `case_id`, a label, and folds as `fold_0`, `fold_1`, ... with `train`, `val` or
 * `test`, one row a slide; commas or tabs. A case (a patient) has one label and is on one side of a fold.
 *
 * Source: the form of Patho-Bench's `k=all.tsv`.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type FoldPart, FoldTable } from "../../data/cohort/cohort_table.ts";

/** A slide of the table. */
export interface SlideLabel {
  readonly slide: string;
  readonly case: string;
  readonly label: string;
  /** Its part in each fold; undefined where the fold leaves it out. */
  readonly folds: readonly (FoldPart | undefined)[];
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

/** What is read of a table. */
export interface LabelOptions {
  /** What a label is of; slides of one case may differ in theirs where it is `slide`. Default `case`. */
  readonly of?: "case" | "slide";
  /** Column of the labels; default `label`. */
  readonly label?: string;
}

/**
 * Reads a table.
 *
 * @param file Name of the file for error messages.
 * @throws {FormatError} If a line is broken, naming it.
 * @throws {DataError} If a column is missing, a slide occurs twice, a case has two labels or is on two sides of a fold.
 */
export function readLabels(
  text: string,
  file: string,
  { of = "case", label: column = "label" }: LabelOptions = {},
): Labels {
  const lines = new FoldTable(text, file, "labels of");
  const { header, folds } = lines;
  const wanted = ["slide_id", column];
  const missing = wanted.filter((name) => !header.includes(name));
  if (missing.length > 0) {
    throw new DataError(
      `Cannot read labels of ${file}: it has the columns ${header.join(", ") || "none"}, ${
        missing.join(" and ")
      } is missing`,
      { code: "columns", context: { file, found: header, wanted } },
    );
  }
  const [slideAt, labelAt, caseAt] = [...wanted, "case_id"].map((name) => header.indexOf(name)) as [
    number,
    number,
    number,
  ];
  const slides: SlideLabel[] = [];
  const unlabelled: string[] = [];
  for (const record of lines.records()) {
    const { line, fields } = record;
    const slide = fields[slideAt]!;
    const owner = caseAt < 0 ? slide : fields[caseAt]!;
    if (slide === "" || owner === "") lines.fail(line, `has no ${slide === "" ? "slide" : "case"}`, "its name");
    const row = { slide, case: owner, label: fields[labelAt]!, folds: lines.parts(record), line };
    if (row.label === "") unlabelled.push(slide);
    else slides.push(row);
  }
  const labels: Labels = { file, column, slides, folds, unlabelled, cases: caseAt >= 0 };
  checkSlides(labels);
  checkCases(labels, of);
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
