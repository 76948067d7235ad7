/** Cases of concat: two and three parts, each dimension, parts of different lengths, one that needs no gradient. */

import { concat, concatCost } from "../../src/ops/concat.ts";
import { type Input, normal, type OpCase } from "../case.ts";
import { concatRef } from "../ref/concat.ts";

function of(shapes: number[][], dim: number, extra: Partial<OpCase> = {}): OpCase {
  const outer = shapes[0]!.slice(0, dim).reduce((a, b) => a * b, 1);
  const inner = shapes[0]!.slice(dim + 1).reduce((a, b) => a * b, 1);
  const names = shapes.map((_, i) => `x${i}`);
  return {
    name: `${shapes.map((shape) => shape.join("x")).join(" and ")} along ${dim}`,
    inputs: Object.fromEntries(shapes.map((shape, i): [string, Input] => [`x${i}`, normal(shape)])),
    run: (g, t) => concat(g, names.map((name) => t[name]!), dim),
    ref: (a) => concatRef(names.map((name) => a[name]!), outer, inner),
    wrt: names,
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([[2, 3, 8], [2, 1, 8]], 1, { f16: ["x0", "x1"] }),
  of([[3, 5], [3, 4], [3, 1]], 1),
  of([[1, 7], [4, 7]], 0, { wrt: ["x1"] }),
  of([[37, 12], [37, 8]], 1),
  of([[2, 2, 3, 3], [2, 2, 1, 3]], 2),
  of([[64, 768], [64, 768]], 1, { benchOnly: true, perf: concatCost([64, 1536]) }),
];
