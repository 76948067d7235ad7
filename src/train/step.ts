/**
 * One optimiser step: rows are embedded, an objective sees the embeddings of the whole batch with what else the batch holds,
 * and AdamW updates. A batch whose plan fits the memory is one plan. A larger one is cached in gradients: all micro-batches
 * of rows are embedded, the objective runs on the whole batch and gives the gradient of every embedding, and each
 * micro-batch is embedded again with its part of it. The result is that of the whole batch up to rounding: random numbers
 * go by row of the step and by name, so that dropout and noise are the same however a step is split, and whatever looks at
 * several rows (losses, batch normalisation, aggregation of bags) runs on the whole batch.
 *
 * Nothing waits for the device; metrics are read as a ring every many steps.
 *
 * Source: Gao et al., "Scaling deep contrastive learning batch size under memory limited setup", arXiv 2101.06983.
 *
 * @module
 */

import { ConfigError, LimitError } from "../core/errors.ts";
import { randomState } from "../core/rng.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import { type MemoryReport, type Program, submit } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { AdamW, LearningRates } from "../optim/adamw.ts";
import type { StepBatch, StepModel, StepOptions } from "./step_model.ts";
import { compileCached, type Compiled, compileWhole } from "./step_plans.ts";
import type { StageRunner } from "./stage.ts";
import type { ViewOf } from "./stem_cache.ts";

function check(options: StepOptions): void {
  const { batch, rows = batch, micro = rows, mostMicro = rows, accumulate = 1, ring = 1 } = options;
  const counts = { batch_size: batch, rows, micro_batch: micro, mostMicro, grad_accum: accumulate, ring };
  for (const [key, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ConfigError(`Cannot build a training step: ${key} is ${value}, wanted a whole number above 0`, {
        context: { key, given: String(value) },
      });
    }
  }
}

/** A compiled step. */
export class Step<Row = ViewOf> {
  readonly #gpu: Gpu;
  readonly #model: StepModel<Row>;
  readonly #optimizer: AdamW;
  readonly #update: Program;
  readonly #options: StepOptions;
  /** Most rows of a batch. */
  readonly rows: number;
  readonly #compiled: Compiled;
  #batches = 0;
  #read = 0;
  #skipped = 0;

  private constructor(
    parts: { model: StepModel<Row>; optimizer: AdamW; update: Program; compiled: Compiled },
    options: StepOptions,
    /** Rows in memory at a time. */
    readonly micro: number,
  ) {
    this.#gpu = parts.model.parameters.gpu;
    this.#model = parts.model;
    this.#optimizer = parts.optimizer;
    this.#update = parts.update;
    this.#options = options;
    this.rows = options.rows ?? options.batch;
    this.#compiled = parts.compiled;
  }

  /**
   * Records and compiles a step. Without `micro` the rows are halved until their plan keeps the budget.
   *
   * @throws {ConfigError} If a number is not a whole one above 0.
   * @throws {LimitError} If not even single rows keep the budget.
   */
  static async compile<Row = ViewOf>(
    model: StepModel<Row>,
    optimizer: AdamW,
    options: StepOptions,
  ): Promise<Step<Row>> {
    check(options);
    const { batch, rows = batch } = options;
    const { gpu } = model.parameters;
    const apply = new Plan(gpu);
    optimizer.step(apply);
    const update = await apply.compile();
    for (let micro = Math.min(options.micro ?? options.mostMicro ?? rows, rows);; micro = Math.ceil(micro / 2)) {
      const store = new Store(gpu);
      try {
        const compiled = micro === rows || !model.rows
          ? await compileWhole(model, optimizer, store, options)
          : await compileCached(model, optimizer, store, options, micro);
        return new Step<Row>({ model, optimizer, update, compiled }, options, model.rows ? micro : rows);
      } catch (error) {
        store.destroy();
        if (!(error instanceof LimitError) || options.micro !== undefined || micro === 1 || !model.rows) {
          update.destroy();
          throw error;
        }
      }
    }
  }

