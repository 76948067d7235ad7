/**
 * What a model says of some test cases without some of their tiles, a case at a time, so that the attention of one is in memory.
 *
 * @module
 */

import { Rng } from "../../core/rng.ts";
import type { LeaveOut as LeaveOutFacts } from "../../report/attention_evidence.ts";
import type { BagResult } from "./inference.ts";
import { DRAWS, LeaveOut, leftOutRows, SHARES } from "./leave_out.ts";
import type { MilSession } from "./training.ts";

/** Cases and rows in all whose tiles are left out, and the fewest rows of one. */
const MOST = { cases: 24, rows: 1 << 18, least: 20 } as const;

/** What a case is judged by where tiles are left out. */
export interface JudgedBy {
  /** As a title. */
  readonly what: string;
  /** Its number by the outputs of the whole and of what is left. */
  readonly value: (whole: Float64Array, output: Float64Array) => number;
}

/** Test bags whose tiles are left out. At random: tables are often in an order that tells classes. */
export function leftOutBags({ data: { set: { bags }, split: { test } }, config }: Pick<MilSession, "data" | "config">) {
  const able = test.filter((bag) => bags[bag]!.count >= MOST.least);
  const drawn = new Rng(config.optim.seed, 9001).permutation(able.length).slice(0, MOST.cases).sort();
  const chosen: number[] = [];
  let rows = 0;
  for (const i of drawn) {
    rows += bags[able[i]!]!.count;
    if (chosen.length > 0 && rows > MOST.rows) break;
    chosen.push(able[i]!);
  }
  return chosen;
}

/** The cases. */
export class LeftOutCases {
  readonly #chosen: ReadonlySet<number>;
  readonly #cases: LeaveOutFacts["cases"][number][] = [];

  private constructor(
    private readonly session: MilSession,
    private readonly by: JudgedBy,
    private readonly inference: LeaveOut,
  ) {
    this.#chosen = new Set(leftOutBags(session));
  }

  /** Compiles the plans. */
  static async open(session: MilSession, by: JudgedBy): Promise<LeftOutCases> {
    return new LeftOutCases(session, by, await LeaveOut.compile(session.model, session.block));
  }

  /** Takes a bag with what the model makes of all of it; of one that was not chosen nothing is done. */
  async add(bag: number, result: BagResult): Promise<void> {
    if (!this.#chosen.has(bag)) return;
    const { data: { set }, config: { optim: { seed } }, rowsOf } = this.session;
    const { name, count } = set.bags[bag]!;
    const { highest, lowest, random } = leftOutRows(result, count, seed);
    const outputs = await this.inference.run(rowsOf(bag), result, [...highest, ...lowest, ...random.flat()]);
    const numbers = outputs.map((output) => output === undefined ? null : this.by.value(result.output, output));
    const S = SHARES.length;
    this.#cases.push({
      case: name,
      highest: numbers.slice(0, S),
      lowest: numbers.slice(S, 2 * S),
      random: SHARES.map((_, s) => {
        const own = numbers.slice(2 * S + s * DRAWS, 2 * S + (s + 1) * DRAWS).filter((number) => number !== null);
        return own.length === 0 ? null : own.reduce((a, b) => a + b, 0) / own.length;
      }),
    });
  }

  /** What was found; undefined where every case has too few tiles. */
  facts(): LeaveOutFacts | undefined {
    return this.#cases.length === 0
      ? undefined
      : { what: this.by.what, shares: SHARES, draws: DRAWS, cases: this.#cases };
  }

  /** Frees the plans. */
  close(): void {
    this.inference.destroy();
  }
}
