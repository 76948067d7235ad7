/** Attention over bags next to PyTorch in float64: worked numbers of gated and ungated attention, masked rows, class weights. */

import assert from "node:assert/strict";
import { backwardFrom, type Gradients } from "../../../src/autodiff/backward.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { attend, createAttention } from "../../../src/methods/mil/attention.ts";
import { createMil, type MilKind } from "../../../src/methods/mil/model.ts";
import { classTargets, classWeights, squaredError, targetCrossEntropy } from "../../../src/methods/mil/objective.ts";
import { applyLinear } from "../../../src/nn/layers.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { torchLinear } from "../../../src/nn/sequential.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
/** The numbers have six decimals. */
const CLOSE = 1e-5;

function near(name: string, got: ArrayLike<number>, wanted: readonly number[], tolerance = CLOSE): void {
  assert.equal(got.length, wanted.length, name);
  wanted.forEach((value, i) => {
    assert.ok(Math.abs(got[i]! - value) <= tolerance, `${name}: element ${i} is ${got[i]}, wanted ${value}`);
  });
}

/** Runs a plan with a loss once and reads what it names; gradients of parameters and inputs by `d` and the name. */
async function evaluate(
  on: Gpu,
  parameters: Parameters,
  inputs: Readonly<Record<string, { shape: number[]; data: ArrayLike<number>; u32?: true }>>,
  record: (g: Plan, t: Record<string, Tensor>) => Record<string, Tensor> & { loss: Tensor },
): Promise<(name: string) => number[]> {
  const store = new Store(on);
  const t: Record<string, Tensor> = {};
  for (const [name, { shape, data, u32 }] of Object.entries(inputs)) {
    t[name] = store.from(name, name, shape, data, u32 ? "u32" : "f32");
    t[name]!.requiresGrad = !u32;
  }
  const g = new Plan(on);
  const named = record(g, t);
  const gradients: Gradients = backwardFrom(g, named.loss);
  for (const [name, tensor] of Object.entries(t)) {
    const of = tensor.requiresGrad ? gradients.of(tensor) : undefined;
    if (of) named[`d${name}`] = of;
  }
  g.output(...Object.values(named));
  const program = await g.compile({ clearGradients: true });
  program.poison();
  program.run();
  const names = [...Object.keys(named), ...parameters.trainableEntries().map(([name]) => `d${name}`)];
  const tensors = [...Object.values(named), ...parameters.trainableEntries().map(([, tensor]) => tensor.grad!)];
  const values = await readback(on, ...tensors);
  program.destroy();
  store.destroy();
  return (name) => {
    assert.ok(names.includes(name), `${name} is one of ${names}`);
    return [...values[names.indexOf(name)]!];
  };
}

function load(parameters: Parameters, values: Readonly<Record<string, number[]>>): void {
  parameters.load(new Map(parameters.state().map(([name, { shape }]) => [name, { shape, data: values[name]! }])));
}

