import assert from "node:assert/strict";
import { LimitError } from "../../src/core/errors.ts";
import { Mt19937 } from "../../src/core/mt19937.ts";

Deno.test("Mt19937 gives the words of numpy's RandomState(0)", () => {
  const rng = new Mt19937(0);
  assert.deepEqual([rng.u32(), rng.u32(), rng.u32()], [2357136044, 2546248239, 3071714933]);
});

Deno.test("permutation() equals numpy's, small and beyond one block of the state", () => {
  const want = [[2, 8, 4, 9, 1, 6, 7, 3, 0, 5], [2, 9, 6, 4, 0, 3, 1, 7, 8, 5], [4, 1, 5, 0, 7, 2, 3, 6, 9, 8]];
  want.forEach((order, seed) => assert.deepEqual([...new Mt19937(seed).permutation(10)], order));
  const long = new Mt19937(4).permutation(1000);
  assert.deepEqual([...long.subarray(0, 8)], [698, 577, 763, 790, 520, 825, 958, 996]);
  assert.equal(new Set(long).size, 1000);
  assert.deepEqual([new Mt19937(1).permutation(0).length, ...new Mt19937(1).permutation(1)], [0, 0]);
});

Deno.test("Mt19937 refuses seeds numpy refuses", () => {
  for (const seed of [-1, 1.5, 2 ** 32, NaN]) assert.throws(() => new Mt19937(seed), LimitError);
});
