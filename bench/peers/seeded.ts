/**
 * Seeded operands.
 *
 * @module
 */

import type { HostTensor } from "./types.ts";

/** Uniform values in `[-scale, scale)`, plus `shift`; mulberry32. */
export function tensor(shape: readonly number[], seed: number, scale: number, shift = 0): HostTensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = seed >>> 0;
  for (let i = 0; i < data.length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    data[i] = shift + scale * (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1);
  }
  return { shape, data };
}
