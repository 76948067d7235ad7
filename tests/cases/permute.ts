/** Cases of permute and transpose: rows that stay whole, matrices with and without a batch, six moving dimensions, views. */

import { permute, permuteCost, transpose } from "../../src/ops/permute.ts";
import { normal, type OpCase } from "../case.ts";
import { permuteRef } from "../ref/permute.ts";

function of(shape: number[], axes: number[], extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${shape.join("x")} by ${axes.join("")}`,
    inputs: { x: normal(shape) },
    run: (g, t) => permute(g, t.x!, axes),
    ref: (a) => permuteRef(a.x!, shape, axes),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([2, 5, 3, 8], [0, 2, 1, 3], { f16: ["x"] }),
  of([33, 65], [1, 0], { name: "transpose 33x65", run: (g, t) => transpose(g, t.x!), f16: ["x"] }),
  of([3, 31, 9], [0, 2, 1], { name: "transpose 3x31x9", run: (g, t) => transpose(g, t.x!) }),
  of([2, 17, 2, 16], [0, 2, 3, 1], { f16: ["x"] }),
  of([2, 3, 4, 5], [3, 1, 0, 2]),
  of([2, 3, 2, 2, 3, 4], [0, 2, 1, 4, 3, 5]),
  of([2, 3, 2, 2, 3, 2], [5, 4, 3, 2, 1, 0]),
  of([3, 1, 7], [1, 2, 0], { name: "3x1x7 by 120" }),
  of([0, 3, 4], [0, 2, 1], { name: "empty batch" }),
  of([1, 5, 1], [2, 1, 0], { name: "view: 1x5x1 by 210" }),
  of([64, 197, 12, 64], [0, 2, 1, 3], { benchOnly: true, perf: permuteCost([64, 197, 12, 64]) }),
  of([64, 197, 768], [0, 2, 1], { benchOnly: true, perf: permuteCost([64, 197, 768]) }),
];
