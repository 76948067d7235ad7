/** Cases of proximity weights. They have no gradient by definition. */

import { proximity, type ProximityOptions } from "../../src/ops/proximity.ts";
import { given, type OpCase, uniform } from "../case.ts";
import { proximityRef } from "../ref/proximity.ts";

function of(B: number, options: ProximityOptions = {}, extra: Partial<OpCase> = {}): OpCase {
  const { range = 0.3, least = 0.75, squared = true } = options;
  return {
    name: `${B}x${B}${squared ? "" : ", plain distances"}`,
    // Well clear of 1, where a root magnifies rounding.
    inputs: { s: uniform([B, B], 0.9, 0.999) },
    run: (g, t) => proximity(g, t.s!, options),
    ref: (a) => proximityRef(a.s!, B, range, least, squared),
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1),
  of(17),
  of(9, { least: 0.2, range: 0.7, squared: false }),
  // Arcs of all three ranges, and distance 0, whose root WGSL leaves open.
  of(12, { least: -1, range: 0.1, squared: false }, { name: "far 12x12", inputs: { s: uniform([12, 12], -1, 0.9) } }),
  ...[true, false].map((squared) =>
    of(3, { squared }, {
      name: `what is no number 3x3, ${squared ? "squared" : "plain"} distances`,
      inputs: { s: given([3, 3], [NaN, 0.99, NaN, 0.99, 1, 0.98, NaN, 0.98, 1]) },
    })
  ),
  of(4, { least: -1, squared: false }, {
    name: "no distance 4x4",
    inputs: { s: given([4, 4], Float32Array.from({ length: 16 }, (_, i) => (i % 3 ? 1 : 1.0000001))) },
  }),
];
