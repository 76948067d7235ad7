/** Cases of softmax and logSoftmax: rows of attention scores, primes, masks, elements far apart, scales. */

import { logSoftmax, softmax, softmaxCost } from "../../src/ops/softmax.ts";
import { given, normal, type OpCase } from "../case.ts";
import { logSoftmaxRef, softmaxRef } from "../ref/softmax.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}, scale = 1): OpCase {
  return {
    name: `${M}x${D}`,
    inputs: { x: normal([M, D], 3) },
    run: (g, t) => softmax(g, t.x!, { scale }),
    ref: (a) => softmaxRef(a.x!, D, scale),
    wrt: ["x"],
    ...extra,
  };
}

function logs(M: number, D: number, extra: Partial<OpCase> = {}, scale = 1): OpCase {
  return of(M, D, {
    name: `log ${M}x${D}`,
    run: (g, t) => logSoftmax(g, t.x!, { scale }),
    ref: (a) => logSoftmaxRef(a.x!, D, scale),
    ...extra,
  });
}

/** Row 0 all -1e30, row 1 all minus infinity, row 2 half masked by each, row 3 large and far apart. */
const MASKED = given([4, 6], [
  ...Array(6).fill(-1e30),
  ...Array(6).fill(-Infinity),
  ...[-1e30, 1, -Infinity, 2, -1e30, 0],
  ...[1e30, -1e30, 88, 1e4, 1e38, -1e38],
]);

/** NaN of either sign, plus infinity, and a row without them; the lowest number beside minus infinity; far beyond the limits. */
const NO_NUMBERS = given([6, 5], [
  ...[0, NaN, 1, 2, 3],
  ...[Infinity, 0, 1, -Infinity, 2],
  ...[1, 2, 3, 4, NaN],
  ...[0, 0, -Infinity, -Infinity, -3.4028234e38],
  ...Array(4).fill(-Infinity),
  -3.4028234e38,
  ...[3e38, -3e38, 0, -Infinity, 1],
]);
const NAN_ROW = Array(5).fill(NaN);
const NONE_ROW = Array(5).fill(-Infinity);

/** Case table. */
export const cases: readonly OpCase[] = [
  of(7, 31, { f16: ["x"] }),
  of(24, 197, { f16: ["x"], name: "scaled 24x197" }, 0.125),
  of(33, 64, { name: "scaled 33x64" }, 20),
  of(3, 1, { name: "one column 3x1" }),
  of(9, 4),
  of(2, 1536),
  of(0, 7, { name: "no rows 0x7" }),
  // Differences of the reference are of no use beside a mask.
  of(4, 6, { name: "masks 4x6", inputs: { x: MASKED }, wrt: [] }),
  of(2, 33, { name: "large elements 2x33", inputs: { x: normal([2, 33], 3, 1000) } }),
  logs(7, 31, { f16: ["x"] }),
  logs(24, 197, { name: "log scaled 24x197" }, 0.125),
  logs(5, 1536),
  logs(4, 6, { name: "log masks 4x6", inputs: { x: MASKED }, wrt: [] }),
  logs(2, 33, { name: "log large elements 2x33", inputs: { x: normal([2, 33], 3, 1000) } }),
  of(6, 5, {
    name: "what is no number makes its row NaN 6x5",
    inputs: { x: NO_NUMBERS },
    ref: () =>
      Float64Array.of(...NAN_ROW, ...NAN_ROW, ...NAN_ROW, 0.5, 0.5, 0, 0, 0, ...Array(5).fill(0), 1, 0, 0, 0, 0),
    wrt: [],
  }),
  logs(6, 5, {
    name: "log of what is no number 6x5",
    inputs: { x: NO_NUMBERS },
    ref: () => {
      const half = -Math.LN2;
      const rows = [...NAN_ROW, ...NAN_ROW, ...NAN_ROW, half, half, ...Array(3).fill(-Infinity), ...NONE_ROW];
      // 3e38 counts as 1.1e38, and -3e38 as masked.
      const top = 1.3125 * 2 ** 126;
      return Float64Array.of(...rows, 0, -Infinity, -top, -Infinity, 1 - top);
    },
    wrt: [],
  }),
  logs(1, 4, {
    name: "log beyond f32 1x4",
    inputs: { x: given([1, 4], [1e38, -1e38, 1e38, 9e37]) },
    ref: () => Float64Array.of(-Math.LN2, -Infinity, -Math.LN2, -20 * (Math.fround(1e38) - Math.fround(9e37))),
    wrt: [],
  }, 20),
  // Widths that divide by four and need workgroup memory.
  of(5, 384, { paths: ["gpu"] }),
  logs(5, 384, { paths: ["gpu"] }),
  of(2364, 197, { perf: softmaxCost([2364, 197]), benchOnly: true }),
  of(1576, 768, { perf: softmaxCost([1576, 768]), benchOnly: true }),
];
