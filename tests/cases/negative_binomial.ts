/** Cases of the negative binomial: the worked example, both spaces, large counts, primes, block edges, a SEAL batch. */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import { negativeBinomial, negativeBinomialCost } from "../../src/ops/negative_binomial.ts";
import { given, type OpCase, uniform } from "../case.ts";
import { negativeBinomialRef } from "../ref/negative_binomial.ts";

function of(B: number, G: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${B}x${G}`,
    inputs: { y: uniform([B, G], 0.05, 3), x: uniform([B, G], 0, 4) },
    run: (g, t) => negativeBinomial(g, t.y!, t.x!),
    ref: (a) => negativeBinomialRef(a.y!, a.x!, 0.1),
    wrt: ["y"],
    ...extra,
  };
}

const Y = [0.5, 1.2, 0.1, 1, 0.3, 0.7, 0.2, 0.9, 1.5, 1.4, 0.6, 0.4];
const X = [0.4, 1, 0, 1.2, 0, 0.9, 0, 1.1, 1.3, 1.5, 0.8, 0];

function counts(B: number, G: number, most: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${B}x${G}, counts to ${most}`,
    inputs: {
      y: uniform([B, G], 0.01, most),
      x: { shape: [B, G], make: (rng) => rng.uniforms(B * G, 0, most + 1).map(Math.floor) },
    },
    run: (g, t) => negativeBinomial(g, t.y!, t.x!, { space: "counts" }),
    ref: (a) => negativeBinomialRef(a.y!, a.x!, 0.1, false),
    wrt: ["y"],
    ...extra,
  };
}

/** The loss of NaN is NaN, and so is the gradient there and nowhere else. */
function broken(space: "log1p" | "counts", of: "y" | "x"): OpCase {
  const log1p = space === "log1p";
  return {
    name: `an element of ${of} is NaN, ${space}`,
    inputs: { y: given([3], [0.5, 1.5, 2]), x: given([3], [1, 0, 3]), [of]: given([3], [1, NaN, 2]) },
    run: (g, t) => {
      t.y!.requiresGrad = true;
      const loss = negativeBinomial(g, t.y!, t.x!, { space });
      return [loss, backwardFrom(g, loss).of(t.y!)!];
    },
    ref: (a) => {
      const loss = (y: number, i: number) =>
        negativeBinomialRef(Float64Array.of(y), a.x!.slice(i, i + 1), 0.1, log1p)[0]!;
      const slopes = a.y!.map((y, i) => (loss(y + 1e-5, i) - loss(y - 1e-5, i)) / 2e-5 / 3);
      return [negativeBinomialRef(a.y!, a.x!, 0.1, log1p), slopes];
    },
    wrt: [],
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  {
    ...of(4, 3),
    name: "worked example",
    inputs: { y: given([4, 3], Y), x: given([4, 3], X) },
    ref: () => Float64Array.of(2.142257),
    // The reference is a published number of seven digits; its gradient is checked in the rows below.
    tol: { nmse: 1e-12, max: 1e-6 },
    wrt: [],
  },
  of(4, 3, { inputs: { y: given([4, 3], Y), x: given([4, 3], X) }, name: "4x3 of the worked example" }),
  of(1, 1),
  of(7, 31, { f16: ["y", "x"] }),
  of(3, 1367),
  of(2, 2048),
  of(5, 7, {
    name: "5x7 below zero, where the mean is clamped",
    inputs: { y: uniform([5, 7], -2, -0.1), x: uniform([5, 7], 0, 4) },
  }),
  of(1, 3, {
    name: "1x3, means beyond f32 count as those of 80",
    inputs: { y: given([1, 3], [1, 90, 1e30]), x: given([1, 3], [1, 2, 0]) },
    ref: (a) => negativeBinomialRef(a.y!.map((v) => Math.min(v, 80)), a.x!, 0.1),
    wrt: [],
  }),
  counts(1, 7, 6, {
    name: "1x7, counts 0 to 6 at equal means",
    inputs: { y: given([1, 7], [0, 1, 2, 3, 4, 5, 6]), x: given([1, 7], [0, 1, 2, 3, 4, 5, 6]) },
    // The slope jumps at a mean of 0.
    wrt: [],
  }),
  counts(5, 31, 6),
  counts(3, 1367, 150),
  counts(2, 700, 30_000),
  counts(4, 9, 50, {
    name: "4x9, another dispersion",
    run: (g, t) => negativeBinomial(g, t.y!, t.x!, { space: "counts", alpha: 7.5 }),
    ref: (a) => negativeBinomialRef(a.y!, a.x!, 7.5, false),
  }),
  counts(5, 7, 6, {
    name: "5x7 counts, predictions below zero",
    inputs: { y: uniform([5, 7], -2, -0.1), x: uniform([5, 7], 0, 6) },
  }),
  ...(["log1p", "counts"] as const).flatMap((space) => [broken(space, "y"), broken(space, "x")]),
  of(384, 2000, { perf: negativeBinomialCost(384 * 2000), benchOnly: true }),
];
