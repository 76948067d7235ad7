import assert from "node:assert/strict";
import { ConfigError } from "../../../src/core/errors.ts";
import { createEncoder } from "../../../src/models/encoder.ts";
import { findEncoder } from "../../../src/models/encoder_registry.ts";
import type { EncoderSpec } from "../../../src/models/encoder_spec.ts";
import { partialParameters } from "../../../src/models/trainable.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { parameterGroups } from "../../../src/optim/param_groups.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { visionPart } from "../../../src/train/trainable.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

type Overrides = readonly (readonly [string, string])[];
const config = (...overrides: Overrides) => SEAL_CONFIG.read([], overrides).config;

/** A published layout with small sizes and twelve blocks. */
function small(name: string): EncoderSpec {
  const spec = findEncoder(name);
  const arch = { ...spec.arch, width: 24, hidden: 32, heads: 2, depth: 12 };
  const { pooler } = spec.output;
  return {
    ...spec,
    arch,
    input: { ...spec.input, size: 2 * spec.arch.patch },
    output: { ...spec.output, ...(pooler && { pooler: { ...pooler, width: 16, heads: 2 } }) },
  };
}

/** Names that train when an encoder is built as the configuration says. */
function trained(spec: EncoderSpec, ...overrides: Overrides): string[] {
  const part = visionPart(config(...overrides), spec);
  const parameters = new Parameters(gpu, part.trains);
  createEncoder(parameters, spec, { lora: part.lora });
  const names = parameters.trainableEntries().map(([name]) => name);
  parameters.destroy();
  return names;
}

Deno.test("LoRA on the last blocks trains its matrices alone; 0 blocks count as one", () => {
  const uni = small("uni");
  const wanted = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].flatMap((layer) =>
    ["A", "B"].map((side) => `blocks.11.${layer}.lora_${side}.weight`)
  );
  assert.deepEqual(trained(uni), wanted);
  assert.deepEqual(trained(uni, ["partial_blocks", "0"]), wanted);
  assert.equal(trained(uni, ["partial_blocks", "3"]).length, 24);
  assert.equal(trained(uni, ["partial_blocks", "-1"]).length, 96);
  assert.ok(
    trained(small("conch")).every((name) => /^trunk\.blocks\.11\.(attn|mlp)\..*\.lora_[AB]\.weight$/.test(name)),
  );
  assert.throws(() => trained(uni, ["partial_blocks", "13"]), ConfigError);
});

Deno.test("rank, alpha and dropout reach the layers; rslora divides by the root of the rank", () => {
  const spec = small("uni");
  const layer = "blocks.11.mlp.fc1";
  const plain = visionPart(config(["r", "4"], ["lora_alpha", "16"], ["lora_dropout", "0.5"]), spec);
  assert.deepEqual(plain.lora(layer), { rank: 4, alpha: 16, dropout: 0.5 });
  assert.equal(plain.lora("blocks.10.mlp.fc1"), undefined);
  const rslora = visionPart(config(["r", "4"], ["lora_alpha", "16"], ["use_rslora", "true"]), spec);
  // alpha 16, rank 4: the update is multiplied by 8.
  assert.equal(rslora.lora(layer)!.alpha / 4, 8);
  assert.deepEqual(visionPart(config(), small("phikon-v2")).targets, ["blocks.11.mlp.fc1", "blocks.11.mlp.fc2"]);
  assert.equal(visionPart(config(["lora_rule", "standard"]), small("phikon-v2")).targets.length, 4);
});

Deno.test("partial unfreezing reads block numbers as numbers, and frees norm and pooler with them", () => {
  const partial = (blocks: string): Overrides => [["use_lora", "false"], ["partial_blocks", blocks]];
  const blocksOf = (names: string[]) => [...new Set(names.map((name) => /blocks\.(\d+)\./.exec(name)?.[1] ?? name))];
  const uni = trained(small("uni"), ...partial("11"));
  // The substring `blocks.1` of the reference's rule would mean 1, 10 and 11.
  assert.deepEqual(blocksOf(uni), [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
    "11",
    "norm.weight",
    "norm.bias",
  ]);
  assert.deepEqual(blocksOf(trained(small("uni"), ...partial("1"))), ["11", "norm.weight", "norm.bias"]);
  const conch = trained(small("conch"), ...partial("1"));
  assert.ok(conch.includes("trunk.norm.weight") && conch.includes("ln_contrast.bias"));
  assert.ok(conch.includes("attn_pool_contrast.query") && conch.includes("attn_pool_contrast.to_kv.weight"));
  assert.ok(!conch.some((name) => /pos_embed|cls_token|patch_embed|blocks\.[0-9]\./.test(name)));
  const all = trained(small("uni"), ...partial("-1"));
  assert.ok(all.includes("cls_token") && all.includes("blocks.0.attn.qkv.weight"));
  assert.throws(() => partialParameters(small("uni"), 13), /it has 12/);
  assert.deepEqual(partialParameters(small("uni"), 0)("norm.weight"), false);
});

Deno.test("nothing of the encoder trains in a linear probe, or when partial_tune is off", () => {
  assert.deepEqual(trained(small("uni"), ["model", "linprobe"]), []);
  assert.deepEqual(trained(small("conch"), ["use_lora", "false"], ["partial_tune", "false"]), []);
});

Deno.test("learning rates of blocks fall only where the encoder's own weights train", () => {
  const spec = small("conch");
  assert.equal(visionPart(config(), spec).layers, undefined);
  const { layers } = visionPart(config(["use_lora", "false"], ["layer_decay", "0.5"]), spec);
  assert.deepEqual(layers, { decay: 0.5, depth: 12, pooler: true });
  const groups = parameterGroups({ weightDecay: 0.2, layers: layers! });
  const scale = (name: string) => groups.find(({ match }) => match(name, { shape: [2, 2] } as never))!.lrScale;
  assert.deepEqual(
    ["attn_pool_contrast.query", "trunk.blocks.11.mlp.fc1.weight", "trunk.blocks.10.mlp.fc1.weight"].map(scale),
    [1, 0.5, 0.25],
  );
});

Deno.test("rates of a stage follow schedule, warm-up and stage", () => {
  const base = config(["img_lr", "1e-4"], ["gene_lr", "2e-4"]);
  const rates = stageRates(base, "align", 10);
  // Worked values of the cosine over ten steps.
  [[0, 1e-4], [1, 9.755283e-5], [5, 5e-5], [9, 2.447174e-6]].forEach(([t, wanted]) => {
    const { img, gene, head } = rates(t!);
    assert.ok(Math.abs(img - wanted!) < 1e-10 && Math.abs(gene - 2 * wanted!) < 2e-10 && head === img);
  });
  const rising = stageRates(
    config(["scheduler", "constant"], ["lr_warmup_steps", "4"], ["head_lr", "8"]),
    "align",
    100,
  );
  assert.deepEqual([0, 1, 3, 4, 99].map((t) => rising(t).head), [2, 4, 8, 8, 8]);
  const floor = stageRates(config(["min_lr", "1e-5"], ["lr_warmup_steps", "500"]), "align", 100);
  assert.equal(floor(99).img, 1e-4);
  assert.deepEqual(stageRates(base, "warmup", 10)(0), { img: 0, gene: 5e-4, head: 0 });
  const two = config(["two_stage_training", "true"], ["warmup_epochs", "1"]);
  assert.equal(stageRates(two, "align", 10)(0).gene, 0);
  assert.equal(stageRates(config(["min_lr", "1e-4"]), "align", 10)(10).img, 1e-4);
});
