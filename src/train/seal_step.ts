/**
 * One optimiser step of SEAL. A batch that fits is one plan. A larger one is cached in gradients: all micro-batches are
 * embedded, the objective runs on the whole batch and gives the gradient of every embedding, and each micro-batch is
 * embedded again with its part of it. The result is that of the whole batch up to rounding: random numbers go by row of the
 * batch and by name, so that dropout and noise are the same however it is split, and whatever looks at several rows (losses,
 * the gene model with its batch normalisation, the image decoder, heads) runs on the whole batch.
 *
 * Source: Gao et al., "Scaling deep contrastive learning batch size under memory limited setup", arXiv 2101.06983.
 *
 * @module
 */

import { backward, backwardFrom } from "../autodiff/backward.ts";
import { ConfigError, LimitError } from "../core/errors.ts";
import { randomState } from "../core/rng.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import { type CompileOptions, type MemoryReport, type Program, submit } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { AdamW, LearningRates } from "../optim/adamw.ts";
import { affine } from "../ops/scale.ts";
import { ringWrite } from "../ops/ring.ts";
import type { SealBatch, SealLosses, SealModel } from "./seal_model.ts";
import type { ViewOf } from "./trunk.ts";
import type { VisionInput } from "./vision_input.ts";

/** How a step is built. */
export interface SealStepOptions {
  /** Pairs the objective sees, B. */
  readonly batch: number;
  /** Images in memory at a time; the largest that fits where it is left out. */
  readonly micro?: number | undefined;
  /** Batches a step; gradients are those of their mean loss. */
  readonly accumulate?: number;
  /** Seed of dropout and sampling. */
  readonly seed: number;
  /** Steps whose metrics are kept; read them at least so often. */
  readonly ring?: number;
  /** Most bytes a plan may take. */
  readonly budgetBytes?: number;
  /** Keep nothing of these blocks but their input. */
  readonly recompute?: readonly boolean[];
  /** Standard deviation of each gene, `[G]`. */
  readonly std: ArrayLike<number>;
  /** Whether the objective wants numbers of slides. */
  readonly slides?: boolean;
}

/** The data of one batch. */
export interface StepBatch {
  /** Its images, B of them. */
  readonly views: readonly ViewOf[];
  /** Expression `[B, G]`. */
  readonly x: Float32Array;
  /** Numbers of slides, `[B]`. */
  readonly slide?: Uint32Array | undefined;
  /** Numbers of organs, `[B]`. */
  readonly organ?: Uint32Array | undefined;
}

/** Everything a compiled step holds. */
interface Compiled {
  readonly store: Store;
  readonly inputs: readonly Tensor[];
  readonly organ: Tensor | undefined;
  readonly x: Tensor;
  readonly slide: Tensor | undefined;
  readonly random: Tensor;
  readonly ring: Tensor;
  readonly metrics: readonly string[];
  /** One plan for all, or the three of gradient caching. */
  readonly programs: { readonly whole: Program } | {
    readonly forward: Program;
    readonly head: Program;
    readonly again: Program;
    readonly z: { readonly micro: Tensor; readonly all: Tensor };
    readonly dz: { readonly all: Tensor; readonly kept: Tensor; readonly micro: Tensor };
  };
}

function check(options: SealStepOptions): void {
  const { batch, micro = batch, accumulate = 1, ring = 1 } = options;
  for (const [key, value] of Object.entries({ batch_size: batch, micro_batch: micro, grad_accum: accumulate, ring })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ConfigError(`Cannot build a training step: ${key} is ${value}, wanted a whole number above 0`, {
        context: { key, given: String(value) },
      });
    }
  }
}

/** A compiled step. */
export class SealStep {
  readonly #gpu: Gpu;
  readonly #model: SealModel;
  readonly #vision: VisionInput;
  readonly #optimizer: AdamW;
  readonly #update: Program;
  readonly #options: SealStepOptions;
  readonly #compiled: Compiled;
  #batches = 0;
  #read = 0;

