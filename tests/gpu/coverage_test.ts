/**
 * Every kernel text that a plan picks on a GPU is run by some case. Plans of all registered encoders are recorded as
 * embedding and training record them; a text that no case runs would reach users untested. Mend: add the row that is named.
 */

import assert from "node:assert/strict";
import type { Dtype } from "../../src/core/dtype.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { ENCODERS } from "../../src/models/encoder_registry.ts";
import type { EncoderSpec } from "../../src/models/encoder_spec.ts";
import { CONTRASTIVE_NAMES, GENE_LOSS_NAMES } from "../../src/losses/registry.ts";
import { GENE_MODEL_NAMES, geneModelEntry } from "../../src/models/gene_registry.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { caseTexts } from "../runner.ts";
import { beyondLimits, needsOf } from "./wgsl_limits.ts";
import { embedPlan, inferencePlan, type RecordedPlan, type Training, trainingPlans } from "../../src/verify/plans.ts";
import { addTexts, milTexts, searchTexts, type Texts } from "./plan_texts.ts";

type Keys = readonly (readonly [string, string])[];

const LORA: readonly Keys[] = [[["partial_blocks", "1"]], [["partial_blocks", "-1"]]];
const WEIGHTS: readonly Keys[] = [
  [["use_lora", "false"], ["partial_blocks", "2"]],
  [["use_lora", "false"], ["partial_blocks", "-1"]],
];

/** What else of a configuration changes the plan of the objective; one at a time, on a small encoder. */
const CHOICES: readonly Keys[] = [
  ...GENE_LOSS_NAMES.map((name): Keys => [["gene_loss", name]]),
  ...CONTRASTIVE_NAMES.map((name): Keys => [["contrast_method", name]]),
  [["contrast_method", "cca"], ["cca_form", "trace"], ["l2_norm", "false"]],
  [["contrast_method", "soft_clip"], ["detach_targets", "false"]],
  [["contrast_method", "s2l"], ["s2l_squared", "false"]],
  [["trainable_temperature", "true"]],
  [["lambda_cca", "0.5"], ["lambda_da", "0.1"]],
  ...GENE_MODEL_NAMES.map((
    name,
  ): Keys => [["gene_model", name], ["lambda_contrast", geneModelEntry(name).fixed ? "0" : "1"]]),
  [["gene_model", "transformer"], ["gene_embeddings", "true"]],
  [["vae_flows", "0"], ["kl_loss", "true"]],
  [["kl_loss", "true"], ["kl_form", "exact"], ["latent", "mc"], ["flow_constraint", "true"]],
  [["vae_dropout", "0.1"], ["dec_dropout", "0.1"], ["dec_batch_norm", "true"], ["latent", "mean"]],
  ...["linear", "mlp", "mlp2"].map((name): Keys => [["projection_head", name]]),
  ...["softplus", "none"].map((name): Keys => [["final_activation", name]]),
  [["use_adapter", "true"], ["organ_token", "true"]],
  [["use_adapter", "true"], ["adapter_residual", "true"]],
  [["use_adapter", "true"], ["adapter_compat_double", "true"]],
  [["lora_dropout", "0"]],
  [["r", "16"], ["lora_rule", "standard"]],
  [["r", "6"]],
];

/** A device as a GPU's driver describes it: workgroup memory pays, and bindings reach 2 GiB. */
function gpuLike(gpu: Gpu, f16: boolean): Gpu {
  const limits = {
    ...gpu.caps.limits,
    maxStorageBufferBindingSize: 2 ** 31,
    maxBufferSize: 2 ** 32,
    maxStorageBuffersPerShaderStage: 8,
  };
  return gpu.withCaps({ flat: false, software: false, f16, limits });
}

function addPlan(texts: Texts, recorded: RecordedPlan | undefined): void {
  if (recorded) addTexts(texts, recorded.plan, recorded.name);
}

function embedTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec, dtype: Dtype, batch: number): void {
  for (const tile of new Set([spec.input.size, spec.input.tile, 256])) {
    addPlan(texts, embedPlan(gpu, spec, dtype, batch, tile));
  }
}

function trainTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec, training: Training): void {
  for (const recorded of trainingPlans(gpu, spec, training)) addPlan(texts, recorded);
}

function encoderTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec): void {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    for (const batch of [1, 8, 64, 256]) embedTexts(texts, gpu, spec, dtype, batch);
  }
  const train = (keys: Keys, dtype: Dtype, extra: Partial<Training>): void =>
    trainTexts(texts, gpu, spec, { keys, dtype, batch: 64, micro: 64, genes: 2000, ...extra });
  for (const dtype of ["f32", "f16"] as const) {
    for (const keys of LORA) {
      train(keys, dtype, {});
      train(keys, dtype, { batch: 384, micro: 48 });
      train(keys, dtype, { batch: 384, micro: 384, cached: "f16" });
      train(keys, dtype, { cached: "f32", recompute: true });
      train(keys, dtype, { batch: 6, micro: 6, cached: "f16" });
    }
  }
  for (const keys of WEIGHTS) {
    train(keys, "f32", { batch: 384, micro: 48 });
    train(keys, "f32", { micro: 16, cached: "f16", recompute: true });
    train(keys, "f32", { batch: 6, micro: 6 });
  }
}

