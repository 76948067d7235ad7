/**
 * Writes weights of every kind with our writers, for `python tests/python/weights.py --ours DIR` to read with the libraries.
 *
 *     deno run -A tests/python/weights_ours.ts DIR
 */

import { openFile, openFolder, writeChunksAtomic } from "../../src/io/fs.ts";
import { type AdapterModule, type Matrix, writeAdapter } from "../../src/io/torch/peft.ts";
import { pthChunks } from "../../src/io/torch/pth_write.ts";
import { safetensorsChunks, type SafetensorsInput } from "../../src/io/torch/safetensors.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { EXPECTED, FIXTURES } from "../io/weights_shared.ts";

const [folder] = Deno.args;
if (folder === undefined) {
  console.error("Cannot write: no folder given, wanted DIR");
  Deno.exit(2);
}
Deno.mkdirSync(folder, { recursive: true });

const weights = await openWeights(await openFile(new URL("types.safetensors", FIXTURES).pathname));
const tensors = new Map<string, SafetensorsInput>();
for (const [name, tensor] of weights.tensors) {
  tensors.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.read() });
}
writeChunksAtomic(`${folder}/types.safetensors`, safetensorsChunks(tensors, { format: "pt", by: "seal-webgpu" }));
writeChunksAtomic(`${folder}/types.pth`, pthChunks(tensors));
writeChunksAtomic(`${folder}/nested.pth`, pthChunks(tensors, "state_dict"));

/** Ranks and numerators of the scale of some modules of the model in weights.py. */
const PLANS: Record<string, { rsLora: boolean; modules: [path: string, rank: number, alpha: number][] }> = {
  plain: {
    rsLora: false,
    modules: [["blocks.0.attn.qkv", 2, 4], ["blocks.1.attn.qkv", 2, 4], ["blocks.1.mlp.fc1", 2, 4]],
  },
  mixed: {
    rsLora: false,
    modules: [["blocks.0.attn.qkv", 1, 3], ["blocks.1.attn.qkv", 2, 4], ["blocks.1.mlp.fc1", 2, 5], [
      "blocks.1.mlp.fc2",
      2,
      4,
    ]],
  },
  rslora: { rsLora: true, modules: [["blocks.0.attn.proj", 4, 8], ["blocks.0.mlp.fc2", 4, 8]] },
};
const SIZES: Record<string, [inputs: number, outputs: number]> = {
  qkv: [6, 18],
  proj: [6, 6],
  fc1: [6, 8],
  fc2: [8, 6],
};

const adapters: Record<string, Record<string, { scale: number; delta: number[] }>> = {};
for (const [name, { rsLora, modules }] of Object.entries(PLANS)) {
  const written = new Map<string, AdapterModule<Matrix>>();
  adapters[name] = {};
  for (const [path, rank, alpha] of modules) {
    const [inputs, outputs] = SIZES[path.split(".").at(-1)!]!;
    const a = Float32Array.from({ length: rank * inputs }, (_, i) => Math.sin(i + path.length));
    const b = Float32Array.from({ length: outputs * rank }, (_, i) => Math.cos(i));
    const scale = alpha / (rsLora ? Math.sqrt(rank) : rank);
    written.set(path, { rank, scale, a: { shape: [rank, inputs], data: a }, b: { shape: [outputs, rank], data: b } });
    const delta = Array.from({ length: outputs * inputs }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += b[Math.floor(i / inputs) * rank + k]! * a[k * inputs + i % inputs]!;
      return scale * sum;
    });
    adapters[name]![path] = { scale, delta };
  }
  await writeAdapter(openFolder(`${folder}/${name}`), written, { rsLora, dropout: 0.15 });
}
const types = EXPECTED.tensors["types.safetensors"]!;
Deno.writeTextFileSync(
  `${folder}/expected.json`,
  JSON.stringify({ "types.safetensors": types, "types.pth": types, "nested.pth": types, adapters }),
);
