/** Cases of proximity weights. They have no gradient by definition. */

import { proximity, type ProximityOptions } from "../../src/ops/proximity.ts";
import { type OpCase, uniform } from "../case.ts";
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
export const cases: readonly OpCase[] = [of(1), of(17), of(9, { least: 0.2, range: 0.7, squared: false })];
