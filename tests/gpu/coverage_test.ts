/**
 * Every kernel text that a plan picks on a GPU is run by some case. Plans of all registered encoders are recorded as
 * embedding and training record them; a text that no case runs would reach users untested. Mend: add the row that is named.
 */

import assert from "node:assert/strict";
import type { Dtype } from "../../src/core/dtype.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import type { Variant } from "../../src/gpu/expand.ts";
import { ENCODERS } from "../../src/models/encoder_registry.ts";
import type { EncoderSpec } from "../../src/models/encoder_spec.ts";
import { attentionVariants } from "../../src/ops/attention_choice.ts";
import { MATMUL_VARIANTS, matmulVariants } from "../../src/ops/matmul_variants.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { CASE_NAMES } from "../cases/names.gen.ts";
import { caseTexts, caseVariants } from "../runner.ts";
import { beyondLimits, needsOf } from "./wgsl_limits.ts";
import { embedPlan, type RecordedPlan } from "../../src/verify/plans.ts";
import { addTexts, type Coverage, searchTexts, type Texts } from "./plan_texts.ts";

/** A device as a GPU's driver describes it: workgroup memory pays, and bindings reach 2 GiB. */
function gpuLike(gpu: Gpu, f16: boolean, largestTile: 64 | 128 = 128): Gpu {
  const limits = {
    ...gpu.caps.limits,
    maxStorageBufferBindingSize: 2 ** 31,
    maxBufferSize: 2 ** 32,
    maxStorageBuffersPerShaderStage: 8,
  };
  return gpu.withCaps({ flat: false, software: false, f16, largestTile, limits });
}

/** The units of the adapter on which their kernels are run; others differ in constants alone. */
const UNITS = { M: 8, N: 8, K: 8, subgroup: 8 } as const;

/** The same device with matrix units, which products of f16 go by. */
function withUnits(gpu: Gpu): Gpu {
  return gpu.caps.f16 ? gpu.withCaps({ matrix: UNITS }) : gpu;
}

function addPlan(texts: Texts, recorded: RecordedPlan | undefined): void {
  if (recorded) addTexts(texts, recorded.plan, recorded.name);
}

function embedTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec, dtype: Dtype, batch: number): void {
  for (const tile of new Set([spec.input.size, spec.input.tile, 256])) {
    addPlan(texts, embedPlan(gpu, spec, dtype, batch, tile));
  }
}

function encoderTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec): void {
  // f16 means activations too where the device computes with it.
  const kinds = [["f32", true], ["f16", true], ["f16", false], ["bf16", true]] as const;
  for (const [dtype, f16] of kinds) {
    for (const batch of [1, 8, 64, 256]) embedTexts(texts, gpuLike(gpu, f16), spec, dtype, batch);
    // Devices of smaller tiles take them where others take the largest.
    embedTexts(texts, gpuLike(gpu, f16, 64), spec, dtype, 64);
  }
  for (const batch of [1, 64, 256]) embedTexts(texts, withUnits(gpuLike(gpu, true)), spec, "f16", batch);
}

/** What `coverage.ts` beside a method's tests exports. */
interface MethodCoverage {
  readonly coverage: Coverage;
}

/** Methods whose plans alone pick the texts of some cases: where one is taken out, those cases serve no plan. */
const SERVED = ["mil", "seal"];

const METHODS: readonly (MethodCoverage & { readonly name: string })[] = await Promise.all(
  [...Deno.readDirSync(new URL("../methods/", import.meta.url))].map(async ({ name }) => ({
    name,
    ...await import(`../methods/${name}/coverage.ts`) as MethodCoverage,
  })),
);

/** Texts of everything the product runs on a GPU; a method's are listed beside its tests. */
function wantedTexts(gpu: Gpu): Texts {
  const texts: Texts = new Map();
  const specs = ENCODERS.filter(({ refused }) => refused === undefined);
  for (const spec of specs) encoderTexts(texts, gpu, spec);
  const small = specs.find(({ name }) => name === "vit-s16")!;
  for (const f16 of [true, false]) {
    const device = gpuLike(gpu, f16);
    embedTexts(texts, device, small, "f16", 64);
    searchTexts(texts, device);
  }
  assert.ok(texts.size > 80, `only ${texts.size} texts were found: the plans of embedding are no longer recorded`);
  for (const { name, coverage } of METHODS) {
    const before = texts.size;
    coverage(texts, { specs, gpuLike: (f16, largestTile) => gpuLike(gpu, f16, largestTile) });
    coverage(texts, { specs, gpuLike: (f16, largestTile) => withUnits(gpuLike(gpu, f16, largestTile)) });
    const more = texts.size - before;
    assert.ok(more > 10, `only ${more} texts were found: the plans of ${name} are no longer recorded`);
  }
  return texts;
}

