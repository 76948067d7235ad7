/**
 * A slide's tiles to features in TRIDENT's tree. A slide that was finished is not touched again; one that was begun goes on after
 * its last whole batch and gives the same bytes. Tiles whose pixels are damaged have no row, and are counted.
 *
 * @module
 */

import { differing, type Facts } from "../core/facts.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { checkContent, type Features, openFeatures } from "../io/features.ts";
import type { PlanSettings, SlidePlan } from "../slides/plan.ts";
import type { TileQueue } from "../slides/tile_queue.ts";
import type { CutOptions } from "../slides/tile_reader.ts";
import { tileAttributes } from "../slides/tree.ts";
import { TISSUE } from "../data/image/tissue.ts";
import type { Embedder } from "./embedder.ts";
import type { FeatureTable } from "./formats.ts";
import type { MadeBy } from "./feature_table.ts";
import { type FeatureWriter, removePartial } from "./writer.ts";

/** How slides are embedded. */
export interface SlideSettings extends PlanSettings, CutOptions {
  /** A row a chunk, as TRIDENT stores them. */
  readonly strict: boolean;
}

/** Files given for a slide, by their checksums. */
export interface GivenHashes {
  readonly input: string;
  readonly tissue?: string | undefined;
  readonly regions?: string | undefined;
  /** µm a pixel that the user gives. */
  readonly mpp?: number | undefined;
}

/**
 * What decides a slide's features, known before the slide is opened. It stands in the features and is compared with what a
 * command asks for.
 *
 * @param licence Of the encoder's weights.
 */
export function slideFacts(
  name: string,
  by: MadeBy,
  licence: string,
  settings: SlideSettings,
  given: GivenHashes,
): Readonly<Record<string, string | number>> {
  const { kind, choice, tissue, everywhere = false, classes, edge, badTiles } = settings;
  return {
    encoder: by.encoder,
    licence,
    weights_sha256: by.weightsHash,
    adapter: by.adapter ?? "none",
    adapter_sha256: by.adapterHash ?? "none",
    pooling: by.pooling,
    precision: by.precision,
    tuning: by.tuning ?? "none",
    matrix_units: by.matrix ?? "none",
    input_size: by.inputSize,
    preparation: by.preparation,
    input: name,
    input_sha256: given.input,
    grid: JSON.stringify(kind),
    tiles_by: JSON.stringify({ atEdge: true, ...choice, edge, badTiles }),
    tissue_by: given.tissue ?? (everywhere ? "none" : JSON.stringify({ ...TISSUE, ...tissue })),
    regions: given.regions ?? "none",
    classes: classes?.join(", ") ?? "all",
    mpp_given: given.mpp ?? "none",
  };
}

/** The table of a slide's features. */
export function slideTable(
  plan: SlidePlan,
  by: MadeBy,
  facts: Readonly<Record<string, string | number>>,
  folder: string,
  strict: boolean,
): FeatureTable {
  const { extent, grid, scale, tiles } = plan;
  return {
    count: tiles.count,
    dim: by.dim,
    coords: tiles.coords,
    attributes: {
      name: extent.name,
      savetodir: folder,
      ...facts,
      assumed: by.assumed.join("; ") || "nothing",
      patch_size: grid.patch,
      software: by.software,
      tiles: tiles.count,
      damaged_tiles: 0,
    },
    coordsAttributes: tileAttributes(extent, grid, scale, folder),
    trident: { strict },
  };
}

/** How a slide's features are: there and what is asked for, not there, or of something else and why. */
export type Verdict =
  | { readonly verdict: "complete"; readonly tiles: number; readonly damaged: number }
  | { readonly verdict: "missing" }
  | { readonly verdict: "stale"; readonly why: string };

/**
 * Judges a feature file by itself: its rows, width, numbers, and what it says it was made from.
 *
 * @param facts From {@linkcode slideFacts}; without them only what the file says of itself is checked.
 */
export async function judgeFeatures(
  disk: Pick<Disk, "look" | "open">,
  path: string,
  facts: Facts,
  dim: number,
): Promise<Verdict> {
  if (disk.look(path)?.kind !== "file") return { verdict: "missing" };
  let features: Features | undefined;
  try {
    features = await openFeatures(disk.open(path, "read"));
    const said = features.facts();
    const other = differing({ ...said, dim: features.dim }, { ...facts, dim });
    if (other !== "") return { verdict: "stale", why: other };
    await checkContent(features);
    const [tiles, damaged] = [Number(said["tiles"]), Number(said["damaged_tiles"])];
    if (tiles - damaged !== features.count || features.coords?.length !== 2 * features.count) {
      const found = `${features.count} rows of ${tiles} tiles, ${damaged} of them damaged`;
      return { verdict: "stale", why: found };
    }
    return await areFinite(features)
      ? { verdict: "complete", tiles: features.count, damaged }
      : { verdict: "stale", why: "numbers that are not finite" };
  } catch (error) {
    return { verdict: "stale", why: (error as Error).message };
  } finally {
    features?.close();
  }
}

