/** Cases of ringWrite: rings of one row and of many, the first and last row and column, steps that have gone round. */

import { ringWrite } from "../../src/ops/ring.ts";
import { given, normal, type OpCase } from "../case.ts";
import { ringRef } from "../ref/ring.ts";

function of(R: number, C: number, step: number, column: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `column ${column} of ${R}x${C} at step ${step}`,
    inputs: { ring: normal([R, C]), x: normal([1], 3), random: given([4], [42, 7, 5, step], "u32") },
    run: (g, t) => {
      g.random = t.random;
      ringWrite(g, t.ring!, t.x!, column);
      return t.ring!;
    },
    ref: (a) => ringRef(a.ring!, C, a.x![0]!, a.random![3]!, column),
    // What a step measures is not differentiated.
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 0, 0),
  of(7, 3, 6, 0),
  of(7, 3, 7, 2),
  of(13, 5, 1000, 3),
  of(5, 2, 2 ** 32 - 1, 1),
  // Its number and four of the random state are read, one is written.
  of(64, 8, 100, 4, { perf: { flops: 0, bytes: 24 } }),
];
