/**
 * Cases of the symmetric InfoNCE loss: the worked example, one pair, primes, several blocks of rows, a sharp temperature.
 * Embeddings are f32 only: they are small, and their similarities are multiplied by up to 100.
 */

import { infoNce, infoNceCost } from "../../src/ops/info_nce.ts";
import { given, type Input, type OpCase } from "../case.ts";
import { infoNceGradRef, infoNceRef } from "../ref/info_nce.ts";

/** Random rows of length one. */
function unit(B: number, E: number): Input {
  return {
    shape: [B, E],
    make: (rng) => {
      const x = rng.normals(B * E);
      for (let i = 0; i < B; i++) {
        const row = x.subarray(i * E, (i + 1) * E);
        const norm = Math.hypot(...row);
        row.forEach((value, e) => row[e] = value / norm);
      }
      return x;
    },
  };
}

function of(B: number, E: number, scale: number, blockBytes?: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${B}x${E}${blockBytes ? " in blocks" : ""}`,
    inputs: { a: unit(B, E), b: unit(B, E), scale: given([1], [scale]) },
    run: (g, t) => infoNce(g, t.a!, t.b!, t.scale!, blockBytes ? { blockBytes } : {}),
    ref: (v) => infoNceRef(v.a!, v.b!, v.scale![0]!, B),
    refGrad: (v, [d]) => infoNceGradRef(v.a!, v.b!, v.scale![0]!, B, d![0]!),
    wrt: ["a", "b", "scale"],
    ...extra,
  };
}

/** Embeddings of which one of the second block of rows, or the last, has an element that is no number. */
function broken(B: number, E: number, value: number): Record<string, Input> {
  const { make, ...rest } = unit(B, E);
  const a = (...[rng]: Parameters<typeof make>) => Array.from(make(rng)).fill(value, B * E - E - 2, B * E - E - 1);
  return { a: { ...rest, chosen: true, make: a }, b: unit(B, E), scale: given([1], [20]) };
}

const normalised = (rows: number[][]) =>
  Float64Array.from(rows.flatMap((row) => row.map((value) => value / Math.hypot(...row))));

/** Case table. */
export const cases: readonly OpCase[] = [
  {
    ...of(3, 3, 20),
    name: "worked example at temperature 0.05",
    inputs: {
      a: given([3, 3], normalised([[1, 0, 0.5], [0.8, 0.3, 0.6], [-0.5, 1, 0.2]])),
      b: given([3, 3], normalised([[0.9, 0.2, 0.3], [1, 0.1, 0.4], [0.2, 0.9, -0.4]])),
      scale: given([1], [20]),
    },
    ref: () => Float64Array.of(0.568073),
    // The reference is the published number, six digits; its gradient comes from the formula, checked in the other rows.
    tol: { nmse: 1e-11, max: 3e-6 },
    wrt: [],
  },
  of(1, 8, 20),
  of(7, 5, 10),
  of(37, 16, 20),
  of(129, 31, 20, 64 * 129 * 4),
  of(200, 64, 100, 1, { name: "200x64, temperature 0.01, blocks of 64 rows" }),
  // The gradients too are NaN: each sum over a row or a column holds one that is.
  of(37, 16, 20, undefined, { name: "an embedding is no number 37x16", inputs: broken(37, 16, NaN) }),
  of(129, 8, 20, 1, { name: "an embedding is infinite 129x8 in blocks", inputs: broken(129, 8, Infinity) }),
  of(384, 512, 20, undefined, { perf: infoNceCost(384, 512), benchOnly: true }),
  of(4096, 512, 20, undefined, { perf: infoNceCost(4096, 512), benchOnly: true }),
];
