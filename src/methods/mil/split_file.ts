/**
 * A table that divides slides or cases, apart from their labels: `slide_id` or `case_id`, and `fold_0`, `fold_1`, ... or one
 * column `split`, with `train`, `val` or `test`.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { checkSides, type CohortTable, type FoldPart, FoldTable } from "../../data/cohort/cohort_table.ts";

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
      {
        code: "columns",
        hint: "slide_id or case_id, and fold_0, fold_1, … or split, with train, val or test",
        context: { file, found: header },
      },
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
 * A table with the folds of one of their own in place of its own. Slides that it does not name take no part.
 *
 * @param file Name of the table of folds for error messages.
 * @throws {FormatError} If a line is broken, naming it.
 * @throws {DataError} If a column is missing, it names none of the slides, or a case is on two sides.
 */
export function withSplit(table: CohortTable, text: string, file: string): CohortTable {
  const { id, folds, rows: parts } = readTable(text, file);
  if (id === "case_id" && !table.cases) {
    throw new DataError(`Cannot use the split of ${file}: it divides cases, and ${table.file} has no case_id`, {
      code: "columns",
      hint: `Give ${table.file} a column case_id, or divide by slide_id`,
      context: { file, labels: table.file },
    });
  }
  const rows = table.rows.map((row) => ({
    ...row,
    folds: parts.get(id === "case_id" ? row.case : row.slide) ?? folds.map(() => undefined),
  }));
  if (rows.every((row) => row.folds.every((part) => part === undefined))) {
    const [known, named] = [table.rows[0]![id === "case_id" ? "case" : "slide"], [...parts.keys()][0] ?? "none"];
    throw new DataError(
      `Cannot use the split of ${file}: it names none of the slides of ${table.file} (${id} ${named}; there ${known})`,
      { code: "split", hint: `Ids are compared as they are written`, context: { file, labels: table.file } },
    );
  }
  const divided = { ...table, folds, rows };
  checkSides(divided, file);
  return divided;
}
