/**
 * What shows that an arm goes wrong: the smooth rank of features of validation patients, which falls where they collapse, and a
 * contrastive loss that stays at that of guessing.
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

/** Share of the steps behind which a loss should have left that of guessing, and how near to it is no better. */
const [BEHIND, NEAR] = [0.2, 0.01];

/**
 * Contrastive arms that learned nothing: their loss is within 1 % of that of guessing, log of the bags, after a fifth of the steps.
 *
 * @param metrics Rows as they were logged, a line each.
 * @param items Items that a loss tells apart.
 * @returns Their names.
 */
export function deadArms(metrics: string, arms: readonly string[], items: number): string[] {
  const guessing = Math.log(items);
  const rows = metrics.split("\n").filter((line) => line !== "")
    .map((line) =>
      JSON.parse(line) as { readonly stage: string; readonly step: number; readonly loss?: number | null }
    );
  return arms.filter((arm) => !arm.endsWith("direct")).filter((arm) => {
    const own = rows.filter(({ stage, loss }) => stage === arm && typeof loss === "number");
    const [first, last] = [own[0]?.step ?? 0, own.at(-1)?.step ?? 0];
    const late = own.filter(({ step }) => step > first + BEHIND * (last - first));
    return late.length > 0 && late.every(({ loss }) => Math.abs(loss! - guessing) <= NEAR * guessing);
  });
}
