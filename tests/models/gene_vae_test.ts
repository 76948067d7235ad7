/** The gene VAE: published numbers, latents, starts, and what it refuses. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { ConfigError, ShapeError } from "../../src/core/errors.ts";
import { randomState } from "../../src/core/rng.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { GeneForward } from "../../src/models/gene_model.ts";
import { createGeneModel, GENE_MODEL_NAMES, type GeneModelConfig } from "../../src/models/gene_registry.ts";
import { createVae } from "../../src/models/gene/vae.ts";
import { createImageDecoder } from "../../src/models/image_decoder.ts";
import { createProjectionHead } from "../../src/models/projection_head.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { planarFlow } from "../../src/ops/planar_flow.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

function near(given: ArrayLike<number>, wanted: readonly number[], bound = 1.5e-6): void {
  assert.equal(given.length, wanted.length);
  wanted.forEach((v, i) => assert.ok(Math.abs(given[i]! - v) <= bound, `element ${i} is ${given[i]}, wanted ${v}`));
}

const Z = [0.2, -0.1, 0.3, 1, 0.5, -1.5];
const FLOWS = [
  { u: [0.5, -0.3, 0.2], w: [0.4, 0.1, -0.6], b: [0.1] },
  { u: [-0.2, 0.1, 0.4], w: [0.3, -0.5, 0.2], b: [-0.05] },
];

Deno.test("planarFlow() has the published gradients", async () => {
  for (const flat of [true, false]) {
    const device = gpu.withCaps({ flat });
    const store = new Store(device);
    const put = (name: string, values: number[], shape = [values.length]) => {
      const tensor = store.from(name, name, shape, values);
      tensor.requiresGrad = true;
      return tensor;
    };
    const { u, w, b } = FLOWS[0]!;
    const inputs = [put("z", Z, [2, 3]), put("u", u), put("w", w), put("b", b)] as const;
    const g = new Plan(device);
    const { y, logdet } = planarFlow(g, inputs[0], { u: inputs[1], w: inputs[2], b: inputs[3] });
    const grads = backward(g, [
      { tensor: y, grad: put("dy", [1, -2, 0.5, 0.3, 0.7, -1.1], [2, 3]) },
      { tensor: logdet, grad: put("dlogdet", [1, -0.5]) },
    ]);
    const found = inputs.map((tensor) => grads.of(tensor)!);
    g.output(...found);
    const program = await g.compile();
    program.run();
    const [dz, du, dw, db] = await readback(device, ...found);
    near(dz!, [1.480333, -1.879917, -0.220499, 0.281361, 0.695340, -1.072042]);
    near(du!, [0.600465, 0.732423, -1.502897]);
    near(dw!, [0.620765, -0.399699, 0.601023]);
    near(db!, [1.154235]);
    program.destroy();
    store.destroy();
  }
});

/** A model whose encoder gives fixed rows of mu and logvar: the hidden layer is the input itself. */
async function worked(options: GeneForward & { noiseValues?: number[] }) {
  const parameters = new Parameters(gpu);
  const model = createVae(parameters, { genes: 2, dim: 3, hidden: [2], flows: 2, kl: "reference" });
  const identity = { shape: [2, 2], data: [1, 0, 0, 1] };
  const values: Record<string, { shape: number[]; data: number[] }> = {
    "encoder.0.weight": identity,
    "encoder.0.bias": { shape: [2], data: [0, 0] },
    "encoder.1.weight": { shape: [2], data: [1, 1] },
    "encoder.1.bias": { shape: [2], data: [0, 0] },
    "encoder.1.running_mean": { shape: [2], data: [0, 0] },
    // With eps 1e-5 this divides by one.
    "encoder.1.running_var": { shape: [2], data: [1 - 1e-5, 1 - 1e-5] },
    "encoder.1.num_batches_tracked": { shape: [1], data: [0] },
    // Row 0 of the input is (1, 0), row 1 is (0, 1): columns of the weights are mu and logvar.
    "fc_mu.weight": { shape: [3, 2], data: [0.2, 1, -0.1, 0.5, 0.3, -1.5] },
    "fc_mu.bias": { shape: [3], data: [0, 0, 0] },
    "fc_logvar.weight": { shape: [3, 2], data: [-0.5, 0.3, 0.1, -1, 0, 0.2] },
    "fc_logvar.bias": { shape: [3], data: [0, 0, 0] },
    "decoder.0.weight": { shape: [2, 3], data: [1, 0, 0, 0, 1, 0] },
    "decoder.0.bias": { shape: [2], data: [0, 0] },
    "decoder.3.weight": identity,
    "decoder.3.bias": { shape: [2], data: [0, 0] },
  };
  FLOWS.forEach((flow, i) => {
    for (const [key, data] of Object.entries(flow)) values[`flows.${i}.${key}`] = { shape: [data.length], data };
  });
  parameters.load(new Map(Object.entries(values)));
  const store = new Store(gpu);
  const x = store.from("x", "x", [2, 2], [1, 0, 0, 1]);
  const { noiseValues, ...forward } = options;
  const shape = (noiseValues?.length ?? 0) > 6 ? [2, 2, 3] : [2, 3];
  const noise = noiseValues && store.from("noise", "noise", shape, noiseValues);
  const g = new Plan(gpu);
  const { z, logdet, y, aux } = model.forward(g, x, { ...forward, ...(noise && { noise }) });
  const outputs: Record<string, Tensor> = { z, logdet: logdet!, y, ...aux };
  g.output(...Object.values(outputs));
  const program = await g.compile();
  program.run();
  const read = await readback(gpu, ...Object.values(outputs));
  program.destroy();
  store.destroy();
  parameters.destroy();
  return { model, ...Object.fromEntries(Object.keys(outputs).map((key, i) => [key, read[i]!])) } as
    & { model: typeof model }
    & Record<"z" | "logdet" | "y" | "kl" | "kl_flow", Float32Array>;
}

