/**
 * What a model says of bags without some of their rows: whether what it says rests on the rows of most attention.
 *
 * Rows are embedded once, in blocks; what is left of them is pooled by the attention they had, which is what the softmax over
 * them alone gives. So any number of choices takes one pass, in constant memory.
 *
 * @module
 */

import { Rng } from "../../core/rng.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { type BagResult, type BagRows, meanAttention } from "./inference.ts";
import type { MilModel } from "./model.ts";

/** Shares of the rows that are left out. */
export const SHARES: readonly number[] = [0, 0.01, 0.05, 0.1, 0.2];
/** Random choices of each share. */
export const DRAWS = 5;

/** Rows that are left out, by their numbers: for each share those of most, of least attention, and of each draw. */
export interface LeftOutRows {
  readonly highest: readonly Uint32Array[];
  readonly lowest: readonly Uint32Array[];
  readonly random: readonly (readonly Uint32Array[])[];
}

/** Chooses rows of a bag; of equal attention the first ones are the highest. A share is at least one row, but for none. */
export function leftOutRows(result: BagResult, count: number, seed: number): LeftOutRows {
  const attention = meanAttention(result, count);
  const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => attention[b]! - attention[a]! || a - b);
  const sizes = SHARES.map((share) => share === 0 ? 0 : Math.max(1, Math.round(share * count)));
  return {
    highest: sizes.map((size) => order.slice(0, size)),
    lowest: sizes.map((size) => order.slice(count - size)),
    random: sizes.map((size, s) =>
      Array.from({ length: DRAWS }, (_, d) => new Rng(seed, s * DRAWS + d).permutation(count).slice(0, size))
    ),
  };
}

/** Sums of the rows that are left, by choice and slide. */
class Pools {
  readonly #kept: readonly Uint8Array[];
  readonly #ends: readonly number[];
  readonly #sums: readonly (readonly Float64Array[])[];
  readonly #totals: readonly (readonly Float64Array[])[];

  constructor(
    { count, ends = [count] }: BagRows,
    choices: readonly Uint32Array[],
    private readonly heads: number,
    private readonly width: number,
  ) {
    this.#ends = ends;
    this.#kept = choices.map((choice) => {
      const keep = new Uint8Array(count).fill(1);
      for (const row of choice) keep[row] = 0;
      return keep;
    });
    this.#sums = choices.map(() => ends.map(() => new Float64Array(heads * width)));
    this.#totals = choices.map(() => ends.map(() => new Float64Array(heads)));
  }

  /** Adds a row, embedded. @param weights Its attention, a head each. */
  add(row: number, embedded: Float32Array, weights: Float64Array): void {
    const slide = this.#ends.findIndex((end) => row < end);
    for (const [v, keep] of this.#kept.entries()) {
      if (!keep[row]) continue;
      const [sum, total] = [this.#sums[v]![slide]!, this.#totals[v]![slide]!];
      for (let k = 0; k < this.heads; k++) {
        const weight = weights[k]!;
        total[k]! += weight;
        for (let c = 0, at = k * this.width; c < this.width; c++, at++) sum[at]! += weight * embedded[c]!;
      }
    }
  }

  /** Means of what is left, a choice each. */
  means(): (Float32Array<ArrayBuffer> | undefined)[] {
    return this.#sums.map((sums, v) => meanOfSlides(sums, this.#totals[v]!, this.width));
  }
}

/** What the plans read and write. */
type Tensors = Readonly<Record<"x" | "h" | "pooled" | "output", Tensor>>;

/** Compiled inference without rows. */
export class LeaveOut {
  private constructor(
    private readonly model: MilModel,
    /** Rows in memory at a time. */
    private readonly block: number,
    private readonly store: Store,
    private readonly programs: { readonly rows: Program; readonly head: Program },
    private readonly tensors: Tensors,
  ) {}

  /** Compiles the plans. @param block Rows in memory at a time. */
  static async compile(model: MilModel, block: number): Promise<LeaveOut> {
    const { dim, width, heads, parameters: { gpu } } = model;
    const store = new Store(gpu);
    const x = store.tensor("x", "x", [block, dim]);
    const pooled = store.tensor("pooled", "pooled", [1, heads, width]);
    store.allocate();
    const rows = new Plan(gpu);
    const h = rows.withoutTape(() => model.embed(rows, x, false));
    rows.output(h);
    const head = new Plan(gpu);
    const { output } = head.withoutTape(() => model.head(head, pooled, false));
    head.output(output);
    const programs = { rows: await rows.compile(), head: await head.compile() };
    return new LeaveOut(model, block, store, programs, { x, h, pooled, output });
  }

  /**
   * Runs the model on a bag.
   *
   * @param result What the model makes of all rows.
   * @param choices Rows that are left out.
   * @returns Outputs, a choice each; undefined where what is left had no attention.
   */
  async run(
    bag: BagRows,
    { attention }: Pick<BagResult, "attention">,
    choices: readonly Uint32Array[],
  ): Promise<(Float64Array | undefined)[]> {
    const { width, heads, parameters: { gpu } } = this.model;
    const { x, h, pooled, output } = this.tensors;
    const pools = new Pools(bag, choices, heads, width);
    const whole = new Float32Array(x.size);
    for (let from = 0; from < bag.count; from += this.block) {
      const to = Math.min(bag.count, from + this.block);
      whole.set(await bag.read(from, to));
      this.store.write(x, whole);
      this.programs.rows.run();
      const [embedded] = await readback(gpu, h) as [Float32Array];
      for (let row = from; row < to; row++) {
        const own = embedded.subarray((row - from) * width, (row - from + 1) * width);
        pools.add(row, own, attention.subarray(row * heads, (row + 1) * heads));
      }
    }
    const outputs: (Float64Array | undefined)[] = [];
    for (const mean of pools.means()) {
      if (mean !== undefined) {
        this.store.write(pooled, mean);
        this.programs.head.run();
      }
      outputs.push(mean && Float64Array.from((await readback(gpu, output))[0] as Float32Array));
    }
    return outputs;
  }

  /** Frees the plans; the model stays. */
  destroy(): void {
    this.programs.rows.destroy();
    this.programs.head.destroy();
    this.store.destroy();
  }
}

/** Pooled rows of a bag; undefined where none of them had attention. */
function meanOfSlides(
  sums: readonly Float64Array[],
  totals: readonly Float64Array[],
  width: number,
): Float32Array<ArrayBuffer> | undefined {
  const slides = [...sums.keys()].filter((s) => totals[s]!.every((total) => total > 0));
  if (slides.length === 0) return undefined;
  const mean = new Float64Array(sums[0]!.length);
  for (const s of slides) {
    for (let i = 0; i < mean.length; i++) {
      mean[i]! += sums[s]![i]! / totals[s]![Math.floor(i / width)]! / slides.length;
    }
  }
  return Float32Array.from(mean);
}
