/**
 * Starting values of parameters, seeded.
 *
 * @module
 */

import { Rng, streamOf } from "../core/rng.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

/** Makes the values of a tensor of a shape. */
export type Init = (shape: Shape) => Float32Array;

/** First of the streams that modules draw starting values from; those below are the encoders'. */
const FIRST_STREAM = 16;

/**
 * Random numbers for the starting values of one module: independent of those of any other name.
 *
 * @param name Of the module, its prefix included.
 * @returns Undefined without a seed.
 */
export function moduleRng(seed: number | undefined, name: string): Rng | undefined {
  if (seed === undefined) return undefined;
  return new Rng(seed, Math.max(FIRST_STREAM, streamOf(name)));
}

/** Every element `value`. */
export function constant(value: number): Init {
  return (shape) => new Float32Array(sizeOf(shape)).fill(value);
}

/** Normal with standard deviation `std`, cut at two of them by drawing again (timm's `trunc_normal_`). */
export function truncatedNormal(rng: Rng, std = 0.02): Init {
  return (shape) =>
    Float32Array.from({ length: sizeOf(shape) }, () => {
      for (;;) {
        const z = rng.normal();
        if (Math.abs(z) <= 2) return z * std;
      }
    });
}

/** The same with deviation 1/sqrt(fan_in), which keeps what narrow layers say as large as what they are told. */
export function fanInNormal(rng: Rng): Init {
  return (shape) => truncatedNormal(rng, 1 / Math.sqrt(sizeOf(shape.slice(1)) || 1))(shape);
}

/** Uniform in +-1/sqrt(fan_in), fan_in the product of all extents but the first: torch's Linear and Conv default. */
export function fanInUniform(rng: Rng): Init {
  return (shape) => {
    const bound = 1 / Math.sqrt(sizeOf(shape.slice(1)) || 1);
    return rng.uniforms(sizeOf(shape), -bound, bound);
  };
}

/** Uniform in +-bound. */
export function uniform(rng: Rng, bound: number): Init {
  return (shape) => rng.uniforms(sizeOf(shape), -bound, bound);
}

/** Normal with mean 0: torch's Embedding default at `std` 1. */
export function normal(rng: Rng, std = 1): Init {
  return (shape) => rng.normals(sizeOf(shape), std);
}

/** Uniform in +-sqrt(6 / (rows + columns)): torch's `xavier_uniform_`, the start of MultiheadAttention's packed weight. */
export function xavierUniform(rng: Rng): Init {
  return (shape) => {
    const bound = Math.sqrt(6 / (shape[0]! + shape[1]!));
    return rng.uniforms(sizeOf(shape), -bound, bound);
  };
}
