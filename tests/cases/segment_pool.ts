/** Cases of segmentPool: bags of one row and of 100,000, several heads, widths beside four, rows in no bag, weights of 0. */

import { segmentPool, segmentPoolCost } from "../../src/ops/segment_pool.ts";
import { given, normal, type OpCase } from "../case.ts";
import { segmentPoolGradRef, segmentPoolRef } from "../ref/segment_pool.ts";

function of(
  R: number,
  H: number,
  D: number,
  bound: readonly number[],
  extra: Partial<OpCase> = {},
): OpCase {
  return {
    name: `${R}x${D} by ${H} in ${bound.length - 1}`,
    inputs: { x: normal([R, D]), w: normal([R, H]), bound: given([bound.length], bound, "u32") },
    run: (g, t) => segmentPool(g, t.x!, t.w!, t.bound!),
    ref: (a) => segmentPoolRef(a.x!, a.w!, a.bound!, { H, D }),
    refGrad: (a, [dy]) => segmentPoolGradRef(a.x!, a.w!, a.bound!, dy!, { H, D }),
    wrt: ["x", "w"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(37, 3, 8, [0, 5, 6, 37], { f16: ["x", "w"] }),
  of(29, 2, 7, [0, 13, 29], { f16: ["x", "w"] }),
  of(1, 1, 1, [0, 1], { name: "a bag of one row" }),
  of(1, 2, 4, [0, 1], { name: "a bag of one row, two heads" }),
  of(50, 1, 12, [0, 20, 20, 43], { name: "an empty bag and rows behind the last" }),
  of(23, 2, 5, [4, 11, 19], { name: "rows before the first" }),
  of(6, 2, 4, [0, 0], { name: "no rows in the only bag" }),
  of(0, 1, 4, [0, 0, 0], { name: "no rows" }),
  of(2048, 1, 32, [0, 2048]),
  of(300, 8, 64, [0, 129, 300]),
  of(65, 1, 1024, [0, 65]),
  of(100_000, 1, 4, [0, 100_000]),
  of(20_011, 2, 3, [0, 2, 20_011], { name: "one long bag, one short: 20011x3" }),
  // The slope of a row of weight 0 is no NaN's: what it is multiplied by takes no part.
  of(4, 1, 4, [0, 2, 4], {
    name: "NaN under a weight of 0",
    inputs: {
      x: given([4, 4], [1, 2, 3, 4, NaN, NaN, Infinity, NaN, 5, 6, 7, 8, 9, 10, 11, 12]),
      w: given([4, 1], [0.5, 0, 2, -1]),
      bound: given([3], [0, 2, 4], "u32"),
    },
    wrt: [],
  }),
  of(16_384, 1, 1024, Array.from({ length: 9 }, (_, b) => 2048 * b), {
    benchOnly: true,
    name: "8 bags of 2048x1024",
    perf: segmentPoolCost(16_384, 1, 1024),
  }),
];
