/** Cases of the maximum mean discrepancy: one point, primes, several blocks of points, far points. */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import { mmd, mmdCost } from "../../src/ops/mmd.ts";
import { given, normal, type OpCase } from "../case.ts";
import { mmdRef } from "../ref/mmd.ts";

function of(N: number, E: number, extra: Partial<OpCase> = {}, blockBytes?: number): OpCase {
  return {
    name: `${N}x${E}${blockBytes ? " in blocks" : ""}`,
    inputs: { y: normal([N, E], 1, 0.3), x: normal([N, E]) },
    run: (g, t) => mmd(g, t.y!, t.x!, blockBytes ? { blockBytes } : {}),
    ref: (a) => mmdRef(a.y!, a.x!, N),
    // The loss is a difference of means some hundred times larger: f32 keeps five digits of it.
    tol: { nmse: 1e-9, max: 3e-5 },
    wrt: ["y"],
    ...extra,
  };
}

/** A coordinate that is no number: the loss and every gradient are NaN. */
function broken(of: "y" | "x", value: number): OpCase {
  const points = given([13, 7], Array.from({ length: 91 }, (_, i) => (i === 60 ? value : Math.sin(i))));
  return {
    name: `a coordinate of ${of} is ${value} 13x7`,
    inputs: { y: normal([13, 7]), x: normal([13, 7]), [of]: points },
    run: (g, t) => {
      t.y!.requiresGrad = true;
      const loss = mmd(g, t.y!, t.x!);
      return [loss, backwardFrom(g, loss).of(t.y!)!];
    },
    ref: (a) => [mmdRef(a.y!, a.x!, 13), new Float64Array(91).fill(NaN)],
    wrt: [],
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 5),
  of(7, 3),
  of(31, 1),
  of(13, 97),
  of(131, 5, {}, 1),
  broken("y", NaN),
  broken("x", NaN),
  broken("y", Infinity),
  of(2000, 384, { perf: mmdCost(2000, 384), benchOnly: true }),
];
