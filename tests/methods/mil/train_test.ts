/** Training of models of bags next to PyTorch: the same start, bags and order, no dropout, 20 steps. */

import assert from "node:assert/strict";
import { macroAuc } from "../../../src/eval/classification.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { MilInference } from "../../../src/methods/mil/inference.ts";
import { createMil, type MilKind } from "../../../src/methods/mil/model.ts";
import { classGoal, type Goal, hazardGoal, numberGoal, riskGoal } from "../../../src/methods/mil/goal.ts";
import { type FeatureRow, milStep, stepBatch } from "../../../src/methods/mil/step.ts";
import { softmax } from "../../../src/methods/mil/task.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";
import { Step } from "../../../src/train/step.ts";
import fixture from "../../fixtures/mil_train.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { createTrainer, joined, type TrainBag } from "./driver.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const { width, hidden, classes, steps, runs, goals, intervals, clam_width } = fixture;

function wave(n: number, s: number, c: number): Float32Array {
  return Float32Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
}

/** Bag `n` of the fixture's script. */
function bag(n: number): TrainBag {
  const rows = n % 7 === 3 ? 1 : 1 + (37 * n) % 61;
  const label = (5 * n + Math.floor(n / 3)) % classes;
  const x = wave(rows * width, 0.3 + n, 1);
  for (let i = 0; i < rows; i++) x[i * width]! += 0.5 * label;
  return { x, label };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(runs)) {
    Deno.test(`20 steps give PyTorch's losses: ${name}, ${path}`, async () => {
      const { heads, batch, lr, weights } = run;
      const model = createMil(on, {
        kind: run.model as MilKind,
        dim: width,
        outputs: classes,
        hidden,
        heads,
        dropout: { features: 0, attention: 0 },
      });
      const { parameters } = model;
      parameters.allocate();
      parameters.load(
        new Map(
          parameters.state().map(([key, { shape, size }], place) => {
            return [key, { shape, data: wave(size, 1.1 * place, key.endsWith("weight") ? 0.5 : 0.1) }];
          }),
        ),
      );
      const trainer = await createTrainer(model, {
        rows: 61 * batch,
        batch,
        lr,
        steps,
        ...(weights && { weights }),
      });
      for (let t = 0; t < steps; t++) {
        await trainer.submit(Array.from({ length: batch }, (_, i) => bag(t * batch + i)));
      }
      const losses = await trainer.losses();
      assert.equal(losses.length, steps);
      losses.forEach((got, t) => {
        const wanted = run.losses[t]!;
        assert.ok(Math.abs(got - wanted) <= 1e-4, `loss of step ${t} is ${got}, PyTorch has ${wanted}`);
      });
      for (const [key, wanted] of Object.entries(run.final) as [string, number[]][]) {
        const [got] = await readback(on, parameters.get(key));
        // A step of AdamW is as long for a gradient of rounding size as for any other.
        wanted.forEach((value, i) => {
          assert.ok(Math.abs(got![i]! - value) <= 0.05 * lr, `${key}[${i}] is ${got![i]}, PyTorch has ${value}`);
        });
      }
      trainer.destroy();
    });
  }
}

/** What bag `n` of the fixture's script is observed to do. */
const followUp = (n: number) => ({
  time: 1 + (13 * n) % 17,
  event: n % 3 === 1 ? 0 : 1,
  interval: (3 * n) % intervals,
});

/** What a run of the fixture is trained for, over all bags it takes. */
function goalOf(goal: string, count: number): Goal {
  const all = Array.from({ length: count }, (_, n) => n);
  const follow = all.map(followUp);
  const events = follow.map(({ event }) => event);
  if (goal === "classes") return classGoal({ labels: all.map((n) => bag(n).label), classes });
  if (goal === "cox") return riskGoal({ times: follow.map(({ time }) => time), events }, "efron");
  if (goal === "hazards") return hazardGoal(follow.map(({ interval }) => interval), events, intervals);
  const data = Float64Array.from(all.flatMap((n) => [Math.sin(n), Math.cos(2 * n)]));
  return numberGoal({ rows: count, columns: 2, data });
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(goals)) {
    Deno.test(`20 steps give PyTorch's losses: ${name}, ${path}`, async () => {
      const { batch, lr } = run;
      const goal = goalOf(run.goal, steps * batch);
      const model = createMil(on, {
        kind: run.model as MilKind,
        dim: width,
        outputs: goal.outputs,
        hidden,
        width: clam_width,
        dropout: { features: 0, attention: 0 },
      });
      const { parameters } = model;
      parameters.allocate();
      const start = parameters.state().map(([key, { shape, size }], place) =>
        [key, { shape, data: wave(size, 1.1 * place, key.endsWith("weight") ? 0.5 : 0.1) }] as const
      );
      parameters.load(new Map(start));
      const optimizer = new AdamW(parameters, [{ match: () => true, weightDecay: 1e-5 }]);
      const rate = cosineSchedule({ base: lr, total: steps, min: 1e-8 });
      const step = await Step.compile<FeatureRow>(milStep(model, goal, { bags: batch }), optimizer, {
        batch,
        rows: 61 * batch,
        ring: steps,
      });
      for (let t = 0; t < steps; t++) {
        const picks = Array.from({ length: batch }, (_, i) => t * batch + i);
        await step.submit(rate(t), () => stepBatch(model, goal, joined(picks.map(bag), width, batch), picks));
      }
      const losses = (await step.readMetrics()).map(({ loss }) => loss!);
      assert.equal(losses.length, steps);
      losses.forEach((got, t) => {
        const wanted = run.losses[t]!;
        assert.ok(Math.abs(got - wanted) <= 1e-4, `loss of step ${t} is ${got}, PyTorch has ${wanted}`);
      });
      step.destroy();
      optimizer.destroy();
    });
  }
}

