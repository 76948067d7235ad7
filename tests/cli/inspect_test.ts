/** `inspect` as users run it. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import type { Shape } from "../../src/core/shape.ts";
import { openFile, openFolder } from "../../src/io/fs.ts";
import { writeAdapter } from "../../src/io/torch/peft.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { findEncoder } from "../../src/models/encoder_registry.ts";
import { FIXTURES, inFolder, seal, sparseWeights } from "./shared.ts";

// deno-lint-ignore no-explicit-any -- JSON of the command
async function inspect(path: string, ...flags: string[]): Promise<any> {
  const { code, out, err } = await seal("inspect", path, "--json", ...flags);
  assert.equal(code, 0, err);
  assert.equal(err, "");
  return JSON.parse(out);
}

/** Name of an encoder in outputs. */
function nameOf(spelling: string): string {
  return findEncoder(spelling).name;
}

/** Names and shapes of an encoder's file at full size. */
function fullShapes(id: string): Map<string, Shape> {
  const { encoders } = JSON.parse(Deno.readTextFileSync(`${FIXTURES}encoders/full_shapes.json`));
  const { depth, names } = encoders[id] as { depth: number; names: [string, number[]][] };
  return new Map(
    names.flatMap(([name, shape]): [string, Shape][] =>
      name.includes("{i}")
        ? Array.from({ length: depth }, (_, i) => [name.replace("{i}", String(i)), shape])
        : [[name, shape]]
    ),
  );
}

Deno.test("inspect names tensors, sizes and heads of a folder with weights and configuration", async () => {
  const found = await inspect(`${FIXTURES}encoders/uni`, "--limit", "2");
  assert.equal(found.kind, "weights");
  assert.equal(found.format, "torch");
  assert.equal(found.bytes, 262359);
  assert.deepEqual(found.tensors, {
    count: 48,
    parameters: 122640,
    types: { F16: 48 },
    list: [
      { name: "cls_token", dtype: "F16", shape: [1, 1, 48] },
      { name: "pos_embed", dtype: "F16", shape: [1, 10, 48] },
    ],
  });
  const { family, arch, matches, parameters } = found.encoder;
  assert.deepEqual([family, matches, parameters], ["timm", [], 122640]);
  assert.deepEqual([arch.width, arch.depth, arch.heads, arch.patch, arch.layerScale], [48, 3, 3, 16, true]);
});

Deno.test("inspect recognises encoders by their sizes, without reading their weights", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await sparseWeights(path, fullShapes("uni"));
    const file = await openFile(path);
    let bytes = 0;
    const read = (offset: number, length: number) => {
      bytes += length;
      return file.read(offset, length);
    };
    assert.equal((await openWeights({ name: path, size: file.size, read })).tensors.size, 342);
    file.close?.();
    assert.ok(bytes < 200_000, `${bytes} of ${file.size} bytes are read`);
    const { out, code } = await seal("inspect", path, "--limit", "1");
    assert.equal(code, 0);
    assert.match(out, /^parameters +303,350,784$/m);
    assert.match(out, /^may be +uni\b/m);
    assert.match(out, /^… 341 more \(--limit 0 lists all\)$/m);
    await sparseWeights(path, fullShapes("virchow2"));
    assert.deepEqual((await inspect(path)).encoder.matches, [nameOf("virchow2")]);
  });
});

Deno.test("inspect says what wraps the weights of a training checkpoint and what lies beside them", async () => {
  const found = await inspect(`${FIXTURES}encoders/gpfm/GPFM.pth`);
  assert.equal(found.container, "teacher");
  assert.deepEqual(found.beside, { iteration: "624" });
  assert.deepEqual(found.encoder.wrappers, ["backbone."]);
  assert.deepEqual([found.encoder.family, found.encoder.arch.depth, found.encoder.arch.heads], ["dinov2", 4, null]);
  assert.equal(found.encoder.ignored.length, 7);
  assert.equal((await inspect(`${FIXTURES}encoders/gpfm/GPFM.pth`, "--limit", "0")).tensors.list.length, 69);
  const args = (await inspect(`${FIXTURES}weights/checkpoint.pth`)).beside;
  assert.deepEqual([args.epoch, args.best, args.optimizer], ["3", "0.75", "dictionary of 2"]);
});

