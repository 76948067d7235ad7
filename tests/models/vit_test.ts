import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { createVit, type VitConfig, type VitOptions } from "../../src/models/vit.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { slice } from "../../src/ops/slice.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const CONFIG: VitConfig = {
  imageSize: 32,
  patch: 8,
  width: 64,
  depth: 2,
  heads: 2,
  hidden: 80,
  mlp: "swiglu",
  layerScale: 0.5,
  registers: 2,
  prefixPositions: 0,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/** Normalised class token of a seeded model on seeded images, and the gradients of all trainable parameters. */
async function run(firstTokenOnly: boolean, config: VitConfig = CONFIG, options: VitOptions = {}, trainable = true) {
  const parameters = new Parameters(gpu, trainable);
  const vit = createVit(parameters, config, { seed: 3, ...options });
  parameters.allocate();
  const { width: D } = config;
  const S = 32;
  const rng = new Rng(9);
  const pixels = Uint8Array.from({ length: 2 * S * S * 3 }, () => rng.below(256));
  const images = parameters.store.from("input", "images", [2, S, S, 3], pixels, "u8");
  const dy = parameters.store.from("seed", "dy", [2, 1, D], rng.normals(2 * D));
  const g = new Plan(gpu);
  const { x } = vit.forward(g, images, { firstTokenOnly });
  const cls = firstTokenOnly ? x : slice(g, x, 1, 0, 1);
  if (parameters.count().trainable) backward(g, [{ tensor: cls, grad: dy }]);
  g.output(cls);
  const program = await g.compile();
  program.run();
  const trained = parameters.trainableEntries();
  const [values, ...grads] = await readback(gpu, cls, ...trained.map(([, tensor]) => tensor.grad!));
  const { kernels } = program;
  program.destroy();
  parameters.destroy();
  return {
    values: values as Float32Array,
    grads: grads as Float32Array[],
    names: trained.map(([name]) => name),
    kernels,
    shape: x.shape,
  };
}

function assertClose(got: Float32Array, wanted: Float32Array, what: string): void {
  const scale = Math.max(1e-6, ...wanted.map(Math.abs));
  got.forEach((value, i) =>
    assert.ok(Math.abs(value - wanted[i]!) <= 2e-5 * scale, `${what}[${i}]: ${value}, wanted ${wanted[i]}`)
  );
}

Deno.test("a last block for the class token only gives its value and all gradients of the whole block", async () => {
  const whole = await run(false);
  const first = await run(true);
  assert.deepEqual(first.shape, [2, 1, 64]);
  assertClose(first.values, whole.values, "class token");
  first.grads.forEach((grad, i) => assertClose(grad, whole.grads[i]!, first.names[i]!));
});

Deno.test("a last block for the class token only takes frozen f16 weights and LoRA", async () => {
  const lora = () => ({
    rank: 4,
    alpha: 8,
    init: (shape: readonly number[]) => new Rng(4).normals(shape.reduce((a, b) => a * b, 1), 0.1),
  });
  const options = { lora, dtype: "f16" as const };
  const whole = await run(false, CONFIG, options, false);
  const first = await run(true, CONFIG, options, false);
  // Two matrices for each of the eight linear layers and for the patch embedding.
  assert.equal(first.names.length, 18);
  assertClose(first.values, whole.values, "class token");
  first.grads.forEach((grad, i) => assertClose(grad, whole.grads[i]!, first.names[i]!));
});

Deno.test("createVit() rejects sizes that do not fit, before any parameter exists", () => {
  const wrong: Partial<VitConfig>[] = [{ imageSize: 30 }, { heads: 3 }, { depth: 0 }, { width: NaN }, {
    prefixPositions: 2,
  }];
  for (const part of wrong) {
    const parameters = new Parameters(gpu);
    assert.throws(() => createVit(parameters, { ...CONFIG, ...part }), ConfigError);
    assert.equal(parameters.entries().length, 0);
  }
});

Deno.test("the buffers of an encoder are what its plan says, to the byte", async () => {
  const create = gpu.device.createBuffer;
  let bytes = 0;
  gpu.device.createBuffer = function (this: GPUDevice, descriptor: GPUBufferDescriptor) {
    bytes += descriptor.size;
    return create.call(this, descriptor);
  };
  try {
    const parameters = new Parameters(gpu, false);
    const vit = createVit(parameters, CONFIG, { seed: 1 });
    const images = parameters.store.tensor("input", "images", [4, 32, 32, 3], "u8");
    parameters.allocate();
    const g = new Plan(gpu);
    g.output(vit.forward(g, images).x);
    const program = await g.compile();
    assert.equal(bytes, program.memory.total);
    program.destroy();
    parameters.destroy();
  } finally {
    gpu.device.createBuffer = create;
  }
});
