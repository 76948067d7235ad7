/** Cases of gather: repeated rows, segments longer than a chunk, two and three bytes of keys, rows that do not exist. */

import { gather, gatherColumns, gatherCost } from "../../src/ops/gather.ts";
import { slice } from "../../src/ops/slice.ts";
import { given, integers, normal, type OpCase } from "../case.ts";
import { gatherColumnsRef, gatherRef } from "../ref/gather.ts";
import { scatterAddRef } from "../ref/scatter.ts";

function rows(V: number, D: number, n: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${n} of ${V}x${D}`,
    inputs: { x: normal([V, D]), index: integers([n], V) },
    run: (g, t) => gather(g, t.x!, t.index!),
    ref: (a) => gatherRef(a.x!, a.index!, D),
    refGrad: (a, [dy]) => ({ x: scatterAddRef(dy!, a.index!, V, D) }),
    wrt: ["x"],
    ...extra,
  };
}

function columns(M: number, C: number, K: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${K} columns of ${M}x${C}`,
    inputs: { x: normal([M, C]), index: integers([K], C) },
    run: (g, t) => gatherColumns(g, t.x!, t.index!),
    ref: (a) => gatherColumnsRef(a.x!, a.index!, C),
    wrt: ["x"],
    ...extra,
  };
}

/** The last of four rows does not exist; only the first three go on, so that differences stay finite. */
const OUTSIDE = given([4], [2, 0, 2, 5], "u32");

/** Halves exactly: subnormal of both signs, the largest of them, the least normal one, ordinary and largest. */
const SMALL = [2 ** -24, -(2 ** -24), 1023 * 2 ** -24, -(2 ** -14), 0, 168 * 2 ** -24, -0.3330078125, 65504];

/** Case table. */
export const cases: readonly OpCase[] = [
  rows(11, 8, 29, { f16: ["x"] }),
  rows(7, 5, 13),
  rows(1, 1, 3),
  rows(5, 4, 0),
  rows(13, 12, 7, { name: "frozen 13x12", run: (g, t) => gather(g, t.x!, t.index!, { dtype: "f32" }), weights: ["x"] }),
  // The least f16 and the smallest normal one; devices may take subnormals for 0 when they unpack.
  ...[4, 3].map((D) =>
    rows(2, D, 2, {
      name: `subnormal halves, rows of ${D}`,
      inputs: {
        x: given([2, D], Array.from({ length: 2 * D }, (_, i) => SMALL[i]!), "f16"),
        index: given([2], [1, 0], "u32"),
      },
      run: (g, t) => gather(g, t.x!, t.index!, { dtype: "f32" }),
      wrt: [],
    })
  ),
  // 600 rows go to one of three: chunks and carries of the sum, and more than one block of the sort.
  rows(3, 6, 600),
  rows(3, 37, 600, { name: "more carries than a workgroup has invocations: 600 of 3x37" }),
  rows(300, 4, 700, { name: "two bytes of keys: 700 of 300x4" }),
  rows(65537, 1, 40, { name: "three bytes of keys: 40 of 65537x1" }),
  rows(9, 3, 10, { name: "index 2x5", inputs: { x: normal([9, 3]), index: integers([2, 5], 9) } }),
  rows(5, 4, 4, {
    name: "index known to the host",
    run: (g, t) => gather(g, t.x!, [3, 0, 3, 4]),
    ref: (a) => gatherRef(a.x!, [3, 0, 3, 4], 4),
    inputs: { x: normal([5, 4]) },
    refGrad: (_, [dy]) => ({ x: scatterAddRef(dy!, [3, 0, 3, 4], 5, 4) }),
  }),
  rows(5, 4, 4, {
    name: "row out of range is NaN",
    inputs: { x: normal([5, 4]), index: OUTSIDE },
    // Differences of NaN say nothing; the next row checks the gradient.
    wrt: [],
  }),
  rows(5, 4, 4, {
    name: "row out of range has no gradient",
    inputs: { x: normal([5, 4]), index: OUTSIDE },
    run: (g, t) => slice(g, gather(g, t.x!, t.index!), 0, 0, 3),
    ref: (a) => gatherRef(a.x!, a.index!, 4).slice(0, 12),
    refGrad: (a, [dy]) => ({ x: scatterAddRef(dy!, a.index!.slice(0, 3), 5, 4) }),
  }),
  columns(5, 13, 7, { f16: ["x"] }),
  columns(3, 4, 9),
  columns(2, 6, 3, {
    name: "columns known to the host",
    run: (g, t) => gatherColumns(g, t.x!, Uint32Array.of(5, 0, 5)),
    ref: (a) => gatherColumnsRef(a.x!, [5, 0, 5], 6),
    inputs: { x: normal([2, 6]) },
  }),
  columns(2, 3, 4, { name: "column out of range is NaN", inputs: { x: normal([2, 3]), index: OUTSIDE }, wrt: [] }),
  rows(10_000, 256, 100_000, { benchOnly: true, perf: gatherCost(100_000, 256) }),
];
