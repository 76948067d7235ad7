/**
 * The frozen part of an encoder, computed once for each (patch, view) and kept: training then runs what follows the cut.
 *
 * Row `view * pairs + pair` of the store belongs to view `view` of pair `pair`. What is missing is computed when it is first
 * asked for, in batches of one size, so that a row does not depend on what was computed with it.
 *
 * @module
 */

import { encode } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Store, upload } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Encoder, EncoderCut } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import { clamp } from "../ops/activation.ts";
import { OverflowWatch } from "../nn/overflow.ts";
import { cast } from "../ops/cast.ts";
import type { StemStore } from "./stem_store.ts";
import { type ViewChanges, ViewTiles } from "./view_tiles.ts";

/** A patch and the view of it, by number. */
export interface ViewOf {
  /** Index of the pair. */
  readonly pair: number;
  /** Which of its views; 0 is the patch as it is. */
  readonly view: number;
}

/** RGB bytes `[n, S, S, 3]` of views of patches, or of the patches, where the device makes the views of them. */
export type ViewImages = (views: readonly ViewOf[]) => Promise<Uint8Array>;

/** How a stem cache runs. */
export interface StemCacheOptions {
  readonly cut: EncoderCut;
  readonly store: StemStore;
  /** Type of the store's elements. */
  readonly dtype: "f32" | "f16";
  /** Pairs. */
  readonly pairs: number;
  /** Side of a patch as the images have it, px. */
  readonly tile: number;
  readonly images: ViewImages;
  /** What the device does to the patches that `images` then gives as they are. */
  readonly changes?: ViewChanges | undefined;
  /** Images computed at a time. */
  readonly batch: number;
}

/** Largest f16. */
const HALF_MAX = 65504;

/**
 * Appends what the store keeps. Features beyond the range of f16 are kept as its ends, NaN as NaN; a device without f16 arithmetic
 * leaves f32 for the host to round.
 */
export function keptPieces(g: Plan, pieces: readonly Tensor[], dtype: "f32" | "f16"): Tensor[] {
  return g.withoutTape(() =>
    pieces.map((x) => {
      if (x.dtype === dtype) return x;
      const within = dtype === "f16" ? clamp(g, x, -HALF_MAX, HALF_MAX) : x;
      return dtype === "f16" && !g.gpu.caps.f16 ? within : cast(g, within, dtype);
    })
  );
}

/** Computes and serves rows. */
export class StemCache {
  readonly #gpu: Gpu;
  readonly #options: StemCacheOptions;
  readonly #inputs: Store;
  readonly #tiles: readonly Tensor[];
  readonly #pieces: readonly Tensor[];
  /** Where pieces go that must be rounded to f16 by the host. */
  readonly #rounded: readonly Tensor[] | undefined;
  readonly #program: Program;
  readonly #images: ViewTiles;
  readonly #overflow: OverflowWatch;
  /** Rows computed by this object. */
  computed = 0;

  private constructor(
    gpu: Gpu,
    options: StemCacheOptions,
    parts: {
      images: ViewTiles;
      inputs: Store;
      tiles: readonly Tensor[];
      pieces: readonly Tensor[];
      rounded: readonly Tensor[] | undefined;
      overflow: OverflowWatch;
    },
    program: Program,
  ) {
    this.#gpu = gpu;
    this.#options = options;
    this.#images = parts.images;
    this.#inputs = parts.inputs;
    this.#tiles = parts.tiles;
    this.#pieces = parts.pieces;
    this.#rounded = parts.rounded;
    this.#overflow = parts.overflow;
    this.#program = program;
  }

  /** Compiles the frozen part. @throws {LimitError} If its plan does not fit the device. */
  static async create(gpu: Gpu, encoder: Encoder, options: StemCacheOptions): Promise<StemCache> {
    const { cut, batch, tile, dtype } = options;
    const inputs = new Store(gpu);
    const images = new ViewTiles(options.images, tile, options.changes);
    const tiles = images.tensors(inputs, batch);
    const byHost = dtype === "f16" && !gpu.caps.f16;
    const g = new Plan(gpu);
    const overflow = g.overflow = new OverflowWatch(gpu);
    const seen = preprocess(g, images.record(g, tiles), encoder.spec.input);
    const pieces = keptPieces(g, encoder.stem(g, seen, cut), dtype);
    g.output(...pieces);
    const rounded = byHost ? pieces.map((x, i) => inputs.tensor("rounded", `rounded ${i}`, x.shape, "f16")) : undefined;
    inputs.allocate();
    return new StemCache(gpu, options, { images, inputs, tiles, pieces, rounded, overflow }, await g.compile());
  }

  /** Row of a view. */
  row({ pair, view }: ViewOf): number {
    return view * this.#options.pairs + pair;
  }

  /** Views that are not in the store, each once, in pieces that are computed together. */
  #missing(views: readonly ViewOf[]): ViewOf[][] {
    const { store, batch } = this.#options;
    const seen = new Set<number>();
    const missing = views.filter((view) => {
      const row = this.row(view);
      if (store.has(row) || seen.has(row)) return false;
      seen.add(row);
      return true;
    });
    return Array.from(
      { length: Math.ceil(missing.length / batch) },
      (_, i) => missing.slice(i * batch, (i + 1) * batch),
    );
  }

  /** Begins to make the images of what is missing of views that will be asked for. */
  ahead(views: readonly ViewOf[]): void {
    for (const some of this.#missing(views)) this.#images.begin(some);
  }

  /** Computes what is missing. @param onProgress Told how many of how many missing ones are there. */
  async ensure(views: readonly ViewOf[], onProgress?: (done: number, total: number) => void): Promise<void> {
    const { store } = this.#options;
    const pieces = this.#missing(views);
    const total = pieces.reduce((sum, some) => sum + some.length, 0);
    let done = 0;
    for (const [i, some] of pieces.entries()) {
      this.#images.begin(some);
      if (i + 1 < pieces.length) this.#images.begin(pieces[i + 1]!);
      await this.#images.load(this.#inputs, this.#tiles, some);
      this.#program.run();
      await this.#overflow.check("compute the frozen blocks");
      await store.put(some.map((view) => this.row(view)), await this.#stored());
      this.computed += some.length;
      onProgress?.(done += some.length, total);
    }
  }

  /** The pieces in the type of the store. */
  async #stored(): Promise<readonly Tensor[]> {
    if (!this.#rounded) return this.#pieces;
    const values = await readback(this.#gpu, ...this.#pieces);
    values.forEach((value, i) => upload(this.#gpu, this.#rounded![i]!, encode(value, "f16")));
    return this.#rounded;
  }

  /** Puts rows into the pieces `[B, ...shape]`, which {@linkcode stemInputs} made; computes what is missing or damaged. */
  async load(views: readonly ViewOf[], pieces: readonly Tensor[]): Promise<void> {
    const rows = views.map((view) => this.row(view));
    await this.ensure(views);
    while (this.#options.store.load(rows, pieces).length > 0) await this.ensure(views);
  }

  /** Frees the plan; the store stays. */
  destroy(): void {
    this.#program.destroy();
    this.#inputs.destroy();
    this.#overflow.destroy();
  }
}

/** Tensors that rows of a batch are loaded into. */
export function stemInputs(
  store: Store,
  encoder: Encoder,
  { cut, dtype }: Pick<StemCacheOptions, "cut" | "dtype">,
  batch: number,
): Tensor[] {
  return encoder.cutShapes(cut).map((shape, i) => store.tensor("stem", `stem ${i}`, [batch, ...shape], dtype));
}
