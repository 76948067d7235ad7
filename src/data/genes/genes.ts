/**
 * Gene names: Ensembl identifiers to symbols, aliases, letter case, duplicates and control probes.
 *
 * Nothing here goes to a network: identifiers are mapped with the file's own columns or a table the caller brings.
 *
 * @module
 */

import { DataError, ShapeError } from "../../core/errors.ts";
import { type Expression, selectGenes } from "../counts.ts";
import { CsrBuilder, type Matrix, RowSum, visitRow } from "../matrix.ts";

/** Human and mouse genes of Ensembl, with or without a version. */
const ENSEMBL = /^ENS(?:MUS)?G\d{6,}(?:\.\d+)?$/i;
/** Columns of a gene table that may hold symbols, best first. */
export const SYMBOL_COLUMNS: readonly string[] = [
  "gene_name",
  "gene_names",
  "gene_symbol",
  "gene_symbols",
  "symbol",
  "feature_name",
  "name",
];
/** Vendors' names of what is no gene, and what the reference drops; any case. */
const CONTROLS = /^(?:NEGCONTROLPROBE_|NEGCONTROLCODEWORD_|ANTISENSE_|UNASSIGNEDCODEWORD_|DEPRECATEDCODEWORD_)/i;
const CONTROL_WORDS = /BLANK|CONTROL|AMBIGUOUS/i;

/** Whether a name is an Ensembl gene identifier. */
export function isEnsembl(name: string): boolean {
  return ENSEMBL.test(name);
}

/** An Ensembl identifier without its version, in upper case; other names as they are. */
export function stripVersion(name: string): string {
  return isEnsembl(name) ? name.replace(/\.\d+$/, "").toUpperCase() : name;
}

/** Whether a name is a control probe, a blank or an ambiguous feature: no gene. */
export function isControl(name: string): boolean {
  return CONTROLS.test(name) || CONTROL_WORDS.test(name);
}

/**
 * Unique names as anndata's `var_names_make_unique` makes them: the first stays, later ones get `-1`, `-2`, … and skip
 * names that exist.
 */
export function makeUnique(names: readonly string[], join = "-"): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  const next = new Map<string, number>();
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    let number = next.get(name) ?? 1;
    while (taken.has(`${name}${join}${number}`)) number++;
    next.set(name, number + 1);
    const unique = `${name}${join}${number}`;
    taken.add(unique);
    return unique;
  });
}

/** Columns that a file has beside its gene names, each one text a gene. */
export type GeneColumns = Readonly<Record<string, readonly (string | undefined)[]>>;

/** How names are mapped to symbols. */
export interface SymbolOptions {
  /** The file's own columns, such as `gene_name` beside an index of Ensembl identifiers. */
  readonly columns?: GeneColumns;
  /** Symbol by Ensembl identifier (without version) or by alias, keys in upper case. */
  readonly aliases?: ReadonlyMap<string, string>;
}

/** Names mapped to symbols. */
export interface Symbols {
  readonly genes: readonly string[];
  /** Ensembl identifiers that became symbols, and aliases that became approved ones. */
  readonly mapped: number;
  /** Ensembl identifiers for which there is no symbol. */
  readonly unmapped: readonly string[];
  /** The column that was used. */
  readonly column: string | undefined;
}

/**
 * Maps Ensembl identifiers to symbols by a column of the same file, then by the table; other names by the table only.
 *
 * @throws {ShapeError} If a column has not one text for each name.
 */
export function toSymbols(names: readonly string[], options: SymbolOptions = {}): Symbols {
  const { columns = {}, aliases } = options;
  for (const [name, column] of Object.entries(columns)) {
    if (column.length !== names.length) {
      throw new ShapeError(`Cannot map genes by ${name}: ${column.length} texts, ${names.length} wanted`);
    }
  }
  const wanted = names.some(isEnsembl) ? SYMBOL_COLUMNS : [];
  const column = wanted.find((name) => columns[name]?.some((text) => text && !isEnsembl(text)));
  let mapped = 0;
  const unmapped: string[] = [];
  const genes = names.map((name, i) => {
    const id = stripVersion(name.trim());
    const own = isEnsembl(id) && column !== undefined ? columns[column]![i]?.trim() : undefined;
    const first = own && !isEnsembl(own) ? own : id;
    const symbol = aliases?.get(first.toUpperCase()) ?? first;
    if (symbol !== id) mapped++;
    else if (isEnsembl(id)) unmapped.push(id);
    return symbol;
  });
  return { genes, mapped, unmapped, column };
}

/** What becomes of several columns with one name. */
export type Duplicates = "first" | "sum" | "unique" | "error";

