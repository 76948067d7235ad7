/**
 * Inference on bags of any size in constant memory: rows are scored and pooled in blocks, and blocks are combined as their
 * sums of exponentials weigh them, so that 100,000 rows take no more of the device than one block.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { SlideRows } from "../method.ts";
import { attend } from "./attention.ts";
import type { MilModel } from "./model.ts";

/** Rows of one bag, read when they are needed. */
export interface BagRows extends SlideRows {
  /** Where its slides end among the rows, where it is the mean of its slides; without it all rows are one. */
  readonly ends?: readonly number[] | undefined;
}

/** What a model says of a bag. */
export interface BagResult {
  /** Logits or targets, `[K]`. */
  readonly output: Float64Array;
  /** Vector of the bag, `[m]`. */
  readonly slide: Float64Array;
  /** Attention weights `[n, H]`; those of a head sum to 1. */
  readonly attention: Float64Array;
}

/** Sums of a head over the blocks read so far. */
interface Head {
  /** Largest score. */
  top: number;
  /** Sum of exponentials of the scores less the largest. */
  total: number;
  /** Weighted sum of the rows, times `total`. */
  readonly sum: Float64Array;
}

/** What the plans read and write. */
type Tensors = Readonly<Record<"x" | "bound" | "mask" | "scores" | "pooled" | "all" | "slide" | "output", Tensor>>;

/** Compiled inference of a model. */
export class MilInference {
  readonly #model: MilModel;
  readonly #store: Store;
  readonly #programs: { readonly rows: Program; readonly head: Program };
  readonly #t: Tensors;

  private constructor(
    parts: {
      model: MilModel;
      store: Store;
      programs: { rows: Program; head: Program };
      tensors: Tensors;
    },
    /** Rows a block. */
    readonly block: number,
  ) {
    this.#model = parts.model;
    this.#store = parts.store;
    this.#programs = parts.programs;
    this.#t = parts.tensors;
  }

  /**
   * Compiles the plans.
   *
   * @param block Rows in memory at a time.
   * @throws {LimitError} If a block is more than the device holds.
   */
  static async compile(model: MilModel, block = 4096): Promise<MilInference> {
    const { gpu } = model.parameters;
    const store = new Store(gpu);
    const x = store.tensor("x", "x", [block, model.dim]);
    const bound = store.tensor("bound", "bound", [2], "u32");
    const mask = store.tensor("mask", "mask", [block], "u32");
    const all = store.tensor("pooled", "pooled", [1, model.heads, model.width]);
    store.allocate();
    const rows = new Plan(gpu);
    const { scores, pooled } = rows.withoutTape(() => {
      const h = model.embed(rows, x, false);
      const scores = model.scores(rows, h, false);
      return { scores, pooled: attend(rows, h, scores, { bound, mask }).pooled };
    });
    const head = new Plan(gpu);
    const { slide, output } = head.withoutTape(() => model.head(head, all, false));
    rows.output(scores, pooled);
    head.output(slide, output);
    const programs = { rows: await rows.compile(), head: await head.compile() };
    const tensors = { x, bound, mask, scores, pooled, all, slide, output };
    return new MilInference({ model, store, programs, tensors }, block);
  }

