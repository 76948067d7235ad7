/** Cases of scatterAdd: repeated and absent rows, long segments, rows out of range, which are left out. */

import { scatterAdd, scatterAddCost } from "../../src/ops/scatter.ts";
import { given, integers, normal, type OpCase } from "../case.ts";
import { gatherRef } from "../ref/gather.ts";
import { scatterAddRef } from "../ref/scatter.ts";

function of(n: number, V: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${n}x${D} into ${V}`,
    inputs: { x: normal([n, D]), index: integers([n], V) },
    run: (g, t) => scatterAdd(g, t.x!, t.index!, V),
    ref: (a) => scatterAddRef(a.x!, a.index!, V, D),
    refGrad: (a, [dy]) => ({ x: gatherRef(dy!, a.index!, D) }),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(29, 11, 8, { f16: ["x"] }),
  of(7, 13, 3),
  of(1, 1, 1),
  of(0, 3, 4),
  of(257, 2, 5),
  of(1100, 5, 4, { name: "chunks: 1100x4 into 5" }),
  of(256, 1, 4, {
    name: "one row: 256x4 into 1",
    inputs: { x: normal([256, 4]), index: given([256], new Uint32Array(256), "u32") },
  }),
  of(5, 3, 4, {
    name: "rows out of range are left out",
    inputs: { x: normal([5, 4]), index: given([5], [2, 3, 0, 4294967295, 2], "u32") },
    refGrad: (a, [dy]) => ({ x: gatherRef(dy!, a.index!, 4).map((value) => (Number.isNaN(value) ? 0 : value)) }),
  }),
  of(6, 4, 2, { name: "index 2x3", inputs: { x: normal([2, 3, 2]), index: integers([2, 3], 4) } }),
  of(100_000, 10_000, 256, { benchOnly: true, perf: scatterAddCost(100_000, 10_000, 256) }),
];
