/**
 * What a trained model says of patches and of expression: embeddings, their projections, predicted expression. No dropout,
 * running statistics, the mean of the latent.
 *
 * @module
 */

import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { OverflowWatch } from "../../nn/overflow.ts";
import type { SealModel } from "./model.ts";
import type { ViewOf } from "../../train/stem_cache.ts";
import type { RowInput } from "../../train/row_input.ts";

/** What the image side says, one row an image. */
export interface ImageOutputs {
  /** The encoder's own embedding `[n, D]`: what `embed` gives. */
  readonly embedding: Float32Array;
  /** With organ and bottleneck, before the head, `[n, D]`. */
  readonly z: Float32Array;
  /** Behind the head, `[n, D]`: what is compared with genes. */
  readonly projected: Float32Array;
  /** Predicted expression `[n, G]`; empty without a decoder. */
  readonly expression: Float32Array;
}

/** What the gene side says, one row a spot. */
export interface GeneOutputs {
  /** Before the head, `[n, D]`. */
  readonly z: Float32Array;
  /** Behind the head, `[n, D]`. */
  readonly projected: Float32Array;
  /** Reconstructed expression `[n, G]`. */
  readonly expression: Float32Array;
}

/** Adds a row to each of the rows, in place. */
export function shiftRows(rows: Float32Array, by: ArrayLike<number>, sign: 1 | -1 = 1): void {
  for (let at = 0; at < rows.length; at++) rows[at]! += sign * by[at % by.length]!;
}

/** One side's plan. */
interface Side {
  readonly store: Store;
  readonly inputs: readonly Tensor[];
  readonly organ: Tensor | undefined;
  readonly outputs: readonly (Tensor | undefined)[];
  readonly program: Program;
}

/** Runs both sides in batches of one size; weights are read when it runs, so it stays valid while they train. */
export class Inference {
  readonly #model: SealModel;
  readonly #vision: RowInput;
  readonly #image: Side;
  readonly #gene: Side;
  readonly #overflow: OverflowWatch;

  private constructor(
    model: SealModel,
    vision: RowInput,
    sides: { image: Side; gene: Side },
    readonly batch: number,
    overflow: OverflowWatch,
  ) {
    this.#overflow = overflow;
    this.#model = model;
    this.#vision = vision;
    this.#image = sides.image;
    this.#gene = sides.gene;
  }

  /** Compiles both plans. @param batch Rows at a time. */
  static async create(model: SealModel, vision: RowInput, batch: number): Promise<Inference> {
    const overflow = new OverflowWatch(model.parameters.gpu);
    const image = await imageSide(model, vision, batch, overflow);
    return new Inference(model, vision, { image, gene: await geneSide(model, batch) }, batch, overflow);
  }

  /** Runs the image side. @param organs Numbers of organs, one an image, where the model has an organ token. */
  async images(
    views: readonly ViewOf[],
    organs?: ArrayLike<number>,
    onProgress?: (done: number, total: number) => void,
  ): Promise<ImageOutputs> {
    const { store, inputs, organ, outputs, program } = this.#image;
    const widths = outputs.map((tensor) => tensor?.dim(1) ?? 0);
    const all = widths.map((width) => new Float32Array(views.length * width));
    for (let from = 0; from < views.length; from += this.batch) {
      const some = views.slice(from, from + this.batch);
      const filled = Array.from({ length: this.batch }, (_, i) => some[i] ?? some[0]!);
      await this.#vision.load(store, inputs, filled);
      const next = views.slice(from + this.batch, from + 2 * this.batch);
      if (next.length) this.#vision.ahead?.(Array.from({ length: this.batch }, (_, i) => next[i] ?? next[0]!));
      if (organ) {
        store.write(organ, Uint32Array.from({ length: this.batch }, (_, i) => organs![from + (some[i] ? i : 0)]!));
      }
      program.run();
      await collect(this.#model, outputs, all, from, some.length);
      onProgress?.(from + some.length, views.length);
    }
    await this.#overflow.check("embed");
    const [embedding, z, projected, expression] = all;
    return { embedding: embedding!, z: z!, projected: projected!, expression: expression! };
  }

  /** Runs the gene side. @param x Expression `[n, G]`. */
  async genes(x: Float32Array): Promise<GeneOutputs> {
    const { store, inputs, outputs, program } = this.#gene;
    const G = this.#model.gene.genes;
    const n = x.length / G;
    const all = outputs.map((tensor) => new Float32Array(n * tensor!.dim(1)));
    const rows = new Float32Array(this.batch * G);
    for (let from = 0; from < n; from += this.batch) {
      const some = x.subarray(from * G, (from + this.batch) * G);
      rows.set(some);
      store.write(inputs[0]!, rows);
      program.run();
      await collect(this.#model, outputs, all, from, some.length / G);
    }
    const [z, projected, expression] = all;
    return { z: z!, projected: projected!, expression: expression! };
  }

  /** Frees the plans. */
  destroy(): void {
    for (const { program, store } of [this.#image, this.#gene]) {
      program.destroy();
      store.destroy();
    }
    this.#overflow.destroy();
  }
}

async function collect(
  { parameters }: SealModel,
  tensors: readonly (Tensor | undefined)[],
  all: readonly Float32Array[],
  from: number,
  count: number,
): Promise<void> {
  // One tensor may be several outputs, as without heads.
  const present = [...new Set(tensors.filter((tensor) => tensor !== undefined))];
  const values = await readback(parameters.gpu, ...present);
  tensors.forEach((tensor, k) => {
    if (!tensor) return;
    const width = tensor.dim(1);
    const rows = values[present.indexOf(tensor)] as Float32Array;
    all[k]!.set(rows.subarray(0, count * width), from * width);
  });
}

async function imageSide(
  model: SealModel,
  vision: RowInput,
  batch: number,
  overflow: OverflowWatch,
): Promise<Side> {
  const store = new Store(model.parameters.gpu);
  const inputs = vision.tensors(store, batch);
  const organ = model.organs ? store.tensor("organ", "organ", [batch], "u32") : undefined;
  store.allocate();
  const g = new Plan(model.parameters.gpu);
  g.overflow = overflow;
  const outputs = g.withoutTape(() => {
    const embedding = vision.record(g, inputs, { training: false });
    const z = model.embed(g, embedding, organ);
    return [embedding, z, model.imageHead.forward(g, z), model.decoder?.forward(g, z)];
  });
  for (const tensor of outputs) if (tensor) g.output(tensor);
  return { store, inputs, organ, outputs, program: await g.compile() };
}

async function geneSide(model: SealModel, batch: number): Promise<Side> {
  const store = new Store(model.parameters.gpu);
  const x = store.tensor("x", "x", [batch, model.gene.genes]);
  store.allocate();
  const g = new Plan(model.parameters.gpu);
  const outputs = g.withoutTape(() => {
    const { z, y } = model.gene.forward(g, x, { training: false, latent: "mean" });
    return [z, model.geneHead.forward(g, z), y];
  });
  g.output(...outputs);
  return { store, inputs: [x], organ: undefined, outputs, program: await g.compile() };
}
