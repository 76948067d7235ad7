import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { normalizeSealNames, splitSeal } from "../../src/io/torch/seal_checkpoint.ts";

type Shapes = Map<string, { shape: number[] }>;

/** Names and shapes of a vision checkpoint whose last blocks are adapted. */
function vision(
  root: string,
  blocks: number[],
  width: number,
  { prefix = "module.", adapter = ".default" } = {},
): Shapes {
  const out: Shapes = new Map();
  const put = (name: string, ...shape: number[]) => out.set(prefix + name, { shape });
  for (const block of blocks) {
    for (
      const [name, inputs, outputs] of [["attn.qkv", width, 3 * width], ["attn.proj", width, width], [
        "mlp.fc1",
        width,
        4 * width,
      ], ["mlp.fc2", 4 * width, width]] as const
    ) {
      put(`encoder.base_model.model.${root}.${block}.${name}.lora_A${adapter}.weight`, 8, inputs);
      put(`encoder.base_model.model.${root}.${block}.${name}.lora_B${adapter}.weight`, outputs, 8);
    }
  }
  put("projection_head.0.weight", width, width);
  put("projection_head.0.bias", width);
  for (const layer of [0, 3]) {
    put(`decoder.decoder.${layer}.weight`, 512, width);
    put(`decoder.decoder.${layer}.bias`, 512);
  }
  return out;
}

Deno.test("splitSeal() reads rank, blocks and backbone off SEAL's published vision files", () => {
  const univ2 = splitSeal(vision("blocks", [21, 22, 23], 1536), "seal_univ2_vision.pth");
  assert.deepEqual([univ2.kind, univ2.rank, univ2.blocks, univ2.backbones], ["vision", 8, [21, 22, 23], ["univ2"]]);
  assert.equal(univ2.lora.size * 2, 24);
  assert.deepEqual(univ2.lora.get("blocks.21.mlp.fc1")!.a.shape, [8, 1536]);
  assert.deepEqual([...univ2.head.keys()], ["weight", "bias"]);
  assert.deepEqual([...univ2.decoder.keys()], ["0.weight", "0.bias", "3.weight", "3.bias"]);
  assert.deepEqual([univ2.base.size, univ2.other.size, univ2.missing], [0, 0, []]);
  const rows: [string, number[], number, string[]][] = [
    ["trunk.blocks", [11], 768, ["conch"]],
    ["blocks", [23], 1024, ["uni"]],
    ["blocks", [38, 39], 1536, ["hoptimus1", "gigapath"]],
    ["model.blocks", [31], 1280, ["virchow", "virchow2"]],
    ["model.blocks", [11], 768, ["h0mini"]],
    ["blocks", [7], 1024, []],
  ];
  for (const [root, blocks, width, backbones] of rows) {
    assert.deepEqual(splitSeal(vision(root, blocks, width), "made").backbones, backbones, root);
  }
  const phikon: Shapes = new Map(
    [...vision("model.encoder.layer", [23], 1024)].filter(([name]) => !name.includes("attn")),
  );
  assert.deepEqual(splitSeal(phikon, "made").backbones, ["phikon2"]);
  const musk: Shapes = new Map();
  for (let layer = 0; layer < 24; layer++) {
    const path = `encoder.base_model.model.model.beit3.encoder.layers.${layer}.self_attn.q_proj.A`;
    musk.set(`${path}.lora_A.default.weight`, { shape: [8, 1024] }).set(`${path}.lora_B.default.weight`, {
      shape: [1024, 8],
    });
  }
  assert.deepEqual([splitSeal(musk, "made").backbones, splitSeal(musk, "made").blocks.length], [["musk"], 24]);
});

Deno.test("splitSeal() takes every spelling of the same checkpoint, and full ones with base weights", () => {
  const plain = splitSeal(vision("blocks", [23], 1024), "made");
  for (const options of [{ prefix: "" }, { adapter: "" }, { adapter: ".seal" }, { prefix: "module.module." }]) {
    assert.deepEqual(splitSeal(vision("blocks", [23], 1024, options), "made"), plain, JSON.stringify(options));
  }
  const virchow2 = new Map(
    [...vision("model.blocks", [31], 1280)].map((
      [name, value],
    ) => [name.replace("base_model.model.model.", "base_model.model.encoder."), value]),
  );
  assert.deepEqual(splitSeal(virchow2, "made"), splitSeal(vision("model.blocks", [31], 1280), "made"));
  const full = vision("blocks", [23], 1024)
    .set("module.encoder.base_model.model.blocks.23.attn.qkv.base_layer.weight", { shape: [3072, 1024] })
    .set("module.encoder.base_model.model.norm.weight", { shape: [1024] })
    .set("module.adapter.0.weight", { shape: [256, 1024] })
    .set("module.encoder.adapter.0.weight", { shape: [256, 1024] })
    .set("module.organ_emb.weight", { shape: [14, 1024] })
    .set("step", { shape: [] });
  const parts = splitSeal(full, "made");
  assert.deepEqual([...parts.base.keys()], ["blocks.23.attn.qkv.weight", "norm.weight"]);
  assert.deepEqual([...parts.adapter.keys()], ["0.weight"]);
  assert.deepEqual([parts.organ?.shape, [...parts.other.keys()]], [[14, 1024], ["step"]]);
});

Deno.test("splitSeal() tells a gene model from an image model", () => {
  const names = [
    "encoder.0.weight",
    "encoder.1.running_mean",
    "fc_mu.weight",
    "flows.0.u",
    "decoder.0.weight",
    "projection_head.weight",
  ];
  const parts = splitSeal(new Map(names.map((name) => [`module.${name}`, { shape: [2] }])), "seal_univ2_omics.pth");
  assert.deepEqual([parts.kind, [...parts.omics.keys()], [...parts.head.keys()]], ["omics", names.slice(0, 5), [
    "weight",
  ]]);
  assert.deepEqual([parts.rank, parts.blocks, parts.backbones], [0, [], []]);
});

Deno.test("splitSeal() reports what is missing and refuses what contradicts itself", () => {
  const tensors = vision("blocks", [22, 23], 1024);
  for (const side of "AB") {
    tensors.delete(`module.encoder.base_model.model.blocks.22.mlp.fc2.lora_${side}.default.weight`);
  }
  assert.deepEqual(splitSeal(tensors, "made").missing, ["blocks.22.mlp.fc2.lora_A", "blocks.22.mlp.fc2.lora_B"]);
  const key = "module.encoder.base_model.model.blocks.23.mlp.fc2.lora_B.default.weight";
  const refuse = (edit: (tensors: Shapes) => void, message: RegExp) => {
    const copy = vision("blocks", [23], 1024);
    edit(copy);
    assert.throws(() => splitSeal(copy, "made.pth"), (error: unknown) => {
      assert.ok(error instanceof FormatError && error.message.startsWith("Cannot read made.pth as a SEAL checkpoint"));
      assert.match(error.message, message);
      return true;
    });
  };
  refuse((t) => t.delete(key), /"blocks.23.mlp.fc2" has no lora_B/);
  refuse((t) => t.set(key, { shape: [1024, 4] }), /expected rank 8/);
  refuse(
    (t) => t.set(key.replace("default", "other"), { shape: [1024, 8] }),
    /second adapter, "other", expected "default" only/,
  );
  refuse((t) => t.set(key.replace("module.", ""), { shape: [1024, 8] }), /means the same as/);
  refuse((t) => t.clear(), /none of SEAL's names/);
  assert.deepEqual([...normalizeSealNames(["a.module.b"], "made").values()], ["a.module.b"]);
});