for (const { path, on } of kernelPaths(gpu)) {
  const attention = async (mask?: number[]) => {
    const parameters = new Parameters(on);
    const options = { width: 2, hidden: 2, heads: 1, gated: true, dropout: 0 };
    const gate = createAttention(parameters, "a", options);
    const classifier = torchLinear(parameters, "c", [2, 2], undefined);
    parameters.allocate();
    load(parameters, {
      "a.0.V.weight": [0.5, -0.2, 0.1, 0.3],
      "a.0.V.bias": [0.1, -0.1],
      "a.0.U.weight": [0.2, 0.4, -0.3, 0.1],
      "a.0.U.bias": [0, 0.2],
      "a.0.w.weight": [1, -0.5],
      "a.0.w.bias": [0],
      "c.weight": [0.6, -0.4, -0.2, 0.5],
      "c.bias": [0.05, -0.05],
    });
    const inputs = {
      H: { shape: [3, 2], data: [1, 0, 0, 2, 1, 1] },
      bound: { shape: [2], data: [0, 3], u32: true as const },
      ...(mask && { mask: { shape: [3], data: mask, u32: true as const } }),
      target: { shape: [1, 2], data: classTargets([1], { classes: 2 }) },
    };
    return await evaluate(on, parameters, inputs, (g, t) => {
      const scores = gate.scores(g, t.H!, true);
      const { weights, pooled } = attend(g, t.H!, scores, { bound: t.bound!, mask: t.mask });
      const logits = applyLinear(g, classifier, pooled.reshape([1, 2]));
      return { scores, weights, pooled, logits, loss: targetCrossEntropy(g, logits, t.target!) };
    });
  };

  Deno.test(`gated attention with biases is PyTorch's, with its gradients: ${path}`, async () => {
    const got = await attention();
    near("scores", got("scores"), [0.295288, -0.339330, 0.172488]);
    near("weights", got("weights"), [0.414151, 0.219557, 0.366292]);
    near("pooled", got("pooled"), [0.780443, 0.805406]);
    near("logits", got("logits"), [0.196103, 0.196614]);
    near("loss", got("loss"), [0.692892]);
    near("dH", got("dH"), [0.202616, -0.204279, 0.032523, -0.056363, 0.146506, -0.164803]);
    near("dV", got("da.0.V.weight"), [0.072991, -0.235493, -0.044300, 0.087799]);
    near("db_V", got("da.0.V.bias"), [-0.044782, -0.000389]);
    near("dU", got("da.0.U.weight"), [0.024790, 0.023254, -0.000003, 0.020706]);
    near("db_U", got("da.0.U.bias"), [0.036412, 0.010351]);
    near("dw", got("da.0.w.weight"), [0.092563, -0.051590]);
    near("db_w", got("da.0.w.bias"), [0], 0);
    near("dW_c", got("dc.weight"), [0.390122, 0.402600, -0.390122, -0.402600]);
    near("db_c", got("dc.bias"), [0.499872, -0.499872]);
  });

  Deno.test(`a masked row gets no attention and no gradient: ${path}`, async () => {
    const got = await attention([1, 0, 1]);
    near("weights", got("weights"), [0.530661, 0, 0.469339]);
    near("pooled", got("pooled"), [1, 0.469339]);
    near("dH of the masked row", got("dH").slice(2, 4), [0, 0], 0);
  });

  /** Entry k of the tensor with seed s and scale c is c sin(1.7 k + s). */
  const wave = (n: number, s: number, c = 1) => Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
  const model = async (kind: MilKind, padding = 0) => {
    const mil = createMil(on, { kind, dim: 4, outputs: 3, hidden: 3, dropout: { features: 0, attention: 0 } });
    mil.parameters.allocate();
    load(mil.parameters, {
      "rows.weight": wave(16, 1.1, 0.5),
      "rows.bias": wave(4, 2.2, 0.1),
      "attention.0.V.weight": wave(12, 3.3, 0.5),
      "attention.0.V.bias": wave(3, 4.4, 0.1),
      "attention.0.U.weight": wave(12, 0.9, 0.5),
      "attention.0.U.bias": wave(3, 1.9, 0.1),
      "attention.0.w.weight": wave(3, 5.5, 0.7),
      "attention.0.w.bias": [0.05],
      "slide.weight": wave(16, 6.6, 0.5),
      "slide.bias": wave(4, 7.7, 0.1),
      "output.weight": wave(12, 8.8, 0.5),
      "output.bias": wave(3, 9.9, 0.1),
    });
    const inputs = {
      x: { shape: [5 + padding, 4], data: [...wave(20, 0.3), ...wave(4 * padding, 2, 9)] },
      bound: { shape: [2], data: [0, 5], u32: true as const },
      target: { shape: [1, 3], data: classTargets([2], { classes: 3 }) },
    };
    return await evaluate(on, mil.parameters, inputs, (g, t) => {
      const out = mil.forward(g, t.x!, { bound: t.bound! }, true);
      return { ...out, loss: targetCrossEntropy(g, out.output, t.target!) };
    });
  };
  const norm = (x: readonly number[]) => Math.hypot(...x);

  Deno.test(`ABMIL is PyTorch's, with its gradients: ${path}`, async () => {
    const got = await model("abmil");
    near("weights", got("weights"), [0.181605, 0.177939, 0.191401, 0.214879, 0.234176]);
    near("slide", got("slide"), [0.083802, 0.051335, 0.005646, 0.067284]);
    near("logits", got("output"), [-0.012136, -0.070672, 0.053529]);
    near("loss", got("loss"), [1.036612]);
    near("dw", got("dattention.0.w.weight"), [-0.002287, -0.002633, -0.002311]);
    near("dV row 0", got("dattention.0.V.weight").slice(0, 4), [-0.000893, 0.000352, 0.001459, 0.002082]);
    near("dx row 0", got("dx").slice(0, 4), [0.001057, -0.000665, -0.000886, 0.000893]);
    near("norm of dW1", [norm(got("drows.weight"))], [0.069645]);
    near("db_w", got("dattention.0.w.bias"), [0], 0);
  });

  Deno.test(`gated ABMIL is PyTorch's, with its gradients: ${path}`, async () => {
    const got = await model("gated");
    near("weights", got("weights"), [0.190821, 0.189344, 0.196980, 0.207503, 0.215353]);
    near("logits", got("output"), [-0.012644, -0.072038, 0.051661]);
    near("loss", got("loss"), [1.037221]);
    near("dU row 0", got("dattention.0.U.weight").slice(0, 4), [0.000163, 0.000146, 0.000129, 0.000110]);
    near("dx row 0", got("dx").slice(0, 4), [0.001149, -0.000700, -0.000969, 0.000949]);
  });

  Deno.test(`rows behind the last bag change nothing, whatever they hold: ${path}`, async () => {
    const [alone, padded] = [await model("gated"), await model("gated", 7)];
    assert.deepEqual(padded("weights"), [...alone("weights"), ...Array(7).fill(0)]);
    near("loss", padded("loss"), alone("loss"), 1e-7);
    near("dx of the rows behind", padded("dx").slice(20), Array(28).fill(0), 0);
    near("dW1", padded("drows.weight"), alone("drows.weight"), 1e-7);
  });

  Deno.test(`weights of classes count where a batch holds one bag, and are divided by its size: ${path}`, async () => {
    const loss = async (logits: number[], labels: number[], weights?: number[]) => {
      const B = labels.length;
      const target = classTargets(labels, { classes: 2, ...(weights && { weights }) });
      const inputs = { x: { shape: [B, 2], data: logits }, target: { shape: [B, 2], data: target } };
      const got = await evaluate(on, new Parameters(on), inputs, (g, t) => ({
        loss: targetCrossEntropy(g, t.x!, t.target!),
      }));
      return got("loss")[0]!;
    };
    near("class 0", [await loss([0.2, -0.4], [0])], [0.437488]);
    near("class 1", [await loss([0.2, -0.4], [1])], [1.037488]);
    near("weighted", [await loss([0.2, -0.4], [1], [0.6, 3])], [3 * 1.037488]);
    const three: [number[], number[]] = [[0.2, -0.4, 1, 0.5, -0.3, 0.6], [0, 0, 1]];
    // PyTorch divides by the sum of the weights: .373905 here, where the plain mean is .417573.
    near("three bags", [await loss(...three)], [0.417573]);
    near("three weighted bags", [await loss(...three, [0.6, 3])], [0.373905 * (0.6 + 0.6 + 3) / 3]);
  });

  Deno.test(`squared error is the mean over bags and targets, and bags without weight take no part: ${path}`, async () => {
    const inputs = {
      y: { shape: [3, 2], data: [1, 2, 3, 4, 9, 9] },
      target: { shape: [3, 2], data: [0, 2, 5, 1, 0, 0] },
      weight: { shape: [3, 1], data: [1 / 4, 1 / 4, 0] },
    };
    const got = await evaluate(on, new Parameters(on), inputs, (g, t) => ({
      loss: squaredError(g, t.y!, t.target!, t.weight!),
    }));
    near("loss", got("loss"), [(1 + 0 + 4 + 9) / 4]);
    near("gradient", got("dy"), [0.5, 0, -1, 1.5, 0, 0]);
  });
}

Deno.test("weights of classes are N / (K n_c) over those that occur", () => {
  assert.deepEqual([...classWeights([0, 0, 0, 2], 3)], [4 / 6, 0, 2]);
  assert.deepEqual([...classTargets([1, 0], { classes: 2, size: 3, weights: [0.5, 2] })], [0, 1, 0.25, 0, 0, 0]);
  assert.throws(() => classTargets([0, 2], { classes: 2 }), /label 1 is 2, wanted a class below 2/);
});

Deno.test("a model of bags refuses sizes and rates it cannot have", () => {
  const base = { kind: "abmil", dim: 4, outputs: 2 } as const;
  const refuses = (extra: object, text: RegExp) =>
    assert.throws(() => createMil(gpu, { ...base, ...extra }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, text);
      return true;
    });
  refuses({ kind: "transmil" }, /model is transmil, wanted one of abmil, gated, meanmil/);
  refuses({ dim: 0 }, /dim is 0/);
  refuses({ heads: 1.5 }, /heads is 1.5/);
  refuses({ kind: "meanmil", heads: 2 }, /wanted 1 for meanmil/);
  refuses({ dropout: { features: 0.1, attention: 1 } }, /dropout of attention is 1/);
});