  /** Names of the metrics, in the order of the ring's columns. */
  get metrics(): readonly string[] {
    return this.#compiled.metrics;
  }

  get #programs(): [string, Program][] {
    const { programs } = this.#compiled;
    return Object.entries(programs).filter((entry): entry is [string, Program] => "memory" in entry[1]);
  }

  /** Memory of each plan of a batch. */
  get memory(): Readonly<Record<string, MemoryReport>> {
    return Object.fromEntries(this.#programs.map(([name, program]) => [name, program.memory]));
  }

  /** Dispatches of each plan, the update's among them. */
  get dispatches(): Readonly<Record<string, number>> {
    const all = [...this.#programs, ["update", this.#update] as const];
    return Object.fromEntries(all.map(([name, program]) => [name, program.kernels.length]));
  }

  /** What a full batch and the update run, in order, without the copies between micro-batches. */
  get sequence(): readonly { readonly name: string; readonly program: Program }[] {
    const { programs } = this.#compiled;
    const update = { name: "update", program: this.#update };
    if ("whole" in programs) return [{ name: "whole", program: programs.whole }, update];
    const parts = Array.from({ length: Math.ceil(this.rows / this.micro) });
    return [
      ...parts.map(() => ({ name: "forward", program: programs.forward })),
      { name: "objective", program: programs.head },
      ...parts.map(() => ({ name: "backward", program: programs.again })),
      update,
    ];
  }

  /** Batches submitted so far; a resumed run sets it, so that noise and metrics go on where they stopped. */
  get position(): number {
    return this.#batches;
  }

  set position(batches: number) {
    this.#batches = this.#read = batches;
  }

  /**
   * Submits one step: `accumulate` batches and the update. Waits for data, never for the device.
   *
   * @param next Batch `i` of the step.
   */
  async submit(
    rates: LearningRates,
    next: (i: number) => StepBatch<Row> | Promise<StepBatch<Row>> = () => ({}),
  ): Promise<void> {
    const { accumulate = 1 } = this.#options;
    this.#optimizer.setLearningRate(rates);
    for (let i = 0; i < accumulate; i++) {
      await this.#batch(await next(i), i);
      this.#batches++;
    }
  }

  /** Told a batch that will be submitted soon: what the host makes for it begins now. */
  ahead({ rows = [] }: StepBatch<Row>): void {
    const { input } = this.#model.rows ?? {};
    if (!input?.ahead) return;
    const whole = "whole" in this.#compiled.programs;
    const [size, parts] = whole ? [this.rows, 1] : [this.micro, Math.ceil(rows.length / this.micro)];
    for (let part = 0; part < parts; part++) input.ahead(padded(rows, part * size, size));
  }

  async #batch(data: StepBatch<Row>, i: number): Promise<void> {
    const { accumulate = 1, seed = 0 } = this.#options;
    const { store, fields, programs, random, inputs } = this.#compiled;
    const step = Math.floor(this.#batches / accumulate);
    // Numbers go by row of the step; the last word is the place in the ring.
    const drawFrom = (row: number) => {
      const [key0, key1, first] = randomState(seed, step, i * this.rows + row);
      store.write(random, [key0, key1, first, this.#batches]);
    };
    for (const [name, values] of Object.entries(data.fields ?? {})) if (values) store.write(fields[name]!, values);
    drawFrom(0);
    const after = i + 1 === accumulate ? [this.#update] : [];
    const { rows = [] } = data;
    if ("whole" in programs) {
      if (this.#model.rows) await this.#model.rows.input.load(store, inputs, padded(rows, 0, this.rows));
      submit(this.#gpu, [programs.whole, ...after]);
      return;
    }
    const { forward, head, again, z, dz } = programs;
    const { input } = this.#model.rows!;
    const { micro } = this;
    const parts = Math.ceil(rows.length / micro);
    await input.prepare?.(rows);
    for (let part = 0; part < parts; part++) {
      await input.load(store, inputs, padded(rows, part * micro, micro), true);
      drawFrom(part * micro);
      submit(this.#gpu, [forward]);
      this.#copyRows(z.micro, 0, z.all, part * micro, micro);
    }
    drawFrom(0);
    submit(this.#gpu, [head]);
    // Those behind the last row as well: a batch before this one may have had more.
    this.#copyRows(dz.all, 0, dz.kept, 0, Math.min(this.rows, parts * micro));
    for (let part = 0; part < parts; part++) {
      await input.load(store, inputs, padded(rows, part * micro, micro));
      drawFrom(part * micro);
      this.#copyRows(dz.kept, part * micro, dz.micro, 0, micro);
      submit(this.#gpu, part + 1 === parts ? [again, ...after] : [again]);
    }
  }

  #copyRows(from: Tensor, fromRow: number, to: Tensor, toRow: number, rows: number): void {
    const bytes = this.#model.rows!.dim * 4;
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

  /**
   * Metrics of the steps since the last call, as many as the ring holds: means over the batches of a step.
   *
   * @throws {NumericsError} If activations in f16 went beyond its range, naming the layer.
   */
  async readMetrics(): Promise<Record<string, number>[]> {
    const { accumulate = 1, onSkipped } = this.#options;
    const { ring, metrics, overflow } = this.#compiled;
    const { state, lossScale } = this.#optimizer;
    const [values, counters, scale] = await readback(this.#gpu, ring, state, ...(lossScale ? [lossScale.state] : []));
    const skipped = counters![4]!;
    if (skipped !== this.#skipped) onSkipped?.(skipped, scale?.[0]);
    this.#skipped = skipped;
    await overflow.check("go on training");
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
    for (const [, program] of this.#programs) program.destroy();
    this.#update.destroy();
    this.#compiled.overflow.destroy();
    this.#compiled.store.destroy();
  }
}

/** `count` rows from `from` on; those missing behind the last are copies of the first of them. */
function padded<Row>(rows: readonly Row[], from: number, count: number): readonly Row[] {
  if (from === 0 && rows.length === count) return rows;
  return Array.from({ length: count }, (_, k) => rows[from + k < rows.length ? from + k : from]!);
}

/** Where a stage's batches come from. */
export interface BatchOrder {
  /** Steps of the stage. */
  readonly total: number;
  /** Batches a step. */
  readonly accumulate: number;
}

/**
 * A stage that a step runs; the batch behind the current one is made while that is computed.
 *
 * @param batch Batch `i` of a step of the stage.
 */
export function stepRunner<Row>(
  step: Step<Row>,
  { total, accumulate }: BatchOrder,
  batch: (stageStep: number, i: number) => StepBatch<Row> | Promise<StepBatch<Row>>,
): StageRunner {
  let upcoming: { readonly place: number; readonly batch: Promise<StepBatch<Row>> } | undefined;
  const begin = (place: number) => {
    const made = Promise.resolve(batch(Math.floor(place / accumulate), place % accumulate));
    made.catch(() => {});
    return made;
  };
  return {
    ...(step.micro < step.rows && { micro: step.micro }),
    seek: (batches) => step.position = batches,
    submit: (rates, stageStep) =>
      step.submit(rates, async (i) => {
        const place = stageStep * accumulate + i;
        const now = await (upcoming?.place === place ? upcoming.batch : begin(place));
        step.ahead(now);
        upcoming = undefined;
        if (place + 1 < total * accumulate) {
          upcoming = { place: place + 1, batch: begin(place + 1) };
          upcoming.batch.then((next) => step.ahead(next), () => {});
        }
        return now;
      }),
    read: () => step.readMetrics(),
    destroy: () => step.destroy(),
  };
}
