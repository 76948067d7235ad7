/**
 * Agreement of two groupings of the same rows.
 *
 * Source: Hubert and Arabie, "Comparing partitions" (1985): the adjusted Rand index.
 *
 * @module
 */

import { ShapeError } from "../../src/core/errors.ts";

/**
 * The adjusted Rand index: 1 where the groups are the same, about 0 where they are independent.
 *
 * @throws {ShapeError} If the lists differ in length, or are empty.
 */
export function adjustedRand(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) {
    throw new ShapeError(`Cannot compare groups of ${a.length} and ${b.length} rows: as many wanted, and at least one`);
  }
  const [left, right, both] = [new Map<number, number>(), new Map<number, number>(), new Map<string, number>()];
  const count = <K>(map: Map<K, number>, key: K) => map.set(key, (map.get(key) ?? 0) + 1);
  for (let i = 0; i < a.length; i++) {
    count(left, a[i]!);
    count(right, b[i]!);
    count(both, `${a[i]} ${b[i]}`);
  }
  const pairs = (counts: Iterable<number>) => [...counts].reduce((sum, n) => sum + n * (n - 1) / 2, 0);
  const all = pairs([a.length]);
  const [x, y, z] = [pairs(left.values()), pairs(right.values()), pairs(both.values())];
  const expected = all === 0 ? 0 : x * y / all;
  const most = (x + y) / 2;
  return most === expected ? 1 : (z - expected) / (most - expected);
}
