/** Noise in float64 with the words of the CPU generator. */

import { words } from "./dropout.ts";

/** `random` holds seed and step. */
export function randomRef(
  n: number,
  random: ArrayLike<number>,
  stream: number,
  kind: "normal" | "uniform" | "bernoulli",
  rate = 0.5,
): Float64Array {
  const word = words(n + (n & 1), random[0]!, stream, random[1]!);
  const y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const [u, v] = [word[i & ~1]!, word[i | 1]!].map((w) => (w >>> 8) / 2 ** 24) as [number, number];
    const angle = 2 * Math.PI * (v - 0.5);
    const turn = i & 1 ? Math.sin(angle) : Math.cos(angle);
    if (kind === "normal") y[i] = Math.sqrt(-2 * Math.log(1 - u)) * turn;
    else if (kind === "uniform") y[i] = i & 1 ? v : u;
    else y[i] = word[i]! < rate * 2 ** 32 ? 1 : 0;
  }
  return y;
}