Deno.test("inspect adds shards up and says why something is no encoder", async () => {
  const shards = await inspect(`${FIXTURES}weights/sharded/model.safetensors.index.json`);
  assert.equal(shards.shards.length, 3);
  const sizes = shards.shards.map((name: string) => Deno.statSync(`${FIXTURES}weights/sharded/${name}`).size);
  assert.equal(shards.bytes, sizes.reduce((a: number, b: number) => a + b));
  const musk = await inspect(`${FIXTURES}encoders/musk/model.safetensors`);
  assert.equal(musk.encoder, null);
  assert.match(musk.reason, /MUSK/);
});

Deno.test("inspect reads an adapter: ranks, scales, targets, and the encoders it fits", async () => {
  const { adapter, kind } = await inspect(`${FIXTURES}encoders/lora_uni/adapter`);
  assert.equal(kind, "adapter");
  assert.deepEqual([adapter.rank, adapter.alpha, adapter.dropout, adapter.parameters], [4, 8, 0.15, 2048]);
  assert.deepEqual(adapter.modules[0], {
    module: "blocks.2.attn.proj",
    rank: 4,
    scale: 2,
    input: 32,
    out: 32,
    dtype: "F32",
  });
  const patterns = await inspect(`${FIXTURES}weights/adapter_patterns`);
  assert.deepEqual(patterns.adapter.patterns.rank, { "blocks\\.1\\.attn\\.qkv": 1, fc1: 3 });
  await inFolder(async (folder) => {
    const matrix = (rows: number, columns: number) => ({
      shape: [rows, columns] as const,
      data: new Rng(1).uniforms(rows * columns),
    });
    const fit = async (module: string, out: number, input: number): Promise<string[]> => {
      const pair = { rank: 2, scale: 1, a: matrix(2, input), b: matrix(out, 2) };
      await writeAdapter(openFolder(folder), new Map([[module, pair]]));
      return (await inspect(folder)).adapter.matches;
    };
    const wide = await fit("blocks.23.attn.qkv", 3072, 1024);
    assert.ok(
      wide.includes(nameOf("uni")) && !wide.includes(nameOf("hibou-l")) && !wide.includes(nameOf("conch")),
      wide.join(),
    );
    assert.deepEqual(await fit("model.blocks.31.mlp.fc1", 6832, 1280), [nameOf("virchow"), nameOf("virchow2")]);
    assert.ok((await fit("encoder.layer.23.attention.attention.query", 1024, 1024)).includes(nameOf("phikon-v2")));
  });
});

Deno.test("inspect sorts a SEAL checkpoint and says what it normalised", async () => {
  const { kind, container, seal } = await inspect(`${FIXTURES}encoders/lora_uni/seal_vision.pth`);
  assert.deepEqual([kind, container, seal.kind], ["seal", "state_dict", "vision"]);
  assert.deepEqual([seal.lora.rank, seal.lora.blocks, seal.lora.assumedAlpha], [4, [2], 8]);
  assert.equal(seal.lora.modules.length, 4);
  assert.deepEqual(seal.head, { weight: [32, 32], bias: [32] });
  assert.deepEqual(seal.decoder, { "0.weight": [512, 32], "0.bias": [512], "3.weight": [10, 512], "3.bias": [10] });
  assert.deepEqual(seal.quirks.map(({ names }: { names: number }) => names), [14, 8]);
  await inFolder(async (folder) => {
    const names: [string, Shape][] = [];
    const put = (name: string, ...shape: number[]) => names.push([`module.${name}`, shape]);
    for (const block of [21, 22, 23]) {
      for (const [part, out, input] of [["attn.qkv", 4608, 1536], ["mlp.fc2", 1536, 4096]] as const) {
        put(`encoder.base_model.model.blocks.${block}.${part}.lora_A.default.weight`, 8, input);
        put(`encoder.base_model.model.blocks.${block}.${part}.lora_B.default.weight`, out, 8);
      }
    }
    put("projection_head.0.weight", 4, 4);
    await sparseWeights(`${folder}/seal_univ2_vision.safetensors`, new Map(names));
    const made = await inspect(`${folder}/seal_univ2_vision.safetensors`);
    assert.deepEqual([made.seal.lora.backbones, made.seal.lora.blocks], [["univ2"], [21, 22, 23]]);
    assert.ok(made.seal.quirks.some(({ what }: { what: string }) => what.startsWith("projection_head.0.")));
  });
});

