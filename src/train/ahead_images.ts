/**
 * Images that are made while the device works on those before.
 *
 * @module
 */

import type { ViewImages, ViewOf } from "./stem_cache.ts";

/** Most images that are kept: those of a batch and the one behind it, unless they are uncommonly large. */
const MOST = 4096;

/** Images that are made before they are asked for, and kept while they will be asked for again. */
export class AheadImages {
  /** In the order they were begun. */
  readonly #made = new Map<string, { readonly images: Promise<Uint8Array>; readonly count: number }>();

  constructor(readonly images: ViewImages) {}

  /** Begins to make images that {@linkcode AheadImages.take} will be asked for. */
  begin(views: readonly ViewOf[]): void {
    const key = keyOf(views);
    if (!this.#made.has(key)) this.#keep(key, this.images(views), views.length);
  }

  /** Images of views. @param again Whether they will be taken once more. */
  async take(views: readonly ViewOf[], again = false): Promise<Uint8Array> {
    const key = keyOf(views);
    const made = this.#made.get(key)?.images ?? this.images(views);
    if (again) this.#keep(key, made, views.length);
    else this.#made.delete(key);
    return await made;
  }

  #keep(key: string, images: Promise<Uint8Array>, count: number): void {
    // An error waits for who takes it, and for nobody where the run stops before.
    images.catch(() => this.#made.delete(key));
    this.#made.set(key, { images, count });
    // What was begun and is not wanted any more, as where another batch brought the same rows, goes.
    let kept = [...this.#made.values()].reduce((sum, each) => sum + each.count, 0);
    for (const [oldest, each] of this.#made) {
      if (kept <= MOST || oldest === key) break;
      this.#made.delete(oldest);
      kept -= each.count;
    }
  }
}

function keyOf(views: readonly ViewOf[]): string {
  return views.map(({ pair, view }) => `${pair}:${view}`).join();
}
