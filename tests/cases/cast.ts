/** Cases of cast: to f16 and back, by four elements and one by one. */

import { cast, castCost } from "../../src/ops/cast.ts";
import { normal, type OpCase } from "../case.ts";
import { castRef } from "../ref/cast.ts";

/** A half is off by 2^-11 of its size at most, so is a gradient that is rounded on its way. */
const HALF = { nmse: 2 ** -22, max: 2 ** -9 };

function of(shape: number[], extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `f32 to f16 and back ${shape.join("x")}`,
    inputs: { x: normal(shape) },
    // A device without f16 arithmetic widens halves that are stored, no more.
    run: (g, t) => cast(g, g.gpu.caps.f16 ? cast(g, t.x!, "f16") : t.x!, "f32"),
    ref: ({ x }) => castRef(x!),
    wrt: ["x"],
    f16: ["x"],
    weights: ["x"],
    tol: HALF,
    gradTol: HALF,
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([3, 5, 8]),
  of([31, 31]),
  of([1]),
  of([64, 197, 768], { name: "64x197x768", benchOnly: true, perf: castCost([64, 197, 768]) }),
];
