/** Dropout in float64 with the words of the CPU generator. */

import { streamOf, threefry2x32 } from "../../src/core/rng.ts";

/** Words of `rows` rows of `columns`, drawn under a name; `state` is that of `randomState`. */
export function words(rows: number, columns: number, state: ArrayLike<number>, name: string): Uint32Array {
  const out = new Uint32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const pair = threefry2x32(state[0]!, (state[1]! ^ streamOf(name)) >>> 0, Math.floor(c / 2), state[2]! + r);
      out[r * columns + c] = pair[(c & 1) as 0 | 1];
    }
  }
  return out;
}

/** `rows` rows of the batch. */
export function dropoutRef(
  x: Float64Array,
  rows: number,
  state: ArrayLike<number>,
  name: string,
  p: number,
): Float64Array {
  const word = words(rows, x.length / Math.max(1, rows), state, name);
  return x.map((value, i) => (word[i]! >= Math.floor(p * 2 ** 32) ? value / (1 - p) : 0));
}
