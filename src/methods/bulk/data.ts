/**
 * The data of a run: stored features of slides, bulk expression of their patients, and which patients train.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import { count } from "../../core/text_table.ts";
import { readBulk } from "../../data/cohort/bulk.ts";
import { pairBulk, pairNotes } from "../../data/cohort/bulk_pairs.ts";
import { classColumn, type CohortTable, type FoldPart, readCohort, shortList } from "../../data/cohort/cohort_table.ts";
import { decodeText, parseNames } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import { featureFilesOf } from "../../io/feature_folder.ts";
import { checkContent, openFeatures } from "../../io/features.ts";
import { sha256Of } from "../../io/checksum.ts";
import type { FilesMark, Host } from "../../train/host.ts";
import type { BulkConfig } from "./config.ts";

/** A slide with its patient. */
export interface BulkSlide {
  readonly slide: string;
  /** Index of the patient. */
  readonly patient: number;
  readonly part: FoldPart;
  /** Tiles. */
  readonly count: number;
  /** `[count, dim]`. */
  readonly rows: Float32Array<ArrayBuffer>;
}

/** Data that are open. */
export interface BulkData {
  readonly dim: number;
  readonly slides: readonly BulkSlide[];
  readonly patients: readonly string[];
  readonly genes: readonly string[];
  /** Expression of each patient, z-scored over the training patients, `[patients, genes]`. */
  readonly rna: Float32Array<ArrayBuffer>;
  readonly statistics: { readonly mean: Float64Array; readonly std: Float64Array };
  readonly unit: string;
  /** SHA-256 of the genes in their order. */
  readonly manifest: string;
  /** Class of each patient by column of the table; "" where it has none. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly string[];
  readonly mark: FilesMark;
}

/** Slides, expression and pairs, before features are read. */
async function pairsOf({ input }: BulkConfig, disk: Disk) {
  for (const [key, hint] of [["features", "--features DIR"], ["expression", "expression=PATH"]] as const) {
    if (input[key]?.length) continue;
    throw new ConfigError(`Cannot train: ${key} is empty, wanted where it is`, { hint, context: { key } });
  }
  const files = featureFilesOf(disk, input.features);
  const table = input.slides === null
    ? undefined
    : readCohort(decodeText(readBytes(disk, input.slides), input.slides), input.slides);
  const owner = table && new Map(table.rows.map((row) => [row.slide, row.case]));
  const bulk = await readBulk(disk, input.expression!, input.bulk_unit);
  const outside = new Set(table?.rows.filter(({ folds }) => folds.length > 0 && !folds[0]).map(({ slide }) => slide));
  const names = [...files.keys()];
  const left = names.filter((slide) => outside.has(slide));
  const pairs = pairBulk(names.filter((slide) => !outside.has(slide)), bulk, owner);
  const notes = [
    ...left.length > 0
      ? [`${count(left.length, "slide")} in no part of ${table!.folds[0]}: ${shortList(left, 5)}`]
      : [],
    ...pairNotes(pairs),
    ...bulk.twice.length > 0 ? [`${bulk.twice.length} genes stand twice: ${shortList(bulk.twice, 5)}`] : [],
  ];
  return { files, table, bulk, pairs, notes };
}

/** Refuses what can be told before features are read. */
export async function check(config: BulkConfig, { disk }: Pick<Host, "disk">): Promise<void> {
  const { table, pairs, bulk } = await pairsOf(config, disk);
  for (const column of config.input.labels) classColumn(table!, column);
  partsOf(config, pairs.patients.map(({ patient }) => patient), table);
  listedGenes(config, bulk.genes, disk);
}

/** Genes of a list, as far as one was given. @throws {DataError} If the expression lacks one. */
function listedGenes({ genes }: BulkConfig, has: readonly string[], disk: Disk): string[] | undefined {
  if (genes.gene_list === null) return undefined;
  const names = [
    ...new Set(parseNames(decodeText(readBytes(disk, genes.gene_list), genes.gene_list), genes.gene_list)),
  ];
  const known = new Set(has);
  const missing = names.filter((name) => !known.has(name));
  if (names.length > 0 && missing.length === 0) return names;
  throw new DataError(
    `Cannot use ${genes.gene_list}: ${
      names.length === 0
        ? "it names no gene"
        : `the expression lacks ${missing.length} of its ${names.length} genes (${shortList(missing, 5)})`
    }, expected genes of the expression`,
    { code: "gene-manifest", hint: "Names are compared as they stand", context: { missing: missing.slice(0, 100) } },
  );
}

/** The part of each patient: of the table's first fold, or drawn. */
function partsOf(
  { split, optim }: BulkConfig,
  patients: readonly string[],
  table: CohortTable | undefined,
): FoldPart[] {
  const rng = new Rng(optim.seed, streamOf("patients held out"));
  const draw = (among: readonly number[], share: number) =>
    new Set(
      [...rng.permutation(among.length)].slice(0, Math.max(1, Math.round(share * among.length))).map((i) => among[i]!),
    );
  const all = patients.map((_, p) => p);
  let parts: FoldPart[];
  if (table && table.folds.length > 0) {
    const of = new Map(table.rows.map((row) => [row.case, row.folds[0]]));
    parts = patients.map((patient) => of.get(patient)!);
  } else {
    const test = draw(all, split.holdout_fraction);
    parts = all.map((p) => (test.has(p) ? "test" : "train"));
  }
  if (split.val_fraction > 0 && !parts.includes("val")) {
    const train = all.filter((p) => parts[p] === "train");
    if (train.length > 3) { for (const p of draw(train, split.val_fraction)) parts[p] = "val"; }
  }
  const count = parts.filter((part) => part === "train").length;
  if (count >= 2 && parts.includes("test")) return parts;
  throw new DataError(
    `Cannot train on bulk RNA: ${count} of ${patients.length} patients train, expected two or more and one to test on`,
    { code: "too-few-patients", hint: "Look at fold_0 of the table, or give more patients", context: { found: count } },
  );
}

/** Genes by variance over training patients; ties by name. */
function variableGenes(genes: readonly string[], samples: readonly Float32Array[], most: number): string[] {
  const scored = genes.map((gene, g) => {
    const mean = samples.reduce((sum, values) => sum + values[g]!, 0) / samples.length;
    return { gene, variance: samples.reduce((sum, values) => sum + (values[g]! - mean) ** 2, 0) / samples.length };
  }).filter(({ variance }) => variance > 0);
  if (scored.length === 0) {
    throw new DataError(
      `Cannot choose genes: none of ${genes.length} varies over ${samples.length} training patients`,
      {
        code: "gene-manifest",
      },
    );
  }
  return scored.sort((a, b) => b.variance - a.variance || (a.gene < b.gene ? -1 : 1)).slice(0, most)
    .map(({ gene }) => gene);
}

/**
 * Opens the data: every feature is read once, and is a finite number.
 *
 * @throws {DataError} Naming file and row of what does not fit.
 */
export async function openData(config: BulkConfig, host: Host): Promise<BulkData> {
  const { disk, reporter, signal } = host;
  const { files, table, bulk, pairs, notes } = await pairsOf(config, disk);
  const patients = pairs.patients.map(({ patient }) => patient);
  const parts = partsOf(config, patients, table);
  const training = pairs.patients.filter((_, p) => parts[p] === "train").map(({ sample }) => sample.values);
  const genes = listedGenes(config, bulk.genes, disk) ?? variableGenes(bulk.genes, training, config.genes.n_genes);
  const place = new Map(bulk.genes.map((gene, g) => [gene, g]));
  const columns = genes.map((gene) => place.get(gene)!);
  const mean = Float64Array.from(columns, (g) => training.reduce((sum, v) => sum + v[g]!, 0) / training.length);
  const std = Float64Array.from(
    columns,
    (g, j) =>
      Math.sqrt(training.reduce((sum, v) => sum + (v[g]! - mean[j]!) ** 2, 0) / Math.max(1, training.length - 1)),
  );
  const rna = new Float32Array(patients.length * genes.length);
  pairs.patients.forEach(({ sample }, p) =>
    columns.forEach((g, j) => rna[p * genes.length + j] = std[j]! > 0 ? (sample.values[g]! - mean[j]!) / std[j]! : 0)
  );
  for (const note of notes) reporter.warn(note);
  const paths = pairs.patients.flatMap(({ slides }) => slides.map((slide) => files.get(slide)!));
  const mark = await host.markFiles([
    ...bulk.files,
    ...config.input.slides === null ? [] : [config.input.slides],
    ...paths,
  ]);
  const slides: BulkSlide[] = [];
  let first: { readonly dim: number; readonly path: string } | undefined;
  for (const [patient, { slides: own }] of pairs.patients.entries()) {
    for (const slide of own) {
      signal?.throwIfAborted();
      const path = files.get(slide)!;
      const read = await readSlide(disk, path);
      first ??= { dim: read.dim, path };
      if (read.dim !== first.dim) {
        throw featuresError(path, `rows of ${read.dim} numbers`, `${first.dim} as in ${first.path}`);
      }
      slides.push({ slide, patient, part: parts[patient]!, count: read.count, rows: read.rows });
      reporter.update("features", slides.length, paths.length, "slides");
    }
  }
  const labels = new Map(config.input.labels.map((column) => {
    const fields = classColumn(table!, column);
    const of = new Map(table!.rows.map((row, i) => [row.case, fields[i]!]));
    return [column, patients.map((patient) => of.get(patient) ?? "")];
  }));
  const manifest = sha256Of(genes.join("\n"));
  return {
    ...{ dim: first!.dim, slides, patients, genes, rna, statistics: { mean, std }, unit: bulk.unit, manifest },
    ...{ labels, notes, mark },
  };
}

function featuresError(path: string, found: string, expected: string): DataError {
  return new DataError(`Cannot use features of ${path}: ${found}, expected ${expected}`, {
    code: "features",
    hint: "Embed that slide again with the encoder of the others",
    context: { file: path, found, expected },
  });
}

async function readSlide(disk: Disk, path: string) {
  const file = await openFeatures(disk.open(path, "read"));
  try {
    const { count, dim } = file;
    if (count === 0) throw featuresError(path, "it has no rows", "at least one");
    const rows = Float32Array.from(await file.read());
    await checkContent(file, rows);
    const bad = rows.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return { count, dim, rows };
    throw featuresError(path, `row ${Math.floor(bad / dim)}, column ${bad % dim} is ${rows[bad]}`, "a finite number");
  } finally {
    file.close();
  }
}

/** Tiles of a slide in an epoch, drawn with replacement: the same whatever is trained. */
export function drawTiles(
  { slide, count }: Pick<BulkSlide, "slide" | "count">,
  { tiles, seed, epoch }: { tiles: number; seed: number; epoch: number },
): Uint32Array {
  const rng = new Rng(seed, streamOf(`tiles of ${slide} in epoch ${epoch}`));
  return Uint32Array.from({ length: tiles }, () => rng.below(count));
}
