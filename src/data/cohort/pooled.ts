/**
 * Mean features of slides, read from their files in blocks: a slide of any number of tiles takes the memory of one block.
 *
 * @module
 */

import { DataError, type SealError } from "../../core/errors.ts";
import type { Disk } from "../../io/disk.ts";
import { findFeatureFiles } from "../../io/feature_folder.ts";
import { checkedRows, type Features, openFeatures } from "../../io/features.ts";
import { isTyped } from "../../io/system_error.ts";
import { shortList } from "./cohort_table.ts";

/** What files of one encoder say alike, where they say it. */
const SAME: readonly string[] = [
  "encoder",
  "weights_sha256",
  "adapter",
  "adapter_sha256",
  "coords/scale",
  "coords/target_magnification",
  "coords/patch_size",
];

/** A slide whose tiles became one vector. */
export interface PooledSlide {
  readonly slide: string;
  /** Tiles. */
  readonly count: number;
  /** `[d]`. */
  readonly mean: Float64Array;
  /** Side of a tile in pixels of level 0, where the file says it. */
  readonly tileSize: number | undefined;
}

/** A slide that takes no part, and why. */
export interface LeftOut {
  readonly slide: string;
  readonly code: "missing" | "empty" | "not-finite" | "damaged";
  readonly reason: string;
}

/** Slides of features. */
export interface PooledFolder {
  readonly dim: number;
  readonly slides: ReadonlyMap<string, PooledSlide>;
  readonly leftOut: readonly LeftOut[];
  /** What the first file says of itself. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Slides with features that nobody asked for. */
  readonly unused: readonly string[];
}

/** Options of {@linkcode poolFiles}. */
export interface PoolOptions {
  readonly signal?: AbortSignal | undefined;
  /** Refuse what would be left out. */
  readonly strict?: boolean | undefined;
  onSlide?(done: number, total: number): void;
  /** Told of the rows of a slide in blocks, in their order; of one that is then left out as well. */
  onRows?(slide: string, block: RowBlock): void;
}

/** Some rows of a slide. */
export interface RowBlock {
  /** `[rows, dim]`. */
  readonly rows: Float32Array;
  /** Number of the first. */
  readonly from: number;
  /** Rows of the slide. */
  readonly count: number;
  readonly dim: number;
}

/** Feature files by slide, and what they are called together. */
export interface FeatureFiles {
  readonly where: string;
  readonly files: ReadonlyMap<string, string>;
}

/** Pools the slides of a folder: see {@linkcode poolFiles}. */
export async function poolFolder(
  disk: Disk,
  folder: string,
  wanted: readonly string[],
  options: PoolOptions = {},
): Promise<PooledFolder> {
  return await poolFiles(disk, { where: folder, files: findFeatureFiles(disk, folder) }, wanted, options);
}

/**
 * Pools the slides that are wanted; every row is read once. Slides without a file, without tiles, with a number that is not finite
 * or with a damaged file are left out by name.
 *
 * @throws {DataError} If no slide is left, or files are of more than one encoder; strictly, of what would be left out.
 */
export async function poolFiles(
  disk: Disk,
  { where, files }: FeatureFiles,
  wanted: readonly string[],
  { signal, strict = false, onSlide, onRows }: PoolOptions = {},
): Promise<PooledFolder> {
  const slides = new Map<string, PooledSlide>();
  const leftOut: LeftOut[] = [];
  let first: Described | undefined;
  for (const [i, slide] of wanted.entries()) {
    signal?.throwIfAborted();
    const path = files.get(slide);
    if (path === undefined) {
      leftOut.push({ slide, code: "missing", reason: `no file in ${where}` });
      continue;
    }
    try {
      const file = await openFeatures(disk.open(path, "read"));
      try {
        const own = { name: file.name, dim: file.dim, facts: file.facts() };
        if (first !== undefined) checkSame(first, own);
        first ??= own;
        const pooled = await poolFile(file, slide, onRows);
        if (!("reason" in pooled)) slides.set(slide, pooled);
        else if (strict) throw refusal(file.name, pooled);
        else leftOut.push(pooled);
      } finally {
        file.close();
      }
    } catch (error) {
      if (strict || !isTyped(error) || error.exitCode !== 4 || (error as SealError).code === MIXED) throw error;
      leftOut.push({ slide, code: "damaged", reason: error.message });
    }
    onSlide?.(i + 1, wanted.length);
  }
  if (slides.size > 0 && !(strict && leftOut.length > 0)) {
    const asked = new Set(wanted);
    return {
      dim: first!.dim,
      facts: first!.facts,
      slides,
      leftOut,
      unused: [...files.keys()].filter((slide) => !asked.has(slide)),
    };
  }
  throw noneLeft({ where, files }, wanted, leftOut);
}

