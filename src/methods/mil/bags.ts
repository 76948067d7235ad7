/**
 * Bags of stored features: the rows of a slide, or of all slides of a case, read from their files when they are needed.
 *
 * A folder holds a file a slide, `NAME.h5`, `.pt`, `.npy`, `.safetensors` or `.h5ad` in any form that `io/features.ts` reads:
 * this program's, TRIDENT's, CLAM's (also in its `h5_files` or `pt_files`), STAMP's.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { shortList } from "../../data/cohort/cohort_table.ts";
import type { Disk } from "../../io/disk.ts";
import { featureFilesOf } from "../../io/feature_folder.ts";
import { checkedRows, type Features, openFeatures } from "../../io/features.ts";
import type { BagRows } from "./inference.ts";
import type { Labels } from "./labels.ts";

/** Numbers read at once. */
const BLOCK = 1 << 22;

/** What is known of a feature file without reading its rows. */
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
  readonly label: string;
  /** Its part in each fold of the table. */
  readonly folds: Labels["slides"][number]["folds"];
  /** Rows in all. */
  readonly count: number;
  readonly files: readonly FeatureFile[];
}

/** Bags of a task. */
export interface BagSet {
  readonly bags: readonly Bag[];
  /** Width of a row. */
  readonly dim: number;
  /** Slides with a label but no features; refused unless they may be left out. */
  readonly missing: readonly string[];
  /** Slides with features but no label: they take no part. */
  readonly unused: readonly string[];
}

/** Options of {@linkcode openBags}. */
export interface BagOptions {
  /** What a bag is; default a slide. */
  readonly level?: "slide" | "case";
  /** Whether slides without features are refused; default true. */
  readonly complete?: boolean;
}

/**
 * Opens the bags of a table: every file's header is read, no rows are.
 *
 * @throws {DataError} If a slide has no features, a file has no rows, or rows of another width than the first.
 * @throws {FormatError} If a file is damaged.
 */
export async function openBags(
  disk: Disk,
  folders: string | readonly string[],
  labels: Labels,
  { level = "slide", complete = true }: BagOptions = {},
): Promise<BagSet> {
  const all = [folders].flat();
  const folder = all.join(", ");
  const files = featureFilesOf(disk, all);
  const missing = labels.slides.filter(({ slide }) => !files.has(slide)).map(({ slide }) => slide);
  const labelled = new Set([...labels.slides.map(({ slide }) => slide), ...labels.unlabelled]);
  const unused = [...files.keys()].filter((slide) => !labelled.has(slide));
  if (missing.length > 0 && (complete || missing.length === labels.slides.length)) {
    throw new DataError(
      `Cannot use features of ${folder}: ${missing.length} of ${labels.slides.length} slides of ${labels.file} have no file ` +
        `(${shortList(missing, 5)}), expected one each; ${files.size} files are there` +
        (unused.length > 0 ? `, of them without a label ${shortList(unused, 5)}` : ""),
      { code: "features-missing", context: { folder, labels: labels.file, missing: missing.slice(0, 100) } },
    );
  }
  const bags = new Map<string, Bag>();
  let first: { path: string; dim: number } | undefined;
  for (const row of labels.slides) {
    const path = files.get(row.slide);
    if (path === undefined) continue;
    const { count, dim } = await headOf(disk, path);
    first ??= { path, dim };
    if (dim !== first.dim) {
      throw new DataError(
        `Cannot use features of ${path}: rows of ${dim} numbers, expected ${first.dim} as in ${first.path}`,
        {
          code: "features-width",
          hint: "Features of one task come from one encoder",
          context: { file: path, found: dim, expected: first.dim, other: first.path },
        },
      );
    }
    const name = level === "case" ? row.case : row.slide;
    const file = { path, slide: row.slide, rows: count };
    const bag = bags.get(name);
    bags.set(name, {
      name,
      case: row.case,
      label: row.label,
      folds: row.folds,
      count: (bag?.count ?? 0) + count,
      files: [...bag?.files ?? [], file],
    });
  }
  return { bags: [...bags.values()], dim: first!.dim, missing, unused };
}

async function headOf(disk: Disk, path: string): Promise<{ count: number; dim: number }> {
  const file = await openFeatures(disk.open(path, "read"));
  const { count, dim } = file;
  file.close();
  if (count > 0) return { count, dim };
  throw new DataError(`Cannot use features of ${path}: it has no rows, expected at least one`, {
    code: "features-empty",
    hint: "No tissue was found on that slide: take it out of the table of labels",
    context: { file: path },
  });
}

/**
 * Reads rows of a bag by their numbers, in blocks: of a bag of any size no more is held than what is asked for and one block.
 *
 * @param rows Ascending numbers below its count.
 * @returns `[rows, dim]`.
 * @throws {DataError} If a file is no longer as it was, or a number is not finite, naming file, row and column.
 */
export async function readRows(
  disk: Disk,
  bag: Bag,
  dim: number,
  rows: Uint32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const out = new Float32Array(rows.length * dim);
  let [next, begun] = [0, 0];
  for (const file of bag.files) {
    const end = begun + file.rows;
    let last = next;
    while (last < rows.length && rows[last]! < end) last++;
    if (last > next) {
      const wanted = rows.subarray(next, last).map((row) => row - begun);
      await readFileRows(disk, file, dim, wanted, out.subarray(next * dim, last * dim));
    }
    [next, begun] = [last, end];
  }
  return out;
}

/** A bag as inference reads it. */
export function bagRows(disk: Disk, bag: Bag, dim: number): BagRows {
  return {
    name: bag.name,
    count: bag.count,
    read: (from, to) => readRows(disk, bag, dim, Uint32Array.from({ length: to - from }, (_, i) => from + i)),
  };
}

/**
 * All rows of a bag in blocks, each read once, and compared with the checksums of their files.
 *
 * @throws {DataError} As {@linkcode readRows}, and if a file is not what its checksum says.
 */
export async function* allRows(disk: Disk, bag: Bag, dim: number): AsyncGenerator<Float32Array> {
  for (const one of bag.files) {
    const file = await openAgain(disk, one, dim);
    try {
      // Of a file that is damaged too, that is said.
      let bad: DataError | undefined;
      for await (const { from, rows } of checkedRows(file)) {
        bad ??= notFinite(file, from, rows);
        yield rows;
      }
      if (bad) throw bad;
    } finally {
      file.close();
    }
  }
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