const NOISE = [0.5, -1, 0.25, -0.3, 0.8, 1.2];
const Z2 = [0.404920, -1.053584, 0.788241, 0.947772, 0.811540, -0.153862];

Deno.test("the VAE has the published latent, log-determinants and divergences", async () => {
  const { z, y, logdet, kl, kl_flow, model } = await worked({ latent: "sample", noiseValues: NOISE });
  near(z, Z2);
  near(logdet, [0.030751, 0.007148]);
  near(kl, [1.028761]);
  near(kl_flow, [0.204392]);
  near(y, [0.404920, 0, 0.947772, 0.811540]);
  assert.equal(model.auxWeights.kl, 1 / 3);
  near([kl[0]! * model.auxWeights.kl!], [0.342920]);
});

Deno.test("the mean latent is the sample without noise, and several samples are averaged", async () => {
  const none = await worked({ latent: "sample", noiseValues: NOISE.map(() => 0) });
  const mean = await worked({});
  assert.deepEqual(mean.z, none.z);
  assert.deepEqual(mean.kl_flow, undefined, "the mean is no draw");
  const drawn = await worked({ latent: "sample", noiseValues: NOISE });
  const mc = await worked({ latent: { mc: 2 }, noiseValues: [...NOISE, ...NOISE.map(() => 0)] });
  near(mc.z, [...drawn.z].map((v, i) => (v + none.z[i]!) / 2));
  near(mc.logdet, [...drawn.logdet].map((v, i) => (v + none.logdet[i]!) / 2));
  near(mc.kl_flow, [(drawn.kl_flow[0]! + none.kl_flow[0]!) / 2]);
});

