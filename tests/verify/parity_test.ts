/** Features beside PyTorch's, from files of `scripts/parity_kit.py`: equal ones pass, a fault is placed, damaged files are refused. */

import assert from "node:assert/strict";
import { openFile, openFolder } from "../../src/io/fs.ts";
import { openSafetensors, safetensorsChunks, type SafetensorsInput } from "../../src/io/torch/safetensors.ts";
import { openWeightsFolder } from "../../src/io/torch/weights.ts";
import { recogniseEncoder } from "../../src/models/encoder_registry.ts";
import { type ConfigFacts, readEncoderConfig } from "../../src/models/encoder_config.ts";
import { loadEncoder, type LoadOptions } from "../../src/models/load.ts";
import { compareParity, distanceOf } from "../../src/verify/parity.ts";
import { type ParityFile, readParityFile } from "../../src/verify/parity_file.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const PATHS = ["flat", "gpu"] as const;

/** What is changed of the configurations, as a user's folder might be wrong. */
type Change = (config: Record<string, unknown>, preprocessor: Record<string, unknown>) => void;

async function encoderOf(name: string, change: Change = () => {}) {
  const folder = `${FIXTURES}configs/${name}`;
  const json = (file: string) => {
    try {
      return JSON.parse(Deno.readTextFileSync(`${folder}/${file}`));
    } catch {
      return undefined;
    }
  };
  const [config, preprocessor] = [json("config.json"), json("preprocessor_config.json")];
  change(config, preprocessor);
  const facts: ConfigFacts[] = [readEncoderConfig(config, preprocessor)];
  const weights = await openWeightsFolder(openFolder(folder));
  const recognise: LoadOptions["recognise"] = (family, arch) => recogniseEncoder(family, arch, folder);
  const encoder = await loadEncoder(gpu, weights, { name, facts, recognise });
  weights.close();
  return encoder;
}

async function fileOf(name: string): Promise<ParityFile> {
  const source = await openFile(`${FIXTURES}parity/${name}.safetensors`);
  const file = await readParityFile(source);
  source.close?.();
  return file;
}

/** Compares a folder with a file that PyTorch made of it. */
async function compare(name: string, change?: Change) {
  const encoder = await encoderOf(name, change);
  const found = await compareParity(gpu, encoder, await fileOf(name), { paths: PATHS, dtype: "f32" });
  encoder.parameters.destroy();
  return found;
}

for (const name of ["timm_avg", "vit_clip"]) {
  Deno.test(`features are PyTorch's on both kernel paths, resized tiles among them: ${name}`, async () => {
    const { ok, tiles, refused } = await compare(name);
    assert.ok(ok);
    assert.deepEqual(refused, []);
    assert.deepEqual([...new Set(tiles.map(({ tile }) => tile))], [
      "larger 0",
      "native 0",
      "native 1",
      "smaller 0",
      "wide 0",
    ]);
    assert.deepEqual([...new Set(tiles.map(({ path }) => path))], [...PATHS]);
    for (const tile of tiles) {
      assert.ok(tile.cosine > 0.9999999 && tile.difference < 1e-5, `${tile.tile}: ${tile.cosine} ${tile.difference}`);
      assert.deepEqual(tile.pixels, { levels: 0, differ: 0 });
      assert.equal(tile.parts, undefined);
      assert.deepEqual(tile.taps.map(({ stage }) => stage), ["embed", "block_00", "norm"]);
      for (const { difference } of tile.taps) assert.ok(difference < 1e-5);
    }
  });
}

Deno.test("another size or filter of the resize is placed at the pixels", async () => {
  const { ok, tiles } = await compare("vit_clip", (_, preprocessor) => {
    Object.assign(preprocessor, { do_resize: true, size: 32 });
  });
  assert.ok(!ok);
  for (const { parts } of tiles) assert.equal(parts, "pixels");
  const bilinear = await compare("timm_avg", (config) => {
    Object.assign(config["pretrained_cfg"] as object, { interpolation: "bilinear" });
  });
  for (const { parts, pixels } of bilinear.tiles) {
    assert.equal(parts, "pixels");
    assert.ok(pixels!.levels > 1 && pixels!.differ > 0);
  }
});

Deno.test("another epsilon is placed at the first block, another pooling at the embedding", async () => {
  const eps = await compare("vit_clip", (config) => Object.assign(config, { layer_norm_eps: 10 }));
  assert.ok(!eps.ok);
  assert.equal(eps.tiles[0]!.parts, "block_00");
  const pooled = await compare("timm_avg", (config) => {
    Object.assign(config["model_args"] as object, { global_pool: "token" });
  });
  assert.ok(!pooled.ok);
  assert.equal(pooled.tiles[0]!.parts, "embedding");
});

