/** What an encoder takes, told from encoders of few blocks. */

import assert from "node:assert/strict";
import { encoderTime } from "../../src/embed/encoder_time.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";

Deno.test("The time of a tile is that of few blocks, and of a block for each of the rest; so is the memory of weights", async () => {
  const gpu = await requestGpu(navigator.gpu);
  const spec = (depth: number) =>
    randomEncoder(`random:vit_small_patch16_224?dim=64&depth=${depth}&patch=8&img=16`).spec;
  /** A clock that goes on only while batches are timed: what each timed run takes, in order. */
  const clock = (...runs: number[]) => {
    let calls = 0;
    return () => {
      const run = runs[calls >> 1]!;
      return calls++ % 2 === 0 ? 0 : run;
    };
  };
  const options = { dtype: "f32", batchSize: 4, patch: 16 } as const;
  const tiles = gpu.caps.software ? 1 : 4;
  try {
    // A whole batch, one to warm up and the timed one; of the larger encoder the last two.
    const times = [7, 9, 200, 9, 500];
    const found = await encoderTime(gpu, spec(12), { ...options, now: clock(...times) });
    assert.deepEqual([found.perTile, found.blocks], [(500 + 9 * 150) / tiles, 3]);
    const shallow = await encoderTime(gpu, spec(3), { ...options, now: clock(7, 9, 300) });
    assert.deepEqual([shallow.perTile, shallow.blocks], [300 / tiles, 3]);
    // Too short to be told: 4, 16 batches are.
    const short = await encoderTime(gpu, spec(2), { ...options, now: clock(7, 9, 10, 40, 160) });
    assert.equal(short.perTile, 160 / 16 / tiles);
    // Weights of a block: 12 d^2 and biases and norms of 13 d, in f32.
    const block = 4 * (12 * 64 ** 2 + 13 * 64);
    const [few, many] = [found, shallow].map(({ deviceBytes }) => deviceBytes);
    assert.ok(Math.abs((few! - many!) / 9 - block) < 0.1 * block, `${few} ${many} ${block}`);
  } finally {
    gpu.destroy();
  }
});
