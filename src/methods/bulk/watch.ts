/**
 * The smooth rank of features of validation patients, which falls where they collapse.
 *
 * @module
 */

import { NumericsError } from "../../core/errors.ts";
import { smoothRank } from "../../eval/smooth_rank.ts";
import { probeTiles } from "./data.ts";
import type { BulkArm } from "./model.ts";
import type { BulkSession } from "./session.ts";

/** Tiles that it is measured on, at most. */
const RANK_TILES = 2048;

/** Watches an arm. */
export class RankWatch {
  readonly #session: BulkSession;
  readonly #arm: BulkArm;
  #base: number | undefined;

  constructor(session: BulkSession, arm: BulkArm) {
    this.#session = session;
    this.#arm = arm;
  }

  /** The rank of the features before training, or as they are now. */
  async #rank(when: "given" | "now"): Promise<number | undefined> {
    const { tiles, data } = this.#session;
    const bags = data.slides.filter(({ part }) => part === "val");
    if (bags.length === 0) return undefined;
    const each = Math.max(1, Math.floor(RANK_TILES / bags.length));
    const of = bags.map((slide) => ({ slide, tiles: probeTiles(slide, tiles.most).slice(0, each) }));
    const found = when === "given" ? await tiles.given(of) : await tiles.now(this.#arm, of);
    return smoothRank({ rows: found.length / tiles.dim, columns: tiles.dim, data: found }) ?? 0;
  }

  /** Smooth rank of the features; refuses those that have collapsed. */
  async rank(): Promise<number | undefined> {
    const { collapse } = this.#session.config.model;
    const now = await this.#rank("now");
    if (now === undefined) return undefined;
    this.#base ??= await this.#rank("given");
    const least = collapse * (this.#base ?? 0);
    if (now >= least) return now;
    throw new NumericsError(
      `Cannot go on training ${this.#arm.arm}: the smooth rank of its features is ${now.toFixed(2)}, ` +
        `wanted at least ${least.toFixed(2)}, ${collapse} of the given ones'`,
      { hint: "Lower lr, or collapse=0", context: { arm: this.#arm.arm, found: now, base: this.#base } },
    );
  }
}
