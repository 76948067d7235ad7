import assert from "node:assert/strict";
import { backward, backwardFrom, zeroGradients } from "../../src/autodiff/backward.ts";
import { checkpoint } from "../../src/autodiff/checkpoint.ts";
import { ShapeError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { constant } from "../../src/nn/init.ts";
import { GROUPS, Parameters } from "../../src/nn/parameters.ts";
import { layernorm } from "../../src/ops/layernorm.ts";
import { sameBits } from "../close.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Three layernorms in a row; which of them train is up to the caller. */
function stack(trains: (name: string) => boolean) {
  const parameters = new Parameters(gpu, trains);
  const layers = [0, 1, 2].map((i) => ({
    gamma: parameters.add(`${i}.gamma`, [32], { init: constant(1 + i / 4) }),
    beta: parameters.add(`${i}.beta`, [32], { init: constant(i / 8) }),
  }));
  parameters.allocate();
  const store = new Store(gpu);
  const rng = new Rng(5);
  const x = store.from("input", "x", [9, 32], rng.normals(9 * 32));
  const dy = store.from("seed", "dy", [9, 32], rng.normals(9 * 32));
  const layer = (g: Plan, h: Tensor, i: number) => layernorm(g, h, layers[i]!.gamma, layers[i]!.beta);
  return { parameters, layers, store, x, dy, layer, rng };
}

async function gradientsOf(
  net: ReturnType<typeof stack>,
  build: (g: Plan) => Tensor,
  steps = 1,
): Promise<{ grads: Float32Array[]; kernels: string[]; recorded: number }> {
  const g = new Plan(gpu);
  zeroGradients(g, net.parameters.store.chunks(GROUPS.gradients));
  for (let i = 0; i < steps; i++) backward(g, [{ tensor: build(g), grad: net.dy }]);
  const program = await g.compile();
  program.run();
  const targets = net.parameters.trainableEntries().map(([, tensor]) => tensor.grad!);
  const grads = await readback(gpu, ...targets) as Float32Array[];
  const { kernels } = program;
  program.destroy();
  return { grads, kernels, recorded: g.dispatches.length };
}

Deno.test("backward() computes nothing below the first trainable parameter and nothing for frozen ones", async () => {
  const net = stack((name) => name.startsWith("2.gamma"));
  const { kernels } = await gradientsOf(net, (g) => [0, 1, 2].reduce((h, i) => net.layer(g, h, i), net.x));
  assert.ok(!kernels.some((name) => name.startsWith("layernorm_bwd_input")), kernels.join(" "));
  assert.equal(kernels.filter((name) => name === "layernorm_bwd_affine").length, 1);
  net.parameters.destroy();
  net.store.destroy();
});

Deno.test("nothing is saved for backward below the first trainable parameter", () => {
  const net = stack((name) => name.startsWith("2."));
  const g = new Plan(gpu);
  [0, 1, 2].reduce((h, i) => net.layer(g, h, i), net.x);
  assert.equal(g.tape.length, 1);
  const saves = g.dispatches.map(({ bound }) => bound.some(({ slot }) => slot.name === "stats"));
  assert.deepEqual(saves, [false, false, true]);
  net.parameters.destroy();
  net.store.destroy();
});

Deno.test("checkpoint() gives the gradients of the plain segment bit for bit, and keeps less", async () => {
  const net = stack(() => true);
  const plain = await gradientsOf(net, (g) => [0, 1, 2].reduce((h, i) => net.layer(g, h, i), net.x));
  const all = net.parameters.trainableEntries().map(([, tensor]) => tensor);
  const recomputed = await gradientsOf(net, (g) => {
    const h = net.layer(g, net.x, 0);
    return checkpoint(g, (a) => net.layer(g, net.layer(g, a, 1), 2), [h], all.slice(2));
  });
  plain.grads.forEach((grad, i) => assert.ok(sameBits(grad, recomputed.grads[i]!), `parameter ${i}`));
  assert.ok(recomputed.recorded > plain.recorded);
  net.parameters.destroy();
  net.store.destroy();
});

Deno.test("gradients of two passes accumulate, and zeroGradients() clears them", async () => {
  const net = stack(() => true);
  const build = (g: Plan) => [0, 1, 2].reduce((h, i) => net.layer(g, h, i), net.x);
  const once = await gradientsOf(net, build);
  const twice = await gradientsOf(net, build, 2);
  once.grads.forEach((grad, i) => assert.deepEqual([...twice.grads[i]!], [...grad].map((v) => v + v)));
  net.parameters.destroy();
  net.store.destroy();
});

Deno.test("a tensor used twice gets the sum of both gradients", async () => {
  const net = stack(() => true);
  const g = new Plan(gpu);
  const h = net.layer(g, net.x, 0);
  const a = net.layer(g, h, 1);
  const b = net.layer(g, h, 1);
  const grads = backward(g, [{ tensor: a, grad: net.dy }, { tensor: b, grad: net.dy }]);
  g.output(grads.of(h)!);
  const single = new Plan(gpu);
  const h1 = net.layer(single, net.x, 0);
  const one = backward(single, [{ tensor: net.layer(single, h1, 1), grad: net.dy }]);
  single.output(one.of(h1)!);
  const results: Float32Array[] = [];
  for (const [plan, grad] of [[g, grads.of(h)!], [single, one.of(h1)!]] as const) {
    const program = await plan.compile();
    program.run();
    results.push((await readback(gpu, grad))[0] as Float32Array);
    program.destroy();
  }
  assert.deepEqual([...results[0]!], [...results[1]!].map((v) => v + v));
  net.parameters.destroy();
  net.store.destroy();
});

Deno.test("backwardFrom() rejects a loss that is not a scalar", () => {
  const g = new Plan(gpu);
  assert.throws(() => backwardFrom(g, g.tensor([2])), ShapeError);
});

Deno.test("with clear gradients the first contribution is written in place, with the same result", async () => {
  const net = stack(() => true);
  const build = (g: Plan) => [0, 1, 2].reduce((h, i) => net.layer(g, h, i), net.x);
  const added = await gradientsOf(net, build, 2);
  const g = new Plan(gpu);
  for (let i = 0; i < 2; i++) backward(g, [{ tensor: build(g), grad: net.dy }]);
  const plain = await g.compile();
  const program = await g.compile({ clearGradients: true });
  // The second pass adds; of the first, every dispatch that only added is gone.
  assert.equal(plain.kernels.length - program.kernels.length, 6);
  for (const chunk of net.parameters.store.chunks(GROUPS.gradients)) {
    net.store.write(chunk, new Float32Array(chunk.size));
  }
  program.run();
  const targets = net.parameters.trainableEntries().map(([, tensor]) => tensor.grad!);
  const grads = await readback(gpu, ...targets) as Float32Array[];
  grads.forEach((grad, i) => assert.ok(sameBits(grad, added.grads[i]!), `parameter ${i}`));
  plain.destroy();
  program.destroy();
  net.parameters.destroy();
  net.store.destroy();
});
