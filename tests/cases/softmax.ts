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
  // Widths that divide by four and need workgroup memory.
  of(5, 384, { paths: ["gpu"] }),
  logs(5, 384, { paths: ["gpu"] }),
  of(2364, 197, { perf: softmaxCost([2364, 197]), benchOnly: true }),
  of(1576, 768, { perf: softmaxCost([1576, 768]), benchOnly: true }),
];
