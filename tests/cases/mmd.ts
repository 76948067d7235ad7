/** Cases of the maximum mean discrepancy: one point, primes, several blocks of points, far points. */

import { mmd, mmdCost } from "../../src/ops/mmd.ts";
import { normal, type OpCase } from "../case.ts";
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

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 5),
  of(7, 3),
  of(31, 1),
  of(13, 97),
  of(131, 5, {}, 1),
  of(2000, 384, { perf: mmdCost(2000, 384), benchOnly: true }),
];
