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
import { checkFacts, type FeatureFacts } from "../../data/feature_facts.ts";
import { decodeText, parseNames } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import { featureFilesOf } from "../../io/feature_folder.ts";
import { sha256Of } from "../../io/checksum.ts";
import type { FilesMark, Host } from "../../train/host.ts";
import type { PatchTable } from "../../data/patch_reader.ts";
import type { BulkConfig } from "./config.ts";
import { type PatientVectors, readVectors, standardVectors } from "./modality.ts";
import { byPatient, ownersOf } from "./slide_table.ts";
import { featuresError, patchFilesOf, patchTableOf, readFeatures, readPatchFile } from "./slides.ts";

/** A slide with its patient. */
export interface BulkSlide {
  readonly slide: string;
  /** Index of the patient. */
  readonly patient: number;
  readonly part: FoldPart;
  /** Tiles. */
  readonly count: number;
  /** Number of its first tile among those of all slides. */
  readonly first: number;
  /** Stored features `[count, dim]`; none where patches are given. */
  readonly rows?: Float32Array<ArrayBuffer> | undefined;
}

/** Data that are open. */
export interface BulkData {
  /** Width of stored features; 0 where patches are given. */
  readonly dim: number;
  /** What made stored features, as far as their files say. */
  readonly madeBy?: string | undefined;
  readonly featureFacts?: FeatureFacts | undefined;
  /** Patches of all slides, in their order, and the SHA-256 of each file. */
  readonly patches?: { readonly table: PatchTable; readonly sha256: readonly string[] } | undefined;
  /** Further vectors of patients. */
  readonly modality?: PatientVectors | undefined;
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
  const tiles = input.train === "encoder"
    ? ["patches", "patches=DIR"] as const
    : ["features", "--features DIR"] as const;
  for (const [key, hint] of [tiles, ["expression", "expression=PATH"]] as const) {
    if (input[key]?.length) continue;
    throw new ConfigError(`Cannot train: ${key} is empty, wanted where it is`, { hint, context: { key } });
  }
  const files = input.train === "encoder" ? patchFilesOf(disk, input.patches) : featureFilesOf(disk, input.features);
  const table = input.slides === null
    ? undefined
    : readCohort(decodeText(readBytes(disk, input.slides), input.slides), input.slides);
  const owner = table && { file: table.file, of: ownersOf(table) };
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
    ...bulk.twice.length > 0
      ? [
        `${count(bulk.twice.length, "gene")} in several rows, of which the greatest was taken: ${
          shortList(bulk.twice, 5)
        }`,
      ]
      : [],
  ];
  return { files, table, bulk, pairs, notes };
}

/** Refuses what can be told before features are read. */
export async function check(config: BulkConfig, host: Host): Promise<void> {
  const { disk } = host;
  const { input, cache } = config;
  if (input.train === "encoder") {
    await host.checkEncoder(input.encoder, input.adapter ?? undefined);
    if (cache.cache === "disk" && cache.cache_dir !== null) host.checkFolder(cache.cache_dir, "cache_dir");
  }
  const { table, pairs, bulk } = await pairsOf(config, disk);
  for (const column of config.input.labels) byPatient(table!, column, classColumn(table!, column));
  partsOf(config, pairs.patients.map(({ patient }) => patient), table);
  listedGenes(config, bulk.genes, disk);
  vectorsOf(config, pairs.patients.map(({ patient }) => patient), disk);
}

/** Further vectors of patients, where a table of them is named. */
function vectorsOf({ input }: BulkConfig, patients: readonly string[], disk: Disk): PatientVectors | undefined {
  return input.modality === null ? undefined : readVectors(disk, input.modality, patients);
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
    const of = byPatient(table, table.folds[0]!, table.rows.map(({ folds }) => folds[0] ?? ""));
    parts = patients.map((patient) => of.get(patient) as FoldPart);
  } else {
    const test = draw(all, split.holdout_fraction);
    parts = all.map((p) => (test.has(p) ? "test" : "train"));
  }
  if (split.val_fraction > 0 && !parts.includes("val")) {
    const train = all.filter((p) => parts[p] === "train");
    if (train.length > 3) { for (const p of draw(train, split.val_fraction)) parts[p] = "val"; }
  }
  const [train, test] = ["train", "test"].map((part) => parts.filter((own) => own === part).length) as [number, number];
  if (train >= 2 && test > 0) return parts;
  throw new DataError(
    `Cannot train on bulk RNA: ${train} train and ${test} are tested on of ${patients.length} patients, ` +
      "expected two or more and one or more",
    {
      code: "too-few-patients",
      hint: table?.folds.length ? `Look at ${table.folds[0]} of ${table.file}` : "Give more patients",
      context: { train, test },
    },
  );
}

