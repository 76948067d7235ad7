/**
 * A plan: the list of dispatches of one step, recorded once by ops, compiled once, replayed every step. Also the tape: an
 * op that can be differentiated leaves a closure that appends its backward dispatches.
 *
 * @module
 */

import { type Dtype, encode } from "../core/dtype.ts";
import { assert } from "../core/errors.ts";
import { streamOf } from "../core/rng.ts";
import type { Shape } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Access, Kernel } from "../gpu/kernel.ts";
import { compile, type CompileOptions, type Program } from "./program.ts";
import { type RunOptions, solve, type Solved } from "./solve.ts";
import { bytesOf, Storage, Tensor } from "./tensor.ts";

/** Tensors a kernel takes, by name; optional ones may be left out. */
export type KernelTensors<T> = { [K in keyof T]: Tensor | (undefined extends T[K] ? undefined : never) };

/** Scalars and options a kernel takes. Options default to the first value the card lists. */
export type KernelOptions<P, O> = P & { [K in keyof O]?: O[K] } & { tune?: Readonly<Record<string, number>> };

/** The last argument of {@linkcode Plan.run}; it may be left out when a kernel has no params. */
export type OptionsArgument<P, O> = [keyof P] extends [never] ? [options?: KernelOptions<P, O>]
  : [options: KernelOptions<P, O>];

/** One recorded kernel call. */
export interface Dispatch extends Solved {
  /** What runs. */
  readonly kernel: Kernel;
  /** Scalars and options. */
  readonly options: RunOptions;
  /** Op that appended it, `<op> backward` for gradients, `<op> again` where it is recomputed; else the kernel. */
  readonly op: string;
  /** Module it belongs to, such as `encoder/blocks.3`; empty outside of any. */
  readonly module: string;
}

/**
 * Appends backward dispatches: from the gradients of an op's outputs (undefined where none arrived) to those of its
 * inputs. `needs[i]` says whether input `i` wants one; others are ignored. Gradient tensors are values: never written
 * again, so an op may return the gradient it was given.
 */
export type Backward = (
  grads: readonly (Tensor | undefined)[],
  needs: readonly boolean[],
) => readonly (Tensor | undefined)[];

/** One differentiable op on the tape. */
export interface TapeEntry {
  /** Name of the op. */
  readonly name: string;
  /** Tensors that may get a gradient. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** What the op computed. */
  readonly outputs: readonly Tensor[];
  /** Appends its gradients. */
  readonly backward: Backward;
  /** Module it belongs to. */
  readonly module: string;
}

/** Where stores beyond the range of f16 are counted. */
export interface OverflowCounts {
  /** A row for each place, u32. Persistent. */
  readonly found: Tensor;
  /** Row of a place; equal names have one row. */
  row(name: string): number;
}

/** A range of the columns of a matrix. */
interface Columns {
  readonly from: number;
  readonly to: number;
  /** Columns, first byte and size of the matrix: what else lies in its memory is not meant. */
  readonly of: number;
  readonly at: number;
  readonly size: number;
}

/** Records dispatches and the tape of one step. */
export class Plan {
  /** Dispatches in order. */
  readonly dispatches: Dispatch[] = [];
  /** Differentiable ops in order; `autodiff` walks it backwards. */
  tape: TapeEntry[] = [];
  /**
   * What random numbers are drawn from, u32 `[4]`: see `randomState` in `src/core/rng.ts`. Persistent; the host writes it.
   */
  random: Tensor | undefined;
  /** Layers count here what f16 cannot hold of their outputs; they do not where it is left out. */
  overflow: OverflowCounts | undefined;
  /**
   * Gradients that algebra makes 0 are 0. Off, they are computed all the same: rounding noise, on which an optimiser that
   * divides by the size of a gradient walks.
   */
  exactZeros = true;
  #module = "";
  /** What appends dispatches, where that is known before they are. */
  #op: string | undefined;
  /** Dispatches before this one have their op. */
  #claimed = 0;
  #recording = true;
  #replaying = false;
  readonly #streams: Map<number, string> = new Map();
  readonly #centred: Map<Storage, Columns> = new Map();
  readonly #outputs: Set<Storage> = new Set();
  readonly #constants: Map<string, { tensor: Tensor; data: Uint8Array }> = new Map();

  /**
   * Starts an empty plan.
   *
   * @param gpu Device the plan will run on; its capabilities choose kernel paths while recording.
   */
  constructor(readonly gpu: Gpu) {}

  /** A new transient tensor. */
  tensor(shape: Shape, dtype: Dtype = "f32", label = "tensor"): Tensor {
    return new Tensor(shape, dtype, new Storage(label, bytesOf(shape, dtype), "transient"));
  }

  /**
   * A tensor of fixed values that the compiled plan owns, such as an interpolation table.
   *
   * @param key Says everything the values depend on: equal keys share one tensor.
   */
  constant(key: string, shape: Shape, dtype: Dtype, make: () => ArrayLike<number>): Tensor {
    const known = this.#constants.get(key);
    if (known) return known.tensor;
    const tensor = new Tensor(shape, dtype, new Storage(key, bytesOf(shape, dtype), "persistent"));
    this.#constants.set(key, { tensor, data: encode(make(), dtype) });
    return tensor;
  }

