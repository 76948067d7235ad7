import assert from "node:assert/strict";
import { ConfigError, WeightsError } from "../../src/core/errors.ts";
import { Plan } from "../../src/graph/plan.ts";
import { submit } from "../../src/graph/program.ts";
import { upload } from "../../src/graph/store.ts";
import { constant, type Init } from "../../src/nn/init.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { AdamW, decayMatrices, type LearningRates, type ParameterGroup } from "../../src/optim/adamw.ts";
import { decays, layerOf, parameterGroups, roleOf } from "../../src/optim/param_groups.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Parameters with an optimiser whose gradients the test writes itself. */
async function trainer(
  shapes: Readonly<Record<string, readonly number[]>>,
  groups: readonly ParameterGroup[],
  init: Init = constant(1),
) {
  const parameters = new Parameters(gpu);
  for (const [name, shape] of Object.entries(shapes)) parameters.add(name, shape, { init });
  parameters.allocate();
  const optimizer = new AdamW(parameters, groups);
  const g = new Plan(gpu);
  optimizer.step(g);
  const update = await g.compile();
  return {
    parameters,
    optimizer,
    dispatches: update.kernels.length,
    step(rates: LearningRates, gradient: (name: string) => number) {
      optimizer.setLearningRate(rates);
      for (const [name, { grad, size }] of parameters.trainableEntries()) {
        upload(gpu, grad!, new Float32Array(size).fill(gradient(name)));
      }
      submit(gpu, [update]);
    },
    destroy() {
      update.destroy();
      optimizer.destroy();
      parameters.destroy();
    },
  };
}

function near(given: number, wanted: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(given - wanted) <= tolerance, `${given}, wanted ${wanted}`);
}

Deno.test("two steps of AdamW give the worked numbers; without decay the weight shrinks less", async () => {
  const { step, parameters, destroy } = await trainer({ w: [1, 1], b: [1] }, parameterGroups({ weightDecay: 0.2 }));
  const seen: number[][] = [];
  for (const gradient of [0.5, -0.3]) {
    step({ img: 0, gene: 0, head: 0.01 }, () => gradient);
    const values = await parameters.read();
    seen.push([values.get("w")![0]!, values.get("b")![0]!]);
  }
  near(seen[0]![0]!, 0.988);
  near(seen[1]![0]!, 0.984109);
  // By hand: m = .9 * .05 - .03 = .015, over 1 - .81; v = .999 * .00025 + .00009, over 1 - .998001.
  near(seen[0]![1]!, 0.99);
  near(seen[1]![1]!, 0.99 - 0.01 * (0.015 / 0.19) / Math.sqrt(0.00033975 / 0.001999));
  destroy();
});

Deno.test("layer decay .7 slows the blocks by 1, .7, .49, .343 from the top, in one set of dispatches", async () => {
  const names = ["patch_embed.proj", "blocks.0.mlp.fc1", "blocks.1.mlp.fc1", "blocks.2.mlp.fc1"];
  const shapes = Object.fromEntries([...names.map((name) => [`${name}.weight`, [2, 2]]), ["norm.weight", [2]]]);
  const groups = parameterGroups({ weightDecay: 0, layers: { decay: 0.7, depth: 3 } });
  const { step, parameters, dispatches, destroy } = await trainer(shapes, groups);
  step({ img: 0.01, gene: 0, head: 0 }, () => 3);
  const values = await parameters.read();
  // The first step moves by the learning rate, whatever the gradient.
  [0.343, 0.49, 0.7, 1].forEach((scale, i) => near(values.get(`${names[i]}.weight`)![0]!, 1 - 0.01 * scale));
  near(values.get("norm.weight")![0]!, 0.99);
  const one = await trainer(shapes, decayMatrices(0));
  assert.equal(dispatches, one.dispatches);
  one.destroy();
  destroy();
});

Deno.test("scales and decay are timm's for a transformer with and without a head", async () => {
  const text = await Deno.readTextFile(new URL("../fixtures/param_groups.json", import.meta.url));
  const fixture = JSON.parse(text) as Record<
    string,
    Record<string, { shape: number[]; lr_scale: number; weight_decay: number }>
  >;
  for (const [kind, rows] of Object.entries(fixture)) {
    const groups = parameterGroups({
      weightDecay: 0.2,
      layers: { decay: 0.7, depth: 3, pooler: kind === "head" },
      role: () => "img",
    });
    for (const [name, row] of Object.entries(rows)) {
      const group = groups.find(({ match }) => match(name, { shape: row.shape } as never))!;
      near(group.lrScale!, row.lr_scale, 1e-12);
      assert.equal(group.weightDecay, row.weight_decay, name);
    }
    assert.ok(Object.keys(rows).length > 30);
  }
});

