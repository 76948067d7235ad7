/**
 * One sample from its files to pairs: counts checked and preprocessed, patches joined by barcode, and each spot and patch
 * that is left out counted with its reason.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { openAnndata } from "../io/anndata.ts";
import { openPatches, type Patches } from "../io/patches.ts";
import { alignmentWarning } from "./alignment.ts";
import { type Centre, centre, places, toCentre } from "./coordinates.ts";
import { type Expression, selectSpots } from "./counts.ts";
import type { ReadDisk, SampleFiles } from "./data_folder.ts";
import { type GeneOptions, prepareGenes } from "./genes/genes.ts";
import { join, type JoinOptions, type SelfTest } from "./join.ts";
import { nearestSpot } from "./image/pixel_size.ts";
import { preprocess, type Preprocessed, type PreprocessOptions, selectPreprocessed } from "./genes/preprocess.ts";
import { readSampleTable, type SampleOptions, type SampleTable } from "./sample.ts";
import { type CheckOptions, checkSample, geneWarnings, placedNeighbours } from "./sample_checks.ts";

/** How samples are read. */
export interface LoadOptions extends SampleOptions, JoinOptions, PreprocessOptions, CheckOptions {
  /** Compare nuclei with counts, which reads some patches; on by default. */
  readonly checkAlignment?: boolean;
}

/** Patches of the pairs. */
export interface PairPatches {
  /** Path of the patch file. */
  readonly path: string;
  /** Row of each pair's patch in the file, `[count]`. */
  readonly rows: Uint32Array;
  /** Side of the patches in pixels. */
  readonly size: number;
  /** Micrometres a pixel, where the file tells. */
  readonly pixelSize: number | undefined;
}

/** What was left out, and why. */
export interface Dropped {
  /** Spots without a patch: off the tissue or the slide. */
  readonly spotWithoutPatch: number;
  /** Patches whose barcode the table lacks. */
  readonly patchWithoutSpot: number;
  /** Patches whose spot has counts that are none. */
  readonly badCounts: number;
  /** Patches whose spot has too few counts. */
  readonly fewCounts: number;
}

/** A sample of pairs; pair `i` is patch `patches.rows[i]` and row `i` of everything else. */
export interface LoadedSample {
  readonly id: string;
  readonly count: number;
  readonly barcodes: readonly string[];
  /** Row of each pair in the file's table, `[count]`. */
  readonly spots: Uint32Array;
  /** Counts of the pairs as the file has them, names prepared. */
  readonly raw: Expression;
  /** Both layers, of the pairs. */
  readonly expression: Preprocessed;
  readonly patches: PairPatches;
  /** Centres on the slide, in pixels of its largest level. */
  readonly spatial: Centre;
  /** Pixels between neighbouring spots; NaN for fewer than two. */
  readonly pitch: number;
  /** Place of each pair on the array, `[count]`; NaN where the file does not tell. */
  readonly arrayRow: Float64Array;
  readonly arrayColumn: Float64Array;
  readonly dropped: Dropped;
  readonly selfTest: SelfTest;
  readonly warnings: readonly string[];
}

/**
 * Reads, checks, preprocesses and joins a sample.
 *
 * @throws {DataError} If it has no patches (`no-patches`), counts are NaN, infinite, negative or fractions, coordinates of
 * both files disagree, or no pair is left.
 * @throws {FormatError} If a file is damaged.
 */
export async function loadSample(disk: ReadDisk, files: SampleFiles, options: LoadOptions = {}): Promise<LoadedSample> {
  const { path, patches } = await patchesOf(disk, files);
  try {
    const table = await tableOf(disk, files, options);
    const told = checkSample({ id: files.id, table, metadata: files.metadata, patches }, options);
    const pairs = pairsOf(files, table, { path, patches }, options);
    const apart = options.checkAlignment === false ? undefined : alignmentWarning(pairs, patches);
    return { ...pairs, warnings: [...told, ...pairs.warnings, ...(apart === undefined ? [] : [apart])] };
  } finally {
    patches.close();
  }
}

/**
 * Raw counts of chosen rows, names prepared as for the pairs.
 *
 * @param spots Rows of the file's table.
 */
export async function loadRaw(
  disk: ReadDisk,
  files: SampleFiles,
  spots: ArrayLike<number>,
  options: LoadOptions = {},
): Promise<Expression> {
  const { counts, geneColumns } = await tableOf(disk, files, options);
  return prepareGenes(selectSpots(counts, spots), genesOf(options, geneColumns)).table;
}

function genesOf(options: LoadOptions, columns: GeneOptions["columns"]): LoadOptions {
  return options.columns === undefined && columns !== undefined ? { ...options, columns } : options;
}

