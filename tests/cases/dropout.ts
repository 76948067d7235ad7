/** Cases of dropout: rows around four, rates near 0 and 1, keys with their top bit set, two names of one plan. */

import { dropout, dropoutCost } from "../../src/ops/dropout.ts";
import { given, normal, type OpCase } from "../case.ts";
import { dropoutRef } from "../ref/dropout.ts";

const STATE = given([4], [0xdeadbeef, 0x80000001, 5, 12345], "u32");

function of(shape: number[], p: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${shape.join("x")} at ${p}`,
    inputs: { x: normal(shape, 1, 2), random: STATE },
    run: (g, t) => {
      g.random = t.random;
      return dropout(g, t.x!, p, "net.3");
    },
    ref: (a) => dropoutRef(a.x!, shape[0]!, a.random!, "net.3", p),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of([7, 24], 0.15, { f16: ["x"] }),
  of([131], 0.5),
  of([1], 0.4),
  of([1, 131], 0.5),
  of([5, 3, 7], 0.3),
  of([3, 2, 6], 0.3),
  of([0, 4], 0.4, { name: "empty batch" }),
  of([3, 5], 0.99),
  of([5, 6], 1e-9),
  of([4, 4], 0, { name: "identity at 0" }),
  of([9, 7], 0.5, {
    name: "two names",
    run: (g, t) => {
      g.random = t.random;
      return dropout(g, dropout(g, t.x!, 0.3, "a"), 0.5, "b");
    },
    ref: (a) => dropoutRef(dropoutRef(a.x!, 9, a.random!, "a", 0.3), 9, a.random!, "b", 0.5),
  }),
  of([64, 197, 768], 0.15, { benchOnly: true, perf: dropoutCost([64, 197, 768]) }),
];