Deno.test("image, gene model and heads follow their own learning rates; rate 0 changes no bit", async () => {
  const shapes = {
    "blocks.11.attn.qkv.lora_A.weight": [2, 8],
    "blocks.11.attn.qkv.lora_B.weight": [8, 2],
    "gene.encoder.0.weight": [4, 4],
    "gene.encoder.1.bias": [4],
    "decoder.decoder.0.weight": [4, 4],
    logit_scale: [1],
  };
  const { step, parameters, optimizer, destroy } = await trainer(
    shapes,
    parameterGroups({ weightDecay: 0.5 }),
    constant(0.1),
  );
  step({ img: 0.01, gene: 0.002, head: 0 }, () => -1);
  const moved = Object.fromEntries(
    [...await parameters.read()].map(([name, data]) => [name, data[0]! - Math.fround(0.1)]),
  );
  near(moved["blocks.11.attn.qkv.lora_A.weight"]!, 0.01 - 0.01 * 0.5 * 0.1);
  near(moved["blocks.11.attn.qkv.lora_B.weight"]!, 0.01 - 0.01 * 0.5 * 0.1);
  near(moved["gene.encoder.0.weight"]!, 0.002 - 0.002 * 0.5 * 0.1);
  near(moved["gene.encoder.1.bias"]!, 0.002);
  assert.deepEqual([moved["decoder.decoder.0.weight"], moved["logit_scale"]], [0, 0]);
  assert.throws(() => optimizer.setLearningRate({ img: 1, gene: 1 }), /learning rate head to NaN/);
  assert.throws(() => optimizer.setLearningRate({ img: 1, gene: -1, head: 1 }), ConfigError);
  optimizer.setLearningRate(0.1);
  destroy();
});

Deno.test("roles, layers and decay go by name", () => {
  const rows: [string, number[], string, boolean, number][] = [
    ["cls_token", [1, 1, 8], "img", false, 0],
    ["reg_token", [1, 4, 8], "img", true, 0],
    ["trunk.pos_embed", [1, 5, 8], "img", false, 0],
    ["patch_embed.proj.weight", [8, 3, 2, 2], "img", true, 0],
    ["blocks.1.norm1.weight", [8], "img", false, 2],
    ["blocks.11.ls1.gamma", [8], "img", false, 12],
    ["trunk.blocks.10.attn.qkv.weight", [24, 8], "img", true, 11],
    ["trunk.norm.bias", [8], "img", false, 12],
    ["attn_pool_contrast.query", [1, 8], "img", true, 13],
    ["ln_contrast.weight", [8], "img", false, 13],
    ["gene.flows.0.u", [8], "gene", true, 13],
    ["gene.flows.0.w", [8], "gene", true, 13],
    ["gene.flows.0.b", [1], "gene", false, 13],
    ["gene.norm.weight", [8], "gene", false, 13],
    ["gene.decoder.0.weight", [8, 8], "gene", true, 13],
    ["decoder.decoder.0.bias", [8], "head", false, 13],
    ["projection_head.weight", [8, 8], "head", true, 13],
    ["logit_scale", [1], "head", false, 13],
    ["organ_emb.weight", [14, 8], "img", true, 13],
  ];
  for (const [name, shape, role, decayed, layer] of rows) {
    assert.equal(roleOf(name), role, name);
    assert.equal(decays(name, { shape }), decayed, name);
    assert.equal(layerOf(name, 12), layer, name);
  }
  for (
    const layers of [{ decay: 0, depth: 3 }, { decay: 1.1, depth: 3 }, { decay: NaN, depth: 3 }, { decay: 1, depth: 0 }]
  ) {
    assert.throws(() => parameterGroups({ weightDecay: 0, layers }), ConfigError);
  }
});

Deno.test("an optimiser that is saved and loaded goes on bit for bit", async () => {
  const shapes = { "blocks.0.w": [3, 70], "gene.w": [5], head: [2, 2] };
  const groups = parameterGroups({ weightDecay: 0.1 });
  const gradient = (t: number) => (name: string) => Math.sin(t * name.length + 1);
  const rates = (t: number) => ({ img: 0.01 / (t + 1), gene: 0.02, head: 0.03 });
  const whole = await trainer(shapes, groups);
  for (let t = 0; t < 6; t++) whole.step(rates(t), gradient(t));
  const first = await trainer(shapes, groups);
  for (let t = 0; t < 3; t++) first.step(rates(t), gradient(t));
  const saved = await first.optimizer.read();
  assert.deepEqual(
    [...saved.keys()].sort(),
    [
      ...["blocks.0.w", "gene.w", "head"].map((name) => `exp_avg.${name}`),
      ...["blocks.0.w", "gene.w", "head"].map((name) => `exp_avg_sq.${name}`),
      "state",
    ].sort(),
  );
  const weights = await first.parameters.read();
  first.destroy();
  const second = await trainer(shapes, groups, constant(0));
  for (const [name, data] of weights) upload(gpu, second.parameters.get(name), data);
  second.optimizer.load(saved);
  for (let t = 3; t < 6; t++) second.step(rates(t), gradient(t));
  assert.deepEqual(await second.parameters.read(), await whole.parameters.read());
  assert.deepEqual(await second.optimizer.read(), await whole.optimizer.read());
  assert.equal((await second.optimizer.readState()).steps, 6);

  const before = await second.optimizer.read();
  const missing = new Map(saved);
  missing.delete("exp_avg.head");
  assert.throws(() => second.optimizer.load(missing), WeightsError);
  assert.throws(
    () => second.optimizer.load(new Map([...saved, ["exp_avg.x", saved.get("state")!]])),
    /exp_avg\.x is unexpected/,
  );
  const reshaped = new Map([...saved, ["exp_avg.head", { shape: [4, 1], data: new Float32Array(4) }]]);
  assert.throws(() => second.optimizer.load(reshaped), /exp_avg\.head is \[4, ?1\]/);
  assert.deepEqual(await second.optimizer.read(), before);
  second.destroy();
  whole.destroy();
});
