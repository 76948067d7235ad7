/**
 * The plans that embedding and training record for an encoder, at full width and few blocks: what `verify` runs kernel by
 * kernel, and what the tests compare with their cases. Recording makes no weights; {@linkcode RecordedPlan.fill} does.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { LimitError } from "../core/errors.ts";
import { randomState, Rng, streamOf } from "../core/rng.ts";
import type { Gpu } from "../gpu/device.ts";
import { type OverflowCounts, Plan } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { createEncoder } from "../models/encoder.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { preprocess } from "../models/preprocess.ts";
import { OVERFLOW_ROWS } from "../nn/overflow.ts";
import { Parameters } from "../nn/parameters.ts";
import { OVERFLOW_GROUPS } from "../ops/overflow.ts";

/** Blocks recorded: a first, a middle and a last one are all a plan can tell apart. */
const DEPTH = 3;

/** A recorded plan with what it reads. */
export interface RecordedPlan {
  /** What it does, for messages. */
  readonly name: string;
  readonly plan: Plan;
  /** Makes parameters and inputs and fills them with seeded numbers of usual size. */
  fill(): void;
  /** Frees them, once; plans recorded together share them, and the last one frees them. */
  destroy(): void;
}

/** RGB bytes of images, `[count, side, side, 3]`. */
export type Images = (count: number, side: number) => Uint8Array;

/** How a training plan is recorded. */
export interface Training {
  /** `key=value` of the configuration beside the encoder. */
  readonly keys: readonly (readonly [string, string])[];
  /** Storage of frozen weights. */
  readonly dtype: Dtype;
  /** Pairs a batch. */
  readonly batch: number;
  /** Images at a time; fewer are taken where the device cannot bind as many. */
  readonly micro: number;
  /** Behind the cached blocks, in this type; from pixels where it is left out. */
  readonly cached?: "f16" | "f32";
  /** Genes of the vocabulary. */
  readonly genes: number;
  /** Keep nothing of the blocks but their input. */
  readonly recompute?: boolean;
  /** What is seen; noise without. */
  readonly images?: Images | undefined;
}

/** The encoder with few of its blocks. */
export function shallow(spec: EncoderSpec): EncoderSpec {
  return { ...spec, arch: { ...spec.arch, depth: Math.min(spec.arch.depth, DEPTH) } };
}

/** Inputs of plans: tensors with the range their values are drawn from. */
export class Inputs {
  readonly store: Store;
  readonly #given: { tensor: Tensor; make: () => ArrayLike<number> }[] = [];
  readonly #ranges: { tensor: Tensor; name: string; low: number; high: number }[] = [];

  constructor(gpu: Gpu) {
    this.store = new Store(gpu);
  }

  /** Adds a tensor of uniform values in [low, high); whole numbers where its type holds nothing else. */
  add(name: string, shape: readonly number[], dtype: Dtype, low: number, high: number): Tensor {
    return this.draw(this.store.tensor(name, name, shape, dtype), name, low, high);
  }

  /** Adds images of a side, RGB bytes. */
  tiles(count: number, side: number, images: Images | undefined): Tensor {
    const shape = [count, side, side, 3];
    if (!images) return this.add("tiles", shape, "u8", 0, 256);
    return this.given("tiles", shape, "u8", () => images(count, side));
  }

  /** Adds a tensor of values that are made when it is filled. */
  given(name: string, shape: readonly number[], dtype: Dtype, make: () => ArrayLike<number>): Tensor {
    const tensor = this.store.tensor(name, name, shape, dtype);
    this.#given.push({ tensor, make });
    return tensor;
  }

  draw(tensor: Tensor, name: string, low: number, high: number): Tensor {
    this.#ranges.push({ tensor, name, low, high });
    return tensor;
  }

  /** Counts of what f16 cannot hold. */
  overflow(): OverflowCounts {
    const names: string[] = [];
    return {
      found: this.store.tensor("overflow", "overflow", [OVERFLOW_ROWS, OVERFLOW_GROUPS], "u32"),
      row: (name) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1),
    };
  }

  /** The state that dropout draws from. */
  random(): Tensor {
    return this.store.tensor("random", "random", [4], "u32");
  }

  fill(random?: Tensor): void {
    this.store.allocate();
    for (const { tensor, name, low, high } of this.#ranges) {
      const values = new Rng(streamOf(name), 1).uniforms(tensor.size, low, high);
      this.store.write(tensor, tensor.dtype.startsWith("u") ? values.map(Math.floor) : values);
    }
    for (const { tensor, make } of this.#given) this.store.write(tensor, make());
    if (random) this.store.write(random, randomState(1, 1));
  }
}

/**
 * Gives every parameter and running state numbers that hide nothing: no zeros, no ones, scales near one, variances positive.
 */
export function fillParameters(parameters: Parameters): void {
  parameters.allocate();
  for (const [name, tensor] of parameters.entries()) {
    const rng = new Rng(streamOf(name), 2);
    const [rows = 1, ...rest] = tensor.shape;
    const inputs = rest.reduce((a, b) => a * b, 1);
    const reach = rest.length > 0 ? Math.sqrt(3 / Math.max(1, inputs)) : 0.3;
    const scale = rest.length === 0 && /norm|gamma|bn|\.weight$/.test(name) && rows > 1 && !name.endsWith("bias");
    parameters.store.write(tensor, rng.uniforms(tensor.size, scale ? 0.7 : -reach, scale ? 1.3 : reach));
  }
}

/**
 * Records embedding.
 *
 * @param batch Images at a time.
 * @param tile Side of the images, px.
 * @param options What is seen, noise without; whether all blocks are recorded, or as few as a plan can tell apart.
 * @returns Undefined where the device cannot bind so many.
 */
export function embedPlan(
  gpu: Gpu,
  full: EncoderSpec,
  dtype: Dtype,
  batch: number,
  tile: number,
  { images, whole = false }: { readonly images?: Images | undefined; readonly whole?: boolean } = {},
): RecordedPlan | undefined {
  const spec = whole ? full : shallow(full);
  const parameters = new Parameters(gpu, () => false);
  const encoder = createEncoder(parameters, spec, { dtype, seed: 1 });
  const inputs = new Inputs(gpu);
  const plan = new Plan(gpu);
  plan.overflow = inputs.overflow();
  try {
    const tiles = inputs.tiles(batch, tile, images);
    plan.output(encoder.forward(plan, preprocess(plan, tiles, spec.input)).embedding);
  } catch (error) {
    if (error instanceof LimitError) return undefined;
    throw error;
  }
  return {
    name: `${spec.name} embeds ${batch} images of ${tile} px, weights in ${dtype}`,
    plan,
    fill() {
      fillParameters(parameters);
      inputs.fill();
    },
    destroy() {
      parameters.destroy();
      inputs.store.destroy();
    },
  };
}
