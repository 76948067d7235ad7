/**
 * Folds of a cohort: whole cases, or whole sites, go to one side, with each class's share about the same everywhere.
 *
 * K folds share the cases out, each tested once; or each fold draws a share of them anew.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { Mt19937 } from "../../core/mt19937.ts";
import { decimal } from "../../io/text_lines.ts";
import { classColumn, type CohortTable, columnOf, type FoldPart, shortList } from "./cohort_table.ts";

/** How folds are made. */
export interface FoldOptions {
  readonly folds: number;
  /** Share of the cases that every fold draws for its test part; undefined: the folds share the cases out. */
  readonly testFraction?: number | undefined;
  /** Column whose values are spread evenly. */
  readonly stratify?: string | undefined;
  /** Column of sites that are never on both sides; `true` reads it off TCGA's case names. */
  readonly site?: string | true | undefined;
  readonly seed: number;
}

/** A table with folds, and what a reader must know of them. */
export interface MadeFolds {
  readonly table: CohortTable;
  readonly notes: readonly string[];
  /** Cases of each class on each side, by fold. */
  readonly counts: readonly {
    readonly fold: string;
    readonly train: readonly number[];
    readonly test: readonly number[];
  }[];
  readonly classes: readonly string[];
}

/** What goes to a side together. */
interface Group {
  readonly name: string;
  readonly cases: readonly string[];
  /** Cases of each class. */
  readonly counts: readonly number[];
}

/** Values of a column of numbers above which it is cut into quarters. */
const MOST_CLASSES = 10;

/**
 * Makes folds of a table that has none.
 *
 * @throws {ConfigError} If there are too few cases or sites for the folds.
 * @throws {DataError} If a column is missing, or a case has two classes or two sites.
 */
export function makeFolds(table: CohortTable, options: FoldOptions): MadeFolds {
  if (table.folds.length > 0) {
    throw new DataError(`Cannot split ${table.file}: it has ${shortList(table.folds)} already, expected no folds`, {
      code: "folds",
      hint: "Take its columns of folds out to make others",
      context: { file: table.file, folds: table.folds },
    });
  }
  const notes: string[] = [];
  const left = new Set<string>();
  const label = options.stratify === undefined
    ? new Map(table.rows.map((row) => [row.case, ""]))
    : classByCase(table, options.stratify, left, notes);
  const classes = [...new Set(label.values())].sort();
  const groups = groupsOf(table, options, label, classes);
  const { folds, testFraction } = options;
  const unit = options.site === undefined ? "cases" : "sites";
  if (groups.length < 2 || (testFraction === undefined && groups.length < folds)) {
    throw new ConfigError(
      `Cannot make ${folds} folds of ${table.file}: it has ${groups.length} ${unit}, wanted ${
        Math.max(2, testFraction === undefined ? folds : 2)
      } or more`,
      {
        code: "folds",
        hint: "Ask for fewer with --folds, or draw with --test-fraction",
        context: { file: table.file, found: groups.length },
      },
    );
  }
  const random = new Mt19937(options.seed);
  const tests = testFraction === undefined
    ? shareOut(groups, folds, random)
    : Array.from({ length: folds }, () => drawTest(groups, testFraction, random));
  const rows = table.rows.map((row) => ({
    ...row,
    folds: tests.map((test): FoldPart | undefined =>
      left.has(row.case) ? undefined : test.has(row.case) ? "test" : "train"
    ),
  }));
  const counts = tests.map((test, k) => {
    const of = (side: boolean) =>
      classes.map((name) => [...label].filter(([id, own]) => own === name && test.has(id) === side).length);
    return { fold: `fold_${k}`, train: of(false), test: of(true) };
  });
  for (const { fold, train, test } of counts) {
    for (const [side, own] of [["train", train], ["test", test]] as const) {
      const missing = classes.filter((_, k) => own[k] === 0);
      if (missing.length > 0) {
        notes.push(`${fold}: no ${side} case of ${options.stratify ?? "the cohort"} ${shortList(missing)}`);
      }
    }
  }
  return { table: { ...table, rows, folds: counts.map(({ fold }) => fold) }, notes, counts, classes };
}

/** Class of each case; cases without one are left out of the folds. */
function classByCase(table: CohortTable, column: string, left: Set<string>, notes: string[]): Map<string, string> {
  const label = oneByCase(table, column, classColumn(table, column));
  const known = [...label.values()].filter((value) => value !== "");
  const numbers = known.map(decimal);
  const cut = new Set(known).size > MOST_CLASSES && numbers.every(Number.isFinite);
  const sorted = Float64Array.from(numbers).sort();
  const quarter = (value: number) =>
    `quarter ${1 + [1, 2, 3].filter((q) => value >= sorted[Math.floor(q * sorted.length / 4)]!).length}`;
  if (cut) notes.push(`${column} has ${new Set(known).size} values: its quarters are spread evenly`);
  for (const [id, value] of label) {
    if (value !== "") {
      if (cut) label.set(id, quarter(decimal(value)));
      continue;
    }
    label.delete(id);
    left.add(id);
  }
  if (left.size > 0) {
    notes.push(
      `${left.size} of ${left.size + label.size} cases have no ${column} and are in no fold: ${shortList([...left])}`,
    );
  }
  return label;
}