/** Numbers looked at at once. */
const BLOCK = 1 << 22;

async function areFinite(features: Features): Promise<boolean> {
  const step = Math.max(1, Math.floor(BLOCK / features.dim));
  for (let from = 0; from < features.count; from += step) {
    const rows = await features.read(from, Math.min(features.count, from + step));
    if (!rows.every(Number.isFinite)) return false;
  }
  return true;
}

/** Options of {@linkcode embedTiles}. */
export interface EmbedTilesOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What embeds tiles. */
export type TileEmbedder = Pick<Embedder, "batchSize" | "full" | "waiting" | "submit" | "flush">;

/** Rows between two writes: what a crash may cost. */
const FLUSH = 512;

/** Where the indices of left-out tiles are kept while a slide is being embedded. */
function skippedPath(path: string): string {
  return `${path}.partial.skipped.json`;
}

/** Removes what was kept to resume a slide that is finished: a run may have been killed before it could. */
export function removeSlidePartial(disk: Disk, path: string): void {
  removePartial(disk, path);
  disk.remove(skippedPath(path));
}

/** Tiles that a run before this one left out, among its rows. */
function skippedBefore(disk: Disk, { path, rows }: FeatureWriter): number[] {
  if (disk.look(skippedPath(path))?.kind !== "file") return [];
  const tiles = JSON.parse(new TextDecoder().decode(readBytes(disk, skippedPath(path)))) as number[];
  return tiles.filter((tile) => tile < rows);
}

/**
 * Embeds the tiles that the writer does not have yet, and makes the output.
 *
 * @param open Opens the tiles from this one on.
 * @returns Numbers of the tiles that were left out, or undefined if the signal stopped it; what was made is kept.
 * @throws {NumericsError} If an embedding is not finite.
 */
export async function embedTiles(
  disk: Disk,
  embedder: TileEmbedder,
  writer: FeatureWriter,
  total: number,
  patch: number,
  dim: number,
  open: (from: number) => Promise<{ readonly queue: TileQueue; close(): void }>,
  { onProgress, signal }: EmbedTilesOptions = {},
): Promise<number[] | undefined> {
  const first = writer.rows;
  const skipped = skippedBefore(disk, writer);
  // Numbers of the tiles whose features wait on the device.
  let waiting: number[] = [];
  const flush = async (upTo: number, left: readonly number[]): Promise<void> => {
    const rows = embedder.waiting > 0 ? await embedder.flush() : new Float32Array(0);
    const from = writer.rows;
    const all = new Float32Array((upTo - from) * dim);
    waiting.forEach((tile, i) => all.set(rows.subarray(i * dim, (i + 1) * dim), (tile - from) * dim));
    waiting = [];
    const fresh = left.filter((tile) => tile >= from && tile < upTo);
    if (fresh.length > 0) {
      skipped.push(...fresh);
      // Before the rows: what they stand for is known whenever they are there.
      disk.write(skippedPath(writer.path), JSON.stringify(skipped));
    }
    writer.append(all);
  };
  if (first < total) {
    const tiles = await open(first);
    const left = () => tiles.queue.tally.skipped.map((tile) => first + tile);
    try {
      for await (const batch of tiles.queue.batches()) {
        if (signal?.aborted) break;
        if (embedder.full) await flush((waiting.at(-1) ?? writer.rows - 1) + 1, left());
        await embedder.submit(batch.data, patch, patch);
        for (const tile of batch.tiles) waiting.push(first + tile);
        if (waiting.length >= FLUSH) await flush(waiting.at(-1)! + 1, left());
        onProgress?.(first + batch.tiles.at(-1)! + 1, total);
      }
      const done = !signal?.aborted;
      const upTo = done ? total : (waiting.at(-1) ?? writer.rows - 1) + 1;
      if (upTo > writer.rows) await flush(upTo, left());
      if (!done) return undefined;
    } finally {
      tiles.close();
    }
  }
  await writer.finish({ rows: skipped, attributes: { damaged_tiles: skipped.length } });
  disk.remove(skippedPath(writer.path));
  return skipped;
}
