/**
 * Expression predicted from images: of the patches of a HEST patch file, or over a slide in a regular grid.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { places, toCentre } from "../data/coordinates.ts";
import type { ReadDisk } from "../data/data_folder.ts";
import { writtenGenes } from "../data/genes/vocabulary.ts";
import { shrink } from "../data/hest_sample.ts";
import type { Slide } from "../data/image/slide.ts";
import { openAnndata } from "../io/anndata.ts";
import { openPatches, type Patches } from "../io/patches.ts";
import { cornerOf, tileId } from "../slides/grid.ts";
import type { SlidePlan } from "../slides/plan.ts";
import type { TileQueue } from "../slides/tile_queue.ts";
import { expectRows, organsOf, type PassOptions, type TrainedModel } from "./inference.ts";
import type { Prediction } from "./prediction.ts";

/** Long edge of the small image that goes into the file. */
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
    values.set(expressionOf(expression, to - from, genes), from * genes);
    onRows?.(to, count);
  }
  return values;
}

/** Rows of expression, which a model without an image decoder has not. */
function expressionOf(expression: Float32Array, rows: number, genes: number): Float32Array {
  if (rows > 0 && expression.length === 0) {
    throw new DataError("Cannot predict expression: the model has no image decoder", {
      code: "no-decoder",
      hint: "Train with lambda_recon_img above 0",
    });
  }
  return expectRows(expression, rows, genes);
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
  const file = await openAnndata(disk, path, ["obs", "var", "obsm"]);
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

/** A slide's prediction, and what became of its tiles. */
export interface SlidePrediction extends Prediction {
  /** Numbers of the plan's tiles that were left out, as their pixels are damaged. */
  readonly damaged: readonly number[];
}

/**
 * Predicts expression for the tiles of a slide's plan, which are those that `embed` would take. Tiles are named by their place in
 * the grid, `x12y34`, and `obs/array_row` and `obs/array_col` have it too; `obs/tissue` is the share of tissue.
 *
 * @param queue The plan's tiles.
 */
export async function predictSlide(
  model: TrainedModel,
  slide: Slide,
  { extent, grid, scale, tiles, facts }: SlidePlan,
  queue: Pick<TileQueue, "batches" | "tally">,
  options: PassOptions = {},
): Promise<SlidePrediction> {
  const { signal, onRows } = options;
  const genes = model.vocabulary.genes.length;
  const kept: number[] = [];
  const all = new Float32Array(tiles.count * genes);
  for await (const batch of queue.batches(signal)) {
    const count = batch.tiles.length;
    const { expression } = await model.images(batch.data, grid.patch, organsOf(options, kept.length, count));
    all.set(expressionOf(expression, count, genes), kept.length * genes);
    kept.push(...batch.tiles);
    onRows?.(batch.tiles.at(-1)! + 1, tiles.count);
  }
  const cells = kept.map((tile) => tiles.cells[tile]!);
  return {
    barcodes: cells.map((cell) => tileId(grid, cell)),
    genes: writtenGenes(model.vocabulary),
    values: all.subarray(0, kept.length * genes),
    unit: unitOf(model),
    spatial: Float64Array.from(cells.flatMap((cell) => cornerOf(grid, cell).map((corner) => corner + grid.side / 2))),
    obs: {
      array_row: Int32Array.from(cells, (cell) => Math.floor(cell / grid.columns)),
      array_col: Int32Array.from(cells, (cell) => cell % grid.columns),
      tissue: Float32Array.from(kept, (tile) => tiles.tissue[tile]!),
    },
    statistics: model.vocabulary,
    thumbnail: await shrink(slide, THUMBNAIL),
    spotDiameter: grid.step,
    origin: {
      grid_um: grid.step * extent.um,
      patch_um: grid.side * extent.um,
      pixel_size_um: extent.um,
      pixel_size_by: scale.source,
      damaged_tiles: queue.tally.skipped.length,
      slide: JSON.stringify(facts),
    },
    damaged: queue.tally.skipped,
  };
}
