/**
 * One training step as two plans: the micro plan (forward, loss, backward, metrics) runs once a micro-batch, the update plan
 * (norm, clip, AdamW, clear) once a step. Nothing waits for the device; metrics are read as a ring every many steps.
 *
 * @module
 */

import { backwardFrom } from "../autodiff/backward.ts";
import { ConfigError } from "../core/errors.ts";
import { randomState } from "../core/rng.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import { type MemoryReport, type Program, submit } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { AdamW, LearningRates } from "../optim/adamw.ts";
import { ringWrite } from "../ops/ring.ts";

/** More rows than a micro-batch has: where their number is not known, micro-batches draw different numbers. */
const MOST_ROWS = 2 ** 20;

/** Options of {@linkcode TrainStep.compile}. */
export interface TrainStepOptions {
  /** Micro-batches a step; gradients are those of their mean loss. */
  accumulate?: number;
  /** Rows of a micro-batch: those of a step then draw the random numbers that one batch of all would. */
  rows?: number;
  /** Seed of dropout and other noise. */
  seed?: number;
  /** Steps the metric ring holds; read it at least so often. */
  ring?: number;
  /** Most bytes the micro plan may take. */
  budgetBytes?: number;
  /** Told the memory of the micro plan before it is allocated. */
  onMemory?: (report: MemoryReport) => void;
}

/** Appends forward and losses to the micro plan; `loss` is what is minimised, all entries are measured. All `[1]`. */
export type RecordStep = (g: Plan) => { loss: Tensor } & { [metric: string]: Tensor };

/** A compiled training step. */
export class TrainStep {
  readonly #gpu: Gpu;
  readonly #store: Store;
  readonly #random: Tensor;
  readonly #ring: Tensor;
  readonly #micro: Program;
  readonly #update: Program;
  readonly #optimizer: AdamW;
  readonly #seed: number;
  readonly #accumulate: number;
  readonly #rows: number;
  #micros = 0;
  #read = 0;

  private constructor(
    parts: {
      gpu: Gpu;
      store: Store;
      random: Tensor;
      ring: Tensor;
      micro: Program;
      update: Program;
      optimizer: AdamW;
      seed: number;
      accumulate: number;
      rows: number;
    },
    /** Names of the metrics, in the order of the ring's columns. */
    readonly metrics: readonly string[],
  ) {
    this.#gpu = parts.gpu;
    this.#store = parts.store;
    this.#random = parts.random;
    this.#ring = parts.ring;
    this.#micro = parts.micro;
    this.#update = parts.update;
    this.#optimizer = parts.optimizer;
    this.#seed = parts.seed;
    this.#accumulate = parts.accumulate;
    this.#rows = parts.rows;
  }

  /**
   * Records and compiles a step.
   *
   * @param record Called once.
   * @throws {ConfigError} If `accumulate`, `ring` or `rows` is not a whole number above 0.
   * @throws {LimitError} If the plan exceeds the budget.
   */
  static async compile(
    gpu: Gpu,
    optimizer: AdamW,
    record: RecordStep,
    options: TrainStepOptions = {},
  ): Promise<TrainStep> {
    const { accumulate = 1, seed = 0, ring: ringRows = 128, budgetBytes, onMemory } = options;
    const { rows = MOST_ROWS } = options;
    for (const [key, value] of Object.entries({ accumulate, ring: ringRows, rows })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new ConfigError(`Cannot build a training step: ${key} is ${value}, wanted a whole number above 0`, {
          context: { key, given: String(value) },
        });
      }
    }
    const store = new Store(gpu);
    const random = store.tensor("random", "random", [4], "u32");
    const g = new Plan(gpu);
    g.random = random;
    const measured = record(g);
    const metrics = Object.keys(measured);
    const ring = store.tensor("ring", "ring", [ringRows * accumulate, metrics.length]);
    store.allocate();
    metrics.forEach((name, column) => g.withoutTape(() => ringWrite(g, ring, measured[name]!, column)));
    backwardFrom(g, measured.loss, 1 / accumulate, optimizer.lossScale?.state.slice(0, [1]));
    const micro = await g.compile({
      // With one micro-batch a step, the update has cleared the gradients.
      clearGradients: accumulate === 1,
      ...(budgetBytes !== undefined && { budgetBytes }),
      ...(onMemory && { onMemory }),
    });
    const apply = new Plan(gpu);
    optimizer.step(apply);
    const update = await apply.compile();
    return new TrainStep({ gpu, store, random, ring, micro, update, optimizer, seed, accumulate, rows }, metrics);
  }

  /** Memory of the micro plan. */
  get memory(): MemoryReport {
    return this.#micro.memory;
  }

  /** Dispatches of a micro-batch and of an update. */
  get dispatches(): { micro: number; update: number } {
    return { micro: this.#micro.kernels.length, update: this.#update.kernels.length };
  }

  /** Micro-batches submitted so far; a resumed run sets it, so that noise and metrics go on where they stopped. */
  get position(): number {
    return this.#micros;
  }

  set position(micros: number) {
    this.#micros = this.#read = micros;
  }

  /**
   * Submits one step.
   *
   * @param writeInputs Writes the inputs of micro-batch `i` of this step.
   */
  submit(learningRate: LearningRates, writeInputs: (micro: number) => void): void {
    this.#optimizer.setLearningRate(learningRate);
    for (let i = 0; i < this.#accumulate; i++) {
      writeInputs(i);
      // The numbers are those of the step; the ring counts micro-batches.
      const [key0, key1, row] = randomState(this.#seed, Math.floor(this.#micros / this.#accumulate), i * this.#rows);
      this.#store.write(this.#random, [key0, key1, row, this.#micros++]);
      const last = i + 1 === this.#accumulate;
      submit(this.#gpu, last ? [this.#micro, this.#update] : [this.#micro]);
    }
  }

  /**
   * Reads the metrics of the steps since the last call (as many as the ring holds), one wait. Each is the mean over the
   * micro-batches of its step.
   */
  async readMetrics(): Promise<Record<string, number>[]> {
    const [values] = await readback(this.#gpu, this.#ring);
    const [rows, columns] = [this.#ring.dim(0), this.#ring.dim(1)];
    const from = Math.max(this.#read, this.#micros - rows);
    this.#read = this.#micros;
    const steps: Record<string, number>[] = [];
    for (let first = from; first < this.#micros; first += this.#accumulate) {
      const mean = (column: number) => {
        let sum = 0;
        for (let i = 0; i < this.#accumulate; i++) sum += values![((first + i) % rows) * columns + column]!;
        return sum / this.#accumulate;
      };
      steps.push(Object.fromEntries(this.metrics.map((name, column) => [name, mean(column)])));
    }
    return steps;
  }

  /** Frees the plans; parameters and optimiser stay. */
  destroy(): void {
    this.#micro.destroy();
    this.#update.destroy();
    this.#store.destroy();
  }
}
