/**
 * Named parameters of a model, trainable or frozen, and their places on the device.
 *
 * @module
 */

import { ConfigError, WeightsError } from "../core/errors.ts";
import type { Dtype } from "../core/dtype.ts";
import { formatShape, sameShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Init } from "./init.ts";

/** Options of {@linkcode Parameters.add}. */
export interface ParameterOptions {
  /** Gets a gradient and optimiser state; f32. Default: whether the whole set trains. */
  trainable?: boolean;
  /** Storage of a frozen parameter: f32 (default), f16 or bf16. */
  dtype?: Dtype;
  /** Starting values; without them the parameter must be loaded. */
  init?: Init;
}

/** Group names of the store that parameters live in; the optimiser reads whole groups. */
export const GROUPS = { weights: "weights", gradients: "gradients", frozen: "frozen", buffers: "buffers" } as const;

/**
 * Parameters by name, in order of creation. Trainable ones lie in one group of buffers, their gradients in another. Beside
 * them, state that a model keeps but no optimiser changes, such as running statistics.
 */
export class Parameters {
  /** Memory of the parameters and their gradients. */
  readonly store: Store;
  readonly #tensors: Map<string, Tensor> = new Map();
  readonly #buffers: Map<string, Tensor> = new Map();

  /**
   * Starts an empty set.
   *
   * @param gpu Device of the parameters.
   * @param trainable Default of {@linkcode ParameterOptions.trainable}; a predicate decides by name.
   */
  constructor(readonly gpu: Gpu, readonly trainable: boolean | ((name: string) => boolean) = true) {
    this.store = new Store(gpu);
  }

  /**
   * Adds a parameter.
   *
   * @throws {ConfigError} If the name is taken, or a trainable parameter is not f32.
   */
  add(name: string, shape: Shape, options: ParameterOptions = {}): Tensor {
    this.#free(name);
    const { trainable = this.trains(name), dtype = "f32", init } = options;
    if (trainable && dtype !== "f32") {
      throw new ConfigError(`Cannot train ${name} stored as ${dtype}: wanted f32`, {
        context: { key: name, given: dtype },
      });
    }
    const tensor = this.store.tensor(trainable ? GROUPS.weights : GROUPS.frozen, name, shape, dtype);
    if (trainable) {
      tensor.requiresGrad = true;
      tensor.grad = this.store.tensor(GROUPS.gradients, `${name}.grad`, shape);
    }
    this.#tensors.set(name, tensor);
    if (init) this.#pending.push([tensor, init]);
    return tensor;
  }

  /**
   * Adds state that is saved and loaded like a parameter but gets no gradient, such as running statistics. Kernels may write
   * it: it lies in no buffer with parameters.
   *
   * @throws {ConfigError} If the name is taken.
   */
  addBuffer(name: string, shape: Shape, { dtype = "f32", init }: { dtype?: Dtype; init?: Init } = {}): Tensor {
    this.#free(name);
    const tensor = this.store.tensor(GROUPS.buffers, name, shape, dtype);
    this.#buffers.set(name, tensor);
    if (init) this.#pending.push([tensor, init]);
    return tensor;
  }

  #free(name: string): void {
    if (!this.#tensors.has(name) && !this.#buffers.has(name)) return;
    throw new ConfigError(`Cannot add parameter ${name}: the name is taken`);
  }

  /** Whether a parameter of this name trains unless its options say otherwise. */
  trains(name: string): boolean {
    return typeof this.trainable === "function" ? this.trainable(name) : this.trainable;
  }

  readonly #pending: [Tensor, Init][] = [];

  /** Creates the memory and writes starting values. Call after the last {@linkcode Parameters.add}. */
  allocate(): void {
    this.store.allocate();
    for (const [tensor, init] of this.#pending.splice(0)) this.store.write(tensor, init(tensor.shape));
  }

  /** A parameter or buffer by name. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name) ?? this.#buffers.get(name);
    if (!tensor) throw new WeightsError(`Cannot find parameter ${name}`, { context: { keys: [name] } });
    return tensor;
  }

  /** Names and tensors of parameters in order. */
  entries(): [string, Tensor][] {
    return [...this.#tensors];
  }

  /** Names and tensors of {@linkcode Parameters.addBuffer} in order. */
  buffers(): [string, Tensor][] {
    return [...this.#buffers];
  }

  /** Everything a checkpoint holds: parameters, then buffers. */
  state(): [string, Tensor][] {
    return [...this.#tensors, ...this.#buffers];
  }

  /** Trainable names and tensors in order. */
  trainableEntries(): [string, Tensor][] {
    return this.entries().filter(([, tensor]) => tensor.grad);
  }

  /** Number of elements, all and trainable. */
  count(): { all: number; trainable: number } {
    const sum = (entries: [string, Tensor][]) => entries.reduce((n, [, tensor]) => n + sizeOf(tensor.shape), 0);
    return { all: sum(this.entries()), trainable: sum(this.trainableEntries()) };
  }

  /**
   * Writes parameters and buffers by name.
   *
   * @param values Must hold every parameter and buffer `wanted` accepts and nothing else.
   * @param wanted Which parameters to load; all by default.
   * @throws {WeightsError} Listing the first ten missing or unexpected names, or a shape that differs.
   */
  load(
    values: ReadonlyMap<string, { shape: Shape; data: ArrayLike<number> }>,
    wanted: (name: string) => boolean = () => true,
  ): void {
    const names = this.state().map(([name]) => name).filter(wanted);
    const missing = names.filter((name) => !values.has(name));
    const unexpected = [...values.keys()].filter((name) => !this.#tensors.has(name) && !this.#buffers.has(name));
    if (missing.length || unexpected.length) {
      const list = (
        keys: string[],
      ) => (keys.length ? `${keys.slice(0, 10).join(", ")}${keys.length > 10 ? ", …" : ""}` : "none");
      throw new WeightsError(
        `Cannot load weights: ${missing.length} missing (${list(missing)}), ${unexpected.length} unexpected (${
          list(unexpected)
        })`,
        {
          context: {
            missing: missing.slice(0, 10),
            unexpected: unexpected.slice(0, 10),
            total: missing.length + unexpected.length,
          },
        },
      );
    }
    for (const name of names) {
      const { shape } = values.get(name)!;
      const tensor = this.get(name);
      if (!sameShape(shape, tensor.shape)) {
        throw new WeightsError(
          `Cannot load ${name}: it is ${formatShape(shape)}, wanted ${formatShape(tensor.shape)}`,
          {
            context: { keys: [name], given: shape, wanted: tensor.shape },
          },
        );
      }
    }
    for (const name of names) this.store.write(this.get(name), values.get(name)!.data);
  }

  /** Reads parameters, or parameters and buffers by name, back in one wait. Counts come as numbers too. */
  async read(names: readonly string[] = this.entries().map(([name]) => name)): Promise<Map<string, Float32Array>> {
    const values = await readback(this.gpu, ...names.map((name) => this.get(name)));
    return new Map(values.map((data, i) => [names[i]!, data instanceof Float32Array ? data : Float32Array.from(data)]));
  }

  /** Frees the memory. */
  destroy(): void {
    this.store.destroy();
  }
}