/** How a table's genes are prepared. */
export interface GeneOptions extends SymbolOptions {
  /** Names in upper case, as the reference has them. On by default. */
  readonly upperCase?: boolean;
  /**
   * Columns of equal name: keep the `first` (the reference, and the default), `sum` them, make names `unique` by suffix, or
   * `error`.
   */
  readonly duplicates?: Duplicates;
  /** Keep control probes. */
  readonly keepControls?: boolean;
}

/** What was done to the genes of one sample. */
export interface GeneReport {
  readonly mapped: number;
  readonly unmapped: readonly string[];
  readonly column: string | undefined;
  /** Names that occurred more than once. */
  readonly duplicates: readonly string[];
  /** Names of no gene that were dropped. */
  readonly controls: readonly string[];
}

/**
 * Prepares the genes of a sample: symbols, upper case, one column a name, no controls, in this order.
 *
 * @throws {DataError} If names are equal and `duplicates` is `error`, or no gene is left.
 */
export function prepareGenes(table: Expression, options: GeneOptions = {}): { table: Expression; report: GeneReport } {
  const { genes: symbols, ...mapping } = toSymbols(table.genes, options);
  const genes = options.upperCase === false ? [...symbols] : symbols.map((name) => name.toUpperCase());
  // The last of equal names is set first: the first column is the one that is kept.
  const differ = symbols.flatMap((name, j) => name === genes[j] ? [] : [[genes[j]!, name] as const]).reverse();
  const written = differ.length > 0 ? { written: new Map(differ) } : {};
  const merged = mergeDuplicates({ ...table, genes, ...written }, options.duplicates ?? "first");
  const controls = options.keepControls ? [] : merged.table.genes.filter(isControl);
  const keep = merged.table.genes.map((_, j) => j).filter((j) => {
    return options.keepControls || !isControl(merged.table.genes[j]!);
  });
  if (keep.length === 0) {
    throw new DataError(`Cannot use the genes of ${table.sample}: ${controls.length} controls, genes wanted`);
  }
  const result = controls.length === 0 ? merged.table : selectGenes(merged.table, keep);
  return { table: result, report: { ...mapping, duplicates: merged.duplicates, controls } };
}

function mergeDuplicates(table: Expression, how: Duplicates): { table: Expression; duplicates: string[] } {
  const first = new Map<string, number>();
  const duplicates = new Set<string>();
  table.genes.forEach((name, j) => first.has(name) ? duplicates.add(name) : first.set(name, j));
  if (duplicates.size === 0) return { table, duplicates: [] };
  const names = [...duplicates];
  if (how === "error") {
    throw new DataError(`Cannot use the genes of ${table.sample}: ${names.slice(0, 5).join(", ")} occur twice`, {
      hint: "Choose duplicates: first, sum or unique",
      context: { sample: table.sample, duplicates: names },
    });
  }
  if (how === "unique") return { table: { ...table, genes: makeUnique(table.genes) }, duplicates: names };
  if (how === "first") return { table: selectGenes(table, [...first.values()]), duplicates: names };
  const genes = [...first.keys()];
  const place = new Map(genes.map((name, j) => [name, j]));
  const matrix = sumColumns(table.matrix, table.genes.map((name) => place.get(name)!), genes.length);
  return { table: { ...table, genes, matrix }, duplicates: names };
}

/** Adds column `j` to column `place[j]` of a matrix of `width` columns. */
function sumColumns(matrix: Matrix, place: readonly number[], width: number): Matrix {
  const out = new CsrBuilder(matrix.rows, width);
  const row = new RowSum(width);
  for (let i = 0; i < matrix.rows; i++) {
    visitRow(matrix, i, (column, value) => row.add(place[column]!, value));
    row.flush(out);
  }
  return out.finish();
}

/** How the samples read so far write their genes: a name that differs from one of them by its case alone is taken for it. */
export class GeneNames {
  readonly #first = new Map<string, string>();

  /** Names of a sample's genes, as samples before it wrote them; two of it that differ by case alone stay two. */
  adopt(genes: readonly string[]): string[] {
    const own = new Set(genes);
    return genes.map((name) => {
      const known = this.#first.get(name.toUpperCase());
      if (known === undefined) this.#first.set(name.toUpperCase(), name);
      return known === undefined || own.has(known) ? name : known;
    });
  }

  /** Names that were asked for, as the samples write them; the others as they are. @param own Of a sample, which win. */
  like(asked: readonly string[], own: ReadonlySet<string> = new Set()): string[] {
    const given = new Set(asked);
    return asked.map((name) => {
      const known = this.#first.get(name.toUpperCase());
      return known === undefined || own.has(name) || given.has(known) ? name : known;
    });
  }
}
