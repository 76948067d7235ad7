/** Short batches take smaller plans on a software adapter, and give the same bytes. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { Embedder } from "../../src/embed/embedder.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { openEncoder } from "../../src/run/encoder.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const [BATCH, SIDE] = [32, 48];
const PIXELS = SIDE * SIDE * 3;

/** Embeddings of batches of so many of the same tiles each, and how many plans that took. */
async function embed(device: Gpu, name: string, counts: readonly number[]) {
  const { encoder } = await openEncoder(device, { encoder: name });
  const rng = new Rng(5);
  const tiles = Uint8Array.from({ length: BATCH * PIXELS }, () => rng.below(256));
  let plans = 0;
  const embedder = new Embedder(device, encoder, { batchSize: BATCH, onMemory: () => plans++ });
  const features: Float32Array[] = [];
  for (const n of counts) {
    await embedder.submit(tiles.slice(0, n * PIXELS), SIDE, SIDE);
    features.push(await embedder.flush());
  }
  embedder.destroy();
  encoder.parameters.destroy();
  return { features, plans, dim: encoder.dim };
}

for (
  const name of [
    "random:vit_small_patch16_224?dim=48&depth=2&heads=3&img=48&seed=1",
    "random:uni2_h?dim=64&depth=2&heads=2&img=48&patch=16&seed=2",
    "random:conch_v1?dim=64&depth=2&heads=2&img=48&patch=16&seed=3",
  ]
) {
  Deno.test(`${name}: a short batch is computed by a smaller plan, to the same bytes`, async () => {
    const counts = [32, 1, 2, 3, 8, 9, 1, 31, 2];
    const { features, plans, dim } = await embed(gpu.withCaps({ software: true, flat: true }), name, counts);
    assert.equal(plans, 4);
    counts.forEach((n, i) => {
      assert.equal(features[i]!.length, n * dim);
      assert.deepEqual(features[i], features[0]!.slice(0, n * dim), `batch of ${n}`);
    });
  });
}

Deno.test("a GPU has one plan for batches of every length", async () => {
  const name = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&img=48&seed=1";
  const { plans } = await embed(gpu.withCaps({ software: false }), name, [32, 1, 5]);
  assert.equal(plans, 1);
});
