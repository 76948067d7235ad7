/** What the normalisations and crossEntropy refuse, and gradients of given cotangents. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { checkpoint } from "../../src/autodiff/checkpoint.ts";
import { ConfigError, DtypeError, ShapeError } from "../../src/core/errors.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { batchnorm } from "../../src/ops/batchnorm.ts";
import { crossEntropy } from "../../src/ops/cross_entropy.ts";
import { l2Normalize } from "../../src/ops/l2_normalize.ts";
import { layernorm } from "../../src/ops/layernorm.ts";
import { segmentPool } from "../../src/ops/segment_pool.ts";
import { segmentSoftmax } from "../../src/ops/segment_softmax.ts";
import { logSoftmax, softmax } from "../../src/ops/softmax.ts";
import { compare } from "../close.ts";

const gpu = await requestGpu(navigator.gpu);
Deno.test.afterAll(() => gpu.destroy());

type ErrorClass = new (message: string) => Error;

/** What is refused, the error, a part of its message, the call. */
const ROWS: [string, ErrorClass, RegExp, (g: Plan) => unknown][] = [
  [
    "segmentSoftmax() refuses scores that are no matrix",
    ShapeError,
    /x is \[5\], wanted scores \[R, H\]/,
    (g) => segmentSoftmax(g, g.tensor([5]), g.tensor([2], "u32")),
  ],
  [
    "segmentSoftmax() refuses a single bound",
    ShapeError,
    /1 bounds, wanted at least the two/,
    (g) => segmentSoftmax(g, g.tensor([5, 1]), g.tensor([1], "u32")),
  ],
  [
    "segmentSoftmax() refuses bounds that are no u32",
    DtypeError,
    /bound is f32/,
    (g) => segmentSoftmax(g, g.tensor([5, 1]), g.tensor([2])),
  ],
  [
    "segmentSoftmax() refuses a mask of other rows",
    ShapeError,
    /mask is \[4\], wanted \[5\]/,
    (g) => segmentSoftmax(g, g.tensor([5, 1]), g.tensor([2], "u32"), { mask: g.tensor([4], "u32") }),
  ],
  [
    "segmentSoftmax() refuses a mask that is no u32",
    DtypeError,
    /mask is f32, wanted u32/,
    (g) => segmentSoftmax(g, g.tensor([5, 1]), g.tensor([2], "u32"), { mask: g.tensor([5]) }),
  ],
  [
    "segmentPool() refuses rows of no width",
    ShapeError,
    /x is \[5, 0\], wanted rows \[R, D\]/,
    (g) => segmentPool(g, g.tensor([5, 0]), g.tensor([5, 1]), g.tensor([2], "u32")),
  ],
  [
    "segmentPool() refuses weights of other rows",
    ShapeError,
    /w is \[4, 1\], wanted \[5, any\]/,
    (g) => segmentPool(g, g.tensor([5, 3]), g.tensor([4, 1]), g.tensor([2], "u32")),
  ],
  [
    "segmentPool() refuses weights of another type",
    DtypeError,
    /w is f16, wanted f32 as x/,
    (g) => segmentPool(g, g.tensor([5, 3]), g.tensor([5, 1], "f16"), g.tensor([2], "u32")),
  ],
  [
    "segmentPool() refuses a single bound",
    ShapeError,
    /1 bounds, wanted at least the two/,
    (g) => segmentPool(g, g.tensor([5, 3]), g.tensor([5, 1]), g.tensor([1], "u32")),
  ],
  [
    "layernorm() refuses a gamma of another length",
    ShapeError,
    /gamma is \[4\], wanted \[5\]/,
    (g) => layernorm(g, g.tensor([2, 5]), g.tensor([4])),
  ],
  ["layernorm() refuses empty rows", ShapeError, /an element/, (g) => layernorm(g, g.tensor([2, 0]))],
  [
    "layernorm() refuses a gamma stored as f16",
    DtypeError,
    /gamma is f16/,
    (g) => layernorm(g, g.tensor([2, 5]), g.tensor([5], "f16")),
  ],
  [
    "layernorm() refuses an eps of 0",
    ConfigError,
    /eps is 0/,
    (g) => layernorm(g, g.tensor([2, 5]), undefined, undefined, { eps: 0 }),
  ],
  ["softmax() refuses a scale of 0", ConfigError, /scale is 0/, (g) => softmax(g, g.tensor([2, 5]), { scale: 0 })],
  [
    "logSoftmax() refuses a scale that is no number",
    ConfigError,
    /scale is NaN/,
    (g) => logSoftmax(g, g.tensor([2, 5]), { scale: NaN }),
  ],
  [
    "l2Normalize() refuses a negative eps",
    ConfigError,
    /eps is -1/,
    (g) => l2Normalize(g, g.tensor([2, 5]), { eps: -1 }),
  ],
  ["l2Normalize() refuses empty rows", ShapeError, /an element/, (g) => l2Normalize(g, g.tensor([2, 0]))],
  [
    "crossEntropy() refuses logits of three dimensions",
    ShapeError,
    /wanted \[B, C\]/,
    (g) => crossEntropy(g, g.tensor([2, 3, 4]), g.tensor([2], "u32")),
  ],
  [
    "crossEntropy() refuses labels of another batch",
    ShapeError,
    /labels is \[3\], wanted \[2\]/,
    (g) => crossEntropy(g, g.tensor([2, 5]), g.tensor([3], "u32")),
  ],
  [
    "crossEntropy() refuses labels that are no integers",
    DtypeError,
    /labels is f32/,
    (g) => crossEntropy(g, g.tensor([2, 5]), g.tensor([2])),
  ],
  [
    "crossEntropy() refuses a smoothing of 1",
    ConfigError,
    /labelSmoothing is 1/,
    (g) => crossEntropy(g, g.tensor([2, 5]), g.tensor([2], "u32"), { labelSmoothing: 1 }),
  ],
  [
    "crossEntropy() refuses a negative ignoreIndex",
    ConfigError,
    /ignoreIndex is -100/,
    (g) => crossEntropy(g, g.tensor([2, 5]), g.tensor([2], "u32"), { ignoreIndex: -100 }),
  ],
  [
    "batchnorm() refuses a training batch of one row",
    ShapeError,
    /at least 2 rows/,
    (g) => batchnorm(g, g.tensor([1, 5])),
  ],
  ["batchnorm() refuses three dimensions", ShapeError, /wanted \[B, C\]/, (g) => batchnorm(g, g.tensor([2, 3, 5]))],
  [
    "batchnorm() refuses running statistics of another width",
    ShapeError,
    /runningMean is \[4\]/,
    (g) => batchnorm(g, g.tensor([2, 5]), { runningMean: g.tensor([4]) }),
  ],
  [
    "batchnorm() refuses to evaluate without running statistics",
    ConfigError,
    /no running statistics/,
    (g) => batchnorm(g, g.tensor([2, 5]), {}, { training: false }),
  ],
  [
    "batchnorm() refuses a momentum above 1",
    ConfigError,
    /momentum is 1.5/,
    (g) => batchnorm(g, g.tensor([2, 5]), {}, { momentum: 1.5 }),
  ],
  [
    "batchnorm() refuses an eps that is no number",
    ConfigError,
    /eps is NaN/,
    (g) => batchnorm(g, g.tensor([2, 5]), {}, { eps: NaN }),
  ],
];

