/** Cases of crossEntropy: few and many classes, smoothing, ignored rows, masks, large logits, broken labels. */

import { crossEntropy, crossEntropyCost, type CrossEntropyOptions } from "../../src/ops/cross_entropy.ts";
import { given, integers, normal, type OpCase } from "../case.ts";
import { crossEntropyRef } from "../ref/cross_entropy.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}, options: CrossEntropyOptions = {}): OpCase {
  return {
    name: `${M}x${D}`,
    inputs: { x: normal([M, D], 3), labels: integers([M], D) },
    run: (g, t) => crossEntropy(g, t.x!, t.labels!, options),
    ref: (a) => crossEntropyRef(a.x!, a.labels!, D, options.labelSmoothing ?? 0, options.ignoreIndex ?? 2 ** 32 - 1),
    wrt: ["x"],
    ...extra,
  };
}

const MINUS_ONE = 2 ** 32 - 1;

/** Case table. */
export const cases: readonly OpCase[] = [
  of(33, 9, { f16: ["x"] }),
  of(7, 100, { name: "smoothed 7x100", f16: ["x"] }, { labelSmoothing: 0.1 }),
  of(70, 2, { name: "two classes 70x2" }, { labelSmoothing: 0.2 }),
  of(1, 1000),
  of(3, 1, { name: "one class 3x1" }),
  of(6, 5, {
    name: "ignored by default 6x5",
    inputs: { x: normal([6, 5], 2), labels: given([6], [0, MINUS_ONE, 4, 2, MINUS_ONE, 1], "u32") },
  }),
  of(40, 5, { name: "ignored class 40x5", f16: ["x"] }, { ignoreIndex: 3, labelSmoothing: 0.1 }),
  of(2, 7, { name: "all ignored 2x7", inputs: { x: normal([2, 7]), labels: given([2], [3, 3], "u32") } }, {
    ignoreIndex: 3,
  }),
  of(0, 7, { name: "no rows 0x7" }),
  of(4, 33, { name: "large logits 4x33", inputs: { x: normal([4, 33], 5, 500), labels: integers([4], 33) } }),
  // Far beyond the others, so that another largest one would overflow, and read by an invocation of the second half.
  of(1, 300, {
    name: "one large logit 1x300",
    inputs: {
      x: given([1, 300], Array.from({ length: 300 }, (_, d) => (d === 212 ? 300 : (d % 7) - 3))),
      labels: integers([1], 300),
    },
  }),
  // The same of a row's loss.
  of(70, 4, {
    name: "an infinite loss 70x4",
    inputs: {
      x: given([70, 4], Array.from({ length: 280 }, (_, i) => (i === 4 * 53 + 1 ? -Infinity : (i % 5) - 2))),
      labels: given([70], new Uint32Array(70).fill(1), "u32"),
    },
    wrt: [],
  }),
  // Differences of the reference are of no use beside a mask.
  of(3, 6, {
    name: "masks 3x6",
    inputs: {
      x: given([3, 6], [
        -1e30,
        1,
        2,
        -Infinity,
        3,
        0,
        1e30,
        0,
        0,
        0,
        0,
        1e30,
        -1e30,
        -1e30,
        -1e30,
        -1e30,
        -1e30,
        -1e30,
      ]),
      labels: given([3], [2, 5, 0], "u32"),
    },
    wrt: [],
  }),
  // By bits: NaN of a row spoils the mean; a masked label costs infinitely much.
  ...[[NaN, NaN], [Infinity, NaN], [-Infinity, Infinity]].map(([logit, loss]) =>
    of(2, 4, {
      name: `a label's logit of ${logit} 2x4`,
      inputs: { x: given([2, 4], [0, 1, 2, 3, 1, logit!, 0, 2]), labels: given([2], [3, 1], "u32") },
      ref: () => Float64Array.of(loss!),
      wrt: [],
    })
  ),
  of(2, 4, {
    name: "NaN in an ignored row 2x4",
    inputs: { x: given([2, 4], [0, 1, 2, 3, 1, NaN, 0, 2]), labels: given([2], [3, MINUS_ONE], "u32") },
    ref: (a) => crossEntropyRef(a.x!.slice(0, 4), [3], 4, 0, MINUS_ONE),
    wrt: [],
  }),
  // NaN has no gradient to compare.
  of(2, 4, {
    name: "label beyond the classes 2x4",
    inputs: { x: normal([2, 4]), labels: given([2], [1, 4], "u32") },
    wrt: [],
  }),
  of(1024, 1000, { perf: crossEntropyCost([1024, 1000]), benchOnly: true }),
];
