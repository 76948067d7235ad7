/**
 * What training draws: the bags of an epoch, and the rows of a bag that is larger than a step takes. Both are functions of
 * their keys alone, so that a resumed run draws what it would have drawn.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import type { Balance } from "./objective.ts";

/** Most rows of a bag in a training step, as in Patho-Bench. */
export const TRAIN_ROWS = 2048;

/**
 * Rows of a bag in an epoch: `most` of them without replacement, ascending; all of a smaller bag.
 *
 * @param bag Name of the bag.
 */
export function sampleRows(
  count: number,
  { most = TRAIN_ROWS, seed, bag, epoch }: { most?: number; seed: number; bag: string; epoch: number },
): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, i) => i);
  const rng = new Rng(seed, streamOf(`rows of ${bag} in epoch ${epoch}`));
  // Floyd's: every subset is as likely, and nothing of the size of the bag is held.
  const chosen = new Set<number>();
  for (let last = count - most; last < count; last++) {
    const row = rng.below(last + 1);
    chosen.add(chosen.has(row) ? last : row);
  }
  return Uint32Array.from(chosen).sort();
}

/**
 * Bags of an epoch in their order: each once, or, with `sampler`, as many draws with replacement of which every class has
 * the same share.
 *
 * @param labels Class of each bag.
 */
export function epochOrder(
  labels: ArrayLike<number>,
  { balance, seed, epoch }: { balance: Balance; seed: number; epoch: number },
): Uint32Array {
  const rng = new Rng(seed, streamOf(`bags of epoch ${epoch}`));
  if (balance !== "sampler") return rng.permutation(labels.length);
  const classes = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const of = classes.get(labels[i]!);
    if (of) of.push(i);
    else classes.set(labels[i]!, [i]);
  }
  const lists = [...classes].sort(([a], [b]) => a - b).map(([, bags]) => bags);
  return Uint32Array.from({ length: labels.length }, () => {
    const bags = lists[rng.below(lists.length)]!;
    return bags[rng.below(bags.length)]!;
  });
}