  private constructor(
    parts: { model: SealModel; vision: VisionInput; optimizer: AdamW; update: Program; compiled: Compiled },
    options: SealStepOptions,
    /** Images in memory at a time. */
    readonly micro: number,
  ) {
    this.#gpu = parts.model.parameters.gpu;
    this.#model = parts.model;
    this.#vision = parts.vision;
    this.#optimizer = parts.optimizer;
    this.#update = parts.update;
    this.#options = options;
    this.#compiled = parts.compiled;
  }

  /**
   * Compiles a step. Without `micro` the batch is halved until its plan keeps the budget.
   *
   * @throws {ConfigError} If a number is not a whole one above 0.
   * @throws {LimitError} If not even single images keep the budget.
   */
  static async compile(
    model: SealModel,
    vision: VisionInput,
    optimizer: AdamW,
    options: SealStepOptions,
  ): Promise<SealStep> {
    check(options);
    const { batch } = options;
    const apply = new Plan(model.parameters.gpu);
    optimizer.step(apply);
    const update = await apply.compile();
    for (let micro = Math.min(options.micro ?? batch, batch);; micro = Math.ceil(micro / 2)) {
      const store = new Store(model.parameters.gpu);
      try {
        const compiled = micro === batch
          ? await compileWhole(model, vision, store, options)
          : await compileCached(model, vision, store, options, micro);
        return new SealStep({ model, vision, optimizer, update, compiled }, options, micro);
      } catch (error) {
        store.destroy();
        if (!(error instanceof LimitError) || options.micro !== undefined || micro === 1) {
          update.destroy();
          throw error;
        }
      }
    }
  }

  /** Names of the metrics. */
  get metrics(): readonly string[] {
    return this.#compiled.metrics;
  }

  /** Memory of each plan. */
  get memory(): Readonly<Record<string, MemoryReport>> {
    const { programs } = this.#compiled;
    const entries = Object.entries(programs).filter((entry): entry is [string, Program] => "memory" in entry[1]);
    return Object.fromEntries(entries.map(([name, program]) => [name, program.memory]));
  }

  /** Batches submitted so far; a resumed run sets it, so that noise and metrics go on where they stopped. */
  get position(): number {
    return this.#batches;
  }

  set position(batches: number) {
    this.#batches = this.#read = batches;
  }

  /** Submits one step: `accumulate` batches and the update. Waits for data, never for the device. */
  async submit(rates: LearningRates, next: (i: number) => StepBatch | Promise<StepBatch>): Promise<void> {
    const { accumulate = 1 } = this.#options;
    this.#optimizer.setLearningRate(rates);
    for (let i = 0; i < accumulate; i++) {
      await this.#batch(await next(i), i + 1 === accumulate);
      this.#batches++;
    }
  }

