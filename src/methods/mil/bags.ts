/**
 * Bags of stored features: the rows of a slide, or of all slides of a case, read from their files when they are needed.
 *
 * A folder holds a file a slide, `NAME.h5`, `.pt`, `.npy`, `.safetensors` or `.h5ad` in any form that `io/features.ts` reads:
 * this program's, TRIDENT's, CLAM's (also in its `h5_files` or `pt_files`), STAMP's.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { PooledFolder, PooledSlide } from "../../data/cohort/pooled.ts";
import type { Unit } from "../../eval/cohort/cohort.ts";
import type { Disk } from "../../io/disk.ts";
import { type Features, openFeatures } from "../../io/features.ts";
import type { BagRows } from "./inference.ts";
import type { RowCache } from "./row_cache.ts";

/** Numbers read at once: 4 MiB. */
const BLOCK = 1 << 20;

/** A feature file whose rows were read once. */
export interface FeatureFile {
  readonly path: string;
  readonly slide: string;
  readonly rows: number;
}

/** A bag. */
export interface Bag {
  /** Name of the slide or case. */
  readonly name: string;
  readonly case: string;
  /** Rows in all. */
  readonly count: number;
  readonly files: readonly FeatureFile[];
}

/** Bags of a task. */
export interface BagSet {
  readonly bags: readonly Bag[];
  /** Width of a row. */
  readonly dim: number;
}

/**
 * Bags of units whose slides were pooled.
 *
 * @param files Paths by slide.
 */
export function bagsOf(
  units: readonly Unit[],
  { dim, slides }: Pick<PooledFolder, "dim"> & { readonly slides: ReadonlyMap<string, Pick<PooledSlide, "count">> },
  files: ReadonlyMap<string, string>,
): BagSet {
  const bags = units.map((unit): Bag => {
    const own = unit.slides.map((slide) => ({ path: files.get(slide)!, slide, rows: slides.get(slide)!.count }));
    return { name: unit.name, case: unit.case, count: own.reduce((sum, { rows }) => sum + rows, 0), files: own };
  });
  return { bags, dim };
}

/**
 * Reads rows of a bag by their numbers, in blocks: of a bag of any size no more is held than what is asked for and one block.
 *
 * @param rows Ascending numbers below its count.
 * @param kept Slides whose rows are in memory.
 * @returns `[rows, dim]`.
 * @throws {DataError} If a file is no longer as it was, or a number is not finite, naming file, row and column.
 */
export async function readRows(
  disk: Disk,
  bag: Bag,
  dim: number,
  rows: Uint32Array,
  kept?: Pick<RowCache, "rows">,
): Promise<Float32Array<ArrayBuffer>> {
  const out = new Float32Array(rows.length * dim);
  let [next, begun] = [0, 0];
  for (const file of bag.files) {
    const end = begun + file.rows;
    let last = next;
    while (last < rows.length && rows[last]! < end) last++;
    if (last > next) {
      const wanted = rows.subarray(next, last).map((row) => row - begun);
      const into = out.subarray(next * dim, last * dim);
      const all = kept?.rows(file.slide);
      if (all === undefined) await readFileRows(disk, file, dim, wanted, into);
      else wanted.forEach((row, i) => into.set(all.subarray(row * dim, (row + 1) * dim), i * dim));
    }
    [next, begun] = [last, end];
  }
  return out;
}

/**
 * A bag as inference reads it.
 *
 * @param bySlide Whether it is the mean of its slides.
 */
export function bagRows(bag: Bag, read: (rows: Uint32Array) => Promise<Float32Array>, bySlide = false): BagRows {
  let end = 0;
  return {
    name: bag.name,
    count: bag.count,
    read: (from, to) => read(Uint32Array.from({ length: to - from }, (_, i) => from + i)),
    ...(bySlide && { ends: bag.files.map(({ rows }) => end += rows) }),
  };
}

async function openAgain(disk: Disk, { path, rows: count }: FeatureFile, dim: number): Promise<Features> {
  const file = await openFeatures(disk.open(path, "read"));
  if (file.count === count && file.dim === dim) return file;
  file.close();
  throw new DataError(
    `Cannot read ${path}: it has ${file.count} rows of ${file.dim}, expected ${count} of ${dim} as when it was opened`,
    { code: "features-changed", context: { file: path, found: [file.count, file.dim], expected: [count, dim] } },
  );
}

async function readFileRows(
  disk: Disk,
  one: FeatureFile,
  dim: number,
  rows: Uint32Array,
  into: Float32Array,
): Promise<void> {
  const file = await openAgain(disk, one, dim);
  try {
    const step = Math.max(1, Math.floor(BLOCK / dim));
    for (let i = 0; i < rows.length;) {
      const from = rows[i]!;
      let j = i;
      while (j < rows.length && rows[j]! < from + step) j++;
      const block = await file.read(from, rows[j - 1]! + 1);
      for (let k = i; k < j; k++) {
        const row = block.subarray((rows[k]! - from) * dim, (rows[k]! - from + 1) * dim);
        const bad = notFinite(file, rows[k]!, row);
        if (bad) throw bad;
        into.set(row, k * dim);
      }
      i = j;
    }
  } finally {
    file.close();
  }
}

/** What is to be said of rows from `from` on, if a number is not finite. */
function notFinite({ name, dim }: Features, from: number, rows: Float32Array): DataError | undefined {
  const at = rows.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return undefined;
  const [row, column] = [from + Math.floor(at / dim), at % dim];
  return new DataError(
    `Cannot use features of ${name}: row ${row}, column ${column} is ${rows[at]}, expected a finite number`,
    {
      code: "features-nan",
      hint: "Embed that slide again with --overwrite",
      context: { file: name, row, column, found: String(rows[at]) },
    },
  );
}
