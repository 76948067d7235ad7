/** What the elementwise operations and reductions refuse, and what they leave out. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { ConfigError, DtypeError, LimitError, ShapeError } from "../../src/core/errors.ts";
import type { Shape } from "../../src/core/shape.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { Plan } from "../../src/graph/plan.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { clamp, leakyRelu } from "../../src/ops/activation.ts";
import { add, binary, mul, sub } from "../../src/ops/binary.ts";
import { gradientReversal } from "../../src/ops/gradient_reversal.ts";
import { max, mean, sum } from "../../src/ops/reduce.ts";
import { affine, scale } from "../../src/ops/scale.ts";

const gpu = await requestGpu(navigator.gpu);
Deno.test.afterAll(() => gpu.destroy());

type Ask = (g: Plan, of: (shape: Shape, dtype?: "f32" | "f16") => Tensor) => unknown;

function refuses(what: string, error: new (message: string) => Error, ask: Ask): void {
  Deno.test(what, () => {
    const g = new Plan(gpu);
    assert.throws(() => ask(g, (shape, dtype = "f32") => g.tensor(shape, dtype)), error);
    assert.equal(g.dispatches.length, 0);
  });
}

refuses("leakyRelu() rejects a negative slope", ConfigError, (g, of) => leakyRelu(g, of([4]), -0.1));
refuses("clamp() rejects reversed bounds", ConfigError, (g, of) => clamp(g, of([4]), 2, 1));
refuses("clamp() rejects a bound that is no number", ConfigError, (g, of) => clamp(g, of([4]), NaN, 1));
refuses("add() rejects shapes that do not broadcast", ShapeError, (g, of) => add(g, of([4, 3]), of([4])));
refuses("mul() rejects two types at one shape", DtypeError, (g, of) => mul(g, of([4]), of([4], "f16")));
refuses(
  "binary() rejects a pattern that alternates too often",
  LimitError,
  (g, of) => binary(g, "add", of([2, 1, 2, 1, 2, 1, 2]), of([1, 2, 1, 2, 1, 2, 1])),
);
refuses("affine() rejects an infinite factor", ConfigError, (g, of) => affine(g, of([4]), Infinity));
refuses("scale() rejects a scalar of two elements", ShapeError, (g, of) => scale(g, of([4]), of([2])));
refuses("sum() rejects a dimension that does not exist", ConfigError, (g, of) => sum(g, of([4, 3]), { dims: 2 }));
refuses("sum() rejects dimensions that are apart", ConfigError, (g, of) => sum(g, of([4, 3, 2]), { dims: [0, 2] }));
refuses("mean() rejects an empty dimension", ShapeError, (g, of) => mean(g, of([4, 0]), { dims: 1 }));
refuses("max() rejects an empty dimension", ShapeError, (g, of) => max(g, of([0, 3]), { dims: 0 }));
refuses(
  "gradientReversal() rejects a lambda that is no number",
  ConfigError,
  (g, of) => gradientReversal(g, of([4]), NaN),
);
refuses(
  "gradientReversal() rejects a lambda of two elements",
  ShapeError,
  (g, of) => gradientReversal(g, of([4]), of([2])),
);

Deno.test("backward of add() and sub() computes nothing that is not asked for", () => {
  const g = new Plan(gpu);
  const x = g.tensor([6, 5]);
  const frozen = g.tensor([5]);
  x.requiresGrad = true;
  const y = sub(g, add(g, x, frozen), frozen);
  const seed = g.tensor([6, 5]);
  const before = g.dispatches.length;
  assert.equal(backward(g, [{ tensor: y, grad: seed }]).of(x)?.storage, seed.storage);
  assert.equal(g.dispatches.length, before);
});

Deno.test("gradientReversal() is the same memory and dispatches nothing forwards", () => {
  const g = new Plan(gpu);
  const x = g.tensor([6, 5]);
  assert.equal(gradientReversal(g, x, 0.3).storage, x.storage);
  assert.equal(g.dispatches.length, 0);
});