Deno.test("inspect finds the adapters inside weights that PEFT wrote", async () => {
  await inFolder(async (folder) => {
    const shapes = new Map<string, Shape>();
    for (const [name, shape] of fullShapes("timm_vit_s16")) {
      const wrapped = name.replace(/(blocks\.11\.attn\.qkv)\./, "$1.base_layer.");
      shapes.set(`base_model.model.${wrapped}`, shape);
    }
    shapes.set("base_model.model.blocks.11.attn.qkv.lora_A.default.weight", [4, 384]);
    shapes.set("base_model.model.blocks.11.attn.qkv.lora_B.default.weight", [1152, 4]);
    await sparseWeights(`${folder}/model.safetensors`, shapes);
    const found = await inspect(folder);
    assert.deepEqual(found.adapters, { modules: ["blocks.11.attn.qkv"], names: ["default"] });
    assert.deepEqual(found.encoder.wrappers, ["base_model.model."]);
    assert.ok(found.encoder.matches.includes(nameOf("vit-s16")));
    const only = await inspect(`${FIXTURES}encoders/lora_uni/adapter/adapter_model.safetensors`);
    assert.equal(only.encoder, null);
    assert.equal(only.adapters.modules.length, 4);
  });
});

Deno.test("inspect lists HDF5 and says what it is for", async () => {
  const anndata = await inspect(`${FIXTURES}h5/features.h5ad`, "--limit", "0");
  assert.deepEqual([anndata.content.kind, anndata.content.spots, anndata.content.genes], ["anndata", 6, 5]);
  const x = anndata.objects.list.find(({ path }: { path: string }) => path === "/X");
  assert.deepEqual([x.dtype, x.shape, x.attributes["encoding-type"]], ["f4", [6, 5], "array"]);
  const { content } = await inspect(`${FIXTURES}h5/current.h5`);
  assert.equal(content.kind, "patches");
  assert.ok(content.patches > 0 && content.pixelSize > 0);
  assert.equal((await inspect(`${FIXTURES}h5/bench_embeddings.h5`)).content.kind, "features");
});

Deno.test("inspect says of slides how large, how fine and which way up they are, or why they are not read", async () => {
  const found = await inspect(`${FIXTURES}tiff/aperio.svs`);
  assert.deepEqual([found.kind, found.width, found.height, found.levels.length], ["slide", 150, 100, 2]);
  assert.deepEqual(found.pixelSize, { um: 0.499, claimed: 0.499, source: "aperio", problem: null });
  assert.equal(found.associated.length, 3);
  const turned = await inspect(`${FIXTURES}images/jpeg_turned.jpg`);
  assert.deepEqual([turned.orientation, turned.width, turned.height], [6, 53, 43]);
  const { out } = await seal("inspect", `${FIXTURES}tiff/vips_off_by_ten.tif`);
  assert.match(
    out,
    /^pixel size +unknown: its pixels are 0\.05 µm wide.*; give --mpp to embed, --pixel-size to predict$/m,
  );
  const refused = await seal("inspect", `${FIXTURES}tiff/refused_lerc.tif`);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /has compression LERC, expected.*\nhint: Convert it .*: vips tiffsave/);
});

