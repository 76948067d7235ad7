/**
 * Splits: of donors into folds, and of rows as the reference's probe splits them.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { Mt19937 } from "../core/mt19937.ts";
import type { DonorGroup } from "./donors.ts";

/** Samples of one fold; every group of donors is on one side. */
export interface Split {
  readonly name: string;
  readonly train: readonly string[];
  readonly test: readonly string[];
}

/** Rows of one fold. */
export interface RowSplit {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Splits rows as `train_test_split(random_state=seed)` of scikit-learn does with numpy's legacy generator: of
 * `RandomState(seed).permutation(n)` the first rows are the test set.
 *
 * @param trainShare Share of the rows to train on, rounded down.
 */
export function shuffleSplit(n: number, seed: number, trainShare = 0.8): RowSplit {
  const order = new Mt19937(seed).permutation(n);
  const test = n - Math.floor(trainShare * n);
  return { train: order.slice(test), test: order.slice(0, test) };
}

/**
 * Splits groups of donors into `k` folds of about as many samples each.
 *
 * @param seed Decides which of equally large groups goes where.
 * @throws {ConfigError} If there are fewer groups than folds, or fewer than two folds.
 */
export function kFold(groups: readonly DonorGroup[], k: number, seed: number = 0): Split[] {
  if (!Number.isInteger(k) || k < 2 || groups.length < k) {
    throw new ConfigError(`Cannot make ${k} folds of ${groups.length} groups of donors: 2 to ${groups.length} wanted`, {
      hint: "A group is never divided; ask for fewer folds, or name patients in the metadata",
      context: { groups: groups.map((group) => group.key) },
    });
  }
  const order = [...new Mt19937(seed).permutation(groups.length)].map((i) => groups[i]!);
  order.sort((a, b) => b.samples.length - a.samples.length);
  const folds = Array.from({ length: k }, () => [] as string[]);
  for (const group of order) {
    const smallest = folds.reduce((best, fold) => fold.length < best.length ? fold : best);
    smallest.push(...group.samples);
  }
  return folds.map((fold, i) => splitOf(`fold ${i}`, groups, fold));
}

/** One fold for each group: it is the test set, the others are trained on. */
export function leaveOneOut(groups: readonly DonorGroup[]): Split[] {
  if (groups.length < 2) {
    throw new ConfigError(`Cannot leave one group of donors out of ${groups.length}: at least 2 wanted`);
  }
  return groups.map((group) => splitOf(group.key, groups, group.samples));
}

/**
 * One split whose test set has about `share` of the samples, in whole groups.
 *
 * @throws {ConfigError} If one side would be empty.
 */
export function holdOut(groups: readonly DonorGroup[], share: number, seed: number = 0): Split {
  const total = groups.reduce((sum, group) => sum + group.samples.length, 0);
  const test: string[] = [];
  for (const i of new Mt19937(seed).permutation(groups.length)) {
    const { samples } = groups[i]!;
    const [without, together] = [test.length, test.length + samples.length];
    if (together < total && Math.abs(together - share * total) <= Math.abs(without - share * total)) {
      test.push(...samples);
    }
  }
  if (test.length === 0 || !(share > 0 && share < 1)) {
    throw new ConfigError(`Cannot hold out ${share} of ${total} samples in ${groups.length} groups of donors`, {
      hint: "A donor is never on both sides: holdout_fraction=0 holds out none, holdout_samples=ID those you name",
    });
  }
  return splitOf("hold-out", groups, test);
}

/**
 * Samples of so many groups, drawn.
 *
 * @throws {ConfigError} If none would be left.
 */
export function drawGroups(groups: readonly DonorGroup[], count: number, seed: number = 0): string[] {
  if (!Number.isSafeInteger(count) || count < 1 || count >= groups.length) {
    throw new ConfigError(
      `Cannot hold out ${count} of ${groups.length} donors: wanted 1 to ${Math.max(1, groups.length - 1)}`,
      {
        hint: "A donor is never on both sides: hold out fewer, or name samples",
        context: { groups: groups.map(({ key }) => key) },
      },
    );
  }
  return [...new Mt19937(seed).permutation(groups.length)].slice(0, count).flatMap((i) => groups[i]!.samples);
}

/** Both sides in the order of the groups. */
function splitOf(name: string, groups: readonly DonorGroup[], test: readonly string[]): Split {
  const inTest = new Set(test);
  const all = groups.flatMap((group) => group.samples);
  return { name, train: all.filter((id) => !inTest.has(id)), test: all.filter((id) => inTest.has(id)) };
}
