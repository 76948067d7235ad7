/** Cases of countOverflow: infinities of both signs and NaN at both ends and in the middle, counts that were there before. */

import { countOverflow } from "../../src/ops/overflow.ts";
import { type Input, integers, type OpCase } from "../case.ts";
import { overflowRef } from "../ref/overflow.ts";

/** Small numbers, with every 97th element and both ends no numbers. */
function withBad(n: number): Input {
  const bad = [Infinity, -Infinity, NaN];
  return {
    shape: [n],
    make: (rng) => rng.normals(n).map((v, i) => (i === 0 || i === n - 1 || i % 97 === 5 ? bad[i % 3]! : v)),
    chosen: true,
  };
}

/** One row is counted, the others stay. */
function of(n: number, groups: number, slot: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${n} elements, ${groups} groups, row ${slot}`,
    inputs: { x: withBad(n), found: integers([3, groups], 5) },
    run: (g, t) => {
      countOverflow(g, t.x!, t.found!, slot);
      return t.found!;
    },
    ref: (a) => overflowRef(a.x!, a.found!, { slot, groups, WG: 256 }),
    // Counts have no gradient.
    wrt: [],
    f16: ["x"],
    paths: ["gpu"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 4, 0),
  of(1023, 4, 2),
  of(20000, 4, 1),
  of(20001, 512, 1),
  ...[20000, 20001].map((n) =>
    of(n, 4, 1, {
      name: `barrier-free, ${n} elements`,
      paths: ["flat"],
      ref: (a) => overflowRef(a.x!, a.found!, { slot: 1, groups: 4, WG: 8 }),
    })
  ),
  of(64 * 197 * 768, 512, 0, { benchOnly: true, perf: { flops: 0, bytes: 2 * 64 * 197 * 768 } }),
];