function oneByCase({ file, rows }: CohortTable, column: string, values: readonly string[]): Map<string, string> {
  const found = new Map<string, { value: string; line: number }>();
  rows.forEach((row, r) => {
    const before = found.get(row.case);
    if (before === undefined) found.set(row.case, { value: values[r]!, line: row.line });
    else if (before.value !== values[r]) {
      throw new DataError(
        `Cannot split ${file}: case ${row.case} has ${column} "${before.value}" in line ${before.line} and "${
          values[r]
        }" in line ${row.line}, expected one`,
        { code: "case-label", context: { file, case: row.case, column, lines: [before.line, row.line] } },
      );
    }
  });
  return new Map([...found].map(([id, { value }]) => [id, value]));
}

/** Site of each case. */
function siteByCase(table: CohortTable, site: string | true): Map<string, string> {
  if (site !== true) {
    const sites = oneByCase(table, site, columnOf(table, site));
    const without = [...sites].find(([, value]) => value === "");
    if (without === undefined) return sites;
    throw new DataError(`Cannot split ${table.file}: case ${without[0]} has no ${site}, expected its site`, {
      code: "site",
      context: { file: table.file, case: without[0], column: site },
    });
  }
  return new Map(table.rows.map((row) => {
    const [, code] = /^TCGA-([A-Z0-9]{2})-/i.exec(row.case) ?? [];
    if (code !== undefined) return [row.case, code.toUpperCase()];
    throw new DataError(
      `Cannot split ${table.file} by sites: case ${row.case} is no TCGA name, expected TCGA-SITE-... or a column site`,
      { code: "site", hint: "Name the column of sites with --site", context: { file: table.file, case: row.case } },
    );
  }));
}

function groupsOf(
  table: CohortTable,
  { site }: FoldOptions,
  label: ReadonlyMap<string, string>,
  classes: readonly string[],
): Group[] {
  const sites = site === undefined ? undefined : siteByCase(table, site);
  // By name, so that the order of the file does not change the folds.
  const members = Map.groupBy([...label.keys()].sort(), (id) => sites?.get(id) ?? id);
  return [...members].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, cases]) => ({
    name,
    cases,
    counts: classes.map((one) => cases.filter((id) => label.get(id) === one).length),
  }));
}

function totalsOf(groups: readonly Group[]): number[] {
  return groups[0]!.counts.map((_, k) => groups.reduce((sum, { counts }) => sum + counts[k]!, 0));
}

/** Largest first, equally large ones in random order, so that small groups even out what large ones left. */
function shuffled(groups: readonly Group[], random: Mt19937): Group[] {
  return [...random.permutation(groups.length)].map((i) => groups[i]!).sort((a, b) => b.cases.length - a.cases.length);
}

/** Each group goes to the fold that then is closest to an even share of every class; of equals to the smallest, then the first. */
function shareOut(groups: readonly Group[], folds: number, random: Mt19937): Set<string>[] {
  const totals = totalsOf(groups);
  const tests = Array.from({ length: folds }, () => ({ cases: [] as string[], counts: totals.map(() => 0) }));
  for (const { cases, counts } of shuffled(groups, random)) {
    const cost = tests.map((fold) =>
      counts.reduce((sum, own, k) => sum + own * (2 * fold.counts[k]! + own) / Math.max(1, totals[k]!) ** 2, 0)
    );
    const least = Math.min(...cost);
    const fold = tests.filter((_, f) => cost[f]! <= least * (1 + 1e-12)).reduce((best, one) =>
      one.cases.length < best.cases.length ? one : best
    );
    fold.cases.push(...cases);
    counts.forEach((own, k) => fold.counts[k]! += own);
  }
  return tests.map(({ cases }) => new Set(cases));
}

/** Draws groups in random order, each taken if the test part then is closer to the share of every class. */
function drawTest(groups: readonly Group[], share: number, random: Mt19937): Set<string> {
  const totals = totalsOf(groups);
  const counts = totals.map(() => 0);
  const taken: Group[] = [];
  const away = (with_: readonly number[]) =>
    totals.reduce((sum, total, k) => sum + Math.abs(counts[k]! + with_[k]! - share * total) / Math.max(1, total), 0);
  const none = totals.map(() => 0);
  for (const i of random.permutation(groups.length)) {
    const group = groups[i]!;
    if (taken.length + 1 === groups.length || away(group.counts) >= away(none)) continue;
    taken.push(group);
    group.counts.forEach((own, k) => counts[k]! += own);
  }
  if (taken.length === 0) taken.push([...groups].sort((a, b) => a.cases.length - b.cases.length)[0]!);
  return new Set(taken.flatMap(({ cases }) => cases));
}
