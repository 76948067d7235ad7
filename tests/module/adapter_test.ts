/** Adapters of the module: attached and merged they give the same features. */

import assert from "node:assert/strict";
import { adapterFiles, openWeights } from "../../io.ts";
import { openFile } from "../../src/io/fs.ts";
import { loadEncoder, mergeAdapter, type RgbImage } from "../../mod.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_adapter_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const BASE = "data/demo/encoder";
const MODULE = "blocks.0.attn.qkv";

async function writeLora(path: string): Promise<void> {
  const weights = await openWeights(await openFile(`${BASE}/model.safetensors`));
  const [rows, columns] = weights.tensors.get(`${MODULE}.weight`)!.shape as [number, number];
  weights.close();
  const matrix = (shape: [number, number], seed: number) => ({
    shape,
    data: Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => ((i * 37 + seed) % 19 - 9) / 40),
  });
  const modules = new Map([[MODULE, { rank: 2, scale: 0.5, a: matrix([2, columns], 1), b: matrix([rows, 2], 5) }]]);
  Deno.mkdirSync(path);
  for (const [name, bytes] of adapterFiles(modules)) Deno.writeFileSync(`${path}/${name}`, bytes);
}

Deno.test("an adapter that is attached and one that is merged give the same features, and others than the base", async () => {
  const adapter = `${folder}/lora`;
  await writeLora(adapter);
  const merged = await mergeAdapter(BASE, adapter, `${folder}/merged.safetensors`);
  assert.ok(merged.tensors > 0 && merged.bytes === Deno.statSync(merged.file).size);
  assert.deepEqual(await mergeAdapter(BASE, adapter, merged.file), merged, "done already");
  await assert.rejects(mergeAdapter(BASE, adapter, merged.file, { dtype: "f16" }), { name: "ConfigError" });
  await assert.rejects(mergeAdapter("random:vit_small_patch16_224", adapter, `${folder}/no.safetensors`), {
    name: "ConfigError",
  });
  const image: RgbImage = {
    width: 224,
    height: 224,
    data: Uint8Array.from({ length: 224 * 224 * 3 }, (_, i) => (i * 31 + ((i * i) >> 7)) & 255),
  };
  const features = async (name: string, adapter?: string) => {
    using encoder = await loadEncoder(name, { gpu, adapter });
    return (await encoder.embed(image)).data;
  };
  const [base, attached, whole] = [await features(BASE), await features(BASE, adapter), await features(merged.file)];
  const far = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
  const size = Math.max(...base.map(Math.abs));
  assert.ok(far(attached, whole) < 1e-4 * size, `${far(attached, whole)} of ${size}`);
  assert.ok(far(base, whole) > 1e-2 * size, `${far(base, whole)} of ${size}`);
});
