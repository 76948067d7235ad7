/** Experts and router next to PyTorch and to numbers worked in float64. */

import assert from "node:assert/strict";
import { backwardFrom } from "../../../src/autodiff/backward.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { softClip } from "../../../src/losses/contrastive/soft_clip.ts";
import { type BankResult, ExpertBank, type Router } from "../../../src/methods/spade/bank.ts";
import {
  createExpert,
  type ExpertShape,
  expertShapes,
  type ExpertValues,
  loadExpert,
  readExpert,
  startValues,
} from "../../../src/methods/spade/expert.ts";
import { expertStep } from "../../../src/methods/spade/training.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";
import { Step } from "../../../src/train/step.ts";
import fixture from "../../fixtures/spade_train.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { configOf } from "./driver.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

function wave(n: number, s: number, c: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
}

function near(got: ArrayLike<number>, wanted: ArrayLike<number>, within: number, what: string): void {
  assert.equal(got.length, wanted.length, what);
  for (let i = 0; i < got.length; i++) {
    assert.ok(Math.abs(got[i]! - wanted[i]!) <= within, `${what} ${i} is ${got[i]}, wanted ${wanted[i]}`);
  }
}

/** Values by the formula of the fixture's script. */
function wavesOf(shape: ExpertShape): ExpertValues {
  return new Map([...expertShapes(shape)].map(([name, extents], place) => {
    const n = extents.reduce((a, b) => a * b, 1);
    const kind = name.split(".")[1]!;
    const data = kind.startsWith("ln")
      ? new Float32Array(n).fill(kind === "ln_g" ? 1 : 0)
      : wave(n, 1.1 * place, kind[0] === "w" ? 0.5 : 0.1);
    return [name, { shape: extents, data }];
  }));
}

const { image: d, genes: G, width, batch, pairs, steps, decay } = fixture;
const SHAPE: ExpertShape = { inputs: { img: d, gene: G }, width, dropout: 0 };

function pair(n: number): { image: Float32Array; gene: Float32Array } {
  const image = wave(d, 0.3 + n, 1);
  const gene = wave(G, 0.7 + 1.3 * n, 1);
  return { image, gene: gene.map((value, k) => value + 0.5 * image[k % d]!) };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(fixture.runs)) {
    Deno.test(`30 steps of an expert give PyTorch's losses: ${name}, ${path}`, async () => {
      const parameters = new Parameters(on);
      const expert = createExpert(parameters, "expert", SHAPE);
      parameters.allocate();
      const optimizer = new AdamW(parameters, [{ match: () => true, weightDecay: decay }]);
      loadExpert(parameters, expert, wavesOf(SHAPE));
      const config = configOf({ loss_temperature: run.T });
      const step = await Step.compile(expertStep({ parameters, config }, expert, batch), optimizer, {
        batch,
        ring: steps,
      });
      const rate = cosineSchedule({ base: run.lr, total: steps, min: 0 });
      for (let t = 0; t < steps; t++) {
        const own = Array.from({ length: batch }, (_, i) => pair((t * batch + i) % pairs));
        const image = Float32Array.from(own.flatMap(({ image }) => [...image]));
        const gene = Float32Array.from(own.flatMap(({ gene }) => [...gene]));
        await step.submit(rate(t), () => ({ fields: { image, gene } }));
      }
      const losses = (await step.readMetrics()).map(({ loss }) => loss!);
      assert.equal(losses.length, steps);
      losses.forEach((got, t) => {
        const wanted = run.losses[t]!;
        const off = Math.abs(got - wanted) / wanted;
        assert.ok(off <= 1e-5, `loss of step ${t} is ${got}, PyTorch has ${wanted}: ${off}`);
      });
      const values = await readExpert(parameters, expert);
      for (const [key, wanted] of Object.entries(run.final)) {
        near(values.get(key)!.data.subarray(0, wanted.length), wanted, 0.05 * run.lr, key);
      }
      step.destroy();
      optimizer.destroy();
      parameters.destroy();
    });
  }

  Deno.test(`the loss of soft targets and its gradients, through the targets and not: ${path}`, async () => {
    for (const { T, detach, loss, image, gene } of fixture.worked.loss) {
      const store = new Store(on);
      const a = store.from("a", "a", [3, 2], [1, 0.5, -0.5, 1, 0.2, -1.2]);
      const b = store.from("b", "b", [3, 2], [0.8, 0.1, -0.2, 0.9, 0.4, -0.7]);
      for (const tensor of [a, b]) {
        tensor.requiresGrad = true;
        tensor.grad = store.tensor("grad", "grad", [3, 2]);
      }
      store.allocate();
      const g = new Plan(on);
      const l = softClip(g, a, b, { temperature: T, targetTemperature: 1 / T, detachTargets: detach, l2Norm: false });
      backwardFrom(g, l);
      g.output(l);
      const program = await g.compile();
      program.run();
      const [value, da, db] = await readback(on, l, a.grad!, b.grad!);
      near(value!, [loss], 1e-6, `loss at ${T}`);
      near(da!, image, 1e-6, `gradient of images at ${T}, detached ${detach}`);
      near(db!, gene, 1e-6, `gradient of genes at ${T}, detached ${detach}`);
      program.destroy();
      store.destroy();
    }
    // The published worked numbers are these.
    near([fixture.worked.loss[0]!.loss, fixture.worked.loss[2]!.loss], [0.87071, 1.386451], 1e-6, "worked loss");
  });
}

