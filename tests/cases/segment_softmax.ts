/** Cases of segmentSoftmax: bags of one row and of 100,000, several heads, rows in no bag, empty and masked bags, far scores. */

import { segmentSoftmax, segmentSoftmaxCost } from "../../src/ops/segment_softmax.ts";
import { given, normal, type OpCase } from "../case.ts";
import { segmentSoftmaxGradRef, segmentSoftmaxRef } from "../ref/segment_softmax.ts";

function of(R: number, H: number, bound: readonly number[], extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${R}x${H} in ${bound.length - 1}`,
    inputs: { x: normal([R, H], 2), bound: given([bound.length], bound, "u32") },
    run: (g, t) => segmentSoftmax(g, t.x!, t.bound!, { mask: t.mask }),
    ref: (a) => segmentSoftmaxRef(a.x!, H, a.bound!, a.mask),
    refGrad: (a, [dy]) => ({
      x: segmentSoftmaxGradRef(segmentSoftmaxRef(a.x!, H, a.bound!, a.mask), dy!, H, a.bound!),
    }),
    wrt: ["x"],
    ...extra,
  };
}

function masked(R: number, H: number, bound: readonly number[], mask: readonly number[], name: string): OpCase {
  return of(R, H, bound, {
    name,
    inputs: { x: normal([R, H], 2), bound: given([bound.length], bound, "u32"), mask: given([R], mask, "u32") },
  });
}

/** Rows of which every third is left out. */
const thirds = (R: number): number[] => Array.from({ length: R }, (_, j) => (j % 3 === 1 ? 0 : 7));

// A weight is about 1e-5 in a sum of 100,000, so that differences of the f64 reference have 1e-11 / 1e-5 of rounding.
// The largest weight is 250 and more root mean squares, and WGSL lets exponentials be 2e-6 of it off.
const LONG: Partial<OpCase> = { tol: { max: 1e-3 }, gradTol: { nmse: 1e-6 } };

/** Case table. */
export const cases: readonly OpCase[] = [
  of(37, 3, [0, 5, 6, 37], { f16: ["x"] }),
  of(1, 1, [0, 1], { name: "a bag of one row" }),
  of(9, 2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { name: "bags of one row" }),
  of(50, 1, [0, 20, 20, 43], { name: "an empty bag and rows behind the last" }),
  of(23, 2, [4, 11, 19], { name: "rows before the first" }),
  of(6, 2, [0, 0], { name: "no rows in the only bag" }),
  of(0, 3, [0, 0, 0], { name: "no rows" }),
  of(2048, 1, [0, 2048]),
  of(2053, 4, [0, 1021, 1022, 2053]),
  of(100_000, 1, [0, 100_000], LONG),
  of(66_003, 2, [1, 3, 66_000], { ...LONG, name: "one long bag, one short: 66003x2" }),
  masked(64, 1, [0, 31, 64], thirds(64), "masked 64x1"),
  masked(131, 3, [0, 7, 131], thirds(131), "masked 131x3"),
  masked(5, 2, [0, 3, 5], [0, 0, 0, 1, 0], "a bag of masked rows"),
  // Differences of the reference are of no use beside infinity; a masked NaN leaves the others alone.
  of(8, 1, [0, 2, 4, 8], {
    name: "minus infinity, far scores",
    inputs: {
      x: given([8, 1], [-Infinity, -Infinity, -1e30, 88, 1e4, 1e38, -1e38, -Infinity]),
      bound: given([4], [0, 2, 4, 8], "u32"),
    },
    wrt: [],
  }),
  of(4, 1, [0, 4], {
    name: "a masked NaN",
    inputs: {
      x: given([4, 1], [1, NaN, 0.5, 2]),
      bound: given([2], [0, 4], "u32"),
      mask: given([4], [1, 0, 1, 1], "u32"),
    },
    wrt: [],
  }),
  of(7, 1, [0, 2, 4, 7], {
    name: "what is no number makes its bag NaN",
    inputs: {
      x: given([7, 1], [1, NaN, 2, Infinity, 0, -Infinity, 0]),
      bound: given([4], [0, 2, 4, 7], "u32"),
    },
    ref: () => Float64Array.of(NaN, NaN, NaN, NaN, 0.5, 0, 0.5),
    wrt: [],
  }),
  of(32, 1, [0, 32], {
    name: "large scores",
    inputs: { x: normal([32, 1], 3, 1000), bound: given([2], [0, 32], "u32") },
  }),
  of(65_536, 1, Array.from({ length: 33 }, (_, b) => 2048 * b), {
    benchOnly: true,
    name: "32 bags of 2048",
    perf: segmentSoftmaxCost(65_536, 1),
  }),
];
