/**
 * Rows of slides in memory, as long as all of them take no more than a budget; none beyond it.
 *
 * @module
 */

import type { RowBlock } from "../../data/cohort/pooled.ts";
import type { Bag } from "./bags.ts";

/** The cache. */
export class RowCache {
  #left: number;
  readonly #slides = new Map<string, Float32Array>();

  /** @param bytes Budget. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Keeps a block of a slide; blocks come in their order. */
  add(slide: string, { rows, from, count, dim }: RowBlock): void {
    if (from === 0) {
      this.#left -= 4 * count * dim;
      if (this.#left < 0) this.#slides.clear();
      else this.#slides.set(slide, new Float32Array(count * dim));
    }
    this.#slides.get(slide)?.set(rows, from * dim);
  }

  /** Rows of a bag by their numbers, ascending: `[rows, dim]`; undefined where they are not kept. */
  rows({ files }: Bag, wanted: Uint32Array, dim: number): Float32Array | undefined {
    if (this.#left < 0) return undefined;
    const out = new Float32Array(wanted.length * dim);
    let [at, begun] = [0, 0];
    for (const { slide, rows } of files) {
      const all = this.#slides.get(slide);
      if (all === undefined) return undefined;
      for (; at < wanted.length && wanted[at]! < begun + rows; at++) {
        const row = wanted[at]! - begun;
        out.set(all.subarray(row * dim, (row + 1) * dim), at * dim);
      }
      begun += rows;
    }
    return out;
  }
}
