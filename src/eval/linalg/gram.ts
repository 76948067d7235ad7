/**
 * Products of a standardised table with itself, on the host in f64 or on the GPU; this file decides which.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { gpuGram } from "./gram_gpu.ts";
import { crossProduct, rowProducts } from "./product.ts";
import type { Standardized } from "./standardize.ts";

/** Where products may be computed. */
export interface GramOptions {
  /** A GPU for large products; without one, or on a software adapter, all is done on the host. */
  readonly gpu?: Gpu | undefined;
  /** Multiplications from which on the GPU is taken; default 4e9, about two seconds on the host. */
  readonly gpuFrom?: number;
}

/** A symmetric matrix, and where it comes from. */
export interface Gram {
  readonly data: Float64Array;
  readonly solver: "f64 on the host" | "f32 blocks on the GPU, summed in f64";
}

const GPU_FROM = 4e9;

/** XT X `[D, D]`. */
export async function gram(x: Standardized, options: GramOptions = {}): Promise<Gram> {
  const { gpu, gpuFrom = GPU_FROM } = options;
  const work = x.rows * x.columns * x.columns / 2;
  if (gpu !== undefined && (!gpu.caps.software || options.gpuFrom !== undefined) && work >= gpuFrom) {
    return { data: await gpuGram(gpu, x), solver: "f32 blocks on the GPU, summed in f64" };
  }
  return { data: crossProduct(x, x), solver: "f64 on the host" };
}

/** X XT `[n, n]`, for fewer rows than columns: never so large that a GPU would pay. */
export function rowGram(x: Standardized, _options: GramOptions = {}): Promise<Gram> {
  return Promise.resolve({ data: rowProducts(x), solver: "f64 on the host" });
}