async function tableOf(disk: ReadDisk, files: SampleFiles, options: LoadOptions): Promise<SampleTable> {
  const file = await openAnndata(disk, files.expression);
  try {
    return readSampleTable(files.id, file, files.metadata, options);
  } finally {
    file.close();
  }
}

/**
 * The patch file of a sample.
 *
 * @throws {DataError} If it has none (`no-patches`).
 */
export function checkHasPatches({ id, folder, patches }: SampleFiles): string {
  if (patches !== undefined) return patches;
  throw new DataError(`Cannot train on ${id}: ${folder}/patches has no ${id}.h5, one wanted`, {
    code: "no-patches",
    hint: "Cut patches with convert, or leave the sample out",
    context: { sample: id, folder },
  });
}

async function patchesOf(disk: ReadDisk, files: SampleFiles): Promise<{ path: string; patches: Patches }> {
  const path = checkHasPatches(files);
  const patches = await openPatches(disk.open(path, "read"));
  const { barcodes, width, height } = patches;
  if (barcodes !== undefined && width === height) return { path, patches };
  patches.close();
  const found = barcodes === undefined ? "no barcodes" : `patches of ${width} x ${height}`;
  throw new DataError(`Cannot train on ${path}: ${found}, squares with a barcode each wanted`, {
    code: "patch-file",
    context: { file: path },
  });
}

/** The table without the rows whose counts are none; `rows` are those kept. */
function soundRows({ counts, array, bad }: SampleTable) {
  if (bad.size === 0) return { table: counts, array, rows: undefined };
  const rows = Uint32Array.from(counts.spots.keys()).filter((row) => !bad.has(row));
  const part = (values: ArrayLike<number>) => Float64Array.from(rows, (row) => values[row]!);
  return {
    table: selectSpots(counts, rows),
    array: { ...array, rows: part(array.rows), columns: part(array.columns) },
    rows,
  };
}

function pairsOf(
  { id }: SampleFiles,
  all: SampleTable,
  { path, patches }: { path: string; patches: Patches },
  options: LoadOptions,
): LoadedSample {
  const { table, array, rows } = soundRows(all);
  const prepared = genesOf(options, all.geneColumns);
  const near = options.neighbours ?? placedNeighbours(all, rows);
  const expression = preprocess(table, array, near === undefined ? prepared : { ...prepared, neighbours: near });
  const kept = rows === undefined ? expression.keep : expression.keep.map((row) => rows[row]!);
  const barcodes = patches.barcodes!;
  const spots = all.counts.spots;
  const { coords, coordsOf, sizeOnSlide } = patches;
  const where = coords && coordsOf !== "unknown" ? places(coords, coordsOf, path) : undefined;
  const joined = join(
    { sample: id, patches: barcodes, spots, places: where, sizeOnSlide, spatial: all.spatial, kept },
    options,
  );
  const count = joined.patch.length;
  if (count === 0) {
    throw new DataError(
      `Cannot train on ${id}: no pairs of ${spots.length} spots and ${barcodes.length} patches, some wanted`,
      {
        code: "no-pairs",
        hint: "Check that patches and counts are of the same spots, and that these have counts",
        context: { sample: id, ...joined.report.dropped },
      },
    );
  }
  const sound = rows === undefined ? undefined : new Set(Array.from(rows, (row) => spots[row]!));
  const named = new Set(spots);
  const bad = sound === undefined ? 0 : barcodes.filter((name) => named.has(name) && !sound.has(name)).length;
  const { spotWithoutPatch, patchWithoutSpot, filtered } = joined.report.dropped;
  const centres = all.spatial ?? (where && toCentre(where, sizeOnSlide ?? 0));
  const at = all.spatial === undefined ? joined.patch : joined.spot;
  return {
    id,
    count,
    barcodes: Array.from(joined.patch, (i) => barcodes[i]!),
    spots: joined.spot,
    raw: prepareGenes(selectSpots(all.counts, joined.spot), prepared).table,
    expression: selectPreprocessed(expression, joined.row),
    patches: { path, rows: joined.patch, size: patches.width, pixelSize: patches.pixelSize },
    spatial: centre(Float64Array.from({ length: 2 * count }, (_, k) => centres?.xy[2 * at[k >> 1]! + (k & 1)] ?? NaN)),
    pitch: centres === undefined ? NaN : nearestSpot(centres),
    arrayRow: Float64Array.from(joined.spot, (spot) => all.array.rows[spot]!),
    arrayColumn: Float64Array.from(joined.spot, (spot) => all.array.columns[spot]!),
    dropped: { spotWithoutPatch, patchWithoutSpot, badCounts: bad, fewCounts: filtered - bad },
    selfTest: joined.report.selfTest,
    warnings: [...all.warnings, ...geneWarnings(id, expression.report.genes), ...joined.report.warnings],
  };
}
