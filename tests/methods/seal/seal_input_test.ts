/** A SEAL adapter brings the size of its input with it: CONCH is fed 224 px there, not its own size. */

import assert from "node:assert/strict";
import { openEncoder } from "../../../src/run/encoder.ts";
import { Rng } from "../../../src/core/rng.ts";
import { Embedder } from "../../../src/embed/embedder.ts";
import { openFeatures } from "../../../src/io/features.ts";
import { disk, openFolder } from "../../../src/io/fs.ts";
import { type AdapterModule, type Matrix, writeAdapter } from "../../../src/io/torch/peft.ts";
import { pthChunks } from "../../../src/io/torch/pth_write.ts";
import { openGpu } from "../../gpu/shared.ts";
import { FIXTURES, inFolder, seal } from "../../cli/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const LAYERS = [["attn.qkv", 144, 48], ["attn.proj", 48, 48], ["mlp.fc1", 192, 48], ["mlp.fc2", 48, 192]] as const;

/** The fixture's CONCH, made for 48 px, as a folder of one's own, and a SEAL image model on its last block. */
function write(folder: string): { conch: string; adapter: string } {
  const [conch, adapter] = [`${folder}/mine`, `${folder}/vision.pth`];
  Deno.mkdirSync(conch);
  Deno.copyFileSync(`${FIXTURES}encoders/conch_v1/pytorch_model.bin`, `${conch}/pytorch_model.bin`);
  const clip = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
  const config = {
    num_attention_heads: 3,
    layer_norm_eps: 1e-6,
    ...clip,
    size: { shortest_edge: 48 },
    crop_size: 48,
    resample: 3,
  };
  Deno.writeTextFileSync(`${conch}/config.json`, JSON.stringify(config));
  const rng = new Rng(3);
  const f32 = (...shape: number[]) => {
    const values = rng.uniforms(shape.reduce((a, b) => a * b, 1), -0.2, 0.2);
    return { dtype: "F32" as const, shape, data: new Uint8Array(values.buffer) };
  };
  const tensors = LAYERS.flatMap(([layer, out, input]) => {
    const name = `module.encoder.base_model.model.trunk.blocks.1.${layer}`;
    return [
      [`${name}.lora_A.default.weight`, f32(8, input)] as const,
      [`${name}.lora_B.default.weight`, f32(out, 8)] as const,
    ];
  });
  using file = Deno.openSync(adapter, { write: true, create: true });
  for (const chunk of pthChunks(new Map(tensors), "state_dict")) file.writeSync(chunk);
  return { conch, adapter };
}

/** Features of two tiles of `side` px. */
async function features(encoder: string, adapter: string | undefined, side: number, imageSize?: number) {
  const opened = await openEncoder(gpu, { encoder, adapter, imageSize });
  const embedder = new Embedder(gpu, opened.encoder, { batchSize: 2 });
  const rng = new Rng(8);
  await embedder.submit(Uint8Array.from({ length: 6 * side * side }, () => rng.below(256)), side, side);
  const values = await embedder.flush();
  const { size } = opened.encoder.spec.input;
  embedder.destroy();
  opened.encoder.parameters.destroy();
  return { values, size, assumed: opened.assumed };
}

function worst(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

Deno.test("CONCH with a SEAL adapter sees tiles of 224 px as they are; the merged weights keep that", async () => {
  await inFolder(async (folder) => {
    const { conch, adapter } = write(folder);
    assert.equal((await features(conch, undefined, 64)).size, 48);
    const apart = await features(conch, adapter, 224);
    assert.deepEqual([apart.size, apart.assumed], [224, []]);
    // The encoder alone at that size is another, and so is the adapter at the encoder's own.
    const own = await features(conch, adapter, 224, 48);
    assert.equal(own.size, 48);
    assert.match(own.assumed.join(), /adapter, which was trained with 224 px/);
    assert.ok(worst(own.values, apart.values) > 1e-2);
    const merged = `${folder}/merged.safetensors`;
    const { code, err } = await seal(
      "convert",
      "merge",
      "--encoder",
      conch,
      "--adapter",
      adapter,
      "--out",
      merged,
      "--dtype",
      "f32",
    );
    assert.equal(code, 0, err);
    const together = await features(merged, undefined, 224);
    assert.equal(together.size, 224);
    assert.ok(worst(together.values, apart.values) <= 1e-4);
  });
});

Deno.test("embed stores the size a SEAL adapter brings; a PEFT folder brings the one it was trained at", async () => {
  await inFolder(async (folder) => {
    const { conch, adapter } = write(folder);
    const matrix = (...shape: number[]): Matrix => ({ shape, data: new Float32Array(shape[0]! * shape[1]!) });
    const module: AdapterModule<Matrix> = { rank: 2, scale: 1, a: matrix(2, 48), b: matrix(48, 2) };
    await writeAdapter(openFolder(`${folder}/lora`), new Map([["trunk.blocks.1.attn.proj", module]]), {
      imageSize: 96,
    });
    const sizeOf = async (...args: string[]) => {
      const out = `${folder}/f.h5`;
      const answer = await seal(
        "embed",
        `${FIXTURES}h5/v1.h5`,
        "--encoder",
        conch,
        "--out",
        out,
        "--overwrite",
        ...args,
      );
      assert.equal(answer.code, 0, answer.err);
      const file = await openFeatures(disk.open(out, "read"));
      file.close();
      return [
        file.attributes["input_size"],
        String(file.attributes["preparation"]).split(";")[0],
        answer.err.includes("trained with"),
      ];
    };
    assert.deepEqual(await sizeOf("--adapter", adapter), [224, "shorter side to 224 px, bicubic", false]);
    assert.deepEqual(await sizeOf("--adapter", `${folder}/lora`), [96, "shorter side to 96 px, bicubic", false]);
    assert.deepEqual(await sizeOf("--adapter", `${folder}/lora`, "--image-size", "56"), [
      56,
      "shorter side to 56 px, bicubic",
      true,
    ]);
    assert.deepEqual(await sizeOf(), [48, "shorter side to 48 px, bicubic", false]);
  });
});