  async #batch(data: StepBatch, last: boolean): Promise<void> {
    const { store, x, slide, organ, programs, random } = this.#compiled;
    const drawFrom = (row: number) => store.write(random, randomState(this.#options.seed, this.#batches, row));
    store.write(x, data.x);
    if (slide) store.write(slide, data.slide!);
    drawFrom(0);
    const after = last ? [this.#update] : [];
    if ("whole" in programs) {
      await this.#vision.load(store, this.#compiled.inputs, data.views);
      if (organ) store.write(organ, data.organ!);
      submit(this.#gpu, [programs.whole, ...after]);
      return;
    }
    const { forward, head, again, z, dz } = programs;
    const parts = Math.ceil(data.views.length / this.micro);
    await this.#vision.prepare?.(data.views);
    for (let i = 0; i < parts; i++) {
      await this.#load(data, i);
      drawFrom(i * this.micro);
      submit(this.#gpu, [forward]);
      this.#copyRows(z.micro, 0, z.all, i * this.micro, this.micro);
    }
    drawFrom(0);
    submit(this.#gpu, [head]);
    this.#copyRows(dz.all, 0, dz.kept, 0, data.views.length);
    for (let i = 0; i < parts; i++) {
      await this.#load(data, i);
      drawFrom(i * this.micro);
      this.#copyRows(dz.kept, i * this.micro, dz.micro, 0, this.micro);
      submit(this.#gpu, i + 1 === parts ? [again, ...after] : [again]);
    }
  }

  /** Images of micro-batch `i`; those missing in the last one are copies of its first. */
  async #load(data: StepBatch, i: number): Promise<void> {
    const { store, inputs, organ } = this.#compiled;
    const from = i * this.micro;
    const at = (k: number) => (from + k < data.views.length ? from + k : from);
    const views = Array.from({ length: this.micro }, (_, k) => data.views[at(k)]!);
    if (organ) store.write(organ, Uint32Array.from({ length: this.micro }, (_, k) => data.organ![at(k)]!));
    await this.#vision.load(store, inputs, views);
  }

  #copyRows(from: Tensor, fromRow: number, to: Tensor, toRow: number, rows: number): void {
    const bytes = this.#model.dim * 4;
    const encoder = this.#gpu.device.createCommandEncoder();
    const place = ({ storage, byteOffset }: Tensor, row: number) => storage.offset + byteOffset + row * bytes;
    encoder.copyBufferToBuffer(
      from.storage.buffer!,
      place(from, fromRow),
      to.storage.buffer!,
      place(to, toRow),
      rows * bytes,
    );
    this.#gpu.queue.submit([encoder.finish()]);
  }

  /** Metrics of the steps since the last call, as many as the ring holds: means over the batches of a step. One wait. */
  async readMetrics(): Promise<Record<string, number>[]> {
    const { accumulate = 1 } = this.#options;
    const { ring, metrics } = this.#compiled;
    const [values] = await readback(this.#gpu, ring);
    const [rows, columns] = [ring.dim(0), ring.dim(1)];
    const from = Math.max(this.#read, this.#batches - rows);
    this.#read = this.#batches;
    const steps: Record<string, number>[] = [];
    for (let first = from; first < this.#batches; first += accumulate) {
      const mean = (column: number): number => {
        let sum = 0;
        for (let i = 0; i < accumulate; i++) sum += values![((first + i) % rows) * columns + column]!;
        return sum / accumulate;
      };
      steps.push(Object.fromEntries(metrics.map((name, column) => [name, mean(column)])));
    }
    return steps;
  }

  /** Frees the plans; parameters and optimiser stay. */
  destroy(): void {
    for (const part of Object.values(this.#compiled.programs)) if ("memory" in part) part.destroy();
    this.#update.destroy();
    this.#compiled.store.destroy();
  }
}

/** Tensors of a batch's numbers, and the ring, once the metrics are known. */
function batchTensors(model: SealModel, store: Store, { batch, std, slides }: SealStepOptions): SealBatch {
  return {
    x: store.tensor("batch", "x", [batch, model.gene.genes]),
    std: store.from("std", "std", [model.gene.genes], std),
    slide: slides ? store.tensor("slide", "slide", [batch], "u32") : undefined,
  };
}

/** Appends the writing of all scalars to a ring of its own. */
function measure(g: Plan, store: Store, losses: SealLosses, { ring = 128, accumulate = 1 }: SealStepOptions): Tensor {
  const names = Object.keys(losses);
  const tensor = store.tensor("ring", "ring", [ring * accumulate, names.length]);
  g.withoutTape(() => names.forEach((name, column) => ringWrite(g, tensor, losses[name]!, column)));
  return tensor;
}

function compileOptions({ budgetBytes, accumulate = 1 }: SealStepOptions, only: boolean): CompileOptions {
  // The update clears gradients; where one plan makes them all, the first of each may be written, not added.
  return { clearGradients: only && accumulate === 1, ...(budgetBytes !== undefined && { budgetBytes }) };
}

function organTensor(model: SealModel, store: Store, count: number): Tensor | undefined {
  return model.organs ? store.tensor("organ", "organ", [count], "u32") : undefined;
}

async function compileWhole(
  model: SealModel,
  vision: VisionInput,
  store: Store,
  options: SealStepOptions,
): Promise<Compiled> {
  const { batch, accumulate = 1, recompute } = options;
  const random = store.tensor("random", "random", [4], "u32");
  const inputs = vision.tensors(store, batch);
  const numbers = batchTensors(model, store, options);
  const organ = organTensor(model, store, batch);
  const g = new Plan(model.parameters.gpu);
  g.random = random;
  const z = model.embed(g, vision.record(g, inputs, { training: true, ...(recompute && { recompute }) }), organ);
  const losses = model.objective(g, z, numbers);
  const ring = measure(g, store, losses, options);
  store.allocate();
  backwardFrom(g, losses.loss, 1 / accumulate);
  const whole = await g.compile(compileOptions(options, true));
  const { x, slide } = numbers;
  return { store, inputs, organ, x, slide, random, ring, metrics: Object.keys(losses), programs: { whole } };
}

async function compileCached(
  model: SealModel,
  vision: VisionInput,
  store: Store,
  options: SealStepOptions,
  micro: number,
): Promise<Compiled> {
  const { batch, accumulate = 1, recompute } = options;
  const { gpu } = model.parameters;
  const rows = Math.ceil(batch / micro) * micro;
  const random = store.tensor("random", "random", [4], "u32");
  const inputs = vision.tensors(store, micro);
  const numbers = batchTensors(model, store, options);
  const organ = organTensor(model, store, micro);
  const all = store.tensor("z", "z", [rows, model.dim]);
  const dMicro = store.tensor("dz", "dz of a micro-batch", [micro, model.dim]);
  const kept = store.tensor("dz.kept", "dz", [rows, model.dim]);
  const embed = (g: Plan): Tensor => {
    g.random = random;
    return model.embed(g, vision.record(g, inputs, { training: true, ...(recompute && { recompute }) }), organ);
  };
  const forward = new Plan(gpu);
  // A copy, so that the embedding lies in memory of its own whatever the last layer is.
  const zMicro = forward.withoutTape(() => affine(forward, embed(forward), 1));
  forward.output(zMicro);

  const head = new Plan(gpu);
  head.random = random;
  const z = all.slice(0, [batch, model.dim]);
  z.requiresGrad = true;
  const losses = model.objective(head, z, numbers);
  const ring = measure(head, store, losses, options);
  const given = backwardFrom(head, losses.loss, 1 / accumulate).of(z);
  if (!given) throw new ConfigError("Cannot train the image side: no term of the loss reaches it");
  head.output(given);

  const again = new Plan(gpu);
  const zAgain = embed(again);
  // Of a micro-batch the columns do not sum to 0, but gradients are added up over all of them.
  const zeros = head.centred(given);
  again.noteCentred(dMicro, zeros.from, zeros.to);
  backward(again, [{ tensor: zAgain, grad: dMicro }]);
  store.allocate();
  // The largest first, so that a budget is exceeded before anything is built.
  const [second, first, middle] = await compileAll([again, forward, head], compileOptions(options, false));
  const { x, slide } = numbers;
  const common = { store, inputs, organ, x, slide, random, ring, metrics: Object.keys(losses) };
  const embeddings = { micro: zMicro, all };
  return {
    ...common,
    programs: {
      forward: first!,
      head: middle!,
      again: second!,
      z: embeddings,
      dz: { all: given, kept, micro: dMicro },
    },
  };
}

/** Compiles plans; none is left if one fails. */
async function compileAll(plans: readonly Plan[], options: CompileOptions): Promise<Program[]> {
  const programs: Program[] = [];
  try {
    for (const plan of plans) programs.push(await plan.compile(options));
    return programs;
  } catch (error) {
    for (const program of programs) program.destroy();
    throw error;
  }
}
