/** Cases of the negative binomial: the worked example with its constant, primes, block edges, a SEAL batch. */

import { negativeBinomial, negativeBinomialConstant, negativeBinomialCost } from "../../src/ops/negative_binomial.ts";
import { given, type OpCase, uniform } from "../case.ts";
import { negativeBinomialRef } from "../ref/negative_binomial.ts";

function of(B: number, G: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${B}x${G}`,
    inputs: { y: uniform([B, G], 0.05, 3), x: uniform([B, G], 0, 4) },
    run: (g, t) => negativeBinomial(g, t.y!, t.x!),
    ref: (a) => negativeBinomialRef(a.y!, a.x!, 0.1),
    wrt: ["y"],
    ...extra,
  };
}

const Y = [0.5, 1.2, 0.1, 1, 0.3, 0.7, 0.2, 0.9, 1.5, 1.4, 0.6, 0.4];
const X = [0.4, 1, 0, 1.2, 0, 0.9, 0, 1.1, 1.3, 1.5, 0.8, 0];

/** Case table. */
export const cases: readonly OpCase[] = [
  {
    ...of(4, 3),
    name: "worked example with its log-gamma constant",
    inputs: { y: given([4, 3], Y), x: given([4, 3], X), constant: given([1], [negativeBinomialConstant(X)]) },
    run: (g, t) => negativeBinomial(g, t.y!, t.x!, { constant: t.constant }),
    ref: () => Float64Array.of(2.142257),
    // The reference is a published number of seven digits; its gradient is checked in the rows below.
    tol: { nmse: 1e-12, max: 1e-6 },
    wrt: [],
  },
  of(4, 3, { inputs: { y: given([4, 3], Y), x: given([4, 3], X) }, name: "4x3 of the worked example" }),
  of(1, 1),
  of(7, 31, { f16: ["y", "x"] }),
  of(3, 1367),
  of(2, 2048),
  of(5, 7, {
    name: "5x7 below zero, where the mean is clamped",
    inputs: { y: uniform([5, 7], -2, -0.1), x: uniform([5, 7], 0, 4) },
  }),
  of(384, 2000, { perf: negativeBinomialCost(384 * 2000), benchOnly: true }),
];
