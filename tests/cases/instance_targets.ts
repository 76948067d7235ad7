/** Cases of instanceTargets: bags shorter than both sides, of one row and none, equal scores, rows in no bag, many classes. */

import { instanceTargets, instanceTargetsCost } from "../../src/ops/instance_targets.ts";
import { given, normal, type OpCase, uniform } from "../case.ts";
import { instanceTargetsRef } from "../ref/instance_targets.ts";

function of(R: number, C: number, k: number, bound: readonly number[], extra: Partial<OpCase> = {}): OpCase {
  const B = bound.length - 1;
  return {
    name: `${k} of ${R}x${C} in ${B}`,
    inputs: { s: normal([R]), bound: given([B + 1], bound, "u32"), w: uniform([B, C, 2], 0.1, 1) },
    run: (g, t) => instanceTargets(g, t.s!, t.bound!, t.w!, k),
    ref: (a) => instanceTargetsRef(a.s!, a.bound!, a.w!, C, k),
    // Labels have no gradient.
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(37, 2, 4, [0, 17, 37]),
  of(1, 2, 8, [0, 1], { name: "a bag of one row" }),
  of(2, 3, 8, [0, 2], { name: "a bag of two rows" }),
  of(23, 2, 8, [0, 15, 15, 20], { name: "an empty bag, short ones and rows behind the last" }),
  of(11, 1, 2, [3, 9], { name: "rows before the first" }),
  of(64, 2, 8, [0, 64], {
    name: "equal scores",
    inputs: {
      s: given([64], Array.from({ length: 64 }, (_, i) => (i % 5 === 2 ? 1 : 0))),
      bound: given([2], [0, 64], "u32"),
      w: given([1, 2, 2], [0, 0.5, 1, 0]),
    },
  }),
  of(8, 2, 3, [0, 8], {
    name: "far scores",
    inputs: {
      s: given([8], [1e38, -1e38, 0, -0, 1e-30, -Infinity, Infinity, 7]),
      bound: given([2], [0, 8], "u32"),
      w: given([1, 2, 2], [1, 0, 0, 1]),
    },
  }),
  of(2053, 5, 8, [0, 1021, 1022, 2053]),
  of(0, 2, 8, [0, 0], { name: "no rows" }),
  of(16_384, 2, 8, Array.from({ length: 9 }, (_, b) => 2048 * b), {
    name: "8 bags of 2048",
    benchOnly: true,
    perf: instanceTargetsCost(16_384, 2),
  }),
];
