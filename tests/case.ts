/** The case table entry: one piece of data that drives correctness, gradients, f16, poison, reruns and benches of an op. */

import type { Dtype } from "../src/core/dtype.ts";
import type { Rng } from "../src/core/rng.ts";
import type { Shape } from "../src/core/shape.ts";
import type { Plan } from "../src/graph/plan.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import type { Cost } from "../src/ops/cost.ts";

/** One input of a case. */
export interface Input {
  readonly shape: Shape;
  /** Values from a seeded generator; the same for every variant of the case. */
  readonly make: (rng: Rng) => ArrayLike<number>;
  /** Element type in the plain variant; default f32. */
  readonly dtype?: Dtype;
  /** Chosen one by one, for what these very values do. */
  readonly chosen?: boolean;
}

/** How far the engine may be from the f64 reference. */
export interface Tolerance {
  /** Sum of squared errors over sum of squares of the reference. */
  readonly nmse?: number;
  /** Largest error in units of the root mean square of the reference. */
  readonly max?: number;
  /** A 0 passes where a smaller amount than this is wanted: 2^-14 of halves, whose subnormals a device may store as 0. Default 0. */
  readonly tiny?: number;
}

/** f64 values by name. */
export type Values = Record<string, Float64Array>;

/** One case of an op. */
export interface OpCase {
  /** What is special about it, with its shape: `37x384`. Unique within the file. */
  readonly name: string;
  readonly inputs: Readonly<Record<string, Input>>;
  /** Appends the op; returns its outputs in order. Inputs that an op changes in place may be returned as outputs. */
  readonly run: (g: Plan, t: Record<string, Tensor>) => Tensor | readonly Tensor[];
  /** The same outputs in float64, written from the formula. Must not change its arguments. */
  readonly ref: (a: Values) => Float64Array | readonly Float64Array[];
  /** Inputs whose gradient is checked; empty when the op has none (say why in a comment). */
  readonly wrt: readonly string[];
  /**
   * Gradients from a formula, for cases whose `ref` is too slow for differences. The runner checks it against central
   * differences in every case that has both and is small.
   */
  readonly refGrad?: (a: Values, cotangents: readonly Float64Array[]) => Values;
  /** The same of activations in f16, for ops that keep such in between: what is kept is rounded. Default `ref` and `refGrad`. */
  readonly halfRefs?: Pick<OpCase, "ref" | "refGrad">;
  /** Inputs stored as f16 in the f16 variant (all `T` tensors of the kernels); leave out to skip the variant. */
  readonly f16?: readonly string[];
  /**
   * Inputs stored as f16 and as bf16 in the frozen-weight variants (all `W` tensors); they get no gradient there. With `f16`
   * there is a variant of both.
   */
  readonly weights?: readonly string[];
  /** A wider tolerance needs a comment that derives it. Defaults: nmse 1e-10, max 1e-4; f16: 1e-6, 1e-2. */
  readonly tol?: Tolerance;
  /** Tolerance of gradients. Defaults: nmse 1e-8, max 1e-3; f16: 1e-5, 3e-2. */
  readonly gradTol?: Tolerance;
  /**
   * Whole numbers that are rounded from what is none may be 1 off, in this share of the elements at most: where the number is
   * near the middle of two, the last bits of the sum decide. Exact without.
   */
  readonly rounded?: number;
  /** Device limits to pretend, for paths that exist because of them. */
  readonly limits?: Partial<Record<"maxStorageBufferBindingSize", number>>;
  /** Invocations that keep the pretended device busy; few make products of small matrices take the tiles of large ones. */
  readonly invocations?: number;
  /** Variant of kernels that the tuner may pick on a GPU, by its name, for all that have it. */
  readonly tuned?: string;
  /** Kernel paths to run; default both. Tiles that only a GPU takes need no barrier-free run. */
  readonly paths?: readonly ("flat" | "gpu")[];
  /** Include in benches, with the work of one call. */
  readonly perf?: Cost;
  /** Bench only: too large to test here. */
  readonly benchOnly?: boolean;
}

/** Normal values. */
export function normal(shape: Shape, scale = 1, shift = 0): Input {
  return { shape, make: (rng) => Float32Array.from({ length: count(shape) }, () => rng.normal() * scale + shift) };
}

/** Uniform values in [lo, hi). */
export function uniform(shape: Shape, lo: number, hi: number): Input {
  return { shape, make: (rng) => rng.uniforms(count(shape), lo, hi) };
}

/** Uniform integers in [0, below). */
export function integers(shape: Shape, below: number, dtype: Dtype = "u32"): Input {
  return { shape, dtype, make: (rng) => Uint32Array.from({ length: count(shape) }, () => rng.below(below)) };
}

/** Fixed values. */
export function given(shape: Shape, values: ArrayLike<number>, dtype: Dtype = "f32"): Input {
  return { shape, dtype, make: () => values, chosen: true };
}

function count(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}
