/** Training next to PyTorch: the same initial weights, the same batches, 50 steps. @seconds 25 */

import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { readSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { createExample, type ExampleOptions } from "./example.ts";
import fixture from "../fixtures/vit_train.json" with { type: "json" };
import { kernelPaths, openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const weights = readSafetensorsF32(
  Deno.readFileSync(new URL("../fixtures/vit_train.safetensors", import.meta.url)),
  "vit_train.safetensors",
).tensors;

/** Weights under a prefix of the fixture, without it. */
function under(prefix: string) {
  return new Map([...weights].filter(([name]) => name.startsWith(prefix)).map(([n, t]) => [n.slice(prefix.length), t]));
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}

/** The key third of a qkv bias has a gradient of exactly zero; AdamW makes rounding noise of it visible. */
function comparable(name: string, data: Float32Array): Float32Array {
  if (!name.endsWith("attn.qkv.bias")) return data;
  const third = data.length / 3;
  return Float32Array.from([...data.subarray(0, third), ...data.subarray(2 * third)]);
}

interface Curve {
  losses: number[];
  norms: number[];
  final: Map<string, Float32Array>;
}

async function train(
  on: Gpu,
  variant: "full" | "lora",
  options: ExampleOptions,
  start: Map<string, { shape: readonly number[]; data: Float32Array }>,
): Promise<Curve> {
  const example = await createExample(on, { lr: fixture.variants[variant].peakLr, steps: 50, ...options });
  example.parameters.load(start);
  const norms: number[] = [];
  for (let t = 0; t < 50; t++) {
    assert.ok(Math.abs(example.learningRate(t) - fixture.variants[variant].lr[t]!) < 1e-9);
    await example.submit(t);
    if (t % 10 === 0) norms.push((await example.optimizer.readState()).gradNorm);
  }
  const losses = (await example.step.readMetrics()).map(({ loss }) => loss!);
  const names = example.parameters.trainableEntries().map(([name]) => name);
  const final = await example.parameters.read(names);
  example.destroy();
  return { losses, norms, final };
}

function compareWithTorch(
  variant: "full" | "lora",
  { losses, norms, final }: Curve,
  wanted: ReturnType<typeof under>,
): void {
  const torch = fixture.variants[variant];
  assert.equal(losses.length, 50);
  losses.forEach((loss, t) => {
    const error = Math.abs(loss - torch.losses[t]!) / torch.losses[t]!;
    assert.ok(error < 1e-3, `loss of step ${t} is ${loss}, PyTorch has ${torch.losses[t]}`);
  });
  norms.forEach((norm, i) => {
    const error = Math.abs(norm - torch.gradNorms[i * 10]!) / torch.gradNorms[i * 10]!;
    assert.ok(error < 1e-3, `gradient norm of step ${i * 10} is ${norm}, PyTorch has ${torch.gradNorms[i * 10]}`);
  });
  for (const [name, data] of final) {
    const similarity = cosine(comparable(name, data), comparable(name, wanted.get(name)!.data));
    assert.ok(similarity >= 0.999, `${name} has cosine ${similarity} with PyTorch's`);
  }
  const worst = Math.max(...losses.map((loss, t) => Math.abs(loss - torch.losses[t]!) / torch.losses[t]!));
  console.log(`${variant}: largest relative difference of a loss ${worst.toExponential(1)}`);
}

for (const { path, on } of kernelPaths(gpu)) {
  let plain: Curve | undefined;

  Deno.test(`training all weights for 50 steps follows PyTorch, ${path}`, async () => {
    plain = await train(on, "full", {}, under("init/"));
    compareWithTorch("full", plain, under("full/"));
  });

  Deno.test(`training LoRA and head for 50 steps follows PyTorch, ${path}`, async () => {
    const { r, alpha, block, targets } = fixture.lora;
    const adapted = targets.map((target) => `blocks.${block}.${target}`);
    const start = new Map([...under("init/"), ...under("lora_init/")]);
    const curve = await train(on, "lora", {
      trainable: (name) => name.startsWith("head."),
      lora: (name) => (adapted.includes(name) ? { rank: r, alpha } : undefined),
    }, start);
    compareWithTorch("lora", curve, under("lora/"));
    assert.equal(curve.final.size, 2 * targets.length + 2);
  });

  Deno.test(`recomputing every block gives the same losses bit for bit, ${path}`, async () => {
    const again = await train(on, "full", { recompute: [true, true, true] }, under("init/"));
    assert.deepEqual(again.losses, plain!.losses);
  });

  Deno.test(`two micro-batches give the losses of the whole batch to rounding, ${path}`, async () => {
    const split = await train(on, "full", { accumulate: 2 }, under("init/"));
    split.losses.forEach((loss, t) => assert.ok(Math.abs(loss - plain!.losses[t]!) / loss < 1e-3, `step ${t}`));
  });
}