function noneLeft(
  { where, files }: FeatureFiles,
  wanted: readonly string[],
  leftOut: readonly LeftOut[],
): DataError {
  const [one] = leftOut;
  const all = leftOut.length === wanted.length;
  const names = shortList(leftOut.map(({ slide }) => slide), 5);
  const found = all
    ? `none of ${wanted.length} slides can be used (${one?.slide}: ${one?.reason})`
    : `${leftOut.length} of ${wanted.length} slides have no file (${names})`;
  return new DataError(
    `Cannot use features of ${where}: ${found}, expected ${all ? "some" : "one each"}; ` +
      `it has files of ${shortList([...files.keys()], 3)}`,
    {
      code: "features-missing",
      hint: "Names of files are slide_id and an ending",
      context: { folder: where, leftOut: leftOut.slice(0, 20) },
    },
  );
}

/** What is said of a file whose slide may not be left out. */
function refusal(file: string, { code, reason }: LeftOut): DataError {
  if (code === "empty") {
    return new DataError(`Cannot use features of ${file}: it has no rows, expected at least one`, {
      code: "features-empty",
      hint: "No tissue was found on that slide: take it out of the table of labels",
      context: { file },
    });
  }
  return new DataError(`Cannot use features of ${file}: ${reason}, expected a finite number`, {
    code: "features-nan",
    hint: "Embed that slide again with --overwrite",
    context: { file, found: reason },
  });
}

const MIXED = "features-mixed";

/** What a file says of itself. */
type Described = Pick<Features, "name" | "dim"> & { readonly facts: Readonly<Record<string, unknown>> };

/** Refuses files of two encoders, or of tiles made in two ways. */
function checkSame(first: Described, file: Described): void {
  const mixed = (what: string, found: unknown, expected: unknown): never => {
    throw new DataError(
      `Cannot use features of ${file.name}: ${what} is ${found}, expected ${expected} as in ${first.name}`,
      {
        code: MIXED,
        hint: "Features of one folder come from one encoder; give each its own --features",
        context: { file: file.name, other: first.name, what, found, expected },
      },
    );
  };
  if (file.dim !== first.dim) mixed("the width of a row", file.dim, first.dim);
  for (const name of SAME) {
    const [a, b] = [first.facts[name], file.facts[name]];
    if (a !== undefined && b !== undefined && String(a) !== String(b)) mixed(name.replace("coords/", ""), b, a);
  }
}

async function poolFile(
  file: Features,
  slide: string,
  onRows?: PoolOptions["onRows"],
): Promise<PooledSlide | LeftOut> {
  const { count, dim } = file;
  if (count === 0) return { slide, code: "empty", reason: "no tiles" };
  const mean = new Float64Array(dim);
  let bad: LeftOut | undefined;
  // All rows are read: of a file that is damaged too, that is said.
  for await (const { from, rows } of checkedRows(file)) {
    if (bad) continue;
    for (let at = 0; at < rows.length;) for (let j = 0; j < dim; j++) mean[j]! += rows[at++]!;
    onRows?.(slide, { rows, from, count, dim });
    // A sum stays what no number is, so one look a block finds the row.
    if (mean.every(Number.isFinite)) continue;
    const at = rows.findIndex((value) => !Number.isFinite(value));
    bad = {
      slide,
      code: "not-finite",
      reason: `row ${from + Math.floor(at / dim)}, column ${at % dim} is ${rows[at]}`,
    };
  }
  if (bad) return bad;
  const size = Number(file.facts()["patch_size_level0"] ?? file.facts()["coords/patch_size_level0"]);
  const tileSize = Number.isFinite(size) ? size : undefined;
  return { slide, count, mean: mean.map((value) => value / count), tileSize };
}
