/**
 * A table that divides slides or cases, apart from their labels: `slide_id` or `case_id`, and `fold_0`, `fold_1`, ... or one
 * column `split`, with `train`, `val` or `test`.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type FoldPart, FoldTable } from "../../data/cohort/cohort_table.ts";
import { checkCases, type Labels } from "./labels.ts";

/** Ids a row may be of, in the order they are looked for. */
const IDS = ["slide_id", "case_id"] as const;

/** What a table divides. */
interface SplitTable {
  readonly id: (typeof IDS)[number];
  /** Names of the folds. */
  readonly folds: readonly string[];
  /** Part in each fold, by id. */
  readonly rows: ReadonlyMap<string, readonly (FoldPart | undefined)[]>;
}

function readTable(text: string, file: string): SplitTable {
  const lines = new FoldTable(text, file, "the split of");
  const { header } = lines;
  const id = IDS.find((name) => header.includes(name));
  const folds = lines.folds.length > 0 ? lines.folds : header.filter((name) => name === "split");
  if (id === undefined || folds.length === 0) {
    throw new DataError(
      `Cannot read the split of ${file}: it has the columns ${header.join(", ") || "none"}, ${
        id === undefined ? IDS.join(" or ") : "fold_0 or split"
      } is missing`,
      { code: "columns", context: { file, found: header } },
    );
  }
  const rows = new Map<string, readonly (FoldPart | undefined)[]>();
  for (const record of lines.records()) {
    const name = record.fields[header.indexOf(id)]!;
    if (name === "") lines.fail(record.line, `has no ${id}`, "its name");
    if (rows.has(name)) lines.fail(record.line, `has ${id} ${name} again`, "each once");
    rows.set(name, lines.parts(record, folds));
  }
  return { id, folds, rows };
}

/**
 * Labels with the folds of a table of their own in place of theirs. Slides that it does not name take no part.
 *
 * @param file Name of the table for error messages.
 * @throws {FormatError} If a line is broken, naming it.
 * @throws {DataError} If a column is missing, it names none of the slides, or a case is on two sides.
 */
export function withSplit(labels: Labels, text: string, file: string): Labels {
  const { id, folds, rows } = readTable(text, file);
  if (id === "case_id" && !labels.cases) {
    throw new DataError(`Cannot use the split of ${file}: it divides cases, and ${labels.file} has no case_id`, {
      code: "columns",
      hint: `Give ${labels.file} a column case_id, or divide by slide_id`,
      context: { file, labels: labels.file },
    });
  }
  const slides = labels.slides.map((row) => ({
    ...row,
    folds: rows.get(id === "case_id" ? row.case : row.slide) ?? folds.map(() => undefined),
  }));
  if (slides.every((row) => row.folds.every((part) => part === undefined))) {
    const [known, named] = [labels.slides[0]![id === "case_id" ? "case" : "slide"], [...rows.keys()][0] ?? "none"];
    throw new DataError(
      `Cannot use the split of ${file}: it names none of the slides of ${labels.file} (${id} ${named}; there ${known})`,
      { code: "split", hint: `Ids are compared as they are written`, context: { file, labels: labels.file } },
    );
  }
  const divided = { ...labels, folds, slides };
  checkCases(divided, "slide", file);
  return divided;
}