  /**
   * Runs the model on a bag.
   *
   * @param mask Rows that count, `[n]`; those where it is 0 are left out. All count without it.
   * @throws {DataError} If no row counts.
   */
  async run(bag: BagRows, mask?: ArrayLike<number>): Promise<BagResult> {
    const { width, heads: H } = this.#model;
    const attention = new Float64Array(bag.count * H);
    const pooled = new Float64Array(H * width);
    const slides: { from: number; to: number; heads: readonly Head[] }[] = [];
    for (const [i, to] of (bag.ends ?? [bag.count]).entries()) {
      const from = bag.ends?.[i - 1] ?? 0;
      const heads = await this.#pool(bag, { from, to }, attention, mask);
      if (heads.every(({ total }) => total > 0)) slides.push({ from, to, heads });
    }
    if (slides.length === 0) {
      throw new DataError(`Cannot score ${bag.name}: none of its ${bag.count} rows counts, wanted at least one`, {
        context: { bag: bag.name, rows: bag.count },
      });
    }
    for (const { from, to, heads } of slides) {
      heads.forEach(({ sum, total, top }, h) => {
        for (let c = 0; c < width; c++) pooled[h * width + c]! += sum[c]! / total / slides.length;
        for (let j = from * H + h; j < to * H; j += H) {
          attention[j] = Math.exp(attention[j]! - top) / total / slides.length;
        }
      });
    }
    // Of a slide that does not count nothing is left.
    const counted = new Set(slides.map(({ from }) => from));
    (bag.ends ?? []).forEach((to, i) => {
      const from = bag.ends![i - 1] ?? 0;
      if (!counted.has(from)) attention.fill(0, from * H, to * H);
    });
    return { ...await this.#head(pooled), attention };
  }

  /** Pools a range of rows and keeps their scores. */
  async #pool(
    bag: BagRows,
    range: { from: number; to: number },
    scores: Float64Array,
    mask?: ArrayLike<number>,
  ): Promise<Head[]> {
    const { width, heads: H } = this.#model;
    const heads = Array.from({ length: H }, (): Head => ({ top: -Infinity, total: 0, sum: new Float64Array(width) }));
    for (let from = range.from; from < range.to; from += this.block) {
      const to = Math.min(range.to, from + this.block);
      const counts = Uint32Array.from({ length: to - from }, (_, i) => (mask === undefined || mask[from + i] ? 1 : 0));
      const { part, pooled } = await this.#rows(await bag.read(from, to), counts);
      part.forEach((score, i) => scores[from * H + i] = counts[Math.floor(i / H)] ? score : -Infinity);
      heads.forEach((head, h) => add(head, scores, { from, to, h, H }, pooled.subarray(h * width, (h + 1) * width)));
    }
    return heads;
  }

  async #rows(rows: Float32Array, counts: Uint32Array): Promise<{ part: Float32Array; pooled: Float32Array }> {
    const { gpu } = this.#model.parameters;
    const { x, bound, mask, scores, pooled } = this.#t;
    // What lies behind the last row is never looked at, but it must be numbers: an earlier block's are.
    const n = counts.length;
    const whole = (data: Float32Array | Uint32Array, size: number) => {
      if (data.length === size) return data;
      const padded = data instanceof Float32Array ? new Float32Array(size) : new Uint32Array(size);
      padded.set(data);
      return padded;
    };
    this.#store.write(x, whole(rows, x.size));
    this.#store.write(mask, whole(counts, mask.size));
    this.#store.write(bound, [0, n]);
    this.#programs.rows.run();
    const [s, p] = await readback(gpu, scores, pooled);
    return { part: (s as Float32Array).subarray(0, n * this.#model.heads), pooled: p as Float32Array };
  }

  /** @param pooled `[H, m]`. */
  async #head(pooled: Float64Array): Promise<{ slide: Float64Array; output: Float64Array }> {
    const { all, slide, output } = this.#t;
    this.#store.write(all, Float32Array.from(pooled));
    this.#programs.head.run();
    const [z, y] = await readback(this.#model.parameters.gpu, slide, output);
    return { slide: Float64Array.from(z!), output: Float64Array.from(y!) };
  }

  /** Frees the plans; the model stays. */
  destroy(): void {
    this.#programs.rows.destroy();
    this.#programs.head.destroy();
    this.#store.destroy();
  }
}

/** Attention of a row, the mean over the heads. */
export function meanAttention({ attention }: BagResult, count: number): Float64Array {
  const heads = attention.length / count;
  return Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += attention[i * heads + h]!;
    return sum / heads;
  });
}

/** Adds a block, of which `pooled` is the mean under the softmax of its scores. */
function add(
  head: Head,
  scores: Float64Array,
  { from, to, h, H }: { from: number; to: number; h: number; H: number },
  pooled: Float32Array,
): void {
  let top = head.top;
  for (let j = from; j < to; j++) top = Math.max(top, scores[j * H + h]!);
  if (top === -Infinity) return;
  let total = 0;
  for (let j = from; j < to; j++) total += Math.exp(scores[j * H + h]! - top);
  const before = Math.exp(head.top - top);
  for (let c = 0; c < pooled.length; c++) head.sum[c] = head.sum[c]! * before + pooled[c]! * total;
  head.total = head.total * before + total;
  head.top = top;
}
