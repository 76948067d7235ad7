/**
 * Starting values of parameters, seeded.
 *
 * @module
 */

import type { Rng } from "../core/rng.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

/** Makes the values of a tensor of a shape. */
export type Init = (shape: Shape) => Float32Array;

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

/** Uniform in +-1/sqrt(fan_in), fan_in the product of all extents but the first: torch's Linear and Conv default. */
export function fanInUniform(rng: Rng): Init {
  return (shape) => {
    const bound = 1 / Math.sqrt(sizeOf(shape.slice(1)) || 1);
    return rng.uniforms(sizeOf(shape), -bound, bound);
  };
}
