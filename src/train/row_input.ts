/**
 * Where the rows of a step come from: cached features of an encoder's frozen part, or pixels. A row is one image; methods
 * add inputs of their own.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Encoder, EncoderCut } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import { type StemCache, stemInputs, type ViewImages, type ViewOf } from "./stem_cache.ts";
import { type ViewChanges, ViewTiles } from "./view_tiles.ts";

/** How rows are embedded. */
export interface RowForward {
  /** Dropout of low-rank branches. */
  readonly training: boolean;
  /** Keep nothing of these blocks but their input. */
  readonly recompute?: readonly boolean[];
}

/** The rows of a plan: their tensors, what embeds them, and what fills them. */
export interface RowInput<Row = ViewOf> {
  /** Adds the tensors that {@linkcode RowInput.load} fills, for `count` rows. */
  tensors(store: Store, count: number): Tensor[];
  /** Appends what embeds the rows: `[count, D]`. */
  record(g: Plan, tensors: readonly Tensor[], options: RowForward): Tensor;
  /** Told all rows of a batch before its parts are loaded, so that what is missing is computed together. */
  prepare?(rows: readonly Row[]): Promise<void>;
  /** Told rows that will be loaded soon, in the order and number in which they will be: what the host makes begins now. */
  ahead?(rows: readonly Row[]): void;
  /**
   * Fills the tensors; those behind the last row keep what they have.
   *
   * @param again Whether the same rows will be loaded once more.
   */
  load(store: Store, tensors: readonly Tensor[], rows: readonly Row[], again?: boolean): Promise<void>;
}

/** Vectors, `[dim]` each, zeros behind the last. @param embed Appends what embeds them. */
export function vectorInput(
  dim: number,
  embed: (g: Plan, x: Tensor, options: RowForward) => Tensor,
): RowInput<Float32Array> {
  return {
    tensors: (store, count) => [store.tensor("vectors", "vectors", [count, dim])],
    record: (g, [x], options) => embed(g, x!, options),
    load(store, [x], rows) {
      const all = new Float32Array(x!.size);
      rows.forEach((row, i) => all.set(row, i * dim));
      store.write(x!, all);
      return Promise.resolve();
    },
  };
}

/** The rest of the encoder behind its cached part. */
export function cachedInput(encoder: Encoder, cut: EncoderCut, stemCache: StemCache, dtype: "f32" | "f16"): RowInput {
  return {
    tensors: (store, count) => stemInputs(store, encoder, { cut, dtype }, count),
    record: (g, tensors, options) => encoder.finish(g, tensors, cut, options),
    ahead: (views) => stemCache.ahead(views),
    prepare: (views) => stemCache.ensure(views),
    load: (_, tensors, views) => stemCache.load(views, tensors),
  };
}

/**
 * The whole encoder, from pixels each time.
 *
 * @param images The views as they are to be seen or, with `changes`, the patches as they are.
 * @param tile Side of a patch, px.
 * @param changes What the device does to the patches.
 */
export function pixelInput(encoder: Encoder, images: ViewImages, tile: number, changes?: ViewChanges): RowInput {
  const views = new ViewTiles(images, tile, changes);
  return {
    tensors: (store, count) => views.tensors(store, count),
    record(g, tensors, options) {
      const tiles = views.record(g, tensors);
      return encoder.forward(g, preprocess(g, tiles, encoder.spec.input), options).embedding;
    },
    ahead: (of) => views.begin(of),
    load: (store, tensors, of, again) => views.load(store, tensors, of, again),
  };
}
