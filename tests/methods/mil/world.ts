/**
 * A world in which attention must win: what makes a bag positive is in few of its rows, and the mean of the rows hides it.
 * Rows are normal with a shift a bag; a tenth of the rows of every bag lies far out along one direction, which means nothing;
 * 4 % of the rows of positive bags lie far out along another.
 */

import { Rng } from "../../../src/core/rng.ts";
import type { TrainBag } from "./driver.ts";

/** A bag with its rows of the positive kind. */
export interface WorldBag extends TrainBag {
  /** 1 for rows that were planted, `[n]`. */
  readonly planted: Uint8Array;
}

/** Sizes of the world. */
export const WORLD = { bags: 200, rows: 200, dim: 32 } as const;

/** Rows far out in a bag, how far, and the standard deviation of the shift of a bag. */
export const PLANTED = {
  signal: { rows: 8, size: 4 },
  distractor: { rows: 20, size: 3 },
  shift: 0.5,
} as const;

function unit(v: Float64Array): Float64Array {
  const norm = Math.hypot(...v);
  return v.map((value) => value / norm);
}

/** Two orthonormal directions. */
function directions(rng: Rng, dim: number): [Float64Array, Float64Array] {
  const draw = () => Float64Array.from({ length: dim }, () => rng.normal());
  const first = unit(draw());
  const other = draw();
  const along = other.reduce((sum, value, i) => sum + value * first[i]!, 0);
  return [first, unit(other.map((value, i) => value - along * first[i]!))];
}

/** Bags of a world, half of each part positive. */
export interface World {
  readonly train: readonly WorldBag[];
  readonly test: readonly WorldBag[];
  /** Direction of what makes a bag positive, and of what means nothing, of length 1. */
  readonly signal: Float64Array;
  readonly distractor: Float64Array;
}

/** Makes a world with `test` bags to test on. */
export function makeWorld(seed: number, test: number = WORLD.bags): World {
  const { bags, rows, dim } = WORLD;
  const [signal, distractor] = directions(new Rng(seed, 1), dim);
  const bag = (i: number, stream: number): WorldBag => {
    const rng = new Rng(seed, stream + i);
    const label = i % 2;
    const shift = rng.normals(dim, PLANTED.shift);
    const x = rng.normals(rows * dim);
    for (let k = 0; k < x.length; k++) x[k]! += shift[k % dim]!;
    const add = (count: number, size: number, direction: Float64Array): Uint32Array => {
      const chosen = rng.permutation(rows).slice(0, count);
      for (const j of chosen) for (let c = 0; c < dim; c++) x[j * dim + c]! += size * direction[c]!;
      return chosen;
    };
    add(PLANTED.distractor.rows, PLANTED.distractor.size, distractor);
    const planted = new Uint8Array(rows);
    if (label) { for (const j of add(PLANTED.signal.rows, PLANTED.signal.size, signal)) planted[j] = 1; }
    return { x, label, planted };
  };
  const many = (stream: number, count: number) => Array.from({ length: count }, (_, i) => bag(i, stream));
  return { train: many(1000, bags), test: many(2000, test), signal, distractor };
}
