/**
 * Folds of a task: those of the table of labels, or cases divided evenly, and the bags on each side of one.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import type { Bag } from "./bags.ts";
import { classesOf, type Labels, type Part } from "./labels.ts";

/** Sets the numbers that folds draw apart from other uses of a seed. */
const FOLD_STREAM = 0x666f6c64;

/**
 * Divides cases into folds, each class evenly: the k-th fold tests on its k-th share and trains on the others. For tables
 * without folds of their own.
 *
 * @returns The part of every slide in every fold, `[folds][slides]`.
 * @throws {DataError} If a class has fewer cases than there are folds.
 */
export function caseFolds(labels: Labels, folds: number, seed: number): Part[][] {
  const share = new Map<string, number>();
  let next = 0;
  for (const name of classesOf(labels)) {
    const cases = [...new Set(labels.slides.filter(({ label }) => label === name).map((row) => row.case))].sort();
    if (cases.length < folds) {
      throw new DataError(
        `Cannot make ${folds} folds of ${labels.file}: class ${name} has ${cases.length} cases, wanted one a fold`,
        { code: "folds", context: { file: labels.file, class: name, cases: cases.length, folds } },
      );
    }
    const order = new Rng(seed, FOLD_STREAM).permutation(cases.length);
    for (const i of order) share.set(cases[i]!, next++ % folds);
  }
  return Array.from(
    { length: folds },
    (_, k) => labels.slides.map((row): Part => (share.get(row.case) === k ? "test" : "train")),
  );
}

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
 * @param parts Part of each bag; bags without one take no part.
 * @param regression Whether labels are numbers, of which two need not differ.
 * @throws {DataError} If there is nothing to train on or to test on, a case is on two sides, or one class only is trained on.
 */
export function splitBags(
  bags: readonly Bag[],
  { name, parts, regression = false }: { name: string; parts: readonly (Part | undefined)[]; regression?: boolean },
): BagSplit {
  const of = (part: Part) => bags.flatMap((_, i) => (parts[i] === part ? [i] : []));
  const split = { train: of("train"), val: of("val"), test: of("test") };
  const refuse = (found: string, expected: string, context: Record<string, unknown> = {}): DataError =>
    new DataError(`Cannot use ${name}: ${found}, expected ${expected}`, {
      code: "split",
      context: { name, ...context },
    });
  for (const part of ["train", "test"] as const) {
    if (split[part].length === 0) throw refuse(`no bag is in its ${part} part`, "at least one");
  }
  const side = new Map<string, Part>();
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
  if (!regression && trained.size < 2) {
    throw refuse(`all ${split.train.length} bags to train on are ${[...trained][0]}`, "two classes or more");
  }
  return { ...split, unseen: regression ? [] : [...labels(split.test)].filter((label) => !trained.has(label)).sort() };
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
export function holdOut(labels: Labels, share: number, seed: number): Part[] {
  const test = draw(casesByClass(labels, () => true), share, new Rng(seed, FOLD_STREAM));
  return labels.slides.map((row): Part => (test.has(row.case) ? "test" : "train"));
}

/** Takes a share of the training cases of each class for validation, where there is none. */
export function withValidation(
  labels: Labels,
  parts: readonly (Part | undefined)[],
  share: number,
  seed: number,
): readonly (Part | undefined)[] {
  if (share === 0 || parts.includes("val")) return parts;
  const val = draw(casesByClass(labels, (i) => parts[i] === "train"), share, new Rng(seed, FOLD_STREAM + 1));
  return labels.slides.map((row, i) => (parts[i] === "train" && val.has(row.case) ? "val" : parts[i]));
}
