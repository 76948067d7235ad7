/**
 * Data in the layout of HEST-1k: samples with their spots, patches and expression.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { checkOptions, checkText, checkTexts, type Known } from "./check.ts";
import { nearest } from "../core/nearest.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import type { Expression } from "../data/counts.ts";
import { gatherColumns } from "../data/matrix.ts";
import type { Disk } from "../io/disk.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { toPrograms } from "./hints.ts";
import { type HestSource, rememberSource } from "./hest_source.ts";
import type { HestPairs, PairsOptions } from "./pairs.ts";

/** Which samples of a data folder. */
export interface HestOptions {
  /** Ids; all by default. */
  readonly samples?: readonly string[] | undefined;
  /** Values of `organ`, whatever the case; all by default. */
  readonly organs?: readonly string[] | undefined;
  /** Values of `species`, whatever the case; all by default. */
  readonly species?: readonly string[] | undefined;
  /** Values of `st_technology`, whatever the case; all by default. */
  readonly technologies?: readonly string[] | undefined;
  /** Where the files keep raw counts: `X` (default), `raw`, or a layer such as `layers/counts`. */
  readonly counts?: string | undefined;
  /** Leave out spots with NaN, infinite or negative counts instead of refusing their sample. */
  readonly dropBadSpots?: boolean | undefined;
  /** Leave out patches whose barcode the counts lack instead of refusing their sample. */
  readonly dropUnknownPatches?: boolean | undefined;
  /** File access; the host's by default. */
  readonly disk?: Pick<Disk, "look" | "open"> | undefined;
}

const HEST_OPTIONS: Known<HestOptions> = {
  samples: true,
  organs: true,
  species: true,
  technologies: true,
  counts: true,
  dropBadSpots: true,
  dropUnknownPatches: true,
  disk: true,
};

/** A sample before it is read. */
export interface HestSampleInfo {
  /** What {@linkcode Hest.sample} takes. */
  readonly id: string;
  /** The data folder. */
  readonly folder: string;
  /** Whether there is a file of patches. */
  readonly hasPatches: boolean;
  /** What `metadata/{id}.json` or the catalogue says: `organ`, `species`, `patient`, `pixel_size_um_estimated`, … */
  readonly metadata: Readonly<Record<string, string | number | boolean | null>>;
}

/** Raw counts, compressed by rows. */
export interface SparseCounts {
  /** Spots. */
  readonly rows: number;
  /** Genes. */
  readonly columns: number;
  /** Where each row begins in `indices` and `data`, `[rows + 1]`. */
  readonly indptr: Uint32Array;
  /** Gene of each count, ascending within a row. */
  readonly indices: Uint32Array;
  /** The counts, in the same order. */
  readonly data: Float32Array;
}

/** A sample: row `i` of everything is spot `i`, which has patch `i`. */
export interface HestSample extends HestSampleInfo {
  /** Spots that have a patch. */
  readonly count: number;
  /** Names of the spots. */
  readonly barcodes: readonly string[];
  /** Gene symbols in upper case, the columns of {@linkcode HestSample.counts}. */
  readonly genes: readonly string[];
  /** Raw counts `[count, genes]`. */
  readonly counts: SparseCounts;
  /** Centres of the spots, `[count, 2]`, x then y, pixels of the slide's largest level. */
  readonly coords: Float64Array;
  /** Micrometres a pixel of the patches; undefined where no file says it. */
  readonly pixelSize: number | undefined;
  /** Side of the patches, px. */
  readonly patchSize: number;
  /** What to know of the data: what was left out, what looks odd. */
  readonly warnings: readonly string[];
  /**
   * Expression of chosen genes, ln(1 + counts per ten thousand).
   *
   * @param genes Symbols, whatever the case; all by default.
   * @param layer `own` (default), or `context`: half of it the mean of the spot's neighbours, as SEAL trains.
   * @returns `[count, genes]`.
   * @throws {ConfigError} If the sample has no such gene.
   */
  expression(genes?: readonly string[], layer?: "own" | "context"): Float32Array;
  /** The patch of a spot. @throws {FormatError} If the file is damaged. */
  patch(i: number): Promise<RgbImage>;
  /** All patches in order of the spots, in constant memory. */
  images(): AsyncGenerator<RgbImage>;
}

/** A data folder that is open. */
export interface Hest {
  /** Samples in the order of the folders, then of names. */
  readonly samples: readonly HestSampleInfo[];
  /**
   * Reads a sample.
   *
   * @throws {ConfigError} If there is none of that id; the hint names the nearest.
   * @throws {DataError | FormatError} If its files do not fit each other or are damaged.
   */
  sample(id: string): Promise<HestSample>;
  /**
   * Pairs of patch and expression of all samples in the columns of common genes, as training reads them: genes chosen on what
   * trains alone, whole donors held out, joined by barcode. Each sample is read once here, and again when its pairs are.
   *
   * @throws {ConfigError} If a name is not known, or so many cannot be held out.
   * @throws {DataError | FormatError} If a sample has no patches, too few of the genes, or is damaged; if patches differ in size.
   */
  pairs(options?: PairsOptions): Promise<HestPairs>;
}

/**
 * Opens data folders in the layout of HEST-1k (`st/`, `patches/`, `metadata/`) or of its benchmark (`adata/`, `patches/`).
 *
 * ```ts
 * import { openHest } from "@seal-webgpu/seal";
 *
 * const hest = await openHest("data/hest");
 * const sample = await hest.sample(hest.samples[0]!.id);
 * const image = await sample.patch(0);
 * const ln = sample.expression(sample.genes.slice(0, 3)); // [spots, 3]
 * console.log(sample.barcodes[0], image.width, ln.length);
 * ```
 *
 * @param folders One or many.
 * @throws {DataError} If a folder has no samples, or two samples have one id.
 * @throws {FormatError} If metadata are damaged.
 */
