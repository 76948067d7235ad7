/** Cases of the reductions: rows, columns, middles, everything; several stages; ties of the maximum. */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import { max, mean, meanAll, reduceCost, type ReductionOptions, sum, sumAll } from "../../src/ops/reduce.ts";
import { type Input, normal, type OpCase } from "../case.ts";
import { maxGradientRef, reduceRef } from "../ref/reduce.ts";

const ops = { sum, mean, max };

interface Options {
  f: keyof typeof ops;
  dims?: ReductionOptions["dims"];
  /** The input as the reference sees it. */
  as: [A: number, R: number, C: number];
  x?: Input;
}

function of(shape: number[], { f, dims, as, x }: Options, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${f} ${shape.join("x")} over ${dims ?? "all"}`,
    inputs: { x: x ?? normal(shape, 1, 0.3) },
    run: (g, t) => ops[f](g, t.x!, dims === undefined ? {} : { dims }),
    ref: (a) => reduceRef(f, a.x!, ...as),
    wrt: ["x"],
    ...extra,
  };
}

/** Two values only, so that maxima are attained many times; differences of a tie mean nothing. */
const ties: Input = { shape: [5, 18], make: (rng) => Float32Array.from({ length: 90 }, () => rng.below(2)) };

/** Case table. */
export const cases: readonly OpCase[] = [
  of([37, 65], { f: "sum", dims: -1, as: [37, 65, 1] }),
  of([37, 64], { f: "mean", dims: 1, as: [37, 64, 1] }, { f16: ["x"] }),
  of([131, 7], { f: "sum", dims: 0, as: [1, 131, 7] }),
  of([3, 67, 12], { f: "mean", dims: 1, as: [3, 67, 12] }, { f16: ["x"] }),
  of([2, 5, 3, 4], { f: "mean", dims: [1, 2], as: [2, 15, 4] }),
  of([1], { f: "sum", as: [1, 1, 1] }),
  of([9, 1], { f: "sum", dims: -1, as: [9, 1, 1] }),
  of([3, 0], { f: "sum", dims: 1, as: [3, 0, 1] }, { name: "sum of nothing 3x0" }),
  // Blocks of 4096 elements of a row, blocks of 64 rows.
  of([2, 4099], { f: "mean", dims: 1, as: [2, 4099, 1] }),
  of([4163, 2], { f: "sum", dims: 0, as: [1, 4163, 2] }),
  of([29, 31], { f: "max", dims: 1, as: [29, 31, 1] }),
  of([4, 33, 8], { f: "max", dims: 1, as: [4, 33, 8] }, { f16: ["x"] }),
  of([2, 4100], { f: "max", as: [1, 8200, 1] }),
  of([1, 70, 3], { f: "max", dims: 1, as: [1, 70, 3], x: normal([1, 70, 3], 1, -9) }),
  {
    name: "sum and mean of all in f32 11x17",
    inputs: { x: normal([11, 17]) },
    run: (g, t) => [sumAll(g, t.x!), meanAll(g, t.x!)],
    ref: ({ x }) => [reduceRef("sum", x!, 1, 187, 1), reduceRef("mean", x!, 1, 187, 1)],
    wrt: ["x"],
  },
  of([5, 18], { f: "max", dims: 0, as: [1, 5, 18], x: ties }, { name: "values of ties 5x18", wrt: [] }),
  of([197, 768], { f: "mean", dims: 0, as: [1, 197, 768] }, { perf: reduceCost([197, 768]), benchOnly: true }),
  of([197, 768], { f: "sum", dims: 1, as: [197, 768, 1] }, {
    name: "rows 197x768",
    perf: reduceCost([197, 768]),
    benchOnly: true,
  }),
  // The gradient as a forward result: at ties the maximum has no derivative to compare with.
  {
    name: "gradient of ties 5x18",
    inputs: { x: ties },
    run: (g, t) => {
      t.x!.requiresGrad = true;
      return backwardFrom(g, sumAll(g, max(g, t.x!, { dims: 1 })), 6).of(t.x!)!;
    },
    ref: ({ x }) => maxGradientRef(x!, new Float64Array(5).fill(6), 5, 18, 1),
    wrt: [],
  },
];
