/**
 * AdamW over all trainable parameters of a set.
 *
 * @module
 */

import { assert, ConfigError, WeightsError } from "../core/errors.ts";
import { formatShape, sameShape, type Shape } from "../core/shape.ts";
import { readback } from "../gpu/readback.ts";
import type { Plan } from "../graph/plan.ts";
import { Store, STORE_ALIGN, upload } from "../graph/store.ts";
import { Tensor } from "../graph/tensor.ts";
import { GROUPS, type Parameters } from "../nn/parameters.ts";
import { adamw, type AdamwChunk, type AdamwOptions } from "../ops/adamw.ts";
import { ema } from "../ops/ema.ts";

/** A parameter group: parameters whose names `match` accepts, with what is special about them. */
export interface ParameterGroup {
  /** First group that accepts a name gets it. */
  readonly match: (name: string, tensor: Tensor) => boolean;
  /** Which of several learning rates it follows; see {@linkcode AdamW.setLearningRate}. */
  readonly rate?: string;
  /** Times that learning rate; default 1. */
  readonly lrScale?: number;
  /** Decoupled weight decay; default 0. */
  readonly weightDecay?: number;
}

/** One learning rate for all groups, or one for each name that groups have in `rate`. */
export type LearningRates = number | Readonly<Record<string, number>>;

/** Options of the optimiser. */
export interface AdamwSettings extends AdamwOptions {
  /** Share of itself that a running mean of the weights keeps in each step; 0 (default) has none. */
  readonly ema?: number;
}

/** A tensor on the host. */
export interface HostTensor {
  /** Extents. */
  readonly shape: Shape;
  /** Elements in row-major order. */
  readonly data: Float32Array;
}

/** What the device knows of the last step. */
export interface StepState {
  /** Global gradient norm before clipping. */
  readonly gradNorm: number;
  /** What gradients were multiplied by, the loss scale's inverse included. */
  readonly clipFactor: number;
  /** Whether the gradients were finite, so that the step counted. */
  readonly ok: boolean;
  /** Steps that counted. */
  readonly steps: number;
  /** Steps left out because a gradient was not finite. */
  readonly skipped: number;
}

/** torch's usual groups: decay for matrices, none for vectors. */
export function decayMatrices(weightDecay: number): ParameterGroup[] {
  return [
    { match: (_, tensor) => tensor.shape.length > 1, weightDecay },
    { match: () => true },
  ];
}

/** Optimiser state lives beside the parameters, in the same order, so that one dispatch updates a whole buffer. */
export class AdamW {
  readonly #parameters: Parameters;
  readonly #store: Store;
  readonly #options: AdamwSettings;
  readonly #groups: readonly ParameterGroup[];
  readonly #chunks: AdamwChunk[];
  /** Running means of the weights, chunk by chunk; none without. */
  readonly #means: readonly Tensor[];
  readonly #hyper: Tensor;
  readonly #rate: Tensor;
  /** `[8]`: norm, factor, ok, steps, skipped, bias corrections. */
  readonly state: Tensor;

