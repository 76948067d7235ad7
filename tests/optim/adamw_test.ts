import assert from "node:assert/strict";
import { ConfigError, LimitError } from "../../src/core/errors.ts";
import { constant } from "../../src/nn/init.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { AdamW, decayMatrices } from "../../src/optim/adamw.ts";
import { cosineSchedule } from "../../src/optim/schedule.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { crossEntropy } from "../../src/ops/cross_entropy.ts";
import { linear } from "../../src/ops/linear.ts";
import { ringWrite } from "../../src/ops/ring.ts";
import { Step } from "../../src/train/step.ts";
import type { StepModel } from "../../src/train/step_model.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

function model(limits = gpu.caps.limits) {
  const device = gpu.withCaps({ limits });
  const parameters = new Parameters(device);
  const weight = parameters.add("head.weight", [10, 8], { init: constant(0.1) });
  const bias = parameters.add("head.bias", [10], { init: constant(0) });
  parameters.allocate();
  const inputs = new Store(device);
  const x = inputs.from("input", "x", [4, 8], Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)));
  const labels = inputs.from("input", "labels", [4], [0, 3, 5, 9], "u32");
  const record: StepModel = {
    parameters,
    objective: (g) => ({ loss: crossEntropy(g, linear(g, x, { weight, bias }), labels) }),
  };
  return { parameters, inputs, record };
}

Deno.test("AdamW parameters in several buffers train as in one", async () => {
  // A buffer of 512 bytes takes one of the two tensors: every parameter gets a buffer of its own.
  const small = { ...gpu.caps.limits, maxStorageBufferBindingSize: 512 };
  const losses: number[][] = [];
  for (const limits of [gpu.caps.limits, small]) {
    const { parameters, inputs, record } = model(limits);
    assert.equal(parameters.store.chunks("weights").length, limits === small ? 2 : 1);
    const optimizer = new AdamW(parameters, decayMatrices(0.1), { clipNorm: 0.5 });
    const step = await Step.compile(record, optimizer, { batch: 4 });
    for (let t = 0; t < 20; t++) await step.submit(0.05);
    losses.push((await step.readMetrics()).map(({ loss }) => loss!));
    assert.equal((await optimizer.readState()).steps, 20);
    step.destroy();
    optimizer.destroy();
    inputs.destroy();
    parameters.destroy();
  }
  // The norm is summed in another order.
  losses[0]!.forEach((loss, t) => assert.ok(Math.abs(loss - losses[1]![t]!) < 1e-5 * loss, `step ${t}`));
  assert.ok(losses[0]!.at(-1)! < losses[0]![0]! / 2);
});

Deno.test("the metric ring keeps the last steps and forgets older ones", async () => {
  const { parameters, inputs, record } = model();
  const optimizer = new AdamW(parameters, decayMatrices(0));
  const step = await Step.compile(record, optimizer, { batch: 4, ring: 4 });
  for (let t = 0; t < 6; t++) await step.submit(0.01);
  const all = await step.readMetrics();
  assert.equal(all.length, 4);
  assert.ok(all.every(({ loss }, i) => i === 0 || loss! < all[i - 1]!.loss!));
  assert.deepEqual(await step.readMetrics(), []);
  step.destroy();
  optimizer.destroy();
  inputs.destroy();
  parameters.destroy();
});

Deno.test("AdamW and schedules reject numbers that are none, before any dispatch", () => {
  const { parameters, inputs } = model();
  const optimizer = new AdamW(parameters, decayMatrices(0.1));
  for (const rate of [NaN, Infinity, -1]) assert.throws(() => optimizer.setLearningRate(rate), ConfigError);
  assert.throws(() => new AdamW(parameters, decayMatrices(NaN)), ConfigError);
  assert.throws(() => new AdamW(parameters, [{ match: (name) => name === "other" }]), /head\.weight/);
  const g = new Plan(gpu);
  for (const options of [{ beta1: 1 }, { beta2: NaN }, { eps: -1 }, { clipNorm: NaN }]) {
    assert.throws(() => new AdamW(parameters, decayMatrices(0), options).step(g), ConfigError);
  }
  assert.equal(g.dispatches.length, 0);
  for (const options of [{ base: NaN, total: 10 }, { base: 1, total: 0 }, { base: 1, total: 5, warmup: 6 }]) {
    assert.throws(() => cosineSchedule(options), ConfigError);
  }
  optimizer.destroy();
  inputs.destroy();
  parameters.destroy();
});

Deno.test("a training step rejects zero micro-batches and plans over their budget", async () => {
  const { parameters, inputs, record } = model();
  const optimizer = new AdamW(parameters, decayMatrices(0));
  await assert.rejects(Step.compile(record, optimizer, { batch: 4, accumulate: 0 }), ConfigError);
  await assert.rejects(Step.compile(record, optimizer, { batch: 4, budgetBytes: 100 }), LimitError);
  const g = new Plan(gpu);
  assert.throws(() => ringWrite(g, inputs.tensor("ring", "ring", [4, 2]), g.tensor([1]), 0), LimitError);
  optimizer.destroy();
  inputs.destroy();
  parameters.destroy();
});

Deno.test("cosineSchedule() warms up linearly and ends at its minimum", () => {
  const rate = cosineSchedule({ base: 1e-4, total: 10 });
  [[1, 9.755283e-5], [5, 5e-5], [9, 2.447174e-6], [10, 0]].forEach(([t, wanted]) =>
    assert.ok(Math.abs(rate(t!) - wanted!) < 1e-10)
  );
  const warm = cosineSchedule({ base: 1, warmup: 4, total: 8, min: 0.1 });
  assert.deepEqual([0, 1, 2, 3, 4].map(warm), [0.25, 0.5, 0.75, 1, 1]);
  assert.ok(Math.abs(warm(8) - 0.1) < 1e-12);
});
