/**
 * Expression predicted from images: of the patches of a HEST patch file, or over a slide in a regular grid.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { places, toCentre } from "../data/coordinates.ts";
import type { ReadDisk } from "../data/data_folder.ts";
import { type GridWindow, gridWindows } from "../data/image/grid.ts";
import { cutPatches, shrink } from "../data/hest_sample.ts";
import type { Slide } from "../data/image/slide.ts";
import { coverage } from "../data/image/mask.ts";
import { slideTissue } from "../data/image/tissue.ts";
import { writtenGenes } from "../data/genes/vocabulary.ts";
import { PATCH_PIXEL_SIZE } from "../data/image/windows.ts";
import { H5ad } from "../io/hdf5/h5ad.ts";
import { openPatches, type Patches } from "../io/patches.ts";
import { expectRows, organsOf, type PassOptions, type TrainedModel } from "./inference.ts";
import type { Prediction } from "./prediction.ts";

/** Long edge of the small picture tissue is found on, and that goes into the file. */
const THUMBNAIL = 1024;

/** Files of one sample. */
export interface PredictFiles {
  readonly patches: string;
  /** `.h5ad` of the sample, for exact centres and places on the array; patch files have whole pixels only. */
  readonly expression?: string | undefined;
}

/**
 * Predicts the expression of all patches of a file, in its order.
 *
 * @throws {DataError} If the model has no image decoder, or the file no barcodes.
 * @throws {FormatError} If a file is damaged.
 */
export async function predictPatches(
  model: TrainedModel,
  disk: ReadDisk,
  files: PredictFiles,
  options: PassOptions = {},
): Promise<Prediction> {
  const patches = await openPatches(disk.open(files.patches, "read"));
  try {
    const { barcodes, count, width, height } = patches;
    if (barcodes === undefined || width !== height) {
      const found = barcodes === undefined ? "no barcodes" : `patches of ${width} x ${height} pixels`;
      throw new DataError(`Cannot predict for ${files.patches}: ${found}, squares with a barcode each wanted`, {
        context: { file: files.patches },
      });
    }
    const values = await pass(model, count, width, (from, to) => Promise.resolve(patches.read(from, to)), options);
    const known = files.expression === undefined ? {} : await placesOf(disk, files.expression, barcodes);
    const spatial = known.spatial ?? centresOf(patches);
    return {
      barcodes,
      genes: writtenGenes(model.vocabulary),
      values,
      unit: unitOf(model),
      ...(spatial ? { spatial } : {}),
      ...(known.obs ? { obs: known.obs } : {}),
      statistics: model.vocabulary,
    };
  } finally {
    patches.close();
  }
}

/** Unit of what the model predicts: that of what it was trained on. */
function unitOf({ vocabulary }: TrainedModel): string {
  return vocabulary.origin.geneNorm === "none" ? "counts" : "ln(1 + counts per 10,000)";
}

/** Passes `count` patches through the model in batches. */
async function pass(
  model: TrainedModel,
  count: number,
  side: number,
  read: (from: number, to: number) => Promise<Uint8Array>,
  options: PassOptions,
): Promise<Float32Array> {
  const { batchSize = 64, signal, onRows } = options;
  const genes = model.vocabulary.genes.length;
  const values = new Float32Array(count * genes);
  for (let from = 0; from < count; from += batchSize) {
    signal?.throwIfAborted();
    const to = Math.min(count, from + batchSize);
    const { expression } = await model.images(await read(from, to), side, organsOf(options, from, to - from));
    if (expression.length === 0) {
      throw new DataError("Cannot predict expression: the model has no image decoder", {
        code: "no-decoder",
        hint: "Train with lambda_recon_img above 0",
      });
    }
    values.set(expectRows(expression, to - from, genes), from * genes);
    onRows?.(to, count);
  }
  return values;
}

/** Centres by the patch file; undefined where it does not say what its coordinates are. */
function centresOf({ coords, coordsOf, sizeOnSlide, name }: Patches): Float64Array | undefined {
  if (coords === undefined || coordsOf === "unknown") return undefined;
  if (coordsOf === "top-left" && sizeOnSlide === undefined) return undefined;
  return toCentre(places(coords, coordsOf, name), sizeOnSlide ?? 0).xy;
}

