import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError } from "../../src/core/errors.ts";
import { openFolder } from "../../src/io/fs.ts";
import {
  adapterFiles,
  type AdapterModule,
  type Matrix,
  parseAdapterConfig,
  readAdapter,
  writeAdapter,
} from "../../src/io/torch/peft.ts";
import { resolvePattern } from "../../src/io/torch/peft_pattern.ts";
import { fromMap } from "../../src/io/random_access.ts";
import { writeSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { EXPECTED, FIXTURES, utf8 } from "./weights_shared.ts";

const folderOf = (name: string) => openFolder(new URL(name, FIXTURES).pathname);

/** scale * B·A, row-major. */
function delta({ rank, scale, a, b }: AdapterModule<Matrix>): number[] {
  const [rows, columns] = [b.shape[0]!, a.shape[1]!];
  return Array.from({ length: rows * columns }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < rank; k++) {
      sum += b.data[Math.floor(i / columns) * rank + k]! * a.data[k * columns + i % columns]!;
    }
    return scale * sum;
  });
}

async function readMatrices(folder: Parameters<typeof readAdapter>[0]): Promise<Map<string, AdapterModule<Matrix>>> {
  const adapter = await readAdapter(folder);
  const out = new Map<string, AdapterModule<Matrix>>();
  for (const [path, { rank, scale, a, b }] of adapter.modules) {
    out.set(path, {
      rank,
      scale,
      a: { shape: a.shape as [number, number], data: await a.readF32() },
      b: { shape: b.shape as [number, number], data: await b.readF32() },
    });
  }
  adapter.close();
  return out;
}

Deno.test("readAdapter() finds the rank, scale and update of every module as PEFT does", async () => {
  for (const [name, modules] of Object.entries(EXPECTED.adapters)) {
    for (const folder of name === "adapter" ? [name, "adapter_bin"] : [name]) {
      const read = await readMatrices(folderOf(folder));
      assert.deepEqual([...read.keys()].sort(), Object.keys(modules).sort());
      for (const [path, { rank, scale, delta: wanted }] of Object.entries(modules)) {
        const module = read.get(path)!;
        assert.equal(module.rank, rank, path);
        assert.ok(Math.abs(module.scale - scale) < 1e-12, `${path} ${module.scale} ${scale}`);
        assert.ok(delta(module).every((value, i) => Math.abs(value - wanted[i]!) < 1e-5), path);
      }
    }
  }
  const { config, close } = await readAdapter(folderOf("adapter_rslora"));
  close();
  assert.deepEqual([config.rank, config.alpha, config.dropout, config.rsLora, config.inferenceMode], [
    2,
    4,
    0.15,
    true,
    true,
  ]);
  assert.deepEqual([...config.targetModules!].sort(), ["fc1", "fc2", "proj", "qkv"]);
});