/** A router of four centroids, whose experts say one number each: their index behind a head that is constant. */
const CENTROIDS = Float32Array.from([0, 0, 1, 0, 0, 1, 3, 3]);

function router(temperature: number): Router {
  return { centroids: CENTROIDS, table: [0, 1, 0, 2], experts: 3, radius: [1, 1, 1, 1], temperature };
}

const SMALL: ExpertShape = { inputs: { img: 2, gene: 2 }, width: 4, dropout: 0 };

Deno.test("the router's weights and entropies, at both temperatures", async () => {
  const rows = Float32Array.from([0.5, 0.1, 0.2, 0.3, 2, 2]);
  const wanted = [
    [0.1, [0.50138, 0.49862, 0, 0.99306, 0.00694, 0, 0.00027, 0.000269, 0.99946], [0.693143, 0.041411, 0.004974]],
    [1, [0.606148, 0.380096, 0.013756, 0.725739, 0.261685, 0.012576, 0.321687, 0.207136, 0.471176], [
      0.730098,
      0.638498,
      1.045532,
    ]],
  ] as const;
  const values = [0, 1, 2].map((e) => startValues(SMALL, 3, `e.${e}`));
  for (const [temperature, weights, entropy] of wanted) {
    const bank = await ExpertBank.compile(gpu, { router: router(temperature), shape: SMALL, values });
    const { img, routing } = await bank.run(rows);
    near(routing.weights, weights, 2e-6, "weight");
    near(routing.entropy, entropy, 5e-6, "entropy");
    assert.deepEqual([...routing.nearest], [0, 0, 3]);
    assert.deepEqual([...routing.outside], [0, 0, 1]);
    // What comes out is the weighted sum of what each expert says alone.
    const sum = new Float64Array(img.length);
    for (const [e, value] of values.entries()) {
      const alone = await ExpertBank.compile(gpu, {
        router: { ...router(1), table: [0, 0, 0, 0], experts: 1 },
        shape: SMALL,
        values: [value],
      });
      (await alone.run(rows)).img.forEach((y, i) => sum[i]! += routing.weights[Math.floor(i / 4) * 3 + e]! * y);
      alone.destroy();
    }
    near(img, sum, 1e-5, "embedding");
    bank.destroy();
  }
});

Deno.test("weights sum to one and are finite far away and on a centroid", async () => {
  const values = [0, 1, 2].map((e) => startValues(SMALL, 3, `e.${e}`));
  const bank = await ExpertBank.compile(gpu, { router: router(0.1), shape: SMALL, values });
  const { img, routing } = await bank.run(Float32Array.from([1e4, 0, -1e4, 1e4, 3, 3, 0, 0]));
  for (let r = 0; r < 4; r++) {
    const sum = routing.weights.subarray(3 * r, 3 * r + 3).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) <= 1e-6, `weights of row ${r} sum to ${sum}`);
  }
  assert.ok([...img, ...routing.weights, ...routing.entropy, ...routing.distance].every(Number.isFinite));
  near(routing.distance.subarray(2), [0, 0], 1e-3, "distance of a centroid to itself");
  bank.destroy();
});

Deno.test(
  "heads in f16 behind a router in f32 say the same within 2e-3, and route the same",
  { ignore: !gpu.caps.f16 },
  async () => {
    const [dim, rows] = [32, 40];
    const shape: ExpertShape = { inputs: { img: dim, gene: 2 }, width: 16, dropout: 0 };
    const values = [0, 1, 2].map((e) => startValues(shape, 5, `e.${e}`));
    const centroids = wave(4 * dim, 0.4, 3);
    const x = wave(rows * dim, 1.9, 1).map((value, i) => value + centroids[Math.floor(i / dim) % 4 * dim + i % dim]!);
    const made: BankResult[] = [];
    for (const half of [false, true]) {
      const options = { router: { ...router(0.1), centroids }, shape, values, half };
      const bank = await ExpertBank.compile(gpu, options);
      made.push(await bank.run(Float32Array.from(x)));
      bank.destroy();
    }
    const [full, halves] = made as [BankResult, BankResult];
    assert.deepEqual(halves.routing, full.routing);
    const size = Math.hypot(...full.img);
    const off = Math.hypot(...full.img.map((value, i) => value - halves.img[i]!)) / size;
    assert.ok(off > 0 && off <= 2e-3, `f16 is off by ${off}`);
  },
);

Deno.test("a head's worked numbers", async () => {
  const shape: ExpertShape = { inputs: { img: 3, gene: 3 }, width: 3, dropout: 0 };
  const values: ExpertValues = new Map([...startValues(shape, 0, "x")].map(([name, value]) => {
    const made = { "img.w1": [0.1, 0.6], "img.w2": [0.7, 0.6], "img.b1": [2.1, 0.1], "img.b2": [2.9, 0.1] }[name];
    return [name, made ? { ...value, data: wave(value.data.length, made[0]!, made[1]!) } : value];
  }));
  const even: Router = { centroids: new Float32Array(3), table: [0], experts: 1, radius: [Infinity], temperature: 1 };
  const bank = await ExpertBank.compile(gpu, { router: even, shape, values: [values] });
  const { img } = await bank.run(wave(6, 1.3, 1));
  near(img, fixture.worked.head, 2e-6, "head");
  near(fixture.worked.head, [1.412338, -0.643267, -0.769072, 1.297473, -0.161496, -1.135977], 1e-6, "worked head");
  bank.destroy();
});
