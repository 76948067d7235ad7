import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { Plan } from "../../src/graph/plan.ts";
import { submit } from "../../src/graph/program.ts";
import { Store, upload } from "../../src/graph/store.ts";
import { constant } from "../../src/nn/init.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { crossEntropy } from "../../src/ops/cross_entropy.ts";
import { linear } from "../../src/ops/linear.ts";
import { AdamW, decayMatrices } from "../../src/optim/adamw.ts";
import { LossScale, type LossScaleState } from "../../src/optim/loss_scale.ts";
import { Step } from "../../src/train/step.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** One weight vector whose gradients the test writes, scaled as a backward pass would have them. */
async function scaled(options: { initial?: number; interval?: number } | undefined) {
  const parameters = new Parameters(gpu);
  const w = parameters.add("w", [100], { init: constant(1) });
  parameters.allocate();
  const lossScale = options && new LossScale(gpu, options);
  const optimizer = new AdamW(parameters, decayMatrices(0), { clipNorm: 1, lossScale });
  const g = new Plan(gpu);
  optimizer.step(g);
  const update = await g.compile();
  return {
    lossScale,
    optimizer,
    w: async () => [...(await parameters.read()).get("w")!],
    write: (data: ArrayLike<number>) => upload(gpu, w, data),
    step(gradient: number) {
      optimizer.setLearningRate(0.01);
      upload(gpu, w.grad!, Float32Array.from({ length: 100 }, (_, i) => gradient * (1 + i / 100)));
      submit(gpu, [update]);
    },
    destroy() {
      update.destroy();
      optimizer.destroy();
      lossScale?.destroy();
      parameters.destroy();
    },
  };
}

/** The rule in plain words. */
function follow({ scale, clean }: LossScaleState, overflow: boolean, interval: number): LossScaleState {
  if (overflow) return { scale: scale / 2, clean: 0 };
  return clean + 1 === interval ? { scale: scale * 2, clean: 0 } : { scale, clean: clean + 1 };
}

const OVERFLOWS = [0, 1, 7, 8, 15, 29];

Deno.test("forced overflows halve the factor and leave the weights, clean steps double it, and no bit differs from unscaled steps", async () => {
  const [run, plain] = [await scaled({ initial: 65536, interval: 5 }), await scaled(undefined)];
  let wanted: LossScaleState = { scale: 65536, clean: 0 };
  const bad = [NaN, Infinity, -Infinity, 1e30];
  for (let t = 0; t < 40; t++) {
    const gradient = Math.cos(t) * 0.1;
    const overflow = OVERFLOWS.includes(t);
    run.step(overflow ? bad[t % 4]! : gradient * wanted.scale);
    if (!overflow) plain.step(gradient);
    wanted = follow(wanted, overflow, 5);
    assert.deepEqual(await run.lossScale!.read(), wanted, `step ${t}`);
  }
  const { steps, skipped, gradNorm } = await run.optimizer.readState();
  assert.deepEqual([steps, skipped], [34, 6]);
  assert.equal(gradNorm, (await plain.optimizer.readState()).gradNorm);
  assert.deepEqual(await run.w(), await plain.w());
  run.destroy();
  plain.destroy();
});

Deno.test("the factor stays within its limits", async () => {
  const high = await scaled({ initial: 2 ** 24, interval: 1 });
  high.step(1);
  assert.deepEqual(await high.lossScale!.read(), { scale: 2 ** 24, clean: 0 });
  high.lossScale!.write({ scale: 2 ** -16, clean: 0 });
  high.step(Infinity);
  assert.deepEqual(await high.lossScale!.read(), { scale: 2 ** -16, clean: 0 });
  high.destroy();
});

