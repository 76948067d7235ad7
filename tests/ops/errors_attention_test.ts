/** What attention refuses, what it keeps for backward, and that results do not depend on the place in a batch. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { ConfigError, DtypeError, LimitError, ShapeError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import type { Shape } from "../../src/core/shape.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { crossAttention, selfAttention } from "../../src/ops/attention.ts";

const gpu = await requestGpu(navigator.gpu);
Deno.test.afterAll(() => gpu.destroy());

type Ask = (g: Plan, of: (shape: Shape, dtype?: "f32" | "f16") => Tensor) => unknown;

function refuses(what: string, error: new (message: string) => Error, message: RegExp, ask: Ask): void {
  Deno.test(what, () => {
    const g = new Plan(gpu);
    assert.throws(
      () => ask(g, (shape, dtype = "f32") => g.tensor(shape, dtype)),
      (thrown) => thrown instanceof error && message.test(thrown.message),
    );
    assert.equal(g.dispatches.length, 0);
  });
}

refuses(
  "selfAttention() refuses half a head",
  ConfigError,
  /heads is 1\.5, wanted a positive integer/,
  (g, of) => selfAttention(g, of([2, 7, 48]), { heads: 1.5 }),
);
refuses(
  "selfAttention() refuses a matrix",
  ShapeError,
  /qkv is \[7, 48\]/,
  (g, of) => selfAttention(g, of([7, 48]), { heads: 1 }),
);
refuses(
  "selfAttention() refuses channels that are no multiple of the heads",
  ShapeError,
  /qkv is \[2, 7, 50\], wanted .* 3 times 2 heads/,
  (g, of) => selfAttention(g, of([2, 7, 50]), { heads: 2 }),
);
refuses(
  "selfAttention() refuses images without tokens",
  ShapeError,
  /wanted a key or more/,
  (g, of) => selfAttention(g, of([2, 0, 48]), { heads: 1 }),
);
refuses(
  "selfAttention() refuses heads of more than 128 channels",
  LimitError,
  /heads of 132 channels, wanted at most 128/,
  (g, of) => selfAttention(g, of([1, 7, 396]), { heads: 1 }),
);
refuses(
  "selfAttention() refuses a scale that is no number",
  ConfigError,
  /scale is NaN/,
  (g, of) => selfAttention(g, of([1, 7, 48]), { heads: 1, scale: NaN }),
);
refuses(
  "crossAttention() refuses queries of another batch",
  ShapeError,
  /q is \[2, 4, 16\], wanted \[3, any, 16\]/,
  (g, of) => crossAttention(g, of([2, 4, 16]), of([3, 7, 32]), { heads: 1 }),
);
refuses(
  "crossAttention() refuses queries of another width",
  ShapeError,
  /q is \[1, 4, 17\], wanted \[1, any, 16\]/,
  (g, of) => crossAttention(g, of([1, 4, 17]), of([3, 7, 32]), { heads: 1 }),
);
refuses(
  "crossAttention() refuses queries of another type",
  DtypeError,
  /q is f16, wanted f32/,
  (g, of) => crossAttention(g, of([1, 4, 16], "f16"), of([3, 7, 32]), { heads: 1 }),
);

Deno.test("selfAttention() keeps 4 bytes a token and head for backward, and nothing without it", () => {
  const shapes = (requiresGrad: boolean) => {
    const g = new Plan(gpu);
    const qkv = g.tensor([2, 197, 192]);
    qkv.requiresGrad = requiresGrad;
    selfAttention(g, qkv, { heads: 4 });
    return g.dispatches.flatMap(({ bound }) =>
      bound.filter(({ slot }) => slot.access === "out").map(({ tensor }) => tensor.shape)
    );
  };
  assert.deepEqual(shapes(false), [[2, 197, 64]]);
  assert.deepEqual(shapes(true), [[2, 197, 64], [2, 4, 197]]);
});

Deno.test("crossAttention() takes an empty batch", async () => {
  const store = new Store(gpu);
  const q = store.from("q", "q", [1, 2, 16], new Float32Array(32), "f32");
  q.requiresGrad = true;
  const g = new Plan(gpu);
  const o = crossAttention(g, q, g.tensor([0, 3, 32]), { heads: 1 });
  assert.deepEqual(o.shape, [0, 2, 16]);
  const dq = backward(g, [{ tensor: o, grad: g.tensor(o.shape) }]).of(q)!;
  g.output(dq);
  const program = await g.compile();
  program.poison();
  program.run();
  assert.deepEqual([...(await readback(gpu, dq))[0]!], Array(32).fill(0));
  program.destroy();
  store.destroy();
});

for (const flat of [true, false]) {
  Deno.test(`selfAttention() gives an image the same bits anywhere in a batch (${flat ? "flat" : "gpu"})`, async () => {
    const device = gpu.withCaps({ flat });
    const [B, N, D] = [3, 33, 32];
    const images = Array.from({ length: B }, (_, b) => new Rng(5, b).normals(N * 3 * D));
    const seeds = Array.from({ length: B }, (_, b) => new Rng(6, b).normals(N * D));
    const run = async (order: readonly number[]) => {
      const store = new Store(device);
      const packed = (parts: readonly ArrayLike<number>[]) =>
        Float32Array.from(order.flatMap((b) => Array.from(parts[b]!)));
      const qkv = store.from("qkv", "qkv", [B, N, 3 * D], packed(images), "f32");
      const dy = store.from("dy", "dy", [B, N, D], packed(seeds), "f32");
      qkv.requiresGrad = true;
      const g = new Plan(device);
      const o = selfAttention(g, qkv, { heads: 2 });
      const grad = backward(g, [{ tensor: o, grad: dy }]).of(qkv)!;
      g.output(o, grad);
      const program = await g.compile();
      program.run();
      const results = await readback(device, o, grad);
      program.destroy();
      store.destroy();
      return results.map((values) =>
        order.map((
          b,
          place,
        ) => [b, Array.from(values).slice(place * (values.length / B), (place + 1) * (values.length / B))])
          .sort(([a], [b]) => Number(a) - Number(b))
      );
    };
    assert.deepEqual(await run([2, 0, 1]), await run([0, 1, 2]));
  });
}