for (const [name, error, text, call] of ROWS) {
  Deno.test(name, () => {
    const g = new Plan(gpu);
    assert.throws(() => call(g), (thrown: Error) => thrown instanceof error && text.test(thrown.message));
    assert.equal(g.dispatches.length, 0);
  });
}

/** Gradient of sum(cotangent * op(x)) on one kernel path. */
async function gradient(
  flat: boolean,
  shape: number[],
  x: number[],
  cotangent: number[],
  op: (g: Plan, x: Tensor) => Tensor,
): Promise<ArrayLike<number>> {
  const device = gpu.withCaps({ flat });
  const store = new Store(device);
  const input = store.from("x", "x", shape, x);
  input.requiresGrad = true;
  const g = new Plan(device);
  const grad = backward(g, [{ tensor: op(g, input), grad: store.from("dy", "dy", shape, cotangent) }]).of(input)!;
  g.output(grad);
  const program = await g.compile();
  program.run();
  const [values] = await readback(device, grad);
  program.destroy();
  store.destroy();
  return values!;
}

for (const flat of [true, false]) {
  const path = flat ? "flat" : "gpu";
  Deno.test(`batchnorm() gives the worked gradient (${path})`, async () => {
    const got = await gradient(
      flat,
      [4, 2],
      [1, 2, 3, 0, 5, -1, 7, 3],
      [1, 0, 0, 1, 2, -1, 0.5, 0.5],
      (g, x) => batchnorm(g, x),
    );
    const wanted = [0.089443, -0.205547, -0.380131, 0.679888, 0.491934, -0.458530, -0.201246, -0.015810];
    assert.equal(compare(got, wanted, { nmse: 1e-10, max: 1e-5 }).text, "");
  });

  Deno.test(`l2Normalize() gives rows below eps the gradient dy / eps, as torch does (${path})`, async () => {
    const x = [0, 0, 0, 3e-13, 0, -4e-13, 3, 0, 4];
    const got = await gradient(flat, [3, 3], x, [1, -2, 0.5, 1, 2, 3, 1, 2, 3], (g, t) => l2Normalize(g, t));
    const wanted = [1e12, -2e12, 5e11, 1e12, 2e12, 3e12];
    assert.equal(compare(Array.from(got).slice(0, 6), wanted, { nmse: 1e-12, max: 1e-6 }).text, "");
    // dy - xh (xh . dy) over 5, with xh = [0.6, 0, 0.8] and xh . dy = 3.
    assert.equal(compare(Array.from(got).slice(6), [-0.16, 0.4, 0.12], { nmse: 1e-12, max: 1e-6 }).text, "");
  });
}

Deno.test("batchnorm() in a recomputed segment updates its running statistics once", async () => {
  const store = new Store(gpu);
  const x = store.from("x", "x", [3, 2], [1, 2, 3, 4, 5, 9]);
  x.requiresGrad = true;
  const runningMean = store.from("state", "mean", [2], [0, 0]);
  const runningVar = store.from("state", "var", [2], [1, 1]);
  const tracked = store.from("state", "tracked", [1], [0], "u32");
  const g = new Plan(gpu);
  const y = checkpoint(g, (input) => batchnorm(g, input!, { runningMean, runningVar, tracked }), [x]);
  const grad = backward(g, [{ tensor: y, grad: store.from("dy", "dy", [3, 2], [1, 0, 0, 0, 0, 1]) }]).of(x)!;
  g.output(grad);
  const program = await g.compile();
  program.run();
  const [count, mean] = await readback(gpu, tracked, runningMean);
  assert.deepEqual(Array.from(count!), [1]);
  assert.equal(compare(mean!, [0.3, 0.5], { nmse: 1e-12, max: 1e-6 }).text, "");
  assert.equal(program.kernels.filter((name) => name === "batchnorm_train").length, 2);
  program.destroy();
  store.destroy();
});
