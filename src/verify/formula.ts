/** Images that a formula makes, the same in TypeScript and Python: what proofs are run on. */

import type { ViewImages } from "../train/stem_cache.ts";

/** Hashes u32 to u32 (the `lowbias32` constants). */
export function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Kinds of tissue: stripes of these directions. */
const DIRECTIONS = [[2, 0], [0, 2], [2, 2], [2, 30], [4, 2], [2, 4], [4, 30], [2, 28]] as const;
const TINT = [10, 7, 4] as const;

/** Seed of a pair. */
export const seedOf = (pair: number) => mix(pair + 0x9e3779b9);
/** Kind of tissue of a pair. */
export const kindOf = (pair: number) => Math.floor((seedOf(pair) >>> 16) * DIRECTIONS.length / 65536);

/** The patch of a pair, RGB bytes `[side, side, 3]`; views other than 0 turn its colours round. */
export function patch(pair: number, side: number, view = 0): Uint8Array {
  const s = seedOf(pair);
  const [a, b] = DIRECTIONS[kindOf(pair)]!;
  return Uint8Array.from({ length: side * side * 3 }, (_, at) => {
    const [k, x, y] = [at % 3, Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
    const t = (a * x + b * y + (s & 7)) & 31;
    return 16 + (t < 16 ? t : 31 - t) * TINT[(k + view) % 3]! + (mix(s + at) & 63);
  });
}

/** Patches from the formula. */
export function formulaImages(side: number): ViewImages {
  return (views) => {
    const bytes = new Uint8Array(views.length * side * side * 3);
    views.forEach(({ pair, view }, i) => bytes.set(patch(pair, side, view), i * side * side * 3));
    return Promise.resolve(bytes);
  };
}

/** Numbers `from .. from + count`. */
export const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
