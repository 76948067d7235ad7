/** Cases of random: each kind, odd sizes, the second stream of a plan. Noise has no gradient. */

import { random, randomCost, type RandomOptions } from "../../src/ops/random.ts";
import { given, type OpCase } from "../case.ts";
import { randomRef } from "../ref/random.ts";

function of(shape: number[], options: RandomOptions, extra: Partial<OpCase> = {}): OpCase {
  const n = shape.reduce((a, b) => a * b, 1);
  const { kind = "normal", rate } = options;
  return {
    name: `${kind} ${shape.join("x")}`,
    inputs: { random: given([2], [42, 7], "u32") },
    run: (g, t) => {
      g.random = t.random;
      return random(g, shape, options);
    },
    ref: (a) => randomRef(n, a.random!, 0, kind, rate),
    wrt: [],
    // WGSL promises cos and sin to 2^-11, and log to 2^-21 near 1, where its square root is taken.
    ...(kind === "normal" ? { tol: { nmse: 1e-6, max: 5e-3 } } : {}),
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([33, 31], { kind: "normal" }),
  of([64, 8], { kind: "uniform" }),
  of([1], { kind: "uniform" }),
  of([37, 5], { kind: "bernoulli", rate: 0.3 }),
  of([12], { kind: "normal" }, {
    name: "second stream",
    run: (g, t) => {
      g.random = t.random;
      return [random(g, [5]), random(g, [12])];
    },
    ref: (a) => [randomRef(5, a.random!, 0, "normal"), randomRef(12, a.random!, 1, "normal")],
  }),
  of([1024, 1024], {}, { benchOnly: true, perf: randomCost([1024, 1024]) }),
];
