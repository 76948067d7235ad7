/**
 * The fold of a task, of its table or drawn, and the bags on each side of it.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import type { FoldPart } from "../../data/cohort/cohort_table.ts";
import type { Bag } from "./bags.ts";
import { classesOf, type Labels } from "./labels.ts";

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

/**
 * Sides of a fold.
 *
 * @param name Of the fold, for errors.
 * @param parts FoldPart of each bag; bags without one take no part.
 * @throws {DataError} If there is nothing to train on or to test on, a case is on two sides, or one class only is trained on.
 */
export function splitBags(
  bags: readonly Bag[],
  { name, parts }: { name: string; parts: readonly (FoldPart | undefined)[] },
): BagSplit {
  const of = (part: FoldPart) => bags.flatMap((_, i) => (parts[i] === part ? [i] : []));
  const split = { train: of("train"), val: of("val"), test: of("test") };
  const refuse = (found: string, expected: string, context: Record<string, unknown> = {}): DataError =>
    new DataError(`Cannot use ${name}: ${found}, expected ${expected}`, {
      code: "split",
      context: { name, ...context },
    });
  for (const part of ["train", "test"] as const) {
    if (split[part].length === 0) throw refuse(`no bag is in its ${part} part`, "at least one");
  }
  const side = new Map<string, FoldPart>();
  bags.forEach((bag, i) => {
    const part = parts[i];
    if (part === undefined) return;
    const other = side.get(bag.case);
    if (other !== undefined && other !== part) {
      throw refuse(`case ${bag.case} is in ${other} and ${part}`, "every case on one side", { case: bag.case });
    }
    side.set(bag.case, part);
  });
  const labels = (list: readonly number[]) => new Set(list.map((i) => bags[i]!.label));
  const trained = labels(split.train);
  if (trained.size < 2) {
    throw refuse(`all ${split.train.length} bags to train on are ${[...trained][0]}`, "two classes or more");
  }
  return { ...split, unseen: [...labels(split.test)].filter((label) => !trained.has(label)).sort() };
}

/**
 * Column of the fold that is asked for.
 *
 * @param fold Its number; null is the first.
 * @returns Undefined where nothing was asked for and the table has none.
 * @throws {DataError} If the table has no such fold.
 */
export function foldName({ file, folds }: Pick<Labels, "file" | "folds">, fold: number | null): string | undefined {
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

/** Cases by class, that of their first slide, of the slides that `among` accepts. */
function casesByClass(labels: Labels, among: (at: number) => boolean): string[][] {
  const label = new Map<string, string>();
  labels.slides.forEach((row, i) => among(i) && !label.has(row.case) && label.set(row.case, row.label));
  return classesOf(labels).map((name) => [...label].filter(([, own]) => own === name).map(([id]) => id).sort());
}

/** Draws a share of each class, at least one case of it and never all. */
function draw(classes: readonly string[][], share: number, rng: Rng): Set<string> {
  return new Set(classes.flatMap((cases) => {
    const count = Math.min(cases.length - 1, Math.max(1, Math.round(share * cases.length)));
    return [...rng.permutation(cases.length)].slice(0, Math.max(0, count)).map((i) => cases[i]!);
  }));
}

/** Holds out a share of the cases of each class: the part of every slide. */
export function holdOut(labels: Labels, share: number, seed: number): FoldPart[] {
  const test = draw(casesByClass(labels, () => true), share, new Rng(seed, FOLD_STREAM));
  return labels.slides.map((row): FoldPart => (test.has(row.case) ? "test" : "train"));
}

/** Takes a share of the training cases of each class for validation, where there is none. */
export function withValidation(
  labels: Labels,
  parts: readonly (FoldPart | undefined)[],
  share: number,
  seed: number,
): readonly (FoldPart | undefined)[] {
  if (share === 0 || parts.includes("val")) return parts;
  const val = draw(casesByClass(labels, (i) => parts[i] === "train"), share, new Rng(seed, FOLD_STREAM + 1));
  return labels.slides.map((row, i) => (parts[i] === "train" && val.has(row.case) ? "val" : parts[i]));
}