Deno.test("readAdapter() refuses by name what changes the mathematics", async () => {
  const rows: [string, RegExp][] = [
    ["adapter_dora", /use_dora is true, expected it unset/],
    ["adapter_bias", /bias is "lora_only", expected "none"/],
    ["adapter_saved", /modules_to_save is \["embed"\]/],
    ["adapter_embedding", /lora_embedding_A" is of an adapted embedding/],
  ];
  for (const [name, message] of rows) {
    await assert.rejects(readAdapter(folderOf(name)), (error: unknown) => {
      assert.ok(error instanceof FormatError);
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(readAdapter(folderOf("sharded")), DataError);
  const config = (change: Record<string, unknown>) =>
    parseAdapterConfig(utf8(JSON.stringify({ peft_type: "LORA", ...change })), "made");
  assert.equal(config({ unknown_key: 1, use_dora: null, modules_to_save: [] }).rank, 8);
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ peft_type: "LOHA" }, /peft_type is "LOHA", expected "LORA"/],
    [{ peft_type: undefined }, /peft_type is missing/],
    [{ lora_bias: true }, /lora_bias/],
    [{ use_qalora: true }, /use_qalora/],
    [{ layer_replication: [[0, 2]] }, /layer_replication/],
    [{ target_parameters: ["x"] }, /target_parameters/],
    [{ trainable_token_indices: [1] }, /trainable_token_indices/],
    [{ init_lora_weights: "pissa_niter_4" }, /init_lora_weights is "pissa_niter_4"/],
    [{ init_lora_weights: "olora" }, /init_lora_weights/],
    [{ r: 0 }, /r is 0, expected a whole number above 0/],
    [{ r: 1.5 }, /r is 1.5/],
    [{ lora_alpha: "8" }, /lora_alpha is "8"/],
    [{ lora_dropout: 1 }, /lora_dropout/],
    [{ use_rslora: 1 }, /use_rslora/],
    [{ rank_pattern: { x: "2" } }, /rank_pattern/],
    [{ target_modules: [1] }, /target_modules/],
    [{ base_model_name_or_path: 3 }, /base_model_name_or_path/],
  ];
  for (const [change, message] of refused) assert.throws(() => config(change), message);
  assert.throws(() => parseAdapterConfig(utf8('{"r":1,"r":2}'), "made"), /byte 7 repeats the key "r"/);
  assert.throws(() => parseAdapterConfig(utf8("[]"), "made"), /begins no object/);
});

Deno.test("readAdapter() names the tensor that does not fit", async () => {
  const adapter = (tensors: Record<string, number[]>, config: Record<string, unknown> = {}) => {
    const filled = new Map(
      Object.entries(tensors).map(([name, shape]) => [name, {
        shape,
        data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
      }]),
    );
    return readAdapter(fromMap(
      new Map([
        ["adapter_config.json", utf8(JSON.stringify({ peft_type: "LORA", r: 2, ...config }))],
        ["adapter_model.safetensors", writeSafetensorsF32(filled)],
      ]),
      "made",
    ));
  };
  const [a, b] = ["base_model.model.fc.lora_A.weight", "base_model.model.fc.lora_B.weight"];
  await adapter({ [a]: [2, 3], [b]: [4, 2] });
  await adapter({
    [a.replace(".weight", ".default.weight")]: [2, 3],
    [b.replace(".weight", ".default.weight")]: [4, 2],
  });
  const rows: [Record<string, number[]>, RegExp, Record<string, unknown>?][] = [
    [{ [a]: [2, 3] }, /module "fc" has no lora_B/],
    [{ [a]: [3, 3], [b]: [4, 3] }, /module "fc" has A \[3, 3\] and B \[4, 3\], expected rank 2/],
    [{ [a]: [2, 3], [b]: [4, 2] }, /expected rank 3/, { rank_pattern: { fc: 3 } }],
    [{ [a]: [2, 3, 1, 1], [b]: [4, 2] }, /module "fc" has A \[2, 3, 1, 1\] and B \[4, 2\], expected the two matrices/],
    [{ [a]: [2, 3, 5], [b]: [4, 2, 1] }, /module "fc" has A \[2, 3, 5\] and B \[4, 2, 1\]/],
    [{ [a]: [2, 3, 8, 8], [b]: [4, 2, 3, 3] }, /module "fc" has A \[2, 3, 8, 8\] and B \[4, 2, 3, 3\]/],
    [{ [a]: [2, 3], [b]: [4, 2], "base_model.model.fc.lora_magnitude_vector": [4] }, /is of DoRA/],
    [{ [a]: [2, 3], [b]: [4, 2], "base_model.model.fc.lora_B.bias": [4] }, /is a LoRA bias/],
    [{ [a]: [2, 3], [b]: [4, 2], "base_model.model.head.weight": [4] }, /modules_to_save/],
    [{ [a]: [2, 3], [a.replace(".weight", ".x.weight")]: [2, 3] }, /second adapter/],
    [{}, /holds no tensors/],
  ];
  for (const [tensors, message, config] of rows) await assert.rejects(adapter(tensors, config), message);
});

Deno.test("resolvePattern() matches the end of a path as PEFT does, and nothing that could run for long", () => {
  const rows: [string, string, boolean][] = [
    ["fc1", "blocks.0.mlp.fc1", true],
    ["fc1", "blocks.0.mlp.xfc1", false],
    ["fc1", "fc1", true],
    ["fc1", "fc1.x", false],
    ["mlp.fc1", "blocks.0.mlp.fc1", true],
    ["mlp.fc1", "blocks.0.mlp_fc1", true],
    [String.raw`mlp\.fc1`, "blocks.0.mlp_fc1", false],
    ["^blocks.0.fc1", "blocks.0.fc1", true],
    ["^fc1", "blocks.0.fc1", false],
    ["^fc1$", "fc1", true],
    ["fc1|fc2", "x.fc2", true],
    ["(fc1|fc2)", "x.fc2", true],
    [String.raw`blocks\.\d+\.fc`, "blocks.12.fc", true],
    [String.raw`blocks\.[0-3]\.fc`, "blocks.4.fc", false],
    ["blocks.*fc", "model.blocks.3.x.fc", true],
    [".*", "anything.at.all", true],
    ["fc1?", "x.fc", true],
    ["fc+", "x.fccc", true],
    ["fc*x", "fx", true],
    ["", "x", false],
  ];
  for (const [pattern, module, wanted] of rows) {
    assert.equal(resolvePattern(new Map([[pattern, 1]]), module), wanted ? 1 : undefined, `${pattern} ${module}`);
  }
  assert.equal(resolvePattern(new Map([["fc", 1], ["x.fc", 2]]), "x.fc"), 1);
  for (const pattern of ["(a+)+", "(a|b)c", String.raw`\b`, "a{2}", "[^a]", "a**", "a".repeat(2000), "[a"]) {
    assert.throws(() => resolvePattern(new Map([[pattern, 1]]), "a"), FormatError, pattern);
  }
  // Each character is compared with each step at most once, however many ways there are to match.
  let looks = 0;
  const pattern = ".*".repeat(300) + "x";
  const path = "a.".repeat(200);
  const counted = new Proxy(Object(path), {
    get(target, key) {
      looks++;
      return Reflect.get(target, key, target);
    },
  });
  assert.equal(resolvePattern(new Map([[pattern, 1]]), counted as string), undefined);
  assert.ok(looks > path.length && looks < 4 * pattern.length * path.length, `${looks} looks`);
});

const one: Matrix = { shape: [1, 1], data: new Float32Array(1) };

Deno.test("writeAdapter() writes what readAdapter() reads, with ranks and scales that differ", async () => {
  for (const rsLora of [false, true]) {
    const matrix = (rows: number, columns: number): Matrix => ({
      shape: [rows, columns],
      data: Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i)),
    });
    const modules = new Map<string, AdapterModule<Matrix>>();
    // The third path ends like the first: a pattern without anchors would take one for the other.
    for (
      const [path, rank, alpha] of [["blocks.0.fc", 3, 7], ["blocks.1.fc", 2, 4], ["x.blocks.0.fc", 2, 4], [
        "z",
        2,
        5,
      ]] as const
    ) {
      modules.set(path, {
        rank,
        scale: alpha / (rsLora ? Math.sqrt(rank) : rank),
        a: matrix(rank, 5),
        b: matrix(6, rank),
      });
    }
    const { a, b } = modules.get("z")!;
    modules.set("patch_embed.proj", {
      rank: 2,
      scale: 4 / (rsLora ? Math.sqrt(2) : 2),
      a: { ...a, shape: [2, 1, 1, 5] },
      b: { ...b, shape: [6, 2, 1, 1] },
    });
    const folder = fromMap(new Map(), "made");
    await writeAdapter(folder, modules, { rsLora, dropout: 0.15, baseModel: "base", taskType: "FEATURE_EXTRACTION" });
    assert.deepEqual(await readMatrices(folder), modules);
    const { config } = await readAdapter(folder);
    assert.deepEqual([config.rank, config.alpha, config.baseModel, config.taskType], [
      2,
      4,
      "base",
      "FEATURE_EXTRACTION",
    ]);
  }
  const sized = fromMap(
    adapterFiles(new Map([["z", { rank: 1, scale: 1, a: one, b: one }]]), { imageSize: 96 }),
    "made",
  );
  const { imageSize } = await readAdapter(sized);
  assert.equal(imageSize, 96);
  assert.equal((await readAdapter(folderOf("adapter_rslora"))).imageSize, undefined);
  assert.throws(() => adapterFiles(new Map()), ConfigError);
  const bad = {
    rank: 2,
    scale: 1,
    a: { shape: [2, 3] as const, data: new Float32Array(6) },
    b: { shape: [4, 3] as const, data: new Float32Array(12) },
  };
  assert.throws(() => adapterFiles(new Map([["fc", bad]])), /"fc": A \[2, 3\] and B \[4, 3\], wanted rank 2/);
});
