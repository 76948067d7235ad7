/**
 * Models of bags and survival losses next to PyTorch in float64, with all digits: 1e-9 of what is computed in float64 on the host,
 * 1e-5 of the device on both kernel paths; all gradients.
 */

import assert from "node:assert/strict";
import { backwardFrom, type Gradients } from "../../../src/autodiff/backward.ts";
import { ShapeError } from "../../../src/core/errors.ts";
import { CoxLoss } from "../../../src/eval/cox_loss.ts";
import { discreteLikelihood, discreteRisk, intervalsOf, intervalStarts } from "../../../src/eval/discrete_survival.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { coxLoss, coxTables } from "../../../src/losses/cox.ts";
import { discreteSurvivalLoss, intervalTables } from "../../../src/losses/discrete_survival.ts";
import { attend } from "../../../src/methods/mil/attention.ts";
import { classGoal, instanceWeights } from "../../../src/methods/mil/goal.ts";
import { createMil, type MilKind } from "../../../src/methods/mil/model.ts";
import { instanceTargets } from "../../../src/ops/instance_targets.ts";
import type { Parameters } from "../../../src/nn/parameters.ts";
import fixture from "../../fixtures/mil_vectors.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { milRef, numericGradients, type RefModel } from "../../ref/mil.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const [HOST, DEVICE] = [1e-9, 1e-5];

function near(name: string, got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  assert.equal(got.length, wanted.length, name);
  for (let i = 0; i < wanted.length; i++) {
    assert.ok(Math.abs(got[i]! - wanted[i]!) <= tolerance, `${name}: element ${i} is ${got[i]}, wanted ${wanted[i]}`);
  }
}

/** Entry k of the tensor with seed s and scale c is c sin(1.7 k + s). */
const wave = (n: number, s: number, c = 1) => Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));

/** Seeds and scales of the parameters of the fixture's script. */
const WAVES: Readonly<Record<string, readonly [seed: number, scale: number]>> = {
  "rows.weight": [1.1, 0.5],
  "rows.bias": [2.2, 0.1],
  "attention.0.V.weight": [3.3, 0.5],
  "attention.0.V.bias": [4.4, 0.1],
  "attention.0.U.weight": [0.9, 0.5],
  "attention.0.U.bias": [1.9, 0.1],
  "attention.0.w.weight": [5.5, 0.7],
  "slide.weight": [6.6, 0.5],
  "slide.bias": [7.7, 0.1],
  "output.weight": [8.8, 0.5],
  "output.bias": [9.9, 0.1],
  "instances.weight": [10.1, 0.5],
  "instances.bias": [11.2, 0.1],
};

const parameter = (name: string, size: number): number[] =>
  name === "attention.0.w.bias" ? [0.05] : wave(size, ...WAVES[name]!);