Deno.test("drawn latents depend on seed and step alone", async () => {
  const parameters = new Parameters(gpu);
  const model = createVae(parameters, { genes: 5, dim: 4, hidden: [6] }, { seed: 1 });
  parameters.allocate();
  const store = new Store(gpu);
  const x = store.from("x", "x", [3, 5], Array.from({ length: 15 }, (_, i) => (i * 7) % 5));
  const random = store.from("random", "random", [4], [0, 0, 0, 0], "u32");
  const g = new Plan(gpu);
  g.random = random;
  const { z } = model.forward(g, x, { latent: "sample" });
  g.output(z);
  const program = await g.compile();
  const at = async (seed: number, step: number) => {
    store.write(random, randomState(seed, step));
    program.run();
    return (await readback(gpu, z))[0];
  };
  const first = await at(1, 0);
  assert.deepEqual(await at(1, 0), first);
  assert.notDeepEqual(await at(1, 1), first);
  assert.notDeepEqual(await at(2, 0), first);
  program.destroy();
  store.destroy();
  parameters.destroy();
});

Deno.test("models have the published numbers of parameters", () => {
  const count = (add: (parameters: Parameters) => void) => {
    const parameters = new Parameters(gpu);
    add(parameters);
    return parameters.count().all;
  };
  const vae = [512, 1024, 1536, 2560].map((dim) => count((p) => createGeneModel(p, { name: "vae", genes: 2000, dim })));
  assert.deepEqual(vae, [5_943_251, 6_733_779, 7_524_307, 9_105_363]);
  const decoder = [512, 1536].map((dim) => count((p) => createImageDecoder(p, { dim, genes: 2000 })));
  assert.deepEqual(decoder, [1_288_656, 1_812_944]);
  const head = (["none", "linear", "mlp", "mlp2"] as const).map((kind) =>
    count((p) => createProjectionHead(p, { kind, dim: 1536 }))
  );
  assert.deepEqual(head, [0, 2_360_832, 2_360_832, 2 * 2_360_832]);
});

Deno.test("parameters start as torch's do, other under every seed and prefix", async () => {
  const start = async (seed: number, prefix: string) => {
    const parameters = new Parameters(gpu);
    createVae(parameters, { genes: 400, dim: 64, hidden: [100], decoderBatchNorm: true }, { seed, prefix });
    parameters.allocate();
    const values = await parameters.read(parameters.state().map(([name]) => name));
    parameters.destroy();
    return new Map([...values].map(([name, data]) => [name.slice(prefix.length), data]));
  };
  const values = await start(3, "gene.");
  const uniform = (name: string, bound: number) => {
    const data = values.get(name)!;
    const [top, std] = [Math.max(...data.map(Math.abs)), Math.sqrt(data.reduce((s, v) => s + v * v, 0) / data.length)];
    assert.ok(top <= bound && top > 0.9 * bound, `${name} reaches ${top}, wanted ${bound}`);
    assert.ok(Math.abs(std * Math.sqrt(3) / bound - 1) < 0.2, `${name} has deviation ${std}`);
  };
  uniform("encoder.0.weight", 1 / 20);
  uniform("encoder.0.bias", 1 / 20);
  uniform("fc_mu.weight", 1 / 10);
  uniform("fc_mu.bias", 1 / 10);
  uniform("decoder.4.weight", 1 / 10);
  const u = values.get("flows.2.u")!;
  const deviation = Math.sqrt(u.reduce((s, v) => s + v * v, 0) / u.length);
  assert.ok(deviation > 0.006 && deviation < 0.014, `u deviates by ${deviation}`);
  for (const [name, value] of [["flows.0.b", 0], ["encoder.1.weight", 1], ["encoder.1.bias", 0]] as const) {
    assert.ok(values.get(name)!.every((v) => v === value), name);
  }
  assert.ok(values.get("decoder.2.running_var")!.every((v) => v === 1));
  assert.deepEqual([...values.get("encoder.1.num_batches_tracked")!], [0]);
  assert.deepEqual(await start(3, "gene."), values);
  assert.notDeepEqual((await start(4, "gene.")).get("fc_mu.weight"), values.get("fc_mu.weight"));
  assert.notDeepEqual((await start(3, "other.")).get("fc_mu.weight"), values.get("fc_mu.weight"));
});