Deno.test("a run that is saved and resumed between overflows follows the uninterrupted one bit for bit", async () => {
  const gradients = Array.from({ length: 30 }, (_, t) => (OVERFLOWS.includes(t) ? Infinity : Math.sin(t + 1) * 1e4));
  const whole = await scaled({ initial: 1024, interval: 3 });
  for (const gradient of gradients) whole.step(gradient);
  for (const cut of [1, 9, 17]) {
    const first = await scaled({ initial: 1024, interval: 3 });
    for (const gradient of gradients.slice(0, cut)) first.step(gradient);
    const [state, optimizer, w] = [await first.lossScale!.read(), await first.optimizer.read(), await first.w()];
    first.destroy();
    const second = await scaled({ initial: 8, interval: 3 });
    second.lossScale!.write(JSON.parse(JSON.stringify(state)));
    second.optimizer.load(optimizer);
    second.write(w);
    for (const gradient of gradients.slice(cut)) second.step(gradient);
    assert.deepEqual(await second.w(), await whole.w());
    assert.deepEqual(await second.lossScale!.read(), await whole.lossScale!.read());
    assert.deepEqual(await second.optimizer.read(), await whole.optimizer.read());
    second.destroy();
  }
  whole.destroy();
});

async function train(dtype: "f32" | "f16", initial: number | undefined, steps: number) {
  const parameters = new Parameters(gpu);
  const weight = parameters.add("head.weight", [10, 8], { init: constant(0.1) });
  const bias = parameters.add("head.bias", [10], { init: constant(0) });
  parameters.allocate();
  const inputs = new Store(gpu);
  const values = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
  const x = inputs.from("input", "x", [4, 8], values, dtype);
  const labels = inputs.from("input", "labels", [4], [0, 3, 5, 9], "u32");
  const lossScale = initial === undefined ? undefined : new LossScale(gpu, { initial });
  const optimizer = new AdamW(parameters, decayMatrices(0.1), { clipNorm: 1, lossScale });
  const step = await Step.compile(
    {
      parameters,
      objective: (g) => ({ loss: crossEntropy(g, linear(g, x, { weight, bias }), labels) }),
    },
    optimizer,
    { batch: 4, accumulate: 2 },
  );
  for (let t = 0; t < steps; t++) await step.submit(0.05);
  const result = {
    losses: (await step.readMetrics()).map(({ loss }) => loss!),
    state: await optimizer.readState(),
    scale: await lossScale?.read(),
  };
  for (const thing of [step, optimizer, inputs, parameters, ...(lossScale ? [lossScale] : [])]) thing.destroy();
  return result;
}

Deno.test("a training step with a scaled loss gives the same losses in f32", async () => {
  const [plain, with16] = [await train("f32", undefined, 12), await train("f32", 65536, 12)];
  assert.deepEqual(with16.losses, plain.losses);
  assert.equal(with16.state.gradNorm, plain.state.gradNorm);
  assert.deepEqual(with16.scale, { scale: 65536, clean: 12 });
});

Deno.test({
  name: "with f16 gradients that overflow, the factor comes down until the run trains",
  ignore: !gpu.caps.f16,
  async fn() {
    const plain = await train("f32", undefined, 30);
    const { losses, state, scale } = await train("f16", 2 ** 22, 30);
    assert.ok(state.skipped >= 3 && state.skipped <= 8, `${state.skipped} skipped`);
    assert.equal(state.steps + state.skipped, 30);
    assert.equal(scale!.scale, 2 ** 22 / 2 ** state.skipped);
    // As far as the unscaled run was by as many steps.
    const last = losses.at(-1)!;
    const same = plain.losses[29 - state.skipped]!;
    assert.ok(Math.abs(last - same) < 0.02 * same, `${last} after skipping, ${same} without`);
  },
});

Deno.test("LossScale rejects what is no power of two, and states it cannot have had", () => {
  for (const initial of [0, -1, 3, NaN, Infinity, 2 ** 25, 2 ** -17]) {
    assert.throws(() => new LossScale(gpu, { initial }), ConfigError);
  }
  for (const interval of [0, 1.5, NaN]) assert.throws(() => new LossScale(gpu, { interval }), ConfigError);
  const scale = new LossScale(gpu, { interval: 3 });
  for (const clean of [-1, 3, 0.5, NaN]) assert.throws(() => scale.write({ scale: 1, clean }), ConfigError);
  scale.destroy();
});
