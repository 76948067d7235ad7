/** Cases of the cosine search: one of one, primes, segment edges, blocks, several galleries, ties, f16 and bf16 galleries. */

import { cosineTopk, rowTopk, topkCost } from "../../src/ops/topk.ts";
import { given, type Input, type OpCase } from "../case.ts";
import { topkRef } from "../ref/topk.ts";

/** Small whole numbers: products and sums are exact, so that equal scores are equal. */
function whole(rows: number, E: number, below: number): Input {
  return {
    shape: [rows, E],
    make: (rng) => Float32Array.from({ length: rows * E }, () => rng.below(below) - (below >> 1)),
  };
}

function normal(rows: number, E: number): Input {
  return { shape: [rows, E], make: (rng) => rng.normals(rows * E) };
}

function of(Q: number, N: number, E: number, k: number, blockBytes?: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${Q} of ${N}x${E}, best ${k}${blockBytes ? ", in blocks" : ""}`,
    inputs: { q: normal(Q, E), gallery: normal(N, E) },
    run: (g, t) => {
      const { scores, indices } = cosineTopk(g, t.q!, t.gallery!, { k, ...(blockBytes ? { blockBytes } : {}) });
      return [scores, indices];
    },
    ref: (a) => topkRef(a.q!, a.gallery!, E, k),
    // An index has no gradient.
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 4, 1),
  of(3, 7, 5, 7),
  of(5, 513, 16, 10, undefined, { weights: ["gallery"] }),
  of(2, 1031, 8, 50),
  of(7, 1600, 8, 5, 7 * 512 * 4),
  of(4, 700, 3, 20, undefined, {
    name: "ties in 4 of 700x3, best 20",
    inputs: { q: whole(4, 3, 5), gallery: whole(700, 3, 5) },
  }),
  {
    ...of(3, 600, 8, 4),
    name: "two galleries counted through",
    inputs: { q: normal(3, 8), first: normal(128, 8), second: normal(472, 8) },
    run: (g, t) => {
      const { scores, indices } = cosineTopk(g, t.q!, [t.first!, t.second!], { k: 4 });
      return [scores, indices];
    },
    ref: (a) => topkRef(a.q!, Float64Array.from([...a.first!, ...a.second!]), 8, 4),
  },
  of(2, 513, 640, 6, 1, {
    name: "copies come in order, in a block of one row too",
    inputs: {
      // Nine copies of one row among noise that is half as long.
      q: { shape: [2, 640], make: (rng) => Float32Array.from({ length: 1280 }, (_, i) => rng.normal() + (i % 3)) },
      gallery: {
        shape: [513, 640],
        make: (rng) => {
          const rows = rng.normals(513 * 640);
          for (let e = 0; e < 640; e++) rows[e] = rows[e]! + 2 * (e % 3);
          for (let n = 64; n <= 512; n += 64) rows.copyWithin(n * 640, 0, 640);
          return rows;
        },
      },
    },
  }),
  of(2, 6, 4, 3, undefined, {
    name: "rows that are no numbers are not found",
    inputs: {
      q: given([2, 4], [1, 2, 3, 4, 1, 0, 0, 0]),
      gallery: given([6, 4], [NaN, 0, 0, 0, 1, 1, 1, 1, NaN, NaN, 0, 0, 2, 1, 1, 1, 0, 0, 0, NaN, 3, 3, 0, 0]),
    },
    ref: () => {
      const [scores, indices] = [[11, 10, 9, 3, 2, 1], [3, 1, 5, 5, 3, 1]];
      return [Float64Array.from(scores), Float64Array.from(indices)];
    },
  }),
  of(2, 3, 4, 2, undefined, {
    name: "a zero query",
    inputs: { q: given([2, 4], [0, 0, 0, 0, 1, 2, 3, 4]), gallery: normal(3, 4) },
  }),
  {
    ...of(37, 16, 16, 1),
    name: "the first largest of each row of scores",
    inputs: { s: whole(37, 16, 4) },
    run: (g, t) => {
      const { scores, indices } = rowTopk(g, t.s!, 1);
      return [scores, indices];
    },
    ref: ({ s }) => {
      const rows = Array.from({ length: 37 }, (_, r) => s!.subarray(16 * r, 16 * r + 16));
      const best = rows.map((row) => Math.max(...row));
      return [Float64Array.from(best), Float64Array.from(rows, (row, r) => row.indexOf(best[r]!))];
    },
  },
  of(64, 65536, 128, 10, undefined, { perf: topkCost(64, 65536, 128), benchOnly: true }),
];
