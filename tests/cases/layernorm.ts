/** Cases of layernorm: the widths of real encoders, primes, one row, one column, constant rows, large offsets. */

import { layernorm, layernormCost } from "../../src/ops/layernorm.ts";
import { given, normal, type OpCase } from "../case.ts";
import { layernormRef } from "../ref/layernorm.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.5), gamma: normal([D], 0.3, 1), beta: normal([D], 0.3) },
    run: (g, t) => layernorm(g, t.x!, t.gamma!, t.beta!, { eps: 1e-6 }),
    ref: (a) => layernormRef(a.x!, a.gamma!, a.beta!, 1e-6),
    wrt: ["x", "gamma", "beta"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(37, 384, { f16: ["x"] }),
  of(1, 768, { f16: ["x"] }),
  of(131, 7),
  of(65, 129),
  of(3, 1536),
  of(2, 1, { name: "one column 2x1" }),
  of(1, 31),
  of(4, 64, {
    name: "constant rows 4x64",
    inputs: { x: given([4, 64], new Float32Array(256).fill(3)), gamma: normal([64]), beta: normal([64]) },
    // rstd is 1000 and the centred row is zero: differences of the reference have no digits left in x.
    wrt: ["gamma", "beta"],
  }),
  // Mean 1000 with spread 1: f32 keeps 1e-4 of the spread, whatever the algorithm.
  of(5, 200, {
    name: "large offset 5x200",
    inputs: { x: normal([5, 200], 1, 1000), gamma: normal([200], 0.3, 1), beta: normal([200], 0.3) },
    tol: { nmse: 1e-7, max: 2e-3 },
    gradTol: { nmse: 1e-6, max: 5e-3 },
  }),
  of(197, 768, { name: "197x768", perf: layernormCost([197, 768]) }),
];