  /**
   * Call after the last parameter was added.
   *
   * @throws {ConfigError} If a parameter belongs to no group or a hyper-parameter is not a finite number.
   */
  constructor(parameters: Parameters, groups: readonly ParameterGroup[], options: AdamwSettings = {}) {
    this.#parameters = parameters;
    this.#options = options;
    this.#groups = groups;
    const store = this.#store = new Store(parameters.gpu);
    for (const { lrScale = 1, weightDecay = 0 } of groups) {
      if (!Number.isFinite(lrScale) || !Number.isFinite(weightDecay) || weightDecay < 0) {
        throw new ConfigError(`Cannot use lrScale ${lrScale} with weightDecay ${weightDecay}: wanted finite numbers`);
      }
    }
    const ids = new Map<Tensor["storage"], number[]>();
    for (const [name, tensor] of parameters.trainableEntries()) {
      const row = groups.findIndex((group) => group.match(name, tensor));
      if (row < 0) {
        throw new ConfigError(`Cannot optimise ${name}: no parameter group accepts it`, { context: { key: name } });
      }
      const blocks = ids.get(tensor.storage) ?? [];
      const start = tensor.byteOffset / STORE_ALIGN;
      for (let i = 0; i < Math.ceil(tensor.bytes / STORE_ALIGN); i++) blocks[start + i] = row;
      ids.set(tensor.storage, blocks);
    }
    parameters.store.allocate();
    const weights = parameters.store.chunks(GROUPS.weights);
    const gradients = parameters.store.chunks(GROUPS.gradients);
    this.#chunks = weights.map((w, i) => ({
      w,
      grad: gradients[i]!,
      m: store.tensor(`adamw.m${i}`, `adamw.m${i}`, w.shape),
      v: store.tensor(`adamw.v${i}`, `adamw.v${i}`, w.shape),
      group: store.from("adamw.group", `adamw.group${i}`, [w.size / 64], ids.get(w.storage)!, "u32"),
    }));
    this.#means = (options.ema ?? 0) > 0
      ? weights.map((w, i) => store.tensor(`adamw.ema${i}`, `adamw.ema${i}`, w.shape))
      : [];
    const rows = groups.flatMap(({ lrScale = 1, weightDecay = 0 }) => [lrScale, weightDecay]);
    this.#hyper = store.from("adamw.hyper", "adamw.hyper", [groups.length, 2], rows);
    this.#rate = store.tensor("adamw.rate", "adamw.rate", [groups.length]);
    this.state = store.tensor("adamw.state", "adamw.state", [8]);
    store.allocate();
    this.startMean();
  }

  /** Begins the running mean anew with the weights as they are: for weights that were loaded later. */
  startMean(): void {
    this.#copyMeans((encoder, w, mean, bytes) => encoder.copyBufferToBuffer(...w, ...mean, bytes));
  }

  /** Appends one step to a plan: norm, clip, update, clear the gradients, and the running mean where there is one. */
  step(g: Plan): void {
    g.module("update", () => {
      adamw(g, this.#chunks, this.#hyper, this.state, this.#rate, this.#options);
      this.#means.forEach((mean, i) => ema(g, mean, this.#chunks[i]!.w, this.#options.ema!));
    });
  }

  /** Whether there is a running mean of the weights. */
  get averages(): boolean {
    return this.#means.length > 0;
  }

  /** Lets the weights and their running mean change places: what reads the weights then reads the mean. */
  swapMean(): void {
    const { gpu } = this.#parameters;
    const most = Math.max(0, ...this.#means.map(({ bytes }) => bytes));
    if (most === 0) return;
    const between = gpu.buffer("adamw.swap", most, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
    this.#copyMeans((encoder, w, mean, bytes) => {
      encoder.copyBufferToBuffer(...w, between, 0, bytes);
      encoder.copyBufferToBuffer(...mean, ...w, bytes);
      encoder.copyBufferToBuffer(between, 0, ...mean, bytes);
    });
    between.destroy();
  }

  #copyMeans(
    copy: (encoder: GPUCommandEncoder, w: [GPUBuffer, number], mean: [GPUBuffer, number], bytes: number) => void,
  ): void {
    if (this.#means.length === 0) return;
    const { gpu } = this.#parameters;
    const encoder = gpu.device.createCommandEncoder();
    const place = ({ storage, byteOffset }: Tensor): [GPUBuffer, number] => [
      storage.buffer!,
      storage.offset + byteOffset,
    ];
    this.#means.forEach((mean, i) => copy(encoder, place(this.#chunks[i]!.w), place(mean), mean.bytes));
    gpu.queue.submit([encoder.finish()]);
  }

  /** The loss scale given in the options. */
  get lossScale(): AdamwOptions["lossScale"] {
    return this.#options.lossScale;
  }

  /**
   * Sets the learning rate of the next submitted step.
   *
   * @throws {ConfigError} If it is not a finite number >= 0, or there is none for a group.
   */
  setLearningRate(rates: LearningRates): void {
    const rows = this.#groups.map(({ rate = "" }) => {
      const value = typeof rates === "number" ? rates : Object.hasOwn(rates, rate) ? rates[rate]! : NaN;
      if (Number.isFinite(value) && value >= 0) return value;
      throw new ConfigError(`Cannot set the learning rate ${rate} to ${value}: wanted a finite number >= 0`, {
        context: { key: "lr", given: String(value) },
      });
    });
    upload(this.#parameters.gpu, this.#rate, rows);
  }

  /** Reads the state of the last step back: one wait. */
  async readState(): Promise<StepState> {
    const [values] = await readback(this.#parameters.gpu, this.state);
    const [gradNorm, clipFactor, ok, steps, skipped] = values as unknown as number[];
    return { gradNorm: gradNorm!, clipFactor: clipFactor!, ok: ok === 1, steps: steps!, skipped: skipped! };
  }

  /** Where each trainable parameter keeps its moments: names as torch's, with the parameter's behind. */
  #moments(): [name: string, tensor: Tensor][] {
    return this.#parameters.trainableEntries().flatMap(([name, { shape, storage, byteOffset }]) => {
      const at = this.#chunks.findIndex(({ w }) => w.storage === storage);
      const chunk = this.#chunks[at];
      assert(chunk, `${name} lies in a buffer of the optimiser`);
      const mean = this.#means[at];
      return [
        ["exp_avg", chunk.m] as const,
        ["exp_avg_sq", chunk.v] as const,
        ...(mean ? [["ema", mean] as const] : []),
      ]
        .map(([moment, { storage }]): [string, Tensor] => [
          `${moment}.${name}`,
          new Tensor(shape, "f32", storage, byteOffset),
        ]);
    });
  }

  /** What a resumed run needs: moments, counters and, in half precision, the loss scale. */
  #kept(): [name: string, tensor: Tensor][] {
    const { lossScale } = this.#options;
    const kept: [string, Tensor][] = [...this.#moments(), ["state", this.state]];
    return lossScale ? [...kept, ["loss_scale", lossScale.state]] : kept;
  }

  /** Begins anew, as between stages: moments and counters are 0; the loss scale and running means stay what they have come to. */
  reset(): void {
    for (const [name, tensor] of this.#kept()) {
      if (name !== "loss_scale" && !name.startsWith("ema.")) {
        upload(this.#parameters.gpu, tensor, new Float32Array(tensor.size));
      }
    }
  }

  /** Reads everything a resumed run needs back, in one wait: moments and running means of parameters, counters, the loss scale. */
  async read(): Promise<Map<string, HostTensor>> {
    const entries = this.#kept();
    const values = await readback(this.#parameters.gpu, ...entries.map(([, tensor]) => tensor));
    return new Map(entries.map(([name, { shape }], i) => [name, { shape, data: values[i] as Float32Array }]));
  }

  /**
   * Writes what {@linkcode AdamW.read} gave.
   *
   * @throws {WeightsError} If a tensor is missing, unexpected or of another shape; nothing is written then.
   */
  load(values: ReadonlyMap<string, { readonly shape: Shape; readonly data: ArrayLike<number> }>): void {
    const entries = this.#kept();
    const names = new Set(entries.map(([name]) => name));
    const wrong = entries.map(([name]) => name).find((name) => !values.has(name)) ??
      [...values.keys()].find((name) => !names.has(name));
    if (wrong !== undefined) {
      throw new WeightsError(
        `Cannot resume the optimiser: ${wrong} is ${
          values.has(wrong) ? "unexpected" : "missing"
        }, wanted the parameters ` +
          `that train now`,
        { context: { keys: [wrong] } },
      );
    }
    for (const [name, { shape }] of entries) {
      const given = values.get(name)!.shape;
      if (sameShape(given, shape)) continue;
      throw new WeightsError(
        `Cannot resume the optimiser: ${name} is ${formatShape(given)}, wanted ${formatShape(shape)}`,
        { context: { keys: [name], given, wanted: shape } },
      );
    }
    for (const [name, tensor] of entries) upload(this.#parameters.gpu, tensor, values.get(name)!.data);
  }

  /** Bytes of the optimiser state. */
  bytes(): number {
    return Object.values(this.#store.bytes()).reduce((a, b) => a + b, 0);
  }

  /** Frees the state. */
  destroy(): void {
    this.#store.destroy();
  }
}