/** Centres and places on the array by the sample's table, where it has all of the barcodes. */
async function placesOf(
  disk: ReadDisk,
  path: string,
  barcodes: readonly string[],
): Promise<Pick<Prediction, "spatial" | "obs">> {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const row = new Map(file.obs.index.map((name, i) => [name, i]));
    const rows = barcodes.map((name) => row.get(name) ?? -1);
    if (rows.includes(-1)) return {};
    const xy = file.obsm.includes("spatial") ? file.spatial() : undefined;
    const columns = ["array_row", "array_col"].flatMap((name) => {
      const all = file.obs.columns.includes(name) ? file.obs.numbers(name) : undefined;
      const own = all && rows.map((i) => all[i]!);
      return own?.every((value) => Number.isInteger(value)) ? [[name, Int32Array.from(own)] as const] : [];
    });
    return {
      ...(xy
        ? { spatial: Float64Array.from({ length: 2 * rows.length }, (_, k) => xy[2 * rows[k >> 1]! + (k & 1)]!) }
        : {}),
      ...(columns.length ? { obs: Object.fromEntries(columns) } : {}),
    };
  } finally {
    file.close();
  }
}

/** How a slide is covered. */
export interface GridOptions {
  /** µm a pixel of the slide's largest level. */
  readonly pixelSize: number;
  /** µm between centres. */
  readonly step: number;
  /** Side of a patch in pixels of 0.5 µm; default 224, which are 112 µm. */
  readonly size?: number;
  /** Also where there is no tissue. */
  readonly everywhere?: boolean;
}

/**
 * Predicts expression in a regular grid over the tissue of a slide. Cells are named by their place, `x12y34`, and
 * `obs/array_row` and `obs/array_col` have it too.
 *
 * @throws {DataError} If no window lies on tissue.
 * @throws {ConfigError} If the grid is too dense.
 */
export async function predictSlide(
  model: TrainedModel,
  slide: Slide,
  grid: GridOptions,
  options: PassOptions = {},
): Promise<Prediction> {
  const { pixelSize, step, size = 224 } = grid;
  const { width, height } = slide.levels[0]!;
  const thumbnail = await shrink(slide, THUMBNAIL);
  const tissue = grid.everywhere ? undefined : await slideTissue(slide, pixelSize);
  const windows = gridWindows(
    { width, height, pixelSize },
    step,
    size,
    tissue === undefined ? () => 1 : coverage(tissue, tissue.scale),
  );
  if (windows.length === 0) {
    throw new DataError(
      `Cannot predict over ${slide.name}: no window of ${size * PATCH_PIXEL_SIZE} µm lies on tissue within ` +
        `${width} x ${height} pixels of ${pixelSize} µm`,
      {
        code: "no-tissue",
        hint: grid.everywhere ? "Check the pixel size" : "Check the pixel size, or cover the slide with --everywhere",
        context: { file: slide.name, pixelSize },
      },
    );
  }
  const values = await pass(model, windows.length, size, async (from, to) => {
    const each = size * size * 3;
    const data = new Uint8Array((to - from) * each);
    await cutPatches(slide, pixelSize, windows.slice(from, to), "current", size, (i, rgb) => data.set(rgb, i * each));
    return data;
  }, options);
  const of = (value: (window: GridWindow) => number) => Int32Array.from(windows, value);
  return {
    barcodes: windows.map(({ column, row }) => `x${column}y${row}`),
    genes: writtenGenes(model.vocabulary),
    values,
    unit: unitOf(model),
    spatial: Float64Array.from(windows.flatMap(({ centreX, centreY }) => [centreX, centreY])),
    obs: { array_row: of(({ row }) => row), array_col: of(({ column }) => column) },
    statistics: model.vocabulary,
    thumbnail,
    spotDiameter: step / pixelSize,
    origin: { grid_um: step, patch_um: size * PATCH_PIXEL_SIZE, pixel_size_um: pixelSize },
  };
}