Deno.test("distances: equal rows, zeros, numbers that are missing", () => {
  assert.deepEqual(distanceOf([1, 2], [1, 2]), { cosine: 1, difference: 0 });
  assert.deepEqual(distanceOf([0, 0], [0, 0]), { cosine: 1, difference: 0 });
  assert.deepEqual(distanceOf([0, 0], [3, 4]).cosine, 0);
  assert.deepEqual(distanceOf([NaN, 2], [1, 2]), { cosine: 0, difference: Infinity });
  const { cosine, difference } = distanceOf([3, 4], [4, 3]);
  assert.ok(Math.abs(cosine - 0.96) < 1e-12 && Math.abs(difference - 1 / Math.sqrt(12.5)) < 1e-12);
});

/** The fixture with a change. */
async function changed(
  change: (tensors: Map<string, SafetensorsInput>, metadata: Record<string, string>) => void,
): Promise<Uint8Array> {
  const source = await openFile(`${FIXTURES}parity/vit_clip.safetensors`);
  const { tensors, metadata } = await openSafetensors(source);
  const copy = new Map<string, SafetensorsInput>();
  for (const [name, { dtype, shape, read }] of tensors) {
    copy.set(name, { dtype, shape, data: await read.call(tensors.get(name)) });
  }
  source.close?.();
  const facts = { ...metadata };
  change(copy, facts);
  return new Uint8Array(await new Blob([...safetensorsChunks(copy, facts)] as BlobPart[]).arrayBuffer());
}

const HOSTILE: readonly [what: string, says: RegExp, change: Parameters<typeof changed>[0]][] = [
  [
    "another format",
    /its format is "other 1", expected "seal-webgpu parity 1"/,
    (_, facts) => facts.format = "other 1",
  ],
  [
    "an image size that is none",
    /image_size is "4e9", expected a number of pixels/,
    (_, facts) => facts["image_size"] = "4e9",
  ],
  ["no tiles", /it has no tiles/, (tensors) => {
    for (const name of [...tensors.keys()]) if (name.startsWith("tiles/")) tensors.delete(name);
  }],
  [
    "no embedding",
    /embedding\/wide is missing, expected F32 \[1, any\]/,
    (tensors) => tensors.delete("embedding/wide"),
  ],
  ["an embedding of another count", /embedding\/wide is F32 \[2, 12\], expected F32 \[1, any\]/, (tensors) => {
    tensors.set("embedding/wide", { ...tensors.get("embedding/wide")!, shape: [2, 12] });
  }],
  ["tiles of one channel", /tiles\/wide is U8 \[1, 36, 138, 1\], expected U8 \[any, any, any, 3\]/, (tensors) => {
    tensors.set("tiles/wide", { ...tensors.get("tiles/wide")!, shape: [1, 36, 138, 1] });
  }],
  ["a tap of three tokens", /tap\/wide\/embed is F32 \[1, 3, 16\], expected F32 \[1, 2, any\]/, (tensors) => {
    tensors.set("tap/wide/embed", { ...tensors.get("tap/wide/embed")!, shape: [1, 3, 16] });
  }],
  ["a number that is missing", /element 5 of embedding\/wide is NaN, expected a finite number/, (tensors) => {
    new Float32Array(tensors.get("embedding/wide")!.data.buffer)[5] = NaN;
  }],
];

/** A file in memory. */
function inMemory(bytes: Uint8Array): Promise<ParityFile> {
  return readParityFile({
    name: "parity.safetensors",
    size: bytes.length,
    read: (from: number, length: number) => Promise.resolve(bytes.slice(from, from + length)),
  });
}

for (const [what, says, change] of HOSTILE) {
  Deno.test(`a parity file with ${what} is refused`, async () => {
    const bytes = await changed(change);
    await assert.rejects(inMemory(bytes), (error: Error & { exitCode?: number; hint?: string }) => {
      assert.match(error.message, says);
      assert.match(error.message, /parity\.safetensors/);
      assert.equal(error.exitCode, 4);
      assert.ok(error.hint);
      return true;
    });
  });
}

Deno.test("a truncated parity file is refused wherever it ends", async () => {
  const bytes = await changed(() => {});
  assert.equal((await inMemory(bytes)).sets.length, 4);
  for (const length of [0, 7, 8, 100, 2000, bytes.length >> 1, bytes.length - 1]) {
    await assert.rejects(inMemory(bytes.slice(0, length)), /Cannot read parity\.safetensors/);
  }
});
