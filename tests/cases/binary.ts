/** Cases of the operations on two tensors: every function, every kernel, every broadcasting pattern. */

import { type Binary, binary, binaryCost } from "../../src/ops/binary.ts";
import { type Input, integers, normal, type OpCase, uniform } from "../case.ts";
import { binaryRef } from "../ref/binary.ts";

function of(f: Binary, a: number[], b: number[], extra: Partial<OpCase> = {}): OpCase {
  // Denominators stay away from 0.
  const right = (shape: number[]): Input => (f === "div" ? uniform(shape, 0.5, 2) : normal(shape));
  return {
    name: `${f} ${a.join("x")} with ${b.join("x")}`,
    inputs: { a: normal(a), b: right(b) },
    run: (g, t) => binary(g, f, t.a!, t.b!),
    ref: (v) => binaryRef(f, v.a!, a, v.b!, b),
    wrt: ["a", "b"],
    ...extra,
  };
}

const both = { f16: ["a", "b"] };

/** Case table. */
export const cases: readonly OpCase[] = [
  // Equal shapes.
  of("add", [7, 37], [7, 37]),
  of("sub", [7, 36], [7, 36], both),
  of("mul", [1], [1]),
  of("div", [5, 33], [5, 33]),
  of("div", [5, 36], [5, 36]),
  of("min", [5, 32], [5, 32]),
  of("max", [5, 31], [1, 5, 31]),
  // Ties are exact: integers.
  of("max", [9, 8], [9, 8], {
    name: "values of ties 9x8",
    inputs: { a: integers([9, 8], 2, "f32"), b: integers([9, 8], 2, "f32") },
    wrt: [],
  }),
  // One operand lacks one run: a bias, one number a row, a middle, a scalar; either operand.
  of("add", [37, 65], [65], { f16: ["a"] }),
  of("mul", [131, 8], [8], both),
  of("sub", [5, 8], [5, 1]),
  of("add", [5, 8], [1]),
  of("add", [5, 8], [5, 1]),
  of("add", [4, 9], [4, 1]),
  of("mul", [5, 8], [5, 1]),
  of("add", [3, 5, 8], [5, 8]),
  of("sub", [8], [3, 5, 8]),
  of("div", [67, 12], [67, 1]),
  of("div", [67, 1], [67, 9], { inputs: { a: normal([67, 1]), b: uniform([67, 9], 0.5, 2) } }),
  of("mul", [3, 7, 4], [3, 1, 4]),
  of("sub", [3, 7, 5], [3, 1, 5]),
  of("max", [2, 70, 3], [2, 1, 3]),
  of("mul", [13, 11], [1]),
  of("mul", [5, 3], [5, 1]),
  of("mul", [8, 3], [8, 1]),
  of("mul", [8, 3], [3]),
  of("min", [1], [13, 12]),
  of("mul", [0, 4], [4], { name: "mul of an empty batch 0x4 with 4" }),
  // Any pattern.
  of("add", [5, 1], [1, 7], both),
  of("sub", [3, 1, 5], [1, 4, 1]),
  of("sub", [1, 4, 1], [3, 4, 5]),
  of("mul", [2, 1, 3, 1], [5, 1, 7]),
  of("div", [2, 1, 3, 1, 2, 1], [1, 2, 1, 3, 1, 2]),
  of("add", [197, 768], [768], { perf: binaryCost([197, 768]), benchOnly: true }),
  of("mul", [197, 768], [197, 768], { perf: binaryCost([197, 768]), benchOnly: true }),
];
