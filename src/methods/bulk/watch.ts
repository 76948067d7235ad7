/**
 * What validation patients show of an arm in training: what linear probes of its features gain over those before, by which the
 * weights that are kept are chosen; the smooth rank of its features, which falls where they collapse; and a contrastive loss that
 * stays at that of guessing.
 *
 * @module
 */

import { NumericsError } from "../../core/errors.ts";
import { LEAST_UNITS } from "../../eval/paired.ts";
import { smoothRank } from "../../eval/smooth_rank.ts";
import { probeTiles } from "./data.ts";
import type { BulkArm } from "./model.ts";
import { gains, judge, meanKnown, patientMeans, patientsOf, type Probed } from "./probes.ts";
import type { BulkSession } from "./session.ts";

/** Tiles that the rank is measured on, tiles of a slide and genes that probes see, at most. */
const [RANK_TILES, PROBE_TILES, PROBE_GENES] = [2048, 32, 256];

/** Whether there are validation patients enough to choose weights by. */
export function choosesWeights({ data }: Pick<BulkSession, "data">): boolean {
  return patientsOf(data, "val").length >= LEAST_UNITS;
}

/** The data that probes see in training: of many genes some, spread over the list. */
function probedPart({ rna, genes, labels }: Probed): Probed {
  const [G, K] = [genes.length, Math.min(genes.length, PROBE_GENES)];
  const chosen = Array.from({ length: K }, (_, k) => Math.floor(k * G / K));
  const narrow = new Float32Array(rna.length / G * K);
  for (let i = 0; i < narrow.length; i++) narrow[i] = rna[Math.floor(i / K) * G + chosen[i % K]!]!;
  return { rna: narrow, genes: chosen.map((g) => genes[g]!), labels };
}

/** Watches an arm. */
export class ArmWatch {
  readonly #session: BulkSession;
  readonly #arm: BulkArm;
  readonly #probed: Probed;
  #rankBefore: number | undefined;
  #scoresBefore: (number | null)[] | undefined;

  constructor(session: BulkSession, arm: BulkArm) {
    this.#session = session;
    this.#arm = arm;
    this.#probed = probedPart(session.data);
  }

  /** What there is to be said of the arm as it is; refuses features that have collapsed. */
  async evaluate(): Promise<Record<string, number>> {
    const rank = await this.#rank();
    const gain = choosesWeights(this.#session) ? await this.#gain() : null;
    return { ...(rank !== undefined && { smooth_rank: rank }), ...(gain !== null && { val_gain: gain }) };
  }

  /** Scores of probes that are fitted on training patients, of validation patients. */
  async #scores(arm?: BulkArm): Promise<(number | null)[]> {
    const { data } = this.#session;
    const slides = data.slides.filter(({ part }) => part !== "test");
    const { means } = await patientMeans(this.#session, arm, { slides, most: PROBE_TILES });
    const sides = { train: patientsOf(data, "train"), test: patientsOf(data, "val") };
    const everyone = sides.test.map((_, i) => i);
    return judge(this.#probed, means, sides).map((one) => one.score(everyone));
  }

  /** What probes gain over the features before training, mean over tasks. */
  async #gain(): Promise<number | null> {
    this.#scoresBefore ??= await this.#scores();
    return meanKnown(gains(this.#scoresBefore, await this.#scores(this.#arm)));
  }

  /** The rank of the features before training, or as they are now. */
  async #rankOf(when: "given" | "now"): Promise<number | undefined> {
    const { tiles, data } = this.#session;
    const bags = data.slides.filter(({ part }) => part === "val");
    if (bags.length === 0) return undefined;
    const each = Math.max(1, Math.floor(RANK_TILES / bags.length));
    const of = bags.map((slide) => ({ slide, tiles: probeTiles(slide, Math.min(each, tiles.most)) }));
    const found = when === "given" ? await tiles.given(of) : await tiles.now(this.#arm, of);
    return smoothRank({ rows: found.length / tiles.dim, columns: tiles.dim, data: found }) ?? 0;
  }

  async #rank(): Promise<number | undefined> {
    const { collapse } = this.#session.config.model;
    const now = await this.#rankOf("now");
    if (now === undefined) return undefined;
    this.#rankBefore ??= await this.#rankOf("given");
    const least = collapse * (this.#rankBefore ?? 0);
    if (now >= least) return now;
    throw new NumericsError(
      `Cannot go on training ${this.#arm.arm}: the smooth rank of its features is ${now.toFixed(2)}, ` +
        `wanted at least ${least.toFixed(2)}, ${collapse} of the given ones'`,
      { hint: "Lower lr, or collapse=0", context: { arm: this.#arm.arm, found: now, base: this.#rankBefore } },
    );
  }
}

/** Where an arm's stage lies in a run, and the step whose weights were kept. */
export interface ArmSteps {
  readonly name: string;
  /** Steps of the run before it, and with it. */
  readonly from: number;
  readonly to: number;
  /** Step of the run with the best validation; none where nothing chose. */
  readonly best?: number;
}

interface LoggedRow {
  readonly stage: string;
  readonly step: number;
  readonly split: string;
  readonly loss?: number | null;
  readonly val_gain?: number | null;
}

/** Rows of metrics as they were logged. */
function loggedRows(metrics: string): LoggedRow[] {
  return metrics.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Stages of arms by the metrics of a run. */
export function armSteps(metrics: string, arms: readonly string[]): ArmSteps[] {
  const rows = loggedRows(metrics);
  let from = 0;
  return arms.map((name) => {
    const own = rows.filter(({ stage }) => stage === name);
    const judged = own.filter(({ val_gain }) => typeof val_gain === "number");
    const best = judged.reduce<LoggedRow | undefined>(
      (most, row) => most === undefined || row.val_gain! > most.val_gain! ? row : most,
      undefined,
    );
    const part = { name, from, to: Math.max(from, ...own.map(({ step }) => step)), ...(best && { best: best.step }) };
    from = part.to;
    return part;
  });
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
  const rows = loggedRows(metrics);
  return arms.filter((arm) => !arm.endsWith("direct")).filter((arm) => {
    const own = rows.filter(({ stage, loss }) => stage === arm && typeof loss === "number");
    const [first, last] = [own[0]?.step ?? 0, own.at(-1)?.step ?? 0];
    const late = own.filter(({ step }) => step > first + BEHIND * (last - first));
    return late.length > 0 && late.every(({ loss }) => Math.abs(loss! - guessing) <= NEAR * guessing);
  });
}
