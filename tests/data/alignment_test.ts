/** Nuclei against counts: the numbers are of SciPy and NumPy. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { alignmentWarning, haematoxylin, rankCorrelation } from "../../src/data/alignment.ts";
import { expression } from "../../src/data/counts.ts";
import { dense } from "../../src/data/matrix.ts";

const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a} and ${b}`);

Deno.test("rankCorrelation() is scipy.stats.spearmanr, ties included", () => {
  close(rankCorrelation([1, 2, 2, 3, 5, 5, 5, 9], [3, 1, 4, 1, 5, 9, 2, 6]), 0.5495502618648208);
  close(rankCorrelation([1.5, -2, 0, 7], [4, 4, 1, 0]), -0.632455532033676);
  close(rankCorrelation([1, 2, 3], [9, 8, 7]), -1);
  assert.ok(Number.isNaN(rankCorrelation([1, 1], [1, 2])));
});

Deno.test("haematoxylin() unmixes stains as the inverse of their matrix does", () => {
  const colours = [
    [[150, 80, 160], 0.2777594618473186],
    [[255, 255, 255], 0],
    [[0, 10, 200], 4.36323121953312],
  ] as const;
  for (const [colour, wanted] of colours) {
    close(haematoxylin(Uint8Array.from({ length: 12 * 12 * 3 }, (_, i) => colour[i % 3]!), 12), wanted);
  }
});

/** A sample of one gene whose patches get darker, the further the more by `nuclei`. */
function sample(count: number, totals: (i: number) => number, nuclei: (i: number) => number) {
  const raw = expression(
    "A",
    Array.from({ length: count }, (_, i) => `s${i}`),
    ["G"],
    dense(count, 1, Array.from({ length: count }, (_, i) => totals(i))),
  );
  const rows = Uint32Array.from({ length: count }, (_, i) => count - 1 - i);
  const read = (from: number) => {
    const depth = nuclei(count - 1 - from);
    return Uint8Array.from(
      { length: 8 * 8 * 3 },
      (_, i) => Math.round(255 * 10 ** (-depth * [0.65, 0.7, 0.29][i % 3]!)),
    );
  };
  return alignmentWarning({ id: "A", count, raw, patches: { path: "A.h5", rows, size: 8, pixelSize: 0.5 } }, {
    read,
    width: 8,
  });
}

Deno.test("A sample is told of where more nuclei do not go with more counts, and only then", () => {
  const rising = (i: number) => 10 + i;
  const dark = (i: number) => 0.1 + i / 1000;
  assert.equal(sample(150, rising, dark), undefined);
  assert.equal(sample(900, rising, dark), undefined);
  const told = sample(150, rising, (i) => dark(149 - i))!;
  assert.match(told, /^A: more nuclei do not go with more counts \(rank correlation -1\.00 over 150 pairs\)/);
  assert.match(sample(900, rising, (i) => dark(899 - i))!, /over 400 pairs/);
  // Too few pairs, or the same colour everywhere, tell nothing.
  assert.equal(sample(99, rising, (i) => dark(98 - i)), undefined);
  assert.equal(sample(150, rising, () => 0.3), undefined);
});

Deno.test("A correlation that chance alone puts below zero is not told of", () => {
  const error = 1 / Math.sqrt(149);
  const found = { chance: false, clear: false };
  for (let seed = 0; seed < 60; seed++) {
    const order = new Rng(seed, 3).permutation(150);
    const r = rankCorrelation(Array.from(order), Array.from(order, (_, i) => i));
    if (r > 0 || Math.abs(r + error) < 1e-3) continue;
    const told = sample(150, (i) => 10 + i, (i) => 0.1 + order[i]! / 100);
    assert.equal(told === undefined, r > -error, `${r}: ${told}`);
    if (r > -error) found.chance = true;
    else found.clear = true;
  }
  assert.deepEqual(found, { chance: true, clear: true });
});