/** Genes by variance over training patients; ties by name. */
function variableGenes(
  { genes, file }: { readonly genes: readonly string[]; readonly file: string },
  samples: readonly Float32Array[],
  most: number,
): string[] {
  const scored = genes.map((gene, g) => {
    const mean = samples.reduce((sum, values) => sum + values[g]!, 0) / samples.length;
    return { gene, variance: samples.reduce((sum, values) => sum + (values[g]! - mean) ** 2, 0) / samples.length };
  }).filter(({ variance }) => variance > 0);
  if (scored.length === 0) {
    throw new DataError(
      `Cannot choose genes of ${file}: none of ${genes.length} varies over ${samples.length} training patients, ` +
        "expected some",
      { code: "gene-manifest", hint: "Look at its values, and at bulk_unit", context: { file } },
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
  const genes = listedGenes(config, bulk.genes, disk) ??
    variableGenes({ genes: bulk.genes, file: config.input.expression! }, training, config.genes.n_genes);
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
  const more = [config.input.slides, config.input.modality].filter((path) => path !== null);
  const mark = await host.markFiles([...bulk.files, ...more, ...paths]);
  const owners = pairs.patients.flatMap(({ slides }, patient) =>
    slides.map((slide) => ({ slide, patient, part: parts[patient]!, path: files.get(slide)! }))
  );
  const opened = config.input.train === "encoder"
    ? await openPatchSlides(owners, mark.sha256.slice(-paths.length), host)
    : await openStored(owners, { disk, reporter, signal });
  const modality = vectorsOf(config, patients, disk);
  const labels = new Map(config.input.labels.map((column) => {
    const of = byPatient(table!, column, classColumn(table!, column));
    return [column, patients.map((patient) => of.get(patient) ?? "")];
  }));
  const manifest = sha256Of(genes.join("\n"));
  return {
    ...opened,
    ...{ patients, genes, rna, statistics: { mean, std }, unit: bulk.unit, manifest },
    ...{ labels, notes, mark },
    ...(modality && { modality: standardVectors(modality, parts) }),
  };
}

/** A slide before it is read. */
type OwnedSlide = Omit<BulkSlide, "count" | "first" | "rows"> & { readonly path: string };

type OpenedSlides = Pick<BulkData, "slides" | "dim" | "madeBy" | "featureFacts" | "patches">;

/** Reads the stored features of all slides. */
async function openStored(
  owners: readonly OwnedSlide[],
  { disk, reporter, signal }: Pick<Host, "disk" | "reporter" | "signal">,
): Promise<OpenedSlides> {
  const slides: BulkSlide[] = [];
  let first: { dim: number; path: string; madeBy: string; facts: FeatureFacts } | undefined;
  let tiles = 0;
  for (const { path, ...owner } of owners) {
    signal?.throwIfAborted();
    const read = await readFeatures(disk, path);
    first ??= { dim: read.dim, path, madeBy: read.madeBy, facts: read.facts };
    if (read.dim !== first.dim) {
      throw featuresError(path, `rows of ${read.dim} numbers`, `${first.dim} as in ${first.path}`);
    }
    checkFacts(first.facts, read.facts, path);
    slides.push({ ...owner, count: read.count, first: tiles, rows: read.rows });
    tiles += read.count;
    reporter.update("features", slides.length, owners.length, "slides");
  }
  return { slides, dim: first!.dim, madeBy: first!.madeBy, featureFacts: first!.facts };
}

/** Looks at the patch files of all slides. @param sha256 Of each. */
async function openPatchSlides(
  owners: readonly OwnedSlide[],
  sha256: readonly string[],
  host: Host,
): Promise<OpenedSlides> {
  const { disk, reporter, signal } = host;
  const slides: BulkSlide[] = [];
  const files: { path: string; count: number; size: number }[] = [];
  let tiles = 0;
  for (const { path, ...owner } of owners) {
    signal?.throwIfAborted();
    const file = await readPatchFile(disk, path);
    files.push({ path, ...file });
    slides.push({ ...owner, count: file.count, first: tiles });
    tiles += file.count;
    reporter.update("patches", slides.length, owners.length, "slides");
  }
  return { slides, dim: 0, patches: { table: patchTableOf(files), sha256 } };
}

/** Tiles of a slide in an epoch, drawn with replacement: the same whatever is trained. */
export function drawTiles(
  { slide, count }: Pick<BulkSlide, "slide" | "count">,
  { tiles, seed, epoch }: { tiles: number; seed: number; epoch: number },
): Uint32Array {
  const rng = new Rng(seed, streamOf(`tiles of ${slide} in epoch ${epoch}`));
  return Uint32Array.from({ length: tiles }, () => rng.below(count));
}

/** Tiles of a slide that are looked at beside training: all, or as many at random, the same in every run. */
export function probeTiles({ slide, count }: Pick<BulkSlide, "slide" | "count">, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, t) => t);
  return new Rng(0, streamOf(`tiles of ${slide} to look at`)).permutation(count).slice(0, most).sort();
}
