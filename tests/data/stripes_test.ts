import assert from "node:assert/strict";
import { mix, type StripesBatch, stripesBatch } from "../../src/data/image/stripes.ts";
import fixture from "../fixtures/vit_train.json" with { type: "json" };

/** Known answers, taken from the Python side. */
const TEST_VECTOR: {
  mix: readonly (readonly [number, number])[];
  step: number;
  labels: readonly number[];
  firstBytes: readonly number[];
  checksum: number;
} = {
  mix: [[0, 0], [1, 1753845952], [0x9e3779b9, 33350994]],
  step: 7,
  labels: [4, 5, 7, 5, 0, 0, 8, 2, 2, 9, 8, 3, 6, 4, 1, 2],
  firstBytes: [39, 81, 74, 116, 78, 93, 118, 91, 61, 188, 146, 100],
  checksum: 2660144293,
};

/** FNV-1a, 32 bit, over the image bytes and then the labels: an entry of `dataChecksums` in `vit_train.json`. */
function checksumOf(batch: StripesBatch): number {
  let h = 0x811c9dc5;
  for (const part of [batch.images, batch.labels]) {
    for (const byte of part) h = Math.imul(h ^ byte, 0x01000193);
  }
  return h >>> 0;
}

Deno.test("stripesBatch() reproduces the known answers of the Python generator", () => {
  for (const [input, output] of TEST_VECTOR.mix) assert.equal(mix(input), output);
  const batch = stripesBatch(TEST_VECTOR.step);
  assert.deepEqual([...batch.labels], TEST_VECTOR.labels);
  assert.deepEqual([...batch.images.subarray(0, TEST_VECTOR.firstBytes.length)], TEST_VECTOR.firstBytes);
  assert.equal(checksumOf(batch), TEST_VECTOR.checksum);
});

Deno.test("stripesBatch() gives the checksum of every fixture step", () => {
  const checksums = fixture.dataChecksums.map((_, step) => checksumOf(stripesBatch(step)));
  assert.deepEqual(checksums, fixture.dataChecksums);
});
