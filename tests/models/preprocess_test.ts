/** Preparation of tiles next to torchvision and timm on Pillow, byte for byte. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DataError } from "../../src/core/errors.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { EncoderInput } from "../../src/models/encoder_spec.ts";
import { preprocess, preprocessing } from "../../src/models/preprocess.ts";
import fixture from "../fixtures/encoders/preprocess.json" with { type: "json" };
import { mix } from "../../src/data/image/stripes.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** The image of `tests/python/encoders/preprocess.py`. */
function image(height: number, width: number): Uint8Array {
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => mix(i + 1) >>> 24);
}

for (const { encoder, from, resize, crop, interpolation, sha256 } of fixture.pipelines) {
  Deno.test(`tiles of ${from.join(" x ")} are prepared as for ${encoder}`, async () => {
    const [H, W] = from as [number, number];
    const input = { size: crop, resize, interpolation } as EncoderInput;
    const store = new Store(gpu);
    const tiles = store.from("input", "tiles", [1, H, W, 3], image(H, W), "u8");
    const g = new Plan(gpu);
    const y = preprocess(g, tiles, input);
    assert.deepEqual(y.shape, [1, crop, crop, 3]);
    g.output(y);
    const program = await g.compile();
    program.run();
    const [bytes] = await readback(gpu, y);
    assert.equal(createHash("sha256").update(Uint8Array.from(bytes!)).digest("hex"), sha256);
    program.destroy();
    store.destroy();
  });
}

Deno.test("preprocessing() refuses tiles that would need padding", () => {
  const input = { size: 224, interpolation: "bilinear" } as EncoderInput;
  assert.throws(() => preprocessing(input, 200, 224), DataError);
});
