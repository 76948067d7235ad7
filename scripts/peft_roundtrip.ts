/**
 * This engine's half of `tests/python/peft_roundtrip.py`.
 *
 * - `write DIR`: adapters with random weights for the encoder of the fixture `lora_uni`, a folder each; `scales.json` holds the
 *   factors they were made with.
 * - `embed DIR`: in every folder of DIR that holds an adapter, `ours.safetensors` with the embeddings of the fixture's tiles:
 *   `embedding` with the adapter kept apart, `merged` of `merged.safetensors` where that file is there.
 *
 * @module
 */

import { prepareGpu } from "../src/cli/setup.ts";
import { Rng } from "../src/core/rng.ts";
import { type Gpu, requestGpu } from "../src/gpu/device.ts";
import { readback } from "../src/gpu/readback.ts";
import { Plan } from "../src/graph/plan.ts";
import { openFile, openFolder, writeFileAtomic } from "../src/io/fs.ts";
import {
  type AdapterModule,
  type AdapterWriting,
  type Matrix,
  readAdapter,
  writeAdapter,
} from "../src/io/torch/peft.ts";
import { writeSafetensorsF32 } from "../src/io/torch/safetensors.ts";
import { openWeights } from "../src/io/torch/weights.ts";
import { readEncoderConfig } from "../src/models/encoder_config.ts";
import { loadEncoder, type LoadOptions } from "../src/models/load.ts";

const FIXTURE = new URL("../tests/fixtures/encoders/lora_uni/", import.meta.url).pathname;
/** Adapted layers of the last block: rows and columns. */
const LAYERS: readonly [module: string, out: number, input: number][] = [
  ["blocks.2.attn.qkv", 96, 32],
  ["blocks.2.attn.proj", 32, 32],
  ["blocks.2.mlp.fc1", 128, 32],
  ["blocks.2.mlp.fc2", 32, 128],
];

interface Case {
  ranks: readonly number[];
  alphas: readonly number[];
  options?: AdapterWriting;
}

/** What is written, by name of the folder. */
const CASES: Readonly<Record<string, Case>> = {
  plain: { ranks: [4, 4, 4, 4], alphas: [8, 8, 8, 8], options: { dropout: 0.15, baseModel: "MahmoodLab/UNI" } },
  patterns: { ranks: [4, 1, 16, 4], alphas: [8, 3, 8, 0.5] },
  rslora: { ranks: [4, 4, 9, 4], alphas: [8, 8, 8, 2], options: { rsLora: true } },
};

async function write(root: string): Promise<void> {
  for (const [index, [name, { ranks, alphas, options = {} }]] of Object.entries(CASES).entries()) {
    const rng = new Rng(7, index);
    const modules = new Map<string, AdapterModule<Matrix>>(LAYERS.map(([module, out, input], i) => {
      const [rank, alpha] = [ranks[i]!, alphas[i]!];
      const bound = input ** -0.5;
      const a: Matrix = { shape: [rank, input], data: rng.uniforms(rank * input, -bound, bound) };
      const b: Matrix = { shape: [out, rank], data: rng.uniforms(out * rank, -0.3, 0.3) };
      return [module, { rank, scale: alpha / (options.rsLora ? Math.sqrt(rank) : rank), a, b }];
    }));
    await writeAdapter(openFolder(`${root}/${name}`), modules, options);
    const scales = Object.fromEntries([...modules].map(([module, { scale }]) => [module, scale]));
    writeFileAtomic(`${root}/${name}/scales.json`, JSON.stringify(scales));
  }
}

/** Embeddings of the fixture's tiles. */
async function embed(gpu: Gpu, file: string, options: LoadOptions): Promise<{ shape: number[]; data: Float32Array }> {
  const expected = await openWeights(await openFile(`${FIXTURE}expected.safetensors`));
  const inputs = expected.tensors.get("inputs")!;
  const weights = await openWeights(await openFile(file));
  const facts = [readEncoderConfig(JSON.parse(Deno.readTextFileSync(`${FIXTURE}config.json`)))];
  const encoder = await loadEncoder(gpu, weights, { ...options, facts });
  const images = encoder.parameters.store.tensor("input", "images", inputs.shape, "u8");
  encoder.parameters.store.write(images, await inputs.read());
  const g = new Plan(gpu);
  const { embedding } = encoder.forward(g, images);
  g.output(embedding);
  const program = await g.compile();
  program.run();
  const [data] = await readback(gpu, embedding);
  program.destroy();
  encoder.parameters.destroy();
  weights.close();
  expected.close();
  return { shape: [...embedding.shape], data: Float32Array.from(data as Float32Array) };
}

async function embedAll(root: string): Promise<void> {
  await prepareGpu();
  const gpu = await requestGpu(navigator.gpu);
  for (const { name } of [...Deno.readDirSync(root)]) {
    const folder = `${root}/${name}`;
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    if (!names.includes("adapter_config.json")) continue;
    const adapter = await readAdapter(openFolder(folder));
    const tensors = new Map([["embedding", await embed(gpu, `${FIXTURE}model.safetensors`, { adapter })]]);
    adapter.close();
    if (names.includes("merged.safetensors")) {
      tensors.set("merged", await embed(gpu, `${folder}/merged.safetensors`, {}));
    }
    writeFileAtomic(`${folder}/ours.safetensors`, writeSafetensorsF32(tensors));
  }
  gpu.destroy();
}

const [action, root] = Deno.args;
if (root !== undefined && action === "write") await write(root);
else if (root !== undefined && action === "embed") await embedAll(root);
else {
  console.error("Usage: deno run -A scripts/peft_roundtrip.ts write|embed DIR");
  Deno.exit(2);
}
