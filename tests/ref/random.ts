/** Noise in float64 with the words of the CPU generator. */

import { words } from "./dropout.ts";

/** `[outer, rows, columns]`, `rows` of the batch. */
export function randomRef(
  [outer, rows, columns]: readonly [number, number, number],
  state: ArrayLike<number>,
  name: string,
  kind: "normal" | "uniform" | "bernoulli",
  rate = 0.5,
): Float64Array {
  const width = columns + (columns & 1);
  const word = words(rows, outer * width, state, name);
  return Float64Array.from({ length: outer * rows * columns }, (_, i) => {
    const [a, r, c] = [Math.floor(i / columns / rows), Math.floor(i / columns) % rows, i % columns];
    const at = r * outer * width + a * width + c;
    const [u, v] = [word[at & ~1]!, word[at | 1]!].map((w) => (w >>> 8) / 2 ** 24) as [number, number];
    const angle = 2 * Math.PI * (v - 0.5);
    if (kind === "normal") return Math.sqrt(-2 * Math.log(1 - u)) * (c & 1 ? Math.sin(angle) : Math.cos(angle));
    if (kind === "uniform") return c & 1 ? v : u;
    return word[at]! < rate * 2 ** 32 ? 1 : 0;
  });
}