interface Vector {
  readonly weights: readonly number[];
  readonly logits: readonly number[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

interface Case {
  readonly name: string;
  readonly kind: MilKind;
  readonly rows: number;
  readonly classes: number;
  readonly label: number;
  readonly vector: Vector;
}

const CASES: readonly Case[] = [
  { name: "ABMIL", kind: "abmil", rows: 5, classes: 3, label: 2, vector: fixture.abmil },
  { name: "gated ABMIL", kind: "gated", rows: 5, classes: 3, label: 2, vector: fixture.gated },
  ...fixture.clam.map((vector): Case => ({
    name: `CLAM-SB of ${vector.classes} classes`,
    kind: "clam",
    rows: 17,
    classes: vector.classes,
    label: vector.label,
    vector,
  })),
];

const INSTANCES = { share: 0.3, count: 3 };
const WIDTH = 6;

for (const { name, kind, rows, classes, label, vector } of CASES) {
  Deno.test(`${name} in float64 on the host is PyTorch's, with all gradients`, () => {
    const model: RefModel = { kind, rows, dim: 4, hidden: 3, width: kind === "clam" ? WIDTH : 4, classes };
    const values = new Map(
      Object.entries(vector.gradients).map(([key, { length }]) => [
        key,
        key === "x" ? wave(length, 0.3) : parameter(key, length),
      ]),
    );
    const said = milRef(model, values, label, INSTANCES);
    near("weights", said.weights, vector.weights, HOST);
    near("logits", said.logits, vector.logits, HOST);
    near("loss", [said.loss], [vector.loss], HOST);
    const gradients = numericGradients(values, (at) => milRef(model, at, label, INSTANCES).loss);
    for (const [key, wanted] of Object.entries(vector.gradients)) near(`d${key}`, gradients.get(key)!, wanted, HOST);
  });
}

async function onDevice(
  on: Gpu,
  parameters: Parameters | undefined,
  inputs: Readonly<Record<string, { shape: number[]; data: ArrayLike<number>; fixed?: true; u32?: true }>>,
  record: (g: Plan, t: Record<string, Tensor>, store: Store) => Record<string, Tensor> & { loss: Tensor },
): Promise<(name: string) => number[]> {
  const store = new Store(on);
  const t: Record<string, Tensor> = {};
  for (const [name, { shape, data, fixed, u32 }] of Object.entries(inputs)) {
    t[name] = store.from(name, name, shape, data, u32 ? "u32" : "f32");
    t[name]!.requiresGrad = !u32 && !fixed;
  }
  const g = new Plan(on);
  const named = record(g, t, store);
  const gradients: Gradients = backwardFrom(g, named.loss);
  for (const [name, tensor] of Object.entries(t)) {
    const of = tensor.requiresGrad ? gradients.of(tensor) : undefined;
    if (of) named[`d${name}`] = of;
  }
  g.output(...Object.values(named));
  const program = await g.compile({ clearGradients: true });
  program.poison();
  program.run();
  const own = parameters?.trainableEntries() ?? [];
  const names = [...Object.keys(named), ...own.map(([name]) => `d${name}`)];
  const values = await readback(on, ...Object.values(named), ...own.map(([, tensor]) => tensor.grad!));
  program.destroy();
  store.destroy();
  return (name) => {
    assert.ok(names.includes(name), `${name} is one of ${names}`);
    return [...values[names.indexOf(name)]!];
  };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const { name, kind, rows, classes, label, vector } of CASES) {
    Deno.test(`${name} on the device is PyTorch's, with all gradients: ${path}`, async () => {
      const model = createMil(on, {
        kind,
        dim: 4,
        outputs: classes,
        hidden: 3,
        width: WIDTH,
        dropout: { features: 0, attention: 0 },
      });
      const { parameters } = model;
      parameters.allocate();
      parameters.load(
        new Map(
          parameters.state().map((
            [key, { shape, size }],
          ) => [key, { shape, data: Float32Array.from(parameter(key, size)) }]),
        ),
      );
      const goal = classGoal({ labels: [label], classes, instances: INSTANCES });
      const { target, instance } = goal.values([0], 1);
      const got = await onDevice(on, parameters, {
        x: { shape: [rows, 4], data: wave(4 * rows, 0.3) },
        bound: { shape: [2], data: [0, rows], u32: true },
        target: { shape: [1, classes], data: target!, fixed: true },
        instance: { shape: [1, classes, 2], data: instance!, fixed: true },
      }, (g, t) => {
        const h = model.embed(g, t.x!, true);
        const scores = model.scores(g, h, true);
        const { weights, pooled } = attend(g, h, scores, { bound: t.bound! });
        const { output } = model.head(g, pooled, true);
        const said = { output, scores, bound: t.bound!, instances: model.instances?.(g, h) };
        return { weights, output, loss: goal.loss(g, said, { target: t.target!, instance: t.instance! }) };
      });
      near("weights", got("weights"), vector.weights, DEVICE);
      near("logits", got("output"), vector.logits, DEVICE);
      near("loss", got("loss"), [vector.loss], DEVICE);
      for (const [key, wanted] of Object.entries(vector.gradients)) near(`d${key}`, got(`d${key}`), wanted, DEVICE);
      parameters.destroy();
    });
  }

  for (const ties of ["breslow", "efron"] as const) {
    Deno.test(`Cox's likelihood by ${ties} on the device is PyTorch's, with its gradient: ${path}`, async () => {
      const { times, events, eta, loss, gradient } = fixture.cox[ties];
      // Room for more cases than there are.
      const tables = coxTables({ times, events }, { ties, size: 11 });
      const got = await onDevice(on, undefined, {
        eta: { shape: [11, 1], data: [...eta, 3, -2, 1] },
        risk: { shape: [11, 11], data: tables.risk, fixed: true },
        target: { shape: [11, 11], data: tables.target, fixed: true },
        offset: { shape: [1], data: tables.offset, fixed: true },
      }, (g, t) => ({ loss: coxLoss(g, t.eta!, { risk: t.risk!, target: t.target!, offset: t.offset! }) }));
      near("loss", got("loss"), [loss], DEVICE);
      near("gradient", got("deta"), [...gradient, 0, 0, 0], DEVICE);
    });
  }

  Deno.test(`discrete survival on the device is PyTorch's, with its gradient: ${path}`, async () => {
    const { logits, intervals, events, mean, gradient } = fixture.discrete;
    const tables = intervalTables(intervals, events, { count: 4 });
    const got = await onDevice(on, undefined, {
      x: { shape: [3, 4], data: logits },
      entered: { shape: [3, 4], data: tables.entered, fixed: true },
      failed: { shape: [3, 4], data: tables.failed, fixed: true },
    }, (g, t) => ({ loss: discreteSurvivalLoss(g, t.x!, { entered: t.entered!, failed: t.failed! }) }));
    near("loss", got("loss"), [mean], DEVICE);
    near("gradient", got("dx"), gradient, DEVICE);
  });
}

Deno.test("Cox's likelihood in float64 is PyTorch's, with its gradient", () => {
  for (const ties of ["breslow", "efron"] as const) {
    const { times, events, eta, loss, gradient } = fixture.cox[ties];
    const own = new CoxLoss({ times, events }, ties);
    const at = own.at(Float64Array.from(eta));
    near(ties, [at.value / own.events], [loss], HOST);
    near(`gradient, ${ties}`, at.gradient.map((value) => value / own.events), gradient, HOST);
  }
});

Deno.test("discrete survival in float64 is PyTorch's: cases, gradient and risk", () => {
  const { logits, intervals, events, cases, mean, gradient, risks } = fixture.discrete;
  const got = discreteLikelihood(logits, 4, { intervals, events });
  near("cases", got.cases, cases, HOST);
  near("mean", [got.mean], [mean], HOST);
  near("gradient", got.gradient, gradient, HOST);
  near("risks", [0, 4, 8].map((at) => discreteRisk(logits.slice(at, at + 4))), risks, HOST);
  assert.deepEqual(got.cases.map((value) => Number(value.toFixed(6))), Float64Array.of(1.652494, 3.149255, 0.693147));
});

Deno.test("intervals begin at quantiles of the event times, as numpy has them", () => {
  const follow = { times: [5, 1, 8, 3, 6, 2, 7, 6], events: [1, 1, 0, 1, 1, 0, 1, 0] };
  const starts = intervalStarts(follow, 4);
  assert.deepEqual([...starts], [3, 5, 6]);
  assert.deepEqual(intervalsOf([0, 2.9, 3, 5, 5.5, 6, 100], starts), [0, 0, 1, 2, 2, 3, 3]);
  assert.throws(() => intervalStarts({ times: [1], events: [0] }, 4), /no case has an event/);
});

Deno.test("of two classes instances are of the bag's; of more the highest are none of the others", () => {
  assert.deepEqual([...instanceWeights([1], { classes: 2, size: 2 })], [0, 0, 1, 0, 0, 0, 0, 0]);
  const third = Math.fround(1 / 3);
  assert.deepEqual([...instanceWeights([1], { classes: 3, size: 1 })], [0, third, third, 0, 0, third]);
  assert.deepEqual([...instanceWeights([0, 1], { classes: 2, size: 2, weights: [4, 1] })], [2, 0, 0, 0, 0, 0, 0.5, 0]);
});

Deno.test("tables and targets refuse what does not fit, before any dispatch", () => {
  assert.throws(() => coxTables({ times: [1, 2], events: [1] }), /2 times and 1 events/);
  assert.throws(() => coxTables({ times: [1, 2], events: [1, 0] }, { size: 1 }), /wanted up to 1/);
  assert.throws(() => intervalTables([4], [1], { count: 4 }), /case 0 is in 4, wanted 0 to 3/);
  assert.throws(() => intervalTables([0.5], [1], { count: 4 }), /case 0 is in 0.5/);
  const g = new Plan(gpu);
  const tensor = (shape: number[], dtype: "f32" | "u32" = "f32") => g.tensor(shape, dtype, "t");
  const targets = (scores: number[], weights: number[], k: number) =>
    instanceTargets(g, tensor(scores), tensor([3], "u32"), tensor(weights), k);
  assert.throws(() => targets([9], [2, 2, 2], 0), /k is 0, wanted a whole number above 0/);
  assert.throws(() => targets([9, 1], [2, 2, 2], 8), ShapeError);
  assert.throws(() => targets([9], [1, 2, 2], 8), ShapeError);
  const [risk, offset] = [tensor([3, 3]), tensor([1])];
  assert.throws(() => coxLoss(g, tensor([2, 1]), { risk, target: risk, offset }), ShapeError);
  assert.throws(() => coxLoss(g, tensor([3]), { risk, target: risk, offset }), ShapeError);
  assert.throws(
    () => discreteSurvivalLoss(g, tensor([3, 4]), { entered: tensor([3, 4]), failed: tensor([3, 3]) }),
    ShapeError,
  );
});
