/**
 * Batches of bags: the rows of a few bags one behind another, and where each begins.
 *
 * @module
 */

import type { Bag, BagSet } from "./bags.ts";
import { sampleRows, TRAIN_ROWS } from "./sampling.ts";

/** The slides of a batch. */
export interface BatchSlides {
  /** Where slides begin among the rows, and where the last one ends: `[S + 1]`. */
  readonly bound: Uint32Array<ArrayBuffer>;
  /** Where bags begin among the slides, and where the last one ends: `[B + 1]`. */
  readonly first: Uint32Array<ArrayBuffer>;
  /** Share of each slide in its bag, `[S]`; 0 of those of which no row was drawn. */
  readonly weight: Float32Array<ArrayBuffer>;
}

/** Rows of a batch. */
export interface BagBatch {
  /** `[R, d]`. */
  readonly x: Float32Array<ArrayBuffer>;
  /** Where bags begin in it, and where the last one ends: `[B + 1]`. */
  readonly bound: Uint32Array<ArrayBuffer>;
  /** Where a bag is the mean of its slides. */
  readonly slides?: BatchSlides | undefined;
}

/** Reads rows of a bag by their numbers, ascending: `[rows, d]`. */
export type ReadRows = (bag: Bag, rows: Uint32Array) => Promise<Float32Array>;

/** How rows are drawn. */
export interface BatchOptions {
  /** Most rows of a bag; default {@linkcode TRAIN_ROWS}. */
  readonly most?: number;
  readonly seed: number;
  readonly epoch: number;
  /** Bags the plan has room for; default as many as there are. */
  readonly size?: number;
  /** Slides that it has room for, where a bag is the mean of its slides. */
  readonly slides?: number | undefined;
}

/** Most rows that a batch of `size` of these bags has. */
export function mostRows({ bags }: Pick<BagSet, "bags">, size: number, most: number = TRAIN_ROWS): number {
  // A sampler may draw the largest bag more than once.
  return size * bags.reduce((largest, { count }) => Math.max(largest, Math.min(count, most)), 0);
}

/** Most slides that a batch of `size` of these bags has. */
export function mostSlides({ bags }: Pick<BagSet, "bags">, size: number): number {
  return size * bags.reduce((most, { files }) => Math.max(most, files.length), 0);
}

/**
 * Reads a batch.
 *
 * @param picks Numbers of the bags.
 * @throws {DataError} As `read`.
 */
export async function readBatch(
  read: ReadRows,
  { bags, dim }: Pick<BagSet, "bags" | "dim">,
  picks: readonly number[],
  { most = TRAIN_ROWS, seed, epoch, size = picks.length, slides }: BatchOptions,
): Promise<BagBatch> {
  const parts: Float32Array[] = [];
  const drawn: (readonly number[])[] = [];
  const bound = new Uint32Array(size + 1);
  for (let b = 0; b < size; b++) {
    const bag = bags[picks[b] ?? -1];
    const rows = bag && sampleRows(bag.count, { most, seed, bag: bag.name, epoch });
    if (bag && rows) parts.push(await read(bag, rows));
    drawn.push(bag && rows ? rowsByFile(bag, rows) : []);
    bound[b + 1] = bound[b]! + (rows?.length ?? 0);
  }
  const x = new Float32Array(bound[size]! * dim);
  let at = 0;
  for (const part of parts) {
    x.set(part, at);
    at += part.length;
  }
  return { x, bound, ...(slides !== undefined && { slides: slidesOf(drawn, slides) }) };
}

/** How many of some rows, ascending, are in each file. */
function rowsByFile({ files }: Bag, rows: Uint32Array): number[] {
  let [next, end] = [0, 0];
  return files.map(({ rows: count }) => {
    const from = next;
    end += count;
    while (next < rows.length && rows[next]! < end) next++;
    return next - from;
  });
}

/** @param drawn Rows of each slide, by bag. */
function slidesOf(drawn: readonly (readonly number[])[], room: number): BatchSlides {
  const bound = new Uint32Array(room + 1);
  const first = new Uint32Array(drawn.length + 1);
  const weight = new Float32Array(room);
  let s = 0;
  drawn.forEach((counts, b) => {
    const some = counts.filter((count) => count > 0).length;
    for (const count of counts) {
      weight[s] = count > 0 ? 1 / some : 0;
      bound[s + 1] = bound[s]! + count;
      s++;
    }
    first[b + 1] = s;
  });
  bound.fill(bound[s]!, s + 1);
  return { bound, first, weight };
}
