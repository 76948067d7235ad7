/** SEAL's alignment next to PyTorch: the same weights, batches, dropout masks and noise, 50 steps. */

import assert from "node:assert/strict";
import { readSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { StemCache } from "../../../src/train/stem_cache.ts";
import { DeviceStemStore } from "../../../src/train/stem_store.ts";
import { cachedInput, pixelInput } from "../../../src/train/row_input.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import {
  batchOf,
  compileAlign,
  deviations,
  type Overrides,
  type SealCase,
} from "../../../src/methods/seal/proof/case.ts";
import { formulaImages } from "../../../src/verify/formula.ts";
import { buildSealSteps, pairsOf, SEAL_RECORD as fixture } from "../../../src/methods/seal/proof/steps.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const { genes, batch, pairs, steps } = fixture.sizes;
const torch = readSafetensorsF32(
  Deno.readFileSync(new URL("../../fixtures/seal_train.safetensors", import.meta.url)),
  "seal_train.safetensors",
).tensors;

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}

async function follow(seal: SealCase, cached: boolean): Promise<void> {
  const { gpu } = seal.model.parameters;
  const { config, model, optimizer, side } = seal;
  const { encoder, parameters } = model;
  const images = formulaImages(side);
  const cut = encoder.deepestCut()!;
  const store = cached
    ? new DeviceStemStore(gpu, { rows: pairs, shapes: encoder.cutShapes(cut), dtype: "f32" })
    : undefined;
  const stemCache = store &&
    await StemCache.create(gpu, encoder, { cut, store, dtype: "f32", pairs, tile: side, images, batch: 16 });
  const vision = stemCache ? cachedInput(encoder, cut, stemCache, "f32") : pixelInput(encoder, images, side);
  const step = await compileAlign(model, vision, optimizer, { batch, seed: 7, std: deviations(genes) });
  const rates = stageRates(config, "align", steps);
  let norm = 0;
  for (let t = 0; t < steps; t++) {
    await step.submit(rates(t), () => batchOf(pairsOf(t), genes));
    if (t % 7) continue;
    const { gradNorm } = await optimizer.readState();
    norm = Math.max(norm, Math.abs(gradNorm / fixture.gradNorms[t]! - 1));
  }
  const rows = await step.readMetrics();
  assert.equal(rows.length, steps);
  let worst = 0;
  for (const [name, wanted] of Object.entries(fixture.losses)) {
    rows.forEach((row, t) => {
      const error = Math.abs(row[name]! - wanted[t]!) / Math.abs(wanted[t]!);
      assert.ok(error < 1e-4, `${name} of step ${t} is ${row[name]}, PyTorch has ${wanted[t]}`);
      worst = Math.max(worst, error);
    });
  }
  assert.ok(norm < 1e-3, `gradient norms differ by ${norm}`);
  const final = await parameters.read([...torch.keys()]);
  let least = 1;
  for (const [name, data] of final) {
    const similarity = cosine(data, torch.get(name)!.data);
    assert.ok(similarity >= 0.999, `${name} has cosine ${similarity} with PyTorch's`);
    if (name.includes("lora_")) least = Math.min(least, similarity);
  }
  const how = cached ? "cached stem" : "whole encoder";
  console.log(`${how}: losses within ${worst.toExponential(1)}, norms ${norm.toExponential(1)}, LoRA cosine ${least}`);
  step.destroy();
  stemCache?.destroy();
  store?.close();
  seal.destroy();
}

Deno.test("the fixture is not trivial: every loss falls, the norm is clipped in some steps and not in others", () => {
  // Six steps see every pair twice, so that one hard batch does not decide.
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b);
  for (const [name, values] of Object.entries(fixture.losses)) {
    if (name !== "loss_kl_flow") assert.ok(sum(values.slice(-6)) < 0.95 * sum(values.slice(0, 6)), name);
  }
  assert.ok(fixture.gradNorms.some((norm) => norm > 5) && fixture.gradNorms.some((norm) => norm < 5));
  assert.equal([...torch.keys()].filter((name) => name.includes("lora_")).length, 8);
});

