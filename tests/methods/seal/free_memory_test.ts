/** Rows in memory follow what is free on a GPU, and what a run had before. */

import assert from "node:assert/strict";
import type { Gpu } from "../../../src/gpu/device.ts";
import { pixelInput } from "../../../src/train/row_input.ts";
import { formulaImages } from "../../../src/verify/formula.ts";
import { buildCase, compileAlign, deviations } from "../../../src/methods/seal/proof/case.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Most memory is the image side's. */
const WIDE = { encoder: "random:vit_small_patch16_224?dim=64&depth=3&heads=2&img=96" };

/** The device as a GPU that has so much left for each plan, and what it was asked for. */
function withFree(bytes: number): { device: Gpu; asked: number[] } {
  const asked: number[] = [];
  const device = gpu.withCaps({ software: false });
  device.hasMemory = (wanted) => Promise.resolve(asked.push(wanted) > 0 && wanted <= bytes);
  return { device, asked };
}

async function microOf(device: Gpu, mostMicro?: number): Promise<{ micro: number; bytes: number }> {
  const { model, optimizer, side, destroy } = buildCase(device, WIDE);
  const input = pixelInput(model.encoder, formulaImages(side), side);
  try {
    const step = await compileAlign(model, input, optimizer, { batch: 24, std: deviations(), mostMicro });
    const { micro } = step;
    const bytes = Math.max(...Object.values(step.memory).map(({ total }) => total));
    step.destroy();
    return { micro, bytes };
  } finally {
    destroy();
  }
}

Deno.test("a batch is whole where it fits what is free, and in parts where it does not", async () => {
  const enough = withFree(Infinity);
  const whole = await microOf(enough.device);
  assert.equal(whole.micro, 24);
  assert.equal(enough.asked.length, 1);
  assert.ok(enough.asked[0]! > 0 && enough.asked[0]! < whole.bytes);
  const less = await microOf(withFree(enough.asked[0]! / 3).device);
  assert.ok(less.micro < 24 && less.micro > 1, String(less.micro));
  assert.ok(less.bytes < whole.bytes);
});

Deno.test("a run that goes on takes no more rows than before, and fewer where less is free", async () => {
  assert.equal((await microOf(withFree(Infinity).device, 5)).micro, 5);
  const { device, asked } = withFree(Infinity);
  await microOf(device, 12);
  assert.ok((await microOf(withFree(Math.max(...asked) * 0.7).device, 12)).micro < 12);
});

Deno.test("where not even one row fits, the numbers are said", async () => {
  await assert.rejects(microOf(withFree(0).device), /takes \d+ bytes, .* has not that much left/);
});
