/**
 * Rows of slides in memory, as many slides as a budget holds: those that come first and fit. Rows of the others are read from their
 * files when they are needed.
 *
 * @module
 */

import type { RowBlock } from "../../data/cohort/pooled.ts";

/** The cache. */
export class RowCache {
  #left: number;
  readonly #slides = new Map<string, Float32Array>();

  /** @param bytes Budget. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Keeps a block of a slide that fits; blocks come in their order. */
  add(slide: string, { rows, from, count, dim }: RowBlock): void {
    const bytes = 4 * count * dim;
    if (from === 0 && bytes <= this.#left) {
      this.#left -= bytes;
      this.#slides.set(slide, new Float32Array(count * dim));
    }
    this.#slides.get(slide)?.set(rows, from * dim);
  }

  /** All rows of a slide; undefined where they are not kept. */
  rows(slide: string): Float32Array | undefined {
    return this.#slides.get(slide);
  }
}