for (const { path, on } of kernelPaths(gpu)) {
  Deno.test(`50 steps of SEAL follow PyTorch, the whole encoder each time, ${path}`, () =>
    follow(buildSealSteps(on), false));

  Deno.test(`50 steps of SEAL follow PyTorch, from the cached stem, ${path}`, () => follow(buildSealSteps(on), true));
}

/** Losses of a step by name. */
type Row = Record<string, number>;

/** Skipped steps and scales as they were said. */
type Said = [skipped: number, scale: number | undefined][];

/** The same steps with activations and frozen weights in f16: losses by step, and what was said of steps left out. */
async function inHalf(on: Gpu, cached: boolean, overrides: Overrides = {}): Promise<{ rows: Row[]; said: Said }> {
  const seal = buildSealSteps(on, overrides, "f16");
  const { config, model, optimizer, side } = seal;
  const { encoder } = model;
  const images = formulaImages(side);
  const cut = encoder.deepestCut()!;
  const store = cached
    ? new DeviceStemStore(on, { rows: pairs, shapes: encoder.cutShapes(cut), dtype: "f16" })
    : undefined;
  const stemCache = store &&
    await StemCache.create(on, encoder, { cut, store, dtype: "f16", pairs, tile: side, images, batch: 16 });
  const vision = stemCache ? cachedInput(encoder, cut, stemCache, "f16") : pixelInput(encoder, images, side);
  const said: Said = [];
  const onSkipped = (skipped: number, scale: number | undefined) => void said.push([skipped, scale]);
  const step = await compileAlign(model, vision, optimizer, { batch, seed: 7, std: deviations(genes), onSkipped });
  const rates = stageRates(config, "align", steps);
  for (let t = 0; t < steps; t++) await step.submit(rates(t), () => batchOf(pairsOf(t), genes));
  const rows = await step.readMetrics();
  step.destroy();
  stemCache?.destroy();
  store?.close();
  seal.destroy();
  return { rows, said };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const cached of [false, true]) {
    Deno.test({
      name: `50 steps of SEAL in f16 stay within 1e-2 of f32, ${cached ? "from the cached stem" : "whole"}, ${path}`,
      ignore: !gpu.caps.f16,
      fn: async () => {
        const { rows, said } = await inHalf(on, cached);
        assert.deepEqual(said, []);
        // PyTorch's are those of f32 within 1e-4.
        const off = (name: string) =>
          rows.map((row, t) => Math.abs(row[name]! / (fixture.losses as Record<string, number[]>)[name]![t]! - 1));
        const worst = Math.max(...off("loss"));
        console.log(
          `f16, ${cached ? "cached stem" : "whole encoder"}, ${path}: losses within ${worst.toExponential(1)}`,
        );
        assert.ok(worst < 1e-2, String(worst));
        assert.ok(worst > 1e-6, "activations were not f16");
        // A unit of the image decoder that begins or ends to be above 0 a step earlier moves one term for a step.
        for (const name of Object.keys(fixture.losses)) {
          const mean = off(name).reduce((a, b) => a + b) / steps;
          assert.ok(mean < 2e-3, `${name} is ${mean} off on average`);
        }
      },
    });
  }
}

Deno.test({
  name: "steps whose gradients are beyond f16 are left out and said, and the loss scale comes down until they count",
  ignore: !gpu.caps.f16,
  fn: async () => {
    const { rows, said } = await inHalf(gpu, false, { loss_scale: 2 ** 24 });
    const [[skipped, scale]] = said as [[number, number]];
    assert.ok(skipped > 0 && skipped < 25, String(skipped));
    assert.equal(scale, 2 ** (24 - skipped));
    assert.ok(rows.at(-1)!.loss! < rows[0]!.loss!);
  },
});