Deno.test("inspect exits with 4 for what cannot be read and with 2 for wrong usage", async () => {
  await inFolder(async (folder) => {
    const whole = Deno.readFileSync(`${FIXTURES}encoders/lunit/model.safetensors`);
    Deno.writeFileSync(`${folder}/cut.safetensors`, whole.subarray(0, whole.length - 1));
    Deno.writeTextFileSync(`${folder}/pointer.bin`, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    Deno.mkdirSync(`${folder}/empty`);
    const refusals: [string[], number, RegExp][] = [
      [[`${folder}/nothing`], 4, /no such file/],
      [[`${folder}/cut.safetensors`], 4, /end of the file/],
      [[`${folder}/pointer.bin`], 4, /Git LFS pointer[^]*hint: .*git lfs pull/],
      [[`${folder}/empty`], 4, /Cannot tell what/],
      [[`${FIXTURES}weights/adapter_dora`], 4, /use_dora/],
      [[`${FIXTURES}weights/hostile.pth`], 4, /posix system/],
      [[], 2, /given 0 paths/],
      [["a", "b"], 2, /given 2 paths/],
      [["a", "--limit", "-1"], 2, />= 0/],
    ];
    const answers = await Promise.all(refusals.map(([args]) => seal("inspect", ...args)));
    for (const [i, [args, code, text]] of refusals.entries()) {
      assert.equal(answers[i]!.code, code, args.join(" "));
      assert.match(answers[i]!.err, text);
      assert.equal(answers[i]!.out, "");
    }
    const { out } = await seal("inspect", `${folder}/nothing`, "--json");
    assert.equal(JSON.parse(out).error.code, "file-missing");
  });
});

Deno.test("inspect takes what is named as a slide for one: empty, cut short, no slide at all, refused formats", async () => {
  await inFolder(async (folder) => {
    const whole = Deno.readFileSync(`${FIXTURES}slides/j2k_rgb.svs`);
    const files: [string, Uint8Array, RegExp][] = [
      ["zero.svs", new Uint8Array(), /zero\.svs: it begins as an empty file/],
      ["text é.svs", new TextEncoder().encode("no slide"), /text é\.svs: it begins as bytes 6e 6f/],
      ["half.svs", whole.subarray(0, whole.length >> 1), /half\.svs as TIFF: .*\nhint: The file seems to be cut short/],
      ["scan.mrxs", new TextEncoder().encode("index"), /MIRAX/],
    ];
    for (const [name, bytes, wanted] of files) {
      Deno.writeFileSync(`${folder}/${name}`, bytes);
      const { code, err } = await seal("inspect", `${folder}/${name}`);
      assert.equal(code, 4, err);
      assert.match(err, wanted);
    }
  });
});

Deno.test("inspect says voxels, spacing, channels and levels of a volume of any format, and what spacing it lacks", async () => {
  const volumes = `${FIXTURES}volumes/`;
  for (
    const [name, format, spacing] of [
      ["bdv.xml", "BigDataViewer HDF5", [2, 0.5, 0.5]],
      ["bdv.h5", "BigDataViewer HDF5", [2, 0.5, 0.5]],
      ["v4_blosc.zarr", "OME-Zarr 0.4", [4, 0.5, 0.5]],
      ["v5_shard.zarr", "OME-Zarr 0.5", [4, 0.5, 0.5]],
      ["ome.ome.tif", "TIFF stack", [2, 0.25, 0.25]],
      ["imagej.tif", "TIFF stack", [3, 0.5, 0.5]],
      ["slices16", "folder of slices", [10, 0.5, 0.5]],
      ["u16_big.nii", "NIfTI-1", [4, 1, 1]],
    ] as const
  ) {
    const found = await inspect(`${volumes}${name}`);
    assert.deepEqual(
      [found.kind, found.format, found.shape, found.spacing],
      ["volume", format, [5, 12, 10], spacing],
      name,
    );
  }
  const { out } = await seal("inspect", `${volumes}no_unit.nii`);
  assert.match(out, /unknown: its unit of space has code 0[^]*give --spacing Z,Y,X in µm/);
  assert.match((await seal("inspect", `${volumes}bdv.xml`)).out, /1 +5 x 6 x 5 +2 x 1 x 1/);
});