for (const [kind, wanted] of Object.entries(fixture.trained.probabilities) as [MilKind, number[]][]) {
  Deno.test(`trained to the end, ${kind} says of new bags what PyTorch's says, and has its AUC`, async () => {
    const { steps: total, lr, bags, test: [first, end] } = fixture.trained;
    const model = createMil(gpu, {
      kind,
      dim: width,
      outputs: classes,
      hidden,
      dropout: { features: 0, attention: 0 },
    });
    const { parameters } = model;
    parameters.allocate();
    const start = parameters.state().map(([key, { shape, size }], place) =>
      [key, { shape, data: wave(size, 1.1 * place, key.endsWith("weight") ? 0.5 : 0.1) }] as const
    );
    parameters.load(new Map(start));
    const trainer = await createTrainer(model, { rows: 61, batch: 1, lr, steps: total });
    for (let t = 0; t < total; t++) await trainer.submit([bag(t % bags)]);
    const inference = await MilInference.compile(model, 32);
    const said: number[] = [];
    const labels: number[] = [];
    for (let n = first!; n < end!; n++) {
      const { x, label } = bag(n);
      const read = (from: number, to: number) => Promise.resolve(x.slice(from * width, to * width));
      said.push(...softmax((await inference.run({ name: `bag ${n}`, count: x.length / width, read })).output));
      labels.push(label);
    }
    inference.destroy();
    trainer.destroy();
    const auc = (probabilities: readonly number[]) => macroAuc({ labels, probabilities, classes })!;
    assert.ok(auc(wanted) > 0.7, `PyTorch's AUC is ${auc(wanted)}`);
    assert.ok(Math.abs(auc(said) - auc(wanted)) <= 0.01, `AUC is ${auc(said)}, PyTorch has ${auc(wanted)}`);
    said.forEach((value, i) =>
      assert.ok(Math.abs(value - wanted[i]!) < 1e-3, `${i} is ${value}, PyTorch has ${wanted[i]}`)
    );
  });
}

Deno.test("a batch of bags trained in parts is the whole batch, whatever sizes bags have", async () => {
  for (const kind of ["gated", "meanmil"] as const) {
    const train = async (micro?: number) => {
      const model = createMil(gpu, { kind, dim: width, outputs: classes, hidden, seed: 3 });
      model.parameters.allocate();
      const trainer = await createTrainer(model, {
        rows: 122,
        batch: 3,
        lr: 1e-2,
        steps: 12,
        seed: 7,
        ...(micro && { micro }),
      });
      // From many rows to few, and a last batch that is not full.
      for (const bags of [[6, 13], [3, 10, 4], [1, 2, 0], [3], [8, 5]]) await trainer.submit(bags.map(bag));
      const losses = await trainer.losses();
      const weights = await readback(gpu, ...model.parameters.entries().map(([, tensor]) => tensor));
      trainer.destroy();
      return { losses, weights: weights.map((values) => [...values]) };
    };
    const [whole, parts] = [await train(), await train(16)];
    whole.losses.forEach((loss, t) =>
      assert.ok(Math.abs(loss - parts.losses[t]!) < 1e-5, `${kind}: loss of step ${t}`)
    );
    whole.weights.flat().forEach((value, i) => {
      assert.ok(Math.abs(value - parts.weights.flat()[i]!) < 2e-4, `${kind}: weight ${i}`);
    });
  }
});

Deno.test("a regression starts at the mean squared error of what the model says, and learns", async () => {
  const dropout = { features: 0, attention: 0 };
  const model = createMil(gpu, { kind: "abmil", dim: width, outputs: 2, hidden, seed: 3, dropout });
  model.parameters.allocate();
  const bags = [5, 6, 8].map(bag);
  const targets = bags.map(({ x }) => [x[0]! - x[1]!, 2]);
  const inference = await MilInference.compile(model, 64);
  let wanted = 0;
  for (const [b, { x }] of bags.entries()) {
    const read = (from: number, to: number) => Promise.resolve(x.slice(from * width, to * width));
    const { output } = await inference.run({ name: `bag ${b}`, count: x.length / width, read });
    targets[b]!.forEach((value, k) => wanted += (output[k]! - value) ** 2 / 6);
  }
  inference.destroy();
  const optimizer = new AdamW(model.parameters, [{ match: () => true }]);
  const goal = numberGoal({ rows: 3, columns: 2, data: Float64Array.from(targets.flat()) });
  const step = await Step.compile<FeatureRow>(milStep(model, goal, { bags: 4 }), optimizer, {
    batch: 4,
    rows: 4 * 61,
  });
  // One bag fewer than the step has room for.
  for (let t = 0; t < 40; t++) await step.submit(1e-2, () => stepBatch(model, goal, joined(bags, width, 4), [0, 1, 2]));
  const losses = (await step.readMetrics()).map(({ loss }) => loss!);
  assert.ok(Math.abs(losses[0]! - wanted) < 1e-5 * wanted, `first loss is ${losses[0]}, wanted ${wanted}`);
  assert.ok(losses[39]! < 0.2 * wanted, `the loss went from ${wanted} to ${losses[39]}`);
  step.destroy();
  optimizer.destroy();
});
