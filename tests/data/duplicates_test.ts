/** Duplicates among many samples: all pairs of few, each named of many, in time that goes by the samples. */

import assert from "node:assert/strict";
import { findDuplicates, type SampleDigest } from "../../src/data/duplicates.ts";

const sample = (name: string, counts: string, spots: readonly string[]): SampleDigest => ({
  sample: name,
  counts,
  spots: new Set(spots),
  image: undefined,
});

Deno.test("findDuplicates() tells all pairs of few equal samples and shares of spots, in the samples' order", () => {
  const found = findDuplicates([
    sample("A", "x", ["1", "2", "3", "4"]),
    sample("B", "y", ["4", "5"]),
    sample("C", "x", ["1", "2", "3", "4"]),
    sample("D", "z", ["9"]),
    { ...sample("E", "v", []), image: "p" },
    { ...sample("F", "w", []), image: "p" },
  ]);
  assert.deepEqual(found, [
    { a: "A", b: "B", kind: "spots", share: 0.5 },
    { a: "A", b: "C", kind: "counts", share: 1 },
    { a: "B", b: "C", kind: "spots", share: 0.5 },
    { a: "E", b: "F", kind: "image", share: 0 },
  ]);
});

Deno.test("findDuplicates() of thousands of equal samples names each, and not every pair", () => {
  const spots = Array.from({ length: 50 }, (_, i) => `spot${i}`);
  const all = Array.from({ length: 3000 }, (_, i) => sample(`S${i}`, "same", spots));
  const found = findDuplicates(all);
  assert.equal(new Set(found.map(({ b }) => b)).size, 2999);
  assert.ok(found.length < 2 * all.length, String(found.length));
  assert.ok(found.every(({ kind, share }) => kind === "counts" && share === 1));
});
