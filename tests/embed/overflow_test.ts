/** Activations that f16 cannot hold end with the layer's name, also where the features look well. */

import assert from "node:assert/strict";
import { NumericsError } from "../../src/core/errors.ts";
import { Embedder } from "../../src/embed/embedder.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { createEncoder, type Encoder } from "../../src/models/encoder.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const WIDTH = 32;

/** A random encoder with one bias changed. */
function encoderWith(on: Gpu, dtype: "f32" | "f16", bias: string, at: number, value: number): Encoder {
  const { spec } = randomEncoder("random:vit_small_patch16_224?dim=32&depth=3&heads=2&img=32");
  const parameters = new Parameters(on, () => false);
  const encoder = createEncoder(parameters, spec, { seed: 1, dtype });
  parameters.allocate();
  const tensor = parameters.get(bias);
  const values = new Float32Array(tensor.size);
  values[at] = value;
  parameters.store.write(tensor, values);
  return encoder;
}

/** Features of two images and a half batch, so that a batch is filled up. */
async function features(encoder: Encoder): Promise<Float32Array> {
  const { gpu } = encoder.parameters;
  const embedder = new Embedder(gpu, encoder, { batchSize: 4 });
  try {
    const pixels = Uint8Array.from({ length: 3 * 32 * 32 * 3 }, (_, i) => (i * 37) % 251);
    await embedder.submit(pixels, 32, 32);
    return await embedder.flush();
  } finally {
    embedder.destroy();
    encoder.parameters.destroy();
  }
}

/** A hidden unit of the MLP; a key that a score of minus infinity hides; a value; the stream of the second block. */
const PLACES: readonly [bias: string, at: number, value: number][] = [
  ["blocks.1.mlp.fc1.bias", 3, 7e4],
  ["blocks.0.attn.qkv.bias", WIDTH + 2, -7e4],
  ["blocks.0.attn.qkv.bias", 2 * WIDTH + 5, 7e4],
  ["blocks.1.mlp.fc2.bias", 9, -7e4],
];

for (const { path, on } of kernelPaths(gpu)) {
  for (const [bias, at, value] of PLACES) {
    Deno.test({
      name: `activations of ${value} from ${bias} are named in f16 and taken in f32, ${path}`,
      ignore: !gpu.caps.f16,
      fn: async () => {
        const layer = bias.replace(".bias", "").replaceAll(".", "\\.");
        await assert.rejects(
          features(encoderWith(on, "f16", bias, at, value)),
          (error) =>
            error instanceof NumericsError && /--precision f32/.test(error.hint!) &&
            new RegExp(`^Cannot embed in f16: ${layer} gives \\d+ numbers beyond 65504`).test(error.message),
        );
        const wide = await features(encoderWith(on, "f32", bias, at, value));
        assert.ok(wide.every(Number.isFinite));
      },
    });
  }

  Deno.test({
    name: `activations of 65000 are no overflow, and an embedder goes on behind one, ${path}`,
    ignore: !gpu.caps.f16,
    fn: async () => {
      assert.ok((await features(encoderWith(on, "f16", "blocks.1.mlp.fc1.bias", 3, 6.5e4))).every(Number.isFinite));
      const encoder = encoderWith(on, "f16", "blocks.1.mlp.fc1.bias", 3, 7e4);
      const embedder = new Embedder(on, encoder, { batchSize: 1 });
      const pixels = new Uint8Array(32 * 32 * 3).fill(99);
      await embedder.submit(pixels, 32, 32);
      await assert.rejects(embedder.flush(), /blocks\.1\.mlp\.fc1/);
      const { store } = encoder.parameters;
      store.write(encoder.parameters.get("blocks.1.mlp.fc1.bias"), new Float32Array(4 * WIDTH));
      await embedder.submit(pixels, 32, 32);
      assert.ok((await embedder.flush()).every(Number.isFinite));
      embedder.destroy();
      encoder.parameters.destroy();
    },
  });
}
