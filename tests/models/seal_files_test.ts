/** SEAL checkpoints written by PyTorch load here, and those written here are the bytes that PyTorch loaded strictly. */

import assert from "node:assert/strict";
import { FormatError, WeightsError } from "../../src/core/errors.ts";
import { openFile } from "../../src/io/fs.ts";
import { readSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { openWeights, type Weights } from "../../src/io/torch/weights.ts";
import { WeightTensor } from "../../src/io/torch/weight_tensor.ts";
import { describeOmics, loadOmics } from "../../src/models/omics_file.ts";
import { createGeneModel } from "../../src/models/gene_registry.ts";
import { describeVision, loadVision } from "../../src/models/vision_file.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import accepted from "../fixtures/seal/accepted.json" with { type: "json" };
import { openGpu } from "../gpu/shared.ts";
import { buildOurs, OURS, oursFile, oursTensors, PREFIX } from "./seal_ours.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const FOLDER = new URL("../fixtures/seal/", import.meta.url);
const expected = readSafetensorsF32(
  Deno.readFileSync(new URL("expected.safetensors", FOLDER)),
  "expected.safetensors",
).tensors;

async function open(name: string): Promise<Weights> {
  return await openWeights(await openFile(new URL(`${name}.pth`, FOLDER).pathname));
}

function load(parameters: Parameters, name: string, tensors: Weights["tensors"], strict = true) {
  const ours = OURS[name]!;
  const options = { file: `${name}.pth`, prefix: PREFIX, strict };
  return ours.kind === "omics"
    ? loadOmics(parameters, tensors, options)
    : loadVision(parameters, tensors, { ...options, spec: ours.spec });
}

for (const name of Object.keys(OURS).filter((name) => name !== "vision_hf")) {
  Deno.test(`${name}.pth of PyTorch loads, number by number, and is written again under its names`, async () => {
    const weights = await open(name);
    const parameters = buildOurs(gpu, name);
    const report = await load(parameters, name, weights.tensors);
    assert.deepEqual([report.missing, report.unexpected], [[], []]);
    const written = await oursTensors(parameters, name, { wrapped: false });
    const wanted = [...expected].flatMap(([key, value]) =>
      key.startsWith(`${name}/`) ? [[key.slice(name.length + 1), value] as const] : []
    );
    assert.deepEqual([...written.keys()].sort(), wanted.map(([key]) => key).sort());
    for (const [key, { shape, data }] of wanted) {
      const tensor = written.get(key)!;
      assert.deepEqual(tensor.shape, shape, key);
      if (tensor.dtype === "I64") {
        assert.ok(key.endsWith("num_batches_tracked"));
        assert.deepEqual(new BigInt64Array(tensor.data.slice().buffer), BigInt64Array.of(7n));
      } else assert.deepEqual(new Float32Array(tensor.data.slice().buffer), data, key);
    }
    weights.close();
    parameters.destroy();
  });
}

for (const [file, hash] of Object.entries(accepted.files)) {
  Deno.test(`${file} written here is the file PyTorch loaded strictly`, async () => {
    const bytes = await oursFile(gpu, file.replace(".pth", ""));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    assert.equal(digest, hash, "run tests/python/seal_files.py --ours again if the change is meant");
  });
}

Deno.test("all files were accepted by PyTorch", () => {
  assert.deepEqual(Object.keys(accepted.files), Object.keys(OURS).map((name) => `${name}.pth`));
});

Deno.test("sizes of gene models are read off their files", async () => {
  for (const [name, ours] of Object.entries(OURS)) {
    if (ours.kind !== "omics") continue;
    const weights = await open(name);
    const { config, head } = describeOmics(weights.tensors, name, { genes: 11 });
    weights.close();
    const { flows = 3, decoderBatchNorm = false, ...vae } = { ...ours.config } as Record<string, unknown>;
    const sizes = { ...vae, ...(vae.name === "vae" && { flows, decoderBatchNorm }) };
    if (vae.name === "mlp") Object.assign(sizes, { decoder: { kind: "mlp" } });
    if (vae.name === "transformer") Object.assign(sizes, { geneEmbeddings: false });
    assert.deepEqual({ ...config }, sizes, name);
    // One linear layer has two spellings.
    assert.equal(head, ours.head === "mlp" ? "linear" : ours.head, name);
    const again = new Parameters(gpu);
    createGeneModel(again, config, { prefix: PREFIX });
    const own = [...buildOurs(gpu, name).entries()].filter(([key]) => !key.startsWith(`${PREFIX}projection_head.`));
    const names = again.entries().filter(([key]) => !key.startsWith(`${PREFIX}projection_head.`));
    assert.deepEqual(names.map(([key, t]) => [key, t.shape]), own.map(([key, t]) => [key, t.shape]), name);
  }
});

Deno.test("heads and low-rank updates are read off vision files", async () => {
  const described = async (name: string) => {
    const weights = await open(name);
    const found = describeVision(weights.tensors, name);
    weights.close();
    return found;
  };
  const decoder = { dim: 8, hidden: 6, genes: 11, batchNorm: false };
  assert.deepEqual(await described("vision"), {
    lora: { rank: 2, blocks: [1, 2] },
    backbones: [],
    dim: 8,
    head: "linear",
    decoder,
    bottleneck: undefined,
    organ: false,
    missing: [],
  });
  assert.deepEqual(await described("vision_everything"), {
    lora: { rank: 2, blocks: [2] },
    backbones: [],
    dim: 8,
    head: "linear",
    decoder: { ...decoder, batchNorm: true },
    bottleneck: 3,
    organ: true,
    missing: [],
  });
  const conch = await described("vision_conch");
  assert.deepEqual([conch.head, conch.decoder, conch.dim], ["mlp2", undefined, 8]);
});

/** A stored tensor of zeros. */
function stored(name: string, shape: number[]): WeightTensor {
  return new WeightTensor(name, "F32", shape, (from, to) => Promise.resolve(new Uint8Array(4 * (to - from))));
}

Deno.test("what a file lacks or has too much is said, or reported where that is allowed", async () => {
  const weights = await open("vision");
  const tensors = new Map(weights.tensors);
  const lost = "module.encoder.base_model.model.blocks.1.mlp.fc2.lora_A.default.weight";
  tensors.delete(lost);
  tensors.delete(lost.replace("lora_A", "lora_B"));
  tensors.set("module.ema.step", stored("module.ema.step", [1]));
  const parameters = buildOurs(gpu, "vision");
  const half = new Map([...tensors, [lost, weights.tensors.get(lost)!]]);
  await assert.rejects(load(parameters, "vision", half, false), /has no lora_B/);
  await assert.rejects(load(parameters, "vision", tensors), (error: unknown) => {
    assert.ok(error instanceof WeightsError);
    assert.match(error.message, /2 missing \(blocks.1.mlp.fc2.lora_A.weight, .*\), 1 unexpected \(module.ema.step\)/);
    return true;
  });
  const before = await parameters.read(["blocks.1.mlp.fc2.lora_A.weight"]);
  const report = await load(parameters, "vision", tensors, false);
  assert.deepEqual(report.missing, ["blocks.1.mlp.fc2.lora_A.weight", "blocks.1.mlp.fc2.lora_B.weight"]);
  assert.deepEqual(report.unexpected, ["module.ema.step"]);
  assert.equal(report.loaded.length, tensors.size - 1);
  assert.deepEqual(await parameters.read(["blocks.1.mlp.fc2.lora_A.weight"]), before);
  parameters.destroy();
  weights.close();
});

Deno.test("shapes that differ are refused whether strict or not, before anything is written", async () => {
  const weights = await open("omics");
  const tensors = new Map(weights.tensors).set("module.fc_mu.weight", stored("module.fc_mu.weight", [8, 5]));
  const parameters = buildOurs(gpu, "omics");
  const before = await parameters.read();
  await assert.rejects(load(parameters, "omics", tensors, false), (error: unknown) => {
    assert.ok(error instanceof WeightsError);
    assert.match(error.message, /side.fc_mu.weight from omics.pth: it is \[8, 5\], wanted \[8, 6\]/);
    return true;
  });
  assert.deepEqual(await parameters.read(), before);
  parameters.destroy();
  weights.close();
});

Deno.test("a head the model has not is reported, not dropped in silence", async () => {
  const weights = await open("omics");
  const parameters = new Parameters(gpu);
  createGeneModel(parameters, describeOmics(weights.tensors, "omics").config, { prefix: PREFIX });
  await assert.rejects(
    loadOmics(parameters, weights.tensors, { file: "omics.pth", prefix: PREFIX }),
    /2 unexpected \(module.projection_head.weight, module.projection_head.bias\)/,
  );
  const { unexpected } = await loadOmics(parameters, weights.tensors, { file: "f", prefix: PREFIX, strict: false });
  assert.deepEqual(unexpected, ["module.projection_head.weight", "module.projection_head.bias"]);
  parameters.destroy();
  weights.close();
});

Deno.test("files of the other kind and of other encoders are refused with a reason", async () => {
  const [omics, vision, hf] = await Promise.all(["omics", "vision", "vision_hf"].map(open));
  assert.throws(() => describeVision(omics!.tensors, "f"), /it is a gene model/);
  assert.throws(() => describeOmics(vision!.tensors, "f"), FormatError);
  assert.throws(() => describeOmics(new Map(), "f"), FormatError);
  assert.throws(() => describeOmics(new Map([["dummy_param", { shape: [1] }]]), "f"), /the number of genes/);
  const two = new Map([["fc_mu.weight", { shape: [2, 3] }], ["projection.0.weight", { shape: [2, 3] }]]);
  assert.throws(
    () => describeOmics(two, "f"),
    /"fc_mu.weight" stands beside projection.0.weight, expected the names of one/,
  );
  assert.throws(() => describeOmics(new Map([["fc_mu.weight", { shape: [2, 2] }]]), "f"), /encoder.0.weight/);
  assert.throws(
    () => describeOmics(new Map([["fc_mu.weight", { shape: [2] }], ["encoder.0.weight", { shape: [2, 2] }]]), "f"),
    /"fc_mu.weight" has 1 dimensions/,
  );
  const parameters = buildOurs(gpu, "vision_hf");
  await assert.rejects(load(parameters, "vision_hf", hf!.tensors), (error: unknown) => {
    assert.ok(error instanceof WeightsError);
    assert.match(error.message, /adapts query, key and value apart/);
    assert.match(error.hint ?? "", /adapter/);
    return true;
  });
  const other = new Map(
    ["A", "B"].map((side) => {
      const name = `encoder.base_model.model.blocks.1.router.lora_${side}.weight`;
      return [name, stored(name, [2, 2])];
    }),
  );
  await assert.rejects(load(parameters, "vision_hf", other), /blocks.1.router is no layer of this encoder/);
  parameters.destroy();
  for (const weights of [omics, vision, hf]) weights!.close();
});

Deno.test("an update of a joint qkv layer is written as three that give the same product", async () => {
  const parameters = buildOurs(gpu, "vision_hf");
  const layer = "blocks.2.attn.qkv";
  const b = Float32Array.from({ length: 48 }, (_, i) => i - 20);
  parameters.store.write(parameters.get(`${layer}.lora_B.weight`), b);
  const tensors = await oursTensors(parameters, "vision_hf");
  const values = await parameters.read([`${layer}.lora_A.weight`]);
  const path = "module.encoder.base_model.model.model.encoder.layer.2.attention.attention";
  ["query", "key", "value"].forEach((part, i) => {
    const [A, B] = ["A", "B"].map((side) => tensors.get(`${path}.${part}.lora_${side}.default.weight`)!);
    assert.deepEqual([A!.shape, B!.shape], [[2, 8], [8, 2]]);
    assert.deepEqual(new Float32Array(A!.data.slice().buffer), values.get(`${layer}.lora_A.weight`));
    assert.deepEqual(new Float32Array(B!.data.slice().buffer), b.slice(i * 16, (i + 1) * 16));
  });
  parameters.destroy();
});
