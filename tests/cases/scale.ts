/** Cases of affine and scale: numbers, a device scalar (a temperature), sums over several stages. */

import { affine, scale, scaleCost } from "../../src/ops/scale.ts";
import { normal, type OpCase } from "../case.ts";
import { affineRef } from "../ref/elementwise.ts";

function byScalar(shape: number[], extra: Partial<OpCase> = {}): OpCase {
  return {
    name: shape.join("x"),
    inputs: { x: normal(shape), s: normal([1], 0.2, 14) },
    run: (g, t) => scale(g, t.x!, t.s!),
    ref: (a) => affineRef(a.x!, 1, 0, a.s![0]),
    wrt: ["x", "s"],
    ...extra,
  };
}

function byNumbers(name: string, shape: number[], a: number, b: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${name} ${shape.join("x")}`,
    inputs: { x: normal(shape) },
    run: (g, t) => affine(g, t.x!, a, b),
    ref: ({ x }) => affineRef(x!, a, b),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  byScalar([1]),
  byScalar([31, 31], { f16: ["x"] }),
  byScalar([3, 4100], { name: "four stages of partial sums 3x4100" }),
  byNumbers("affine", [7, 13], -2.5, 0.75),
  byNumbers("shift", [7, 12], 1, 3, { f16: ["x"] }),
  byScalar([256, 256], { perf: scaleCost([256, 256]), benchOnly: true }),
];