  /**
   * Appends one dispatch.
   *
   * @throws {ShapeError | DtypeError | ConfigError | LimitError} If the arguments do not fit the kernel's card.
   */
  run<
    T extends Partial<Record<string, Access | undefined>>,
    P extends Record<string, number>,
    O extends Record<string, string>,
  >(
    kernel: Kernel<T & Partial<Record<string, Access>>, P, O>,
    tensors: KernelTensors<T>,
    ...[options]: OptionsArgument<P, O>
  ): void {
    const plain = (options ?? {}) as RunOptions;
    const solved = solve(
      kernel as unknown as Kernel,
      tensors as Record<string, Tensor | undefined>,
      plain,
      this.gpu.caps,
    );
    const op = this.#op ?? kernel.name;
    this.dispatches.push({ kernel: kernel as unknown as Kernel, options: plain, ...solved, op, module: this.#module });
  }

  /** Runs `body`, whose dispatches belong to a module below the current one. */
  module<R>(name: string, body: () => R): R {
    return this.within(this.#module ? `${this.#module}/${name}` : name, this.#op, body);
  }

  /** Runs `body`, whose dispatches belong to this module and, where it is given, this op. */
  within<R>(module: string, op: string | undefined, body: () => R): R {
    const before = [this.#module, this.#op] as const;
    [this.#module, this.#op] = [module, op];
    try {
      return body();
    } finally {
      [this.#module, this.#op] = before;
    }
  }

  /** Names the op of the dispatches between its inputs and outputs that have none yet. */
  #claim(name: string, inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[]): void {
    if (this.#op !== undefined) return;
    const op = this.#replaying ? `${name} again` : name;
    const given = new Set(inputs.map((tensor) => tensor?.storage));
    const needed = new Set(outputs.map(({ storage }) => storage));
    for (let i = this.dispatches.length - 1; i >= this.#claimed; i--) {
      const dispatch = this.dispatches[i]!;
      if (!dispatch.bound.some(({ slot, tensor }) => slot.access !== "in" && needed.has(tensor.storage))) continue;
      for (const { slot, tensor } of dispatch.bound) {
        if (slot.access !== "out" && !given.has(tensor.storage)) needed.add(tensor.storage);
      }
      this.dispatches[i] = { ...dispatch, op };
    }
    this.#claimed = this.dispatches.length;
  }

  /** Whether backward will want a gradient for any of these, so that an op knows what to save. */
  needsGrad(...tensors: (Tensor | undefined)[]): boolean {
    return this.#recording && tensors.some((tensor) => tensor?.requiresGrad);
  }

  /** Names an op, and puts it on the tape if any input needs a gradient; its outputs then need one too. */
  record(name: string, inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[], backward: Backward): void {
    this.#claim(name, inputs, outputs);
    if (!this.needsGrad(...inputs)) return;
    for (const output of outputs) output.requiresGrad = true;
    this.tape.push({ name, inputs, outputs, backward, module: this.#module });
  }

  /** Runs `body` without a tape: nothing is saved for backward. */
  withoutTape<R>(body: () => R): R {
    const before = this.#recording;
    this.#recording = false;
    try {
      return body();
    } finally {
      this.#recording = before;
    }
  }

  /** Runs `body`, which ran before without a tape, on a tape of its own and returns that tape. */
  withTape<R>(body: () => R): { result: R; tape: TapeEntry[] } {
    const outer = this.tape;
    const before = [this.#recording, this.#replaying, this.#op, this.#claimed] as const;
    this.tape = [];
    this.#recording = true;
    this.#replaying = true;
    this.#op = undefined;
    this.#claimed = this.dispatches.length;
    try {
      const result = body();
      return { result, tape: this.tape };
    } finally {
      this.tape = outer;
      [this.#recording, this.#replaying, this.#op, this.#claimed] = before;
    }
  }

  /** Whether a segment runs a second time, for its gradients: ops that change persistent state do so the first time only. */
  get replaying(): boolean {
    return this.#replaying;
  }

  /** Number of the random stream of a name; equal names have one stream, others never. */
  stream(name: string): number {
    const stream = streamOf(name);
    const known = this.#streams.get(stream) ?? name;
    assert(known === name, `${name} and ${known} draw different random numbers`);
    this.#streams.set(stream, name);
    return stream;
  }

  /**
   * Notes of a gradient, seen as rows of its last dimension, that columns `from .. to` sum to 0 over all rows whatever the
   * data. What is added to every row alike, such as a bias, has no gradient there. It holds where all rows shifted alike
   * give the same result: behind a normalisation by the batch, a correlation, a softmax over the rows.
   */
  noteCentred(grad: Tensor, from = 0, to: number = grad.dim(-1)): void {
    if (!this.exactZeros || from >= to) return;
    this.#centred.set(grad.storage, { of: grad.dim(-1), from, to, at: grad.byteOffset, size: grad.size });
  }

  /** Columns of a gradient that are known to sum to 0; empty where none are. */
  centred(grad: Tensor): { readonly from: number; readonly to: number; readonly all: boolean } {
    const found = this.#centred.get(grad.storage);
    const same = found && found.of === grad.shape.at(-1) && found.at === grad.byteOffset && found.size === grad.size;
    if (!same) return { from: 0, to: 0, all: false };
    return { from: found.from, to: found.to, all: found.from === 0 && found.to === found.of };
  }

  /** Keeps a transient tensor readable after the step. */
  output(...tensors: Tensor[]): void {
    for (const tensor of tensors) this.#outputs.add(tensor.storage);
  }

  /**
   * Drops what nobody reads, places memory, prints nothing, allocates within the budget and builds pipelines.
   *
   * @throws {LimitError} With the numbers, before anything is allocated, if the plan exceeds `budgetBytes`.
   */
  compile(options: CompileOptions = {}): Promise<Program> {
    const constants = new Map([...this.#constants.values()].map(({ tensor, data }) => [tensor.storage, data]));
    return compile(this.gpu, this.dispatches, this.#outputs, constants, options);
  }
}
