/** Cases of countOverflow: infinities of both signs and NaN at both ends and in the middle, counts that were there before. */

import { countOverflow } from "../../src/ops/overflow.ts";
import { type Input, integers, type OpCase } from "../case.ts";
import { overflowRef } from "../ref/overflow.ts";

/** Small numbers; those at the given places are none. */
function withBad(n: number, bad: (i: number) => boolean): Input {
  const values = [Infinity, -Infinity, NaN];
  return { shape: [n], make: (rng) => rng.normals(n).map((v, i) => (bad(i) ? values[i % 3]! : v)), chosen: true };
}

/** One row is counted, the others stay. Which group reads an element is the path's: they share the first 32. */
function of(n: number, groups: number, slot: number, extra: Partial<OpCase> = {}): OpCase {
  const among = (i: number) => i === 0 || i === n - 1 || i % 97 === 5;
  return {
    name: `${n} elements, ${groups} groups, row ${slot}`,
    inputs: {
      x: withBad(n, groups === 1 ? among : (i) => i < 32 && among(i)),
      found: integers([3, groups], 5),
    },
    run: (g, t) => {
      countOverflow(g, t.x!, t.found!, slot);
      return t.found!;
    },
    ref: (a) => overflowRef(a.x!, a.found!, groups, slot),
    // Counts have no gradient.
    wrt: [],
    f16: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 0),
  of(1023, 1, 2),
  of(20000, 1, 1),
  of(20001, 512, 1),
  of(40000, 3, 1),
  of(64 * 197 * 768, 512, 0, { benchOnly: true, perf: { flops: 0, bytes: 2 * 64 * 197 * 768 } }),
];