/** Cases by the texts they run on the GPU path. */
function runTexts(gpu: Gpu): Map<string, Set<OpCase>> {
  const ran = new Map<string, Set<OpCase>>();
  for (const test of (Object.values(index) as (readonly OpCase[])[]).flat()) {
    if (test.benchOnly) continue;
    const devices = (gpu.caps.f16 ? [true, false] : [false]).map((f16) => gpu.withCaps({ f16 }));
    // By matrix units only under `deno task test:matrix`.
    if (test.f16) devices.push(withUnits(gpu));
    for (const text of devices.flatMap((device) => [...caseTexts(device, test)])) {
      ran.set(text, (ran.get(text) ?? new Set()).add(test));
    }
  }
  return ran;
}

/** What a text of a family can hold, each by itself: types, optional tensors, options. */
function featuresOf({ T, weights, present, options }: Variant): string[] {
  const types = Object.entries(weights).map(([name, dtype]) => `${name} in ${dtype}`);
  return [`T=${T}`, ...types, ...present, ...Object.values(options)];
}

/** A family of kernels and one way to compute it that the tuner may pick on a GPU, as a dispatch shows them. */
function pickOf(name: string, { tune }: Variant): { family: string; way: string } | undefined {
  const [, family, kind] =
    /^(matmul_(?:nt|nn|tn)|attention_(?:fwd|bwd_query|bwd_key))(_flat|_tall|_matrix)?$/.exec(name) ?? [];
  if (family === undefined) return undefined;
  if (family.startsWith("attention")) {
    const tiles = kind ? "workgroup 64" : tune.KEEP ? "workgroup, kept" : "workgroup";
    const own = kind === "_matrix" ? "matrix" : `${tiles}${tune.SUBGROUPS ? ", subgroups" : ""}`;
    return { family, way: kind === "_flat" ? `registers ${tune.LR}` : own };
  }
  if (kind === "_matrix") return { family, way: `matrix ${tune.WM! * tune.RM! * tune.SM!}` };
  if (kind) return { family, way: `registers ${tune.MG! * 4}` };
  const tile = tune.TY! * tune.MG! * 4;
  const loops = Object.entries(MATMUL_VARIANTS).filter(([, way]) => !way.flat && way.tile === tile);
  const found = loops.find(([, { tune: own = {} }]) =>
    Object.entries({ K8: 2, AHEAD: 1, OWN: 0, ...own }).every(([name, value]) =>
      name === "LOADS" || tune[name] === value
    )
  );
  return { family, way: found?.[0] ?? "unknown" };
}

/** What a loop over the reduction sees beside its constants; loaders and what is done with sums are the same in all of a tile. */
const OF_THE_LOOP = new Set(["h", "e", "swiglu"]);

/**
 * What the tuner may pick on a GPU and no case tries. The parts of a text that features choose do not depend on each other: each
 * is to be tried with each way, not all of them together. Attention keeps as many rows as the width of heads allows, or 1 or 2.
 */
