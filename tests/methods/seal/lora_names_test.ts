/** A checkpoint of an encoder whose original keeps q, k and v apart comes back as it was. */

import assert from "node:assert/strict";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { buildCase } from "../../../src/methods/seal/proof/case.ts";
import { loadLora, loraFiles } from "../../../src/train/checkpoint.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const encoder = "random:phikon-v2?dim=32&depth=2&heads=2&img=32";
const facts = { dropout: 0, rsLora: false, baseModel: "tiny" };

Deno.test("low-rank updates of q, k and v under transformers' names load again", async () => {
  const [written, read] = [
    buildCase(gpu, { encoder, lora_rule: "standard" }),
    buildCase(gpu, { encoder, lora_rule: "standard", seed: 8 }),
  ];
  const { parameters, loraScales } = written.model.encoder;
  const names = [...loraScales.keys()].flatMap((layer) => [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`]);
  assert.ok(names.some((name) => name.includes("qkv")));
  const values = new Map(names.map((name, k) => {
    const { shape, size } = parameters.get(name);
    return [name, { shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i + 7 * k)) }];
  }));
  parameters.load(values, (name) => values.has(name));
  const files = await loraFiles(written.model.encoder, facts);
  loadLora(read.model.encoder, (name) => files.get(name), "here");
  const found = await read.model.encoder.parameters.read(names);
  for (const [name, { data }] of values) assert.deepEqual(found.get(name), data, name);
  // One A serves all three: a file that says otherwise is not this layer's.
  const file = "adapter_model.safetensors";
  const { tensors } = readSafetensorsF32(files.get(file)!, file);
  const key = [...tensors.keys()].find((one) => /key\.lora_A/.test(one))!;
  const other = { ...tensors.get(key)!, data: tensors.get(key)!.data.map((value) => value + 1) };
  const changed = writeSafetensorsF32(new Map([...tensors, [key, other]]), {});
  const load = () => loadLora(read.model.encoder, (name) => name === file ? changed : files.get(name), "here");
  assert.throws(load, /lora_A of \S+key is another than that of \S+query, wanted one for both/);
  written.destroy();
  read.destroy();
});
