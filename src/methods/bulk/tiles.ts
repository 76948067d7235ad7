/**
 * Where tiles come from and what embeds them: stored features that an arm changes, or patches through the encoder that is
 * trained. What follows, bags and objectives, knows neither.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { RowModel } from "../../train/row_model.ts";
import { type RowInput, vectorInput } from "../../train/row_input.ts";
import type { ViewOf } from "../../train/stem_cache.ts";
import type { BulkSlide } from "./data.ts";
import type { BulkArm } from "./model.ts";

/** A tile as training sees it: its features, or a view of its patch. */
export type TileRow = Float32Array | ViewOf;

/** Some tiles of a slide, by number. */
export interface SlideTiles {
  readonly slide: BulkSlide;
  readonly tiles: ArrayLike<number>;
}

/** Tiles of all slides, and what embeds them. */
export interface Tiles {
  /** Width of an embedding. */
  readonly dim: number;
  /** Most tiles of a slide that are looked at beside training. */
  readonly most: number;
  /** What embeds tiles in a step of an arm. */
  input(arm: BulkArm): RowInput<TileRow>;
  /** A tile as training sees it in an epoch. */
  row(slide: BulkSlide, tile: number, epoch: number): TileRow;
  /** Embeddings before training, `[tiles of all, dim]`. */
  given(of: readonly SlideTiles[]): Promise<Float32Array>;
  /** Embeddings as they are now. */
  now(arm: BulkArm, of: readonly SlideTiles[]): Promise<Float32Array>;
  /** Keeps the embeddings before training where they would be lost. */
  before(): Promise<void>;
  close(): void;
}

/** Rows of a block of inference. */
const BLOCK = 1024;

/** Tile features through the change of an arm. */
export function tileModel(gpu: Gpu, arm: Pick<BulkArm, "tiles">, dim: number): Promise<RowModel> {
  return RowModel.compile(gpu, { dim, block: BLOCK }, arm.tiles);
}

/** Rows one after another. */
export function stacked(rows: readonly Float32Array[], dim: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => out.set(row, i * dim));
  return out;
}

/** Stored features, changed by each arm as its module does. */
export async function storedTiles(
  gpu: Gpu,
  { arms, dim, features }: {
    readonly arms: readonly BulkArm[];
    readonly dim: number;
    /** Features of a slide, `[count, dim]`. */
    readonly features: (slide: BulkSlide) => Float32Array;
  },
): Promise<Tiles> {
  const models = new Map<BulkArm, RowModel>();
  for (const arm of arms) models.set(arm, await tileModel(gpu, arm, dim));
  const one = (slide: BulkSlide, tile: number) => features(slide).subarray(tile * dim, (tile + 1) * dim);
  const given = (of: readonly SlideTiles[]) =>
    Promise.resolve(stacked(of.flatMap(({ slide, tiles }) => Array.from(tiles, (tile) => one(slide, tile))), dim));
  return {
    dim,
    most: Infinity,
    input: (arm) => vectorInput(dim, (g, x: Tensor) => arm.tiles(g, x)),
    row: one,
    given,
    now: async (arm, of) => await models.get(arm)!.run(await given(of)),
    before: () => Promise.resolve(),
    close() {
      for (const model of models.values()) model.destroy();
    },
  };
}