Deno.test("the VAE and the heads refuse what makes no sense", () => {
  const refuse = (config: Record<string, unknown>, message: RegExp) => {
    assert.throws(
      () => createGeneModel(new Parameters(gpu), { name: "vae", genes: 5, dim: 4, ...config } as GeneModelConfig),
      (error: unknown) => error instanceof ConfigError && message.test(error.message),
    );
  };
  refuse({ genes: 0 }, /genes is 0, wanted a whole number/);
  refuse({ hidden: [] }, /number of hidden layers is 0/);
  refuse({ hidden: [8, 2.5] }, /hidden\[1\] is 2.5/);
  refuse({ flows: -1 }, /flows is -1/);
  refuse({ dropout: 1 }, /dropout is 1, wanted at least 0 and below 1/);
  refuse({ maskRatio: NaN }, /maskRatio is NaN/);
  refuse({ kl: "exact" }, /kl is exact, wanted none, reference, flow/);
  refuse({ name: "scvi" }, new RegExp(`gene_model "scvi": no such model, wanted ${GENE_MODEL_NAMES.join(", ")}$`));
  const decoder = { dim: 4, genes: 5 };
  for (const bad of [{ dim: 1.5 }, { dropout: -0.1 }, { finalActivation: "tanh" as "relu" }]) {
    assert.throws(() => createImageDecoder(new Parameters(gpu), { ...decoder, ...bad }), ConfigError);
  }
  assert.throws(() => createProjectionHead(new Parameters(gpu), { kind: "mlp3" as "mlp", dim: 4 }), /"mlp3"/);
  assert.throws(() => createProjectionHead(new Parameters(gpu), { kind: "none", dim: 0 }), /dim is 0/);

  const parameters = new Parameters(gpu);
  const model = createVae(parameters, { genes: 5, dim: 4, hidden: [6] }, { seed: 1 });
  const store = new Store(gpu);
  const x = store.tensor("x", "x", [3, 5]);
  const run = (input: Tensor, options: GeneForward) => () => model.forward(new Plan(gpu), input, options);
  assert.throws(run(store.tensor("x", "x", [3, 6]), {}), ShapeError);
  assert.throws(run(x, { latent: "sample" }), /no random state/);
  assert.throws(
    run(x, { latent: "sample", noise: store.tensor("n", "n", [3, 5]) }),
    /noise is \[3, 5\], wanted \[3, 4\]/,
  );
  assert.throws(run(x, { latent: "mean", noise: store.tensor("n", "n", [3, 4]) }), ConfigError);
  assert.throws(run(x, { latent: { mc: 0 } }), /mc is 0/);
  assert.throws(run(x, { mask: store.tensor("m", "m", [5]) }), ShapeError);
  assert.throws(run(store.tensor("x", "x", [1, 5]), { training: true }), /at least 2 rows in training/);
  assert.throws(() => createVae(parameters, { genes: 5, dim: 4, hidden: [6] }), /the name is taken/);
});

Deno.test("buffers take part in loading, and no gradient or optimiser sees them", () => {
  const parameters = new Parameters(gpu);
  createVae(parameters, { genes: 5, dim: 4, hidden: [6] }, { seed: 1, prefix: "gene." });
  const names = parameters.buffers().map(([name]) => name);
  assert.deepEqual(names, ["running_mean", "running_var", "num_batches_tracked"].map((n) => `gene.encoder.1.${n}`));
  assert.ok(parameters.entries().every(([name]) => !names.includes(name)));
  const values = new Map(
    parameters.entries().map(([name, { shape, size }]) => [name, {
      shape,
      data: new Float32Array(size),
    }]),
  );
  assert.throws(() => parameters.load(values), /3 missing \(gene.encoder.1.running_mean/);
});
