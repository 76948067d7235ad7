/**
 * Tensors of views of patches: the bytes that the host makes, ahead of time, and what the device does to them.
 *
 * @module
 */

import type { Changes } from "../data/image/augment.ts";
import { changesRows } from "./changes_row.ts";
import type { Plan } from "../graph/plan.ts";
import type { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { augment, CHANGE_WORDS, type Reach } from "../ops/augment.ts";
import { AheadImages } from "./ahead_images.ts";
import type { ViewImages, ViewOf } from "./stem_cache.ts";

/** What the device does to patches, which the host then only reads. */
export interface ViewChanges {
  /** What any of them may ask for. */
  readonly reach: Reach;
  /** What is done to a view's patch. */
  of(view: ViewOf): Changes;
}

/** Where views come from, and how they reach a plan. */
export class ViewTiles {
  readonly #images: AheadImages;

  /**
   * @param images The bytes: of the views as they are to be seen or, with `changes`, of the patches as they are.
   * @param tile Side of a patch, px.
   */
  constructor(images: ViewImages, readonly tile: number, readonly changes: ViewChanges | undefined) {
    this.#images = new AheadImages(images);
  }

  /** Adds the tensors that {@linkcode ViewTiles.load} fills, for `count` views. */
  tensors(store: Store, count: number): Tensor[] {
    const { tile } = this;
    const tiles = store.tensor("tiles", "tiles", [count, tile, tile, 3], "u8");
    return this.changes ? [tiles, store.tensor("tiles", "changes", [count, CHANGE_WORDS], "u32")] : [tiles];
  }

  /** Appends what is done to the patches. @returns RGB bytes `[count, S, S, 3]`. */
  record(g: Plan, [tiles, changes]: readonly Tensor[]): Tensor {
    return this.changes ? augment(g, tiles!, changes!, this.changes.reach) : tiles!;
  }

  /** Begins to make the bytes of views that will be loaded. */
  begin(views: readonly ViewOf[]): void {
    this.#images.begin(views);
  }

  /** Fills the tensors; what is behind the last view is of no meaning. @param again Whether the views will be loaded once more. */
  async load(
    store: Store,
    [tiles, changes]: readonly Tensor[],
    views: readonly ViewOf[],
    again = false,
  ): Promise<void> {
    const pixels = await this.#images.take(views, again);
    const whole = pixels.length === tiles!.size ? pixels : new Uint8Array(tiles!.size);
    if (whole !== pixels) whole.set(pixels);
    store.write(tiles!, whole);
    if (!this.changes) return;
    const rows = new Uint32Array(changes!.size);
    rows.set(changesRows(this.tile, views.map((view) => this.changes!.of(view))));
    store.write(changes!, rows);
  }
}