/** Texts of everything the product runs on a GPU. */
function wantedTexts(gpu: Gpu): Texts {
  const texts: Texts = new Map();
  const specs = ENCODERS.filter(({ refused }) => refused === undefined);
  for (const spec of specs) encoderTexts(texts, gpuLike(gpu, true), spec);
  const small = specs.find(({ name }) => name === "vit-s16")!;
  for (const f16 of [true, false]) {
    const device = gpuLike(gpu, f16);
    embedTexts(texts, device, small, "f16", 64);
    for (const keys of CHOICES) {
      // CCA needs more pairs than columns; the transformer has a token a gene.
      const pairs = keys.some(([, value]) => value === "transformer") ? [32, 17] : [768, 387];
      for (const [batch, genes] of [[pairs[0]!, 2000], [pairs[1]!, 1999]] as const) {
        const training = { keys, dtype: "f16" as const, batch, micro: batch, cached: "f16" as const, genes };
        trainTexts(texts, device, small, training);
        addPlan(texts, inferencePlan(device, small, training));
      }
    }
    searchTexts(texts, device);
    milTexts(texts, device);
  }
  return texts;
}

/** Cases by the texts they run on the GPU path. */
function runTexts(gpu: Gpu): Map<string, Set<OpCase>> {
  const ran = new Map<string, Set<OpCase>>();
  for (const test of (Object.values(index) as (readonly OpCase[])[]).flat()) {
    if (test.benchOnly) continue;
    for (const f16 of gpu.caps.f16 ? [true, false] : [false]) {
      for (const text of caseTexts(gpu.withCaps({ f16 }), test).keys()) {
        ran.set(text, (ran.get(text) ?? new Set()).add(test));
      }
    }
  }
  return ran;
}

Deno.test("every kernel text that a plan picks on a GPU is run by a case, no case for GPUs alone is idle, no text needs more than every device has", async () => {
  const gpu = await requestGpu(navigator.gpu);
  try {
    const ran = runTexts(gpu);
    const wanted = wantedTexts(gpu);
    assert.ok(wanted.size > 300, `only ${wanted.size} texts were found: the plans are no longer recorded`);
    const missing = [...wanted].filter(([text]) => !ran.has(text)).map(([, { kernel, options, plan }]) =>
      `${kernel} ${options}: ${plan}`
    );
    assert.deepEqual(missing.sort(), []);
    // Such a case is there for a text that no other runs: without it this test would fail.
    const needed = new Set(
      [...wanted.keys()].flatMap((text) => (ran.get(text)!.size === 1 ? [...ran.get(text)!] : [])),
    );
    const alone = (Object.values(index) as (readonly OpCase[])[]).flat().filter(({ paths }) => paths !== undefined);
    assert.deepEqual(alone.filter((test) => !needed.has(test)).map(({ name }) => name), []);
    const greedy = [...wanted, ...[...ran.keys()].map((text) => [text, undefined] as const)].flatMap(([text, of]) =>
      beyondLimits(text).map((what) => `${of?.kernel ?? text.slice(0, 400)}: ${what}`)
    );
    assert.deepEqual(greedy, []);
  } finally {
    gpu.destroy();
  }
});

Deno.test("needs are read from a text: buffers, workgroup memory, invocations", () => {
  const text = `alias T = f16;
const WG: u32 = 64u;
const ROWS: u32 = (WG + 2u * 3u) / 2u - 3u;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
var<workgroup> x: array<vec4f, ROWS * 16u>;
var<workgroup> y: array<T, WG>;
@compute @workgroup_size(WG, 2)
fn main() {}`;
  assert.deepEqual(needsOf(text), {
    storageBuffers: 2,
    uniformBuffers: 1,
    workgroupBytes: 32 * 16 * 16 + 128,
    invocations: 128,
    x: 64,
    y: 2,
    z: 1,
    uniformBytes: 0,
  });
  assert.deepEqual(beyondLimits(text.replace("WG, 2", "WG, 8")), ["invocations is 512, promised are 256"]);
  assert.deepEqual(beyondLimits(text.replace("WG, 2", "1, 1, 65")), ["z is 65, promised are 64"]);
  const params = (n: number) =>
    `struct Params { ${Array.from({ length: n }, (_, i) => `a${i}: u32`).join(", ")} }\n${text}`;
  assert.deepEqual(beyondLimits(params(16385)), ["uniformBytes is 65540, promised are 65536"]);
  assert.throws(() => needsOf(text.replace("array<T, WG>", "array<T, N>")), /N is unknown/);
});
