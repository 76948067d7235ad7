/**
 * Gene sets in MSigDB's GMT, and tables of bulk expression: a row a case, `case_id` and a column a gene.
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { parseCsv } from "../../io/csv.ts";
import { decimal } from "../../io/text_lines.ts";
import { shortList } from "./cohort_table.ts";

/** A set of genes. */
export interface GeneSet {
  readonly name: string;
  readonly genes: readonly string[];
}

/**
 * Reads a GMT file: name, description and genes between tabs, a set a line.
 *
 * @throws {FormatError} If a line is no set, or a name stands twice.
 */
export function readGeneSets(text: string, file: string): GeneSet[] {
  const sets = new Map<string, GeneSet>();
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === "") return;
    const [name = "", , ...genes] = line.split("\t").map((field) => field.trim());
    const own = [...new Set(genes.filter((gene) => gene !== ""))];
    if (name === "" || own.length === 0 || sets.has(name)) {
      const found = sets.has(name) ? `the set ${name.slice(0, 40)} again` : `${own.length} genes`;
      const expected = "a name, a description and genes between tabs";
      throw new FormatError(`Cannot read gene sets of ${file}: line ${i + 1} has ${found}, expected ${expected}`, {
        context: { file, line: i + 1, found, expected },
      });
    }
    sets.set(name, { name, genes: own });
  });
  if (sets.size > 0) return [...sets.values()];
  throw new FormatError(`Cannot read gene sets of ${file}: it has none, expected one a line`, {
    context: { file, line: 1, found: "none", expected: "one a line" },
  });
}

/** Expression of cases, on a log scale. */
export interface CaseExpression {
  readonly file: string;
  readonly genes: readonly string[];
  /** Values `[genes]` by case. */
  readonly cases: ReadonlyMap<string, Float64Array>;
}

/**
 * Reads a table of expression; its header says which of comma, tab and semicolon divides it.
 *
 * @throws {FormatError} If a line is broken or a value is no number, naming line and column.
 * @throws {DataError} If there is no `case_id`, or a case or gene twice.
 */
export function readCaseExpression(text: string, file: string): CaseExpression {
  const [head, ...records] = parseCsv(text, file);
  const header = head?.fields.map((name) => name.trim()) ?? [];
  const at = header.indexOf("case_id");
  const genes = header.filter((name, i) => i !== at && name !== "");
  if (at < 0 || genes.length === 0 || new Set(genes).size < genes.length) {
    const twice = genes.find((gene, i) => genes.indexOf(gene) !== i);
    throw new DataError(
      `Cannot read expression of ${file}: ${
        twice === undefined ? `its columns are ${shortList(header)}` : `gene ${twice} stands twice`
      }, expected case_id and a column a gene`,
      { code: "columns", context: { file, found: header.slice(0, 20) } },
    );
  }
  const columns = [...header.keys()].filter((i) => i !== at && header[i] !== "");
  const cases = new Map<string, Float64Array>();
  for (const { line, fields } of records) {
    const fail = (found: string, expected: string) => {
      throw new FormatError(`Cannot read expression of ${file}: line ${line} ${found}, expected ${expected}`, {
        context: { file, line, found, expected },
      });
    };
    if (fields.length !== header.length) fail(`has ${fields.length} fields`, `${header.length} as in its header`);
    const name = fields[at]!.trim();
    if (name === "" || cases.has(name)) {
      fail(name === "" ? "has no case_id" : `has case ${name} again`, "each case once");
    }
    cases.set(
      name,
      Float64Array.from(columns, (i) => {
        const value = decimal(fields[i]!);
        if (!Number.isFinite(value)) fail(`has ${header[i]} "${fields[i]!.slice(0, 40)}"`, "a number");
        return value;
      }),
    );
  }
  return { file, genes, cases };
}
