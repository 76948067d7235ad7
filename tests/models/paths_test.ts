/**
 * One block of published encoders at full width, embedded and trained by both kernel paths: tiles, widths of heads and
 * norms are those a GPU runs, and the two paths share no product, attention or norm kernel.
 *
 * @seconds 50
 */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { randomState, Rng } from "../../src/core/rng.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { createEncoder } from "../../src/models/encoder.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import { fanInUniform } from "../../src/nn/init.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Small images, so that products are small; few invocations, so that they take the tiles of large ones all the same. */
const IMAGES = 1;
const INVOCATIONS = 4096;

/** Embedding and gradients of the low-rank updates, by name. */
async function run(on: Gpu, name: string, activations: "f32" | "f16"): Promise<Map<string, Float32Array>> {
  const { spec, seed } = randomEncoder(`random:${name}&depth=1&seed=3`);
  const parameters = new Parameters(on, () => false);
  const rng = new Rng(5, 1);
  const init = fanInUniform(rng);
  const encoder = createEncoder(parameters, spec, {
    seed,
    dtype: "f16",
    activations,
    lora: () => ({ rank: 8, alpha: 8, dropout: 0.25, init }),
  });
  parameters.allocate();
  for (const [parameter, tensor] of parameters.trainableEntries()) {
    if (parameter.endsWith("lora_B.weight")) parameters.store.write(tensor, init(tensor.shape));
  }
  const inputs = new Store(on);
  const side = spec.input.size;
  const bytes = Uint8Array.from(new Rng(2, 2).uniforms(IMAGES * side * side * 3, 0, 256));
  const images = inputs.from("images", "images", [IMAGES, side, side, 3], bytes, "u8");
  const g = new Plan(on);
  g.random = inputs.from("random", "random", [4], randomState(5, 7), "u32");
  const { embedding } = encoder.forward(g, images, { training: true });
  const grad = inputs.from("grad", "grad", embedding.shape, new Rng(4, 4).uniforms(embedding.size, -1, 1));
  g.output(embedding);
  backward(g, [{ tensor: embedding, grad }]);
  const program = await g.compile({ clearGradients: true });
  program.run();
  const trainable = parameters.trainableEntries();
  const values = await readback(on, embedding, ...trainable.map(([, tensor]) => tensor.grad!));
  const names = ["embedding", ...trainable.map(([parameter]) => parameter)];
  program.destroy();
  inputs.destroy();
  parameters.destroy();
  return new Map(names.map((key, i) => [key, values[i] as Float32Array]));
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}

// SwiGLU and registers; heads 80 wide; attentional pooling with heads 96 wide.
for (const name of ["uni2-h?img=112", "virchow2?img=112", "conch_v15?img=128"]) {
  for (const [activations, least] of [["f32", 0.9999999], ["f16", 0.99999]] as const) {
    const title = `one block of ${name} at full width, activations in ${activations}`;
    Deno.test(`${title}: both kernel paths agree, embedding and gradients`, async () => {
      const [flat, tiled] = await Promise.all(
        kernelPaths(gpu).map(({ on }) => run(on.withCaps({ invocations: INVOCATIONS }), name, activations)),
      );
      assert.ok(flat!.size > 4);
      for (const [key, values] of flat!) {
        const similarity = cosine(values, tiled!.get(key)!);
        assert.ok(similarity >= least, `${key}: cosine ${similarity}`);
      }
    });
  }
}
