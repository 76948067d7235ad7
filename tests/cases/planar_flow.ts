/** Cases of planarFlow: the worked example, latent widths, primes, one row, determinants below zero, saturated rows. */

import { planarFlow, planarFlowCost } from "../../src/ops/planar_flow.ts";
import { given, type Input, normal, type OpCase } from "../case.ts";
import { planarFlowRef } from "../ref/planar_flow.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}, inputs: Record<string, Input> = {}): OpCase {
  const std = 1 / Math.sqrt(D);
  return {
    name: `${M}x${D}`,
    inputs: { z: normal([M, D]), u: normal([D], std), w: normal([D], std), b: normal([1], 0.3), ...inputs },
    run: (g, t) => {
      const { y, logdet } = planarFlow(g, t.z!, { u: t.u!, w: t.w!, b: t.b! });
      return [y, logdet];
    },
    ref: (a) => {
      const { y, logdet } = planarFlowRef(a.z!, { u: a.u!, w: a.w!, b: a.b! });
      return [y, logdet];
    },
    wrt: ["z", "u", "w", "b"],
    ...extra,
  };
}

const WORKED = {
  z: given([2, 3], [0.2, -0.1, 0.3, 1, 0.5, -1.5]),
  u: given([3], [0.5, -0.3, 0.2]),
  w: given([3], [0.4, 0.1, -0.6]),
  b: given([1], [0.1]),
};

/** Case table. */
export const cases: readonly OpCase[] = [
  // Published values, given digit for digit.
  of(2, 3, {
    name: "worked 2x3",
    ref: () => [
      Float64Array.of(0.195, -0.097, 0.298, 1.447846, 0.231292, -1.320861),
      Float64Array.of(0.048785, 0.009838),
    ],
    // The gradient of these values is one of a given cotangent: see tests/models/gene_vae_test.ts.
    wrt: [],
  }, WORKED),
  of(2, 3, { name: "worked numbers against the formula 2x3" }, WORKED),
  of(33, 512, { f16: ["z"] }),
  of(7, 31, { f16: ["z"] }),
  of(1, 1536),
  of(130, 65),
  of(3, 1),
  of(0, 8, { name: "no rows 0x8" }),
  // u . w is -3 or so: rows near the plane have a negative determinant.
  of(16, 4, { name: "reflecting 16x4" }, {
    z: normal([16, 4], 0.3),
    u: given([4], [-2, 0.5, -1, 0.3]),
    w: given([4], [1, 0.2, 1.2, 0.1]),
    b: given([1], [0.05]),
  }),
  // tanh is one to the last bit: rows move by u alone, and nothing flows to w.
  of(5, 6, { name: "saturated 5x6" }, { b: given([1], [40]) }),
  // Only the determinant is used, or only the row.
  of(9, 12, {
    name: "determinant only 9x12",
    run: (g, t) => planarFlow(g, t.z!, { u: t.u!, w: t.w!, b: t.b! }).logdet,
    ref: (a) => planarFlowRef(a.z!, { u: a.u!, w: a.w!, b: a.b! }).logdet,
  }),
  // The zeros that stand for the rows' gradient take more than one workgroup.
  of(37, 12, {
    name: "determinant only 37x12",
    run: (g, t) => planarFlow(g, t.z!, { u: t.u!, w: t.w!, b: t.b! }).logdet,
    ref: (a) => planarFlowRef(a.z!, { u: a.u!, w: a.w!, b: a.b! }).logdet,
  }),
  of(9, 12, {
    name: "rows only 9x12",
    run: (g, t) => planarFlow(g, t.z!, { u: t.u!, w: t.w!, b: t.b! }).y,
    ref: (a) => planarFlowRef(a.z!, { u: a.u!, w: a.w!, b: a.b! }).y,
  }),
  of(5, 16, { name: "input only 5x16", wrt: ["z"] }),
  of(5, 16, { name: "offset only 5x16", wrt: ["b"] }),
  // As in evaluation: nothing is kept for gradients, and widths of encoders.
  of(5, 384, { name: "forward 5x384", wrt: [], paths: ["gpu"] }),
  ...[384, 1536].map((D) =>
    of(5, D, {
      name: `rows only 5x${D}`,
      run: (g, t) => planarFlow(g, t.z!, { u: t.u!, w: t.w!, b: t.b! }).y,
      ref: (a) => planarFlowRef(a.z!, { u: a.u!, w: a.w!, b: a.b! }).y,
      paths: ["gpu"],
    })
  ),
  of(384, 1536, { perf: planarFlowCost(384, 1536), benchOnly: true }),
];
