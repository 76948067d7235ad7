/** Cases of the rank count: one of one, primes, tile edges, slices, several galleries, ties, absent partners, f16 and bf16. */

import { cosineRank, rankCost } from "../../src/ops/rank.ts";
import { given, type Input, integers, normal, type OpCase } from "../case.ts";
import { rankRef } from "../ref/rank.ts";

/** Small whole numbers: products and sums are exact, so that equal scores are equal. */
function whole(rows: number, E: number, below: number): Input {
  return {
    shape: [rows, E],
    make: (rng) => Float32Array.from({ length: rows * E }, () => rng.below(below) - (below >> 1)),
  };
}

function of(Q: number, N: number, E: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${Q} of ${N}x${E}`,
    inputs: { q: normal([Q, E]), gallery: normal([N, E]), partner: integers([Q], N) },
    run: (g, t) => {
      const { above, equal, own } = cosineRank(g, t.q!, t.gallery!, t.partner!);
      return [above, equal, own];
    },
    ref: (a) => rankRef(a.q!, a.gallery!, a.partner!, E),
    // A count has no gradient.
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 4),
  of(3, 7, 5),
  of(5, 513, 16, { weights: ["gallery"] }),
  of(2, 31, 33),
  of(31, 257, 12),
  of(32, 256, 16),
  of(33, 129, 17),
  of(65, 511, 20, { weights: ["gallery"] }),
  of(48, 129, 20, { paths: ["gpu"] }),
  of(130, 300, 8),
  of(9, 5000, 8, { weights: ["gallery"] }),
  of(4, 700, 3, {
    name: "ties in 4 of 700x3",
    inputs: { q: whole(4, 3, 5), gallery: whole(700, 3, 5), partner: integers([4], 700) },
  }),
  of(70, 300, 4, {
    name: "ties in 70 of 300x4",
    inputs: { q: whole(70, 4, 3), gallery: whole(300, 4, 3), partner: integers([70], 300) },
  }),
  of(3, 200, 36, {
    name: "copies of the partner tie bit for bit",
    inputs: {
      q: normal([3, 36]),
      // Every fourth row is the same; the others are noise.
      gallery: {
        shape: [200, 36],
        make: (rng) => {
          const rows = rng.normals(200 * 36);
          for (let n = 0; n < 200; n += 4) rows.copyWithin(n * 36, 0, 36);
          return rows;
        },
      },
      partner: given([3], [0, 100, 196], "u32"),
    },
    weights: ["gallery"],
  }),
  {
    ...of(5, 600, 8),
    name: "three galleries counted through, partners in each",
    inputs: {
      q: normal([5, 8]),
      first: normal([128, 8]),
      second: normal([471, 8]),
      third: normal([1, 8]),
      partner: given([5], [0, 127, 128, 598, 599], "u32"),
    },
    run: (g, t) => {
      const { above, equal, own } = cosineRank(g, t.q!, [t.first!, t.second!, t.third!], t.partner!);
      return [above, equal, own];
    },
    ref: (a) => rankRef(a.q!, Float64Array.from([...a.first!, ...a.second!, ...a.third!]), a.partner!, 8),
  },
  of(1, 4, 4, {
    name: "scores that are no numbers are neither above nor equal",
    inputs: {
      q: given([1, 4], [1, 2, 3, 4]),
      gallery: given([4, 4], [NaN, 0, 0, 9, 1, 1, 1, 1, NaN, 0, 0, 9, 2, 1, 1, 1]),
      partner: given([1], [1], "u32"),
    },
    ref: () => [Float64Array.of(1), Float64Array.of(0), Float64Array.of(10)],
  }),
  of(1, 3, 4, {
    name: "a partner that is no number has none above nor equal",
    inputs: {
      q: given([1, 4], [1, 2, 3, 4]),
      gallery: given([3, 4], [NaN, 0, 0, 9, 1, 1, 1, 1, NaN, 0, 0, 9]),
      partner: given([1], [2], "u32"),
    },
    ref: () => [Float64Array.of(0), Float64Array.of(0), Float64Array.of(NaN)],
  }),
  of(3, 40, 8, {
    name: "partners that do not exist",
    inputs: { q: normal([3, 8]), gallery: normal([40, 8]), partner: given([3], [40, 7, 4294967295], "u32") },
  }),
  of(2, 3, 4, {
    name: "a zero query",
    inputs: { q: given([2, 4], [0, 0, 0, 0, 1, 2, 3, 4]), gallery: normal([3, 4]), partner: given([2], [1, 2], "u32") },
  }),
  of(64, 65536, 128, { perf: rankCost(64, 65536, 128), benchOnly: true }),
];
