/**
 * Tables of gene names that were withdrawn or are used beside the approved one: HGNC's complete set, or two columns.
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { parseCsv } from "../../io/csv.ts";
import { stripVersion } from "./genes.ts";

/** Columns of HGNC's table whose names are of the symbol in its row, the most certain first. */
const OTHERS = ["ensembl_gene_id", "prev_symbol", "alias_symbol", "alias"] as const;

/** A table that was read. */
export interface AliasTable {
  /** Symbol by alias or Ensembl identifier without version, keys in upper case. */
  readonly symbols: ReadonlyMap<string, string>;
  /** Aliases of several symbols, which name none. */
  readonly ambiguous: number;
}

/**
 * Reads a table with a header: `symbol` and one or more of `prev_symbol`, `alias_symbol`, `ensembl_gene_id` (HGNC's, several
 * names divided by `|`) or `alias`. A symbol in use is no alias of another; a withdrawn one counts before one used beside.
 *
 * @throws {FormatError} If a line has another number of fields than the header.
 * @throws {DataError} If the columns are missing.
 */
export function readAliases(text: string, file: string): AliasTable {
  const [head, ...records] = parseCsv(text, file);
  const header = head?.fields.map((name) => name.trim().toLowerCase()) ?? [];
  const at = header.indexOf("symbol");
  const others = OTHERS.filter((name) => header.includes(name));
  if (at < 0 || others.length === 0) {
    throw new DataError(
      `Cannot read aliases of ${file}: its columns are ${header.slice(0, 8).join(", ") || "none"}, wanted symbol and ` +
        OTHERS.join(" or "),
      {
        code: "columns",
        hint: "HGNC's hgnc_complete_set.txt has them; or write two columns, alias and symbol",
        context: { file, found: header.slice(0, 20), expected: ["symbol", ...OTHERS] },
      },
    );
  }
  for (const { line, fields } of records) {
    if (fields.length === header.length) continue;
    const found = `${fields.length} fields`;
    throw new FormatError(`Cannot read aliases of ${file}: line ${line} has ${found}, expected ${header.length}`, {
      context: { file, line, found, expected: header.length },
    });
  }
  const approved = new Set(records.map(({ fields }) => fields[at]!.trim().toUpperCase()));
  const symbols = new Map<string, string>();
  let ambiguous = 0;
  for (const other of others) {
    const column = header.indexOf(other);
    const found = new Map<string, string | undefined>();
    for (const { fields } of records) {
      const symbol = fields[at]!.trim();
      for (const name of fields[column]!.split("|").map((part) => stripVersion(part.trim()).toUpperCase())) {
        if (name === "" || symbol === "" || approved.has(name) || symbols.has(name)) continue;
        found.set(name, found.has(name) && found.get(name) !== symbol ? undefined : symbol);
      }
    }
    for (const [name, symbol] of found) {
      if (symbol === undefined) ambiguous++;
      else symbols.set(name, symbol);
    }
  }
  return { symbols, ambiguous };
}