function untriedPicks(gpu: Gpu, wanted: Texts): string[] {
  const tried = new Set<string>();
  for (const test of (Object.values(index) as (readonly OpCase[])[]).flat().filter(({ benchOnly }) => !benchOnly)) {
    for (const path of ["gpu", "flat", "matrix"] as const) {
      const [device, kernels] = path === "matrix" ? [withUnits(gpu), "gpu"] as const : [gpu, path] as const;
      if (path === "matrix" && !test.f16) continue;
      for (const { name, variant } of caseVariants(device, test, kernels)) {
        const pick = pickOf(name, variant);
        for (const feature of pick ? featuresOf(variant) : []) tried.add(`${pick!.family} ${pick!.way} ${feature}`);
        if (variant.tune.LN! * variant.tune.LM! === 64) tried.add(`${pick!.family} ${pick!.way} 64 invocations`);
      }
    }
  }
  const waysOf = (family: string) => {
    if (family.startsWith("matmul")) return matmulVariants(withUnits(gpuLike(gpu, true)));
    const part = family === "attention_fwd" ? "forward" : "key";
    const device = withUnits(gpuLike(gpu, true));
    return attentionVariants(device, part).filter((name) => name !== "registers");
  };
  const missing = new Set<string>();
  for (const { kernel, options } of wanted.values()) {
    const variant = JSON.parse(options) as Variant;
    const pick = pickOf(kernel, variant);
    if (!pick || (pick.family.startsWith("matmul") && variant.vec !== 4)) continue;
    for (const way of waysOf(pick.family)) {
      // Pairs of columns take tiles of 64 at least.
      if (variant.options.act === "swiglu" && /^(workgroup|matrix) 32/.test(way)) continue;
      // Matrix units take f16, and f32 beside it.
      if (way.startsWith("matrix") && (variant.T === "f32" || Object.values(variant.weights).includes("bf16"))) {
        continue;
      }
      const lanes = way.startsWith("registers") && pick.family.startsWith("matmul") ? ["64 invocations"] : [];
      const ofLoop = MATMUL_VARIANTS[way]?.tune !== undefined;
      for (const feature of [...featuresOf(variant), ...lanes]) {
        if (ofLoop && !OF_THE_LOOP.has(feature) && feature !== "T=f32") continue;
        const of = `${pick.family} ${way} ${feature}`;
        if (!tried.has(of)) missing.add(of);
      }
    }
  }
  return [...missing].sort();
}

Deno.test("every kernel text that a plan picks on a GPU is run by a case, no case for GPUs alone is idle, no text needs more than every device has", async () => {
  // Texts are recorded alone: cases by subgroups run where the adapter has them.
  const gpu = (await requestGpu(navigator.gpu)).withCaps({ subgroups: { least: 8, most: 8, named: true } });
  try {
    const ran = runTexts(gpu);
    const wanted = wantedTexts(gpu);
    const missing = [...wanted].filter(([text]) => !ran.has(text)).map(([, { kernel, options, plan }]) =>
      `${kernel} ${options}: ${plan}`
    );
    assert.deepEqual(missing.sort(), []);
    // Such a case is there for a text that no other runs and that a plan picks: without it this test would fail.
    const whole = SERVED.every((method) => METHODS.some(({ name }) => name === method));
    const picked = whole ? [...wanted.keys()] : [...ran.keys()];
    const needed = new Set(picked.flatMap((text) => (ran.get(text)!.size === 1 ? [...ran.get(text)!] : [])));
    const alone = (Object.values(index) as (readonly OpCase[])[]).flat().filter(({ paths }) => paths !== undefined);
    assert.deepEqual(alone.filter((test) => !needed.has(test) && test.tuned === undefined).map(({ name }) => name), []);
    assert.deepEqual(untriedPicks(gpu, wanted), []);
    const greedy = [...wanted, ...[...ran.keys()].map((text) => [text, undefined] as const)].flatMap(([text, of]) =>
      beyondLimits(text).map((what) => `${of?.kernel ?? text.slice(0, 400)}: ${what}`)
    );
    assert.deepEqual(greedy, []);
  } finally {
    gpu.destroy();
  }
});

Deno.test("no case is gone, and none is new without being listed", () => {
  const names = Object.entries(index).flatMap(([op, cases]) => cases.map(({ name }) => `${op}: ${name}`));
  // Most kernels are run by several cases, each for a reason of its own. What is meant is written by `deno task gen`.
  assert.deepEqual(CASE_NAMES.filter((name) => !names.includes(name)), [], "cases are gone");
  assert.deepEqual(names.filter((name) => !CASE_NAMES.includes(name)), [], "cases are not listed");
  assert.deepEqual(names, CASE_NAMES);
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
var<workgroup> z: array<array<vec2f, WG + 1u>, 2u>;
@compute @workgroup_size(WG, 2)
fn main() {}`;
  assert.deepEqual(needsOf(text), {
    storageBuffers: 2,
    uniformBuffers: 1,
    workgroupBytes: 32 * 16 * 16 + 128 + 65 * 2 * 8,
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
