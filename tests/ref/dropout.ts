/** Dropout in float64 with the words of the CPU generator. */

import { threefry2x32 } from "../../src/core/rng.ts";

/** Word of each element for a seed, stream and step. */
export function words(n: number, seed: number, stream: number, step: number): Uint32Array {
  const out = new Uint32Array(n);
  for (let i = 0; i < n; i++) out[i] = threefry2x32(seed, stream, Math.floor(i / 2), step)[(i & 1) as 0 | 1];
  return out;
}

/** `random` holds seed and step. */
export function dropoutRef(x: Float64Array, random: ArrayLike<number>, stream: number, p: number): Float64Array {
  const word = words(x.length, random[0]!, stream, random[1]!);
  return x.map((value, i) => (word[i]! >= Math.floor(p * 2 ** 32) ? value / (1 - p) : 0));
}
