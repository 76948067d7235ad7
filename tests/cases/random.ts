/** Cases of random: each kind, odd sizes, rows in the middle, two names of a plan. Noise has no gradient. */

import { random, randomCost, type RandomOptions } from "../../src/ops/random.ts";
import { given, type OpCase } from "../case.ts";
import { randomRef } from "../ref/random.ts";

function of(
  shape: number[],
  options: RandomOptions,
  extra: Partial<OpCase> = {},
  as: [number, number, number] = [1, shape[0]!, shape.slice(1).reduce((a, b) => a * b, 1)],
): OpCase {
  const { kind = "normal", rate } = options;
  return {
    name: `${kind} ${shape.join("x")}`,
    inputs: { random: given([4], [42, 0xf0000007, 3, 7], "u32") },
    run: (g, t) => {
      g.random = t.random;
      return random(g, "noise", shape, options);
    },
    ref: (a) => randomRef(as, a.random!, "noise", kind, rate),
    wrt: [],
    // Functions of our own, but for the root and the logarithm of small numbers: 4.5 units of one and half of 3 of the other
    // are 7.2e-7 of a value, which may be 5.
    ...(kind === "normal" ? { tol: { nmse: 6e-13, max: 4e-6 } } : {}),
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([33, 31], { kind: "normal" }),
  of([2, 4096], { kind: "normal" }),
  of([64, 8], { kind: "uniform" }),
  of([1], { kind: "uniform" }),
  of([37, 5], { kind: "bernoulli", rate: 0.3 }),
  of([3, 5, 7], { kind: "normal", rows: 1 }, { name: "rows in the middle" }, [3, 5, 7]),
  of([12], { kind: "normal" }, {
    name: "two names",
    run: (g, t) => {
      g.random = t.random;
      return [random(g, "a", [5]), random(g, "b", [12])];
    },
    ref: (a) => [randomRef([1, 5, 1], a.random!, "a", "normal"), randomRef([1, 12, 1], a.random!, "b", "normal")],
  }),
  of([1024, 1024], {}, { benchOnly: true, perf: randomCost([1024, 1024]) }),
];
