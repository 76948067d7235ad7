/** Cases of l2Normalize: embeddings, primes, zero rows, rows below eps, squares beyond f32. */

import { l2Normalize, l2NormalizeCost } from "../../src/ops/l2_normalize.ts";
import { given, normal, type OpCase } from "../case.ts";
import { l2NormalizeRef } from "../ref/l2_normalize.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}, eps = 1e-12): OpCase {
  return {
    name: `${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.3) },
    run: (g, t) => l2Normalize(g, t.x!, { eps }),
    ref: (a) => l2NormalizeRef(a.x!, D, eps),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(33, 512, { f16: ["x"] }),
  of(7, 31, { f16: ["x"] }),
  of(1, 1536),
  of(197, 20),
  // The gradient of x / |x| is zero.
  of(3, 1, { name: "one column 3x1" }),
  of(0, 8, { name: "no rows 0x8" }),
  // Without a gradient the lengths are not kept.
  of(5, 512, {
    name: "without gradient 5x512",
    run: (g, t) => g.withoutTape(() => l2Normalize(g, t.x!)),
    wrt: [],
  }),
  // Norms of about 0.2 below and above eps: divisor constant or not.
  of(16, 4, { name: "below and above eps 16x4", inputs: { x: normal([16, 4], 0.1) } }, 0.2),
  of(3, 5, {
    name: "zero and tiny rows 3x5",
    inputs: { x: given([3, 5], [0, 0, 0, 0, 0, 1e-14, 0, -2e-14, 0, 0, 1e-5, 2e-5, 0, 0, 0]) },
    // Differences of the reference step over eps; the gradient of such rows is checked in errors_norm_test.
    wrt: [],
  }),
  of(4, 6, {
    name: "huge elements 4x6",
    inputs: {
      x: { shape: [4, 6], make: (rng) => rng.normals(24).map((v, i) => v * [1e18, 1e19, 1e30, 1e37][i % 4]!) },
    },
    // Gradients are zeros beside the cotangent: 1e-19 and less.
    wrt: [],
  }),
  of(1576, 768, { perf: l2NormalizeCost([1576, 768]), benchOnly: true }),
];