export async function openHest(folders: string | readonly string[], options: HestOptions = {}): Promise<Hest> {
  checkHest(folders, options);
  return await toPrograms(() => open(folders, options));
}

async function open(folders: string | readonly string[], options: HestOptions): Promise<Hest> {
  const { findSamples } = await import("../data/data_folder.ts");
  const disk = options.disk ?? (await import("../io/fs.ts")).disk;
  const among = (list: readonly string[] | undefined, text: string | undefined) =>
    list === undefined || (text !== undefined && list.some((name) => name.toLowerCase() === text.toLowerCase()));
  const all = findSamples(disk, typeof folders === "string" ? [folders] : folders);
  const { samples, organs, species, technologies } = options;
  const unknown = samples?.find((id) => !all.some((files) => files.id === id));
  if (unknown !== undefined) throw noSample(unknown, all);
  const chosen = all.filter(({ id, metadata }) =>
    (samples?.includes(id) ?? true) && among(organs, metadata?.text("organ")) &&
    among(species, metadata?.text("species")) && among(technologies, metadata?.text("st_technology"))
  );
  const { counts, dropBadSpots, dropUnknownPatches } = options;
  const source: HestSource = { disk, files: chosen, lenience: { counts, dropBadSpots, dropUnknownPatches } };
  const hest: Hest = {
    samples: chosen.map(infoOf),
    async sample(id) {
      checkText("read a sample", "id", id);
      const files = chosen.find((each) => each.id === id);
      if (files === undefined) throw noSample(id, chosen);
      const sample = await toPrograms(() => readSample(source, files));
      rememberSource(sample, { ...source, files: [files] });
      return sample;
    },
    pairs: (more = {}) => toPrograms(async () => await (await import("./pairs.ts")).openPairs(source, more)),
  };
  rememberSource(hest, source);
  return hest;
}

function checkHest(folders: unknown, options: HestOptions): void {
  const what = "open data";
  checkOptions(what, options, HEST_OPTIONS);
  if (typeof folders !== "string") checkTexts(what, "folders", folders ?? null);
  if (folders === "" || (Array.isArray(folders) && folders.length === 0)) {
    throw new ConfigError("Cannot open data: no folder is named", { hint: 'For example openHest("data/hest")' });
  }
  const { samples, organs, species, technologies, counts } = options;
  for (const [key, value] of Object.entries({ samples, organs, species, technologies })) checkTexts(what, key, value);
  if (counts !== undefined) checkText(what, "counts", counts);
}

/** What is known of a sample before it is read. */
export function infoOf({ id, folder, patches, metadata }: SampleFiles): HestSampleInfo {
  return { id, folder, hasPatches: patches !== undefined, metadata: Object.fromEntries(metadata?.values ?? []) };
}

function noSample(id: string, all: readonly SampleFiles[]): ConfigError {
  const ids = all.map((files) => files.id);
  const near = nearest(id, ids);
  return new ConfigError(`Cannot read sample ${id}: there is none of that id`, {
    hint: near ? `Did you mean ${near}?` : `There are ${ids.slice(0, 10).join(", ")}${ids.length > 10 ? ", …" : ""}`,
    context: { given: id, ...(near && { nearest: near }) },
  });
}

async function readSample({ disk, lenience }: HestSource, files: SampleFiles): Promise<HestSample> {
  const { loadSample } = await import("../data/load_sample.ts");
  const { openPatches } = await import("../io/patches.ts");
  const sample = await loadSample(disk, files, lenience);
  const { patches: { path, rows, size, pixelSize }, count, barcodes, raw, spatial, warnings } = sample;
  const open = () => openPatches(disk.open(path, "read"));
  const image = (data: Uint8Array<ArrayBuffer>): RgbImage => ({ width: size, height: size, data });
  const { matrix } = raw;
  return {
    ...infoOf(files),
    count,
    barcodes,
    genes: raw.genes,
    counts: matrix as SparseCounts,
    coords: spatial.xy,
    pixelSize: pixelSize ?? files.metadata?.number("pixel_size_um_estimated"),
    patchSize: size,
    warnings,
    expression: (genes = raw.genes, layer = "own") => columnsOf(files.id, sample.expression[layer], raw.genes, genes),
    async patch(i) {
      if (!Number.isSafeInteger(i) || i < 0 || i >= count) {
        throw new ConfigError(`Cannot read patch ${i} of ${files.id}: it has ${count}, counted from 0`);
      }
      const patches = await open();
      try {
        return image(patches.read(rows[i]!, rows[i]! + 1));
      } finally {
        patches.close();
      }
    },
    async *images() {
      const patches = await open();
      try {
        for (const row of rows) yield image(patches.read(row, row + 1));
      } finally {
        patches.close();
      }
    },
  };
}

/** Columns of genes as dense numbers; genes that were measured and dropped for small totals are 0. */
function columnsOf(id: string, table: Expression, measured: readonly string[], genes: readonly string[]): Float32Array {
  const place = new Map(table.genes.map((name, column) => [name.toUpperCase(), column]));
  const known = new Set(measured.map((name) => name.toUpperCase()));
  const columns = genes.map((name) => {
    const column = place.get(name.toUpperCase());
    if (column !== undefined || known.has(name.toUpperCase())) return column ?? -1;
    const near = nearest(name.toUpperCase(), [...known]);
    throw new ConfigError(`Cannot read ${name} of ${id}: it has no such gene`, {
      ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
      context: { sample: id, given: name },
    });
  });
  return gatherColumns(table.matrix, columns);
}
