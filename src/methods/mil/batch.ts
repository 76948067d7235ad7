/**
 * Batches of bags: the rows of a few bags one behind another, and where each begins.
 *
 * @module
 */

import type { Bag, BagSet } from "./bags.ts";
import { sampleRows, TRAIN_ROWS } from "./sampling.ts";

/** Rows of a batch. */
export interface BagBatch {
  /** `[R, d]`. */
  readonly x: Float32Array<ArrayBuffer>;
  /** Where bags begin in it, and where the last one ends: `[B + 1]`. */
  readonly bound: Uint32Array<ArrayBuffer>;
}

/** Reads rows of a bag by their numbers, ascending: `[rows, d]`. */
export type ReadRows = (bag: Bag, rows: Uint32Array) => Promise<Float32Array>;

/** How rows are drawn. */
export interface BatchOptions {
  /** Most rows of a bag; default {@linkcode TRAIN_ROWS}. */
  readonly most?: number;
  readonly seed: number;
  readonly epoch: number;
}

/** Most rows that a batch of `size` of these bags has. */
export function mostRows({ bags }: Pick<BagSet, "bags">, size: number, most: number = TRAIN_ROWS): number {
  // A sampler may draw the largest bag more than once.
  return size * bags.reduce((largest, { count }) => Math.max(largest, Math.min(count, most)), 0);
}

/**
 * Reads a batch.
 *
 * @param picks Numbers of the bags.
 * @param size Bags the plan has room for; those behind the last are empty.
 * @throws {DataError} As `read`.
 */
export async function readBatch(
  read: ReadRows,
  { bags, dim }: BagSet,
  picks: readonly number[],
  { most = TRAIN_ROWS, seed, epoch }: BatchOptions,
  size: number = picks.length,
): Promise<BagBatch> {
  const parts: Float32Array[] = [];
  const bound = new Uint32Array(size + 1);
  for (let b = 0; b < size; b++) {
    const bag = bags[picks[b] ?? -1];
    const rows = bag && sampleRows(bag.count, { most, seed, bag: bag.name, epoch });
    if (bag && rows) parts.push(await read(bag, rows));
    bound[b + 1] = bound[b]! + (rows?.length ?? 0);
  }
  const x = new Float32Array(bound[size]! * dim);
  let at = 0;
  for (const part of parts) {
    x.set(part, at);
    at += part.length;
  }
  return { x, bound };
}
