/** Cases of slice and select: each position of the dimension, widths that are and are not multiples of four. */

import { select, slice, sliceCost } from "../../src/ops/slice.ts";
import { normal, type OpCase } from "../case.ts";
import { sliceRef } from "../ref/slice.ts";

function of(shape: number[], dim: number, start: number, count: number, extra: Partial<OpCase> = {}): OpCase {
  const inner = shape.slice(dim + 1).reduce((a, b) => a * b, 1);
  return {
    name: `${shape.join("x")}, ${count} from ${start} of dimension ${dim}`,
    inputs: { x: normal(shape) },
    run: (g, t) => slice(g, t.x!, dim, start, count),
    ref: (a) => sliceRef(a.x!, shape[dim]!, inner, start, count),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([3, 7, 8], 1, 1, 6, { f16: ["x"] }),
  of([5, 16], 1, 4, 8, { f16: ["x"] }),
  of([5, 17], 1, 3, 13),
  of([11, 3], 0, 10, 1),
  of([2, 3, 5, 2], 2, 0, 4),
  of([2, 5, 64], 1, 0, 1, {
    name: "select: class token of 2x5x64, from the end",
    run: (g, t) => select(g, t.x!, -2, 0),
  }),
  of([2, 5, 3], 1, 0, 5, { name: "all of 2x5x3" }),
  of([0, 5, 4], 1, 1, 2, { name: "empty batch" }),
  of([64, 197, 768], 1, 1, 196, { name: "64x197x768", benchOnly: true, perf: sliceCost([64, 196, 768]) }),
];
