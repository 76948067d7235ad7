/**
 * The fold of a task, of its table or drawn, and the bags on each side of it.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import type { CohortRow, CohortTable, FoldPart } from "../../data/cohort/cohort_table.ts";
import type { UnitTargets } from "../../eval/cohort/cohort.ts";
import { countEvents } from "../../eval/survival.ts";
import type { Bag } from "./bags.ts";

/** Sets the numbers that folds draw apart from other uses of a seed. */
const FOLD_STREAM = 0x666f6c64;

/** Numbers of the bags on each side of a fold. */
export interface BagSplit {
  readonly train: readonly number[];
  readonly val: readonly number[];
  readonly test: readonly number[];
  /** Classes that occur in the test part but not among what is trained on: no model can name them. */
  readonly unseen: readonly string[];
}

/** A fold of bags. */
export interface PartsOfBags {
  /** Of the fold, for errors. */
  readonly name: string;
  /** Part of each bag; bags without one take no part. */
  readonly parts: readonly (FoldPart | undefined)[];
}

/**
 * Sides of a fold.
 *
 * @throws {DataError} If there is nothing to train on or to test on, a case is on two sides, or what is trained on does not define
 * the task: one class, no event.
 */
export function splitBags(
  bags: readonly Pick<Bag, "name" | "case">[],
  targets: UnitTargets,
  { name, parts }: PartsOfBags,
): BagSplit {
  const of = (part: FoldPart) => bags.flatMap((_, i) => (parts[i] === part ? [i] : []));
  const split = { train: of("train"), val: of("val"), test: of("test") };
  const other = "Take another fold, or make folds that hold some of each: deno task split --stratify COLUMN";
  const refuse = (found: string, expected: string, hint = other): DataError =>
    new DataError(`Cannot use ${name}: ${found}, expected ${expected}`, { code: "split", hint, context: { name } });
  for (const part of ["train", "test"] as const) {
    if (split[part].length === 0) {
      throw refuse(
        `no bag is in its ${part} part`,
        "at least one",
        "Folds say train or test of each slide with a label",
      );
    }
  }
  const side = new Map<string, FoldPart>();
  bags.forEach((bag, i) => {
    const part = parts[i];
    if (part === undefined) return;
    const before = side.get(bag.case);
    if (before !== undefined && before !== part) {
      const hint = "Make folds of whole cases: deno task split --by case";
      throw refuse(`case ${bag.case} is in ${before} and ${part}`, "every case on one side", hint);
    }
    side.set(bag.case, part);
  });
  const bagsToTrain = `${split.train.length} bags to train on`;
  if (targets.kind === "regression") {
    if (split.train.length < 2) throw refuse(`${split.train.length} bag to train on`, "two or more");
    return { ...split, unseen: [] };
  }
  if (targets.kind === "survival") {
    const events = split.train.map((bag) => targets.events[bag]!);
    if (countEvents({ events }) === 0) throw refuse(`no event among ${bagsToTrain}`, "one or more");
    return { ...split, unseen: [] };
  }
  const classes = (list: readonly number[]) => new Set(list.map((i) => targets.classes[targets.labels[i]!]!));
  const trained = classes(split.train);
  if (trained.size < 2) throw refuse(`all ${bagsToTrain} are ${[...trained][0]}`, "two classes or more");
  return { ...split, unseen: [...classes(split.test)].filter((label) => !trained.has(label)).sort() };
}

/**
 * Column of the fold that is asked for.
 *
 * @param fold Its number; null is the first.
 * @returns Undefined where nothing was asked for and the table has none.
 * @throws {DataError} If the table has no such fold.
 */
export function foldName(
  { file, folds }: Pick<CohortTable, "file" | "folds">,
  fold: number | null,
): string | undefined {
  if (fold === null) return folds[0];
  const name = `fold_${fold}`;
  if (folds.includes(name)) return name;
  throw new DataError(
    `Cannot use ${name} of ${file}: its folds are ${folds.join(", ") || "none"}, ${name} is missing`,
    {
      code: "folds",
      hint: folds.length > 0 ? `fold=${folds[0]!.slice(5)}` : "Leave fold out: holdout_fraction holds out cases",
      context: { file, found: folds, wanted: name },
    },
  );
}

/** Slides, and what is spread evenly over the parts: a whole number each. */
export interface Strata {
  readonly rows: readonly Pick<CohortRow, "case">[];
  readonly of: readonly number[];
}

/** Cases by stratum, that of their first slide, of the slides that `among` accepts. */
function casesByStratum({ rows, of }: Strata, among: (at: number) => boolean): string[][] {
  const stratum = new Map<string, number>();
  rows.forEach((row, i) => among(i) && !stratum.has(row.case) && stratum.set(row.case, of[i]!));
  const all = [...new Set(of)].sort((a, b) => a - b);
  return all.map((k) => [...stratum].filter(([, own]) => own === k).map(([id]) => id).sort());
}

/** Draws a share of each stratum, at least one case of it and never all. */
function draw(strata: readonly string[][], share: number, rng: Rng): Set<string> {
  return new Set(strata.flatMap((cases) => {
    const count = Math.min(cases.length - 1, Math.max(1, Math.round(share * cases.length)));
    return [...rng.permutation(cases.length)].slice(0, Math.max(0, count)).map((i) => cases[i]!);
  }));
}

/** Holds out a share of the cases of each stratum: the part of every slide. */
export function holdOut(strata: Strata, share: number, seed: number): FoldPart[] {
  const test = draw(casesByStratum(strata, () => true), share, new Rng(seed, FOLD_STREAM));
  return strata.rows.map((row): FoldPart => (test.has(row.case) ? "test" : "train"));
}

/** Takes a share of the training cases of each stratum for validation, where there is none. */
export function withValidation(
  strata: Strata,
  parts: readonly (FoldPart | undefined)[],
  share: number,
  seed: number,
): readonly (FoldPart | undefined)[] {
  if (share === 0 || parts.includes("val")) return parts;
  const val = draw(casesByStratum(strata, (i) => parts[i] === "train"), share, new Rng(seed, FOLD_STREAM + 1));
  return strata.rows.map((row, i) => (parts[i] === "train" && val.has(row.case) ? "val" : parts[i]));
}
