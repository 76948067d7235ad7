/** Adapters on more than attention and MLP, next to PEFT: fixtures of `tests/python/adapters.py`. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { WeightsError } from "../../src/core/errors.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { openFile, openFolder } from "../../src/io/fs.ts";
import { type Adapter, readAdapter } from "../../src/io/torch/peft.ts";
import { openWeights, type Weights } from "../../src/io/torch/weights.ts";
import { readEncoderConfig } from "../../src/models/encoder_config.ts";
import { HALF } from "../../src/models/encoder_spec.ts";
import { mapStateDict } from "../../src/models/families/keymap.ts";
import { loadEncoder, type LoadOptions } from "../../src/models/load.ts";
import { updatesOf } from "../../src/models/lora_layers.ts";
import { mergedTensors } from "../../src/models/merge.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const ROOT = new URL("../fixtures/adapters/", import.meta.url).pathname;
const NAMES = ["timm_proj", "timm_patterns", "hf_vit", "hf_dinov2"] as const;

interface Fixture {
  base: Weights;
  adapter: Adapter;
  expected: Weights;
  facts: NonNullable<LoadOptions["facts"]>;
}

async function open(name: string): Promise<Fixture> {
  const folder = `${ROOT}${name}`;
  const config = JSON.parse(Deno.readTextFileSync(`${folder}/config.json`));
  return {
    base: await openWeights(await openFile(`${folder}/model.safetensors`)),
    adapter: await readAdapter(openFolder(`${folder}/adapter`)),
    expected: await openWeights(await openFile(`${folder}/expected.safetensors`)),
    facts: [readEncoderConfig(config), { input: HALF }],
  };
}

function close({ base, adapter, expected }: Fixture): void {
  for (const file of [base, adapter, expected]) file.close();
}

/** Largest difference by the root mean square of what is wanted. */
function distance(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(got.length, wanted.length);
  const power = Array.from(wanted).reduce((sum, x) => sum + x * x, 0) / wanted.length;
  return Array.from(got).reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i]!)), 0) / Math.sqrt(power);
}

/** Embedding of the tiles, and with `upstream` the gradients of sum(embedding * upstream) by name. */
async function embed(fixture: Fixture, options: LoadOptions, upstream?: Float32Array) {
  const { base, expected, facts } = fixture;
  const encoder = await loadEncoder(gpu, base, { facts, ...options });
  const inputs = expected.tensors.get("inputs")!;
  const { store } = encoder.parameters;
  const images = store.tensor("input", "images", inputs.shape, "u8");
  store.write(images, await inputs.read());
  const g = new Plan(gpu);
  const { embedding } = encoder.forward(g, images);
  g.output(embedding);
  const lora = upstream ? encoder.names.filter((name) => /\.lora_[AB]\./.test(name)) : [];
  if (upstream) {
    const seed = store.from("seed", "upstream", embedding.shape, upstream);
    backward(g, [{ tensor: embedding, grad: seed }]);
  }
  const program = await g.compile();
  program.run();
  const tensors = lora.map((name) => encoder.parameters.get(name).grad!);
  const [values, ...grads] = await readback(gpu, embedding, ...tensors);
  program.destroy();
  encoder.parameters.destroy();
  return { values: values!, cut: encoder.deepestCut(), grads: new Map(lora.map((name, i) => [name, grads[i]!])) };
}

for (const name of NAMES) {
  Deno.test(`${name}: the adapter gives PEFT's embedding, kept apart and merged while loading`, async () => {
    const fixture = await open(name);
    const { adapter, expected } = fixture;
    const wanted = await expected.tensors.get("embedding")!.readF32();
    const { values, cut } = await embed(fixture, { adapter });
    assert.ok(distance(values, wanted) <= 1e-5, String(distance(values, wanted)));
    assert.equal(cut, undefined, "an update of the patch embedding trains: nothing comes before it");
    const merged = (await embed(fixture, { adapter, merge: true })).values;
    assert.ok(distance(merged, wanted) <= 1e-5, String(distance(merged, wanted)));
    const bare = (await embed(fixture, {})).values;
    assert.ok(distance(bare, await expected.tensors.get("base/embedding")!.readF32()) <= 1e-5);
    assert.ok(distance(bare, wanted) > 1e-2, "the adapter changes the embedding");
    close(fixture);
  });

  Deno.test(`${name}: merged weights are PEFT's within 1e-6, those beside the encoder too`, async () => {
    const fixture = await open(name);
    const { base, adapter, expected } = fixture;
    const shapes = new Map([...base.tensors].map(([tensor, { shape }]) => [tensor, shape]));
    const keymap = mapStateDict(shapes, { heads: 2 });
    const { tensors, changed, leftOut } = await mergedTensors(base, keymap, adapter);
    assert.deepEqual(leftOut, []);
    assert.ok(changed.some((tensor) => /patch_embed/.test(tensor)), changed.join());
    assert.equal(changed.includes("pooler.dense.weight"), name === "hf_vit");
    for (const [tensor, made] of tensors) {
      const wanted = await expected.tensors.get(`merged/${tensor}`)!.readF32();
      const got = await made.readF32();
      const most = got.reduce((worst, x, i) => Math.max(worst, Math.abs(x - wanted[i]!)), 0);
      assert.ok(most <= 1e-6, `${tensor}: ${most}`);
    }
    const { leftOut: beside } = await mergedTensors(base, keymap, adapter, { names: "timm" });
    assert.deepEqual(beside, name === "hf_vit" ? ["pooler.dense.weight"] : []);
    close(fixture);
  });
}

for (const name of NAMES.slice(0, 2)) {
  Deno.test(`${name}: gradients of every A and B are PyTorch's`, async () => {
    const fixture = await open(name);
    const { adapter, expected } = fixture;
    const { grads } = await embed(fixture, { adapter }, await expected.tensors.get("upstream")!.readF32());
    const names = [...expected.tensors.keys()].filter((tensor) => tensor.startsWith("gradient/"));
    assert.equal(grads.size, names.length);
    for (const tensor of names) {
      const wanted = await expected.tensors.get(tensor)!.readF32();
      const off = distance(grads.get(tensor.slice("gradient/".length))!, wanted);
      assert.ok(off <= 1e-4, `${tensor}: ${off}`);
    }
    close(fixture);
  });
}

Deno.test("a run that started from an adapter is opened again with that adapter's layers, ranks and scales", async () => {
  const fixture = await open("timm_patterns");
  const updates = updatesOf(fixture.adapter, "timm");
  assert.deepEqual([...updates.keys()].sort(), [
    ...[0, 1].flatMap((i) => ["attn.proj", "attn.qkv", "mlp.fc1", "mlp.fc2"].map((part) => `blocks.${i}.${part}`)),
    "patch_embed.proj",
  ]);
  const encoder = await loadEncoder(gpu, fixture.base, { facts: fixture.facts, lora: (layer) => updates.get(layer) });
  const apart = await loadEncoder(gpu, fixture.base, { facts: fixture.facts, adapter: fixture.adapter });
  assert.deepEqual([...encoder.loraScales], [...apart.loraScales]);
  const shapes = ({ parameters, names }: typeof apart) => names.map((name) => [name, parameters.get(name).shape]);
  assert.deepEqual(shapes(encoder), shapes(apart));
  for (const { parameters } of [encoder, apart]) parameters.destroy();
  close(fixture);
});

Deno.test("what is neither a linear layer of a block nor the patch embedding is refused, with what leaves it out", async () => {
  const fixture = await open("timm_proj");
  const { base, adapter } = fixture;
  const path = "patch_embed.proj";
  const module = adapter.modules.get(path)!;
  const with_ = (modules: [string, typeof module][]) => ({ ...adapter, modules: new Map(modules) });
  const refusals: [Adapter, RegExp, string | undefined][] = [
    [with_([["stem.conv", module]]), /adapts stem\.conv, which this encoder has not/, 'exclude_modules=["stem.conv"]'],
    [
      with_([["blocks.0.attn.proj", module]]),
      /adapter to blocks\.0\.attn\.proj: A is \[4, 3, 8, 8\] and B \[32, 4, 1, 1\], wanted \[4, 32\] and \[32, 4\]/,
      undefined,
    ],
    [
      with_([[path, adapter.modules.get("blocks.0.attn.proj")!]]),
      /wanted \[4, 3, 8, 8\] and \[32, 4, 1, 1\]/,
      undefined,
    ],
    [
      with_([[path, module], [`model.${path}`, module]]),
      /another of its modules adapts as patch_embed\.proj/,
      undefined,
    ],
  ];
  for (const [wrong, message, hint] of refusals) {
    await assert.rejects(loadEncoder(gpu, base, { facts: fixture.facts, adapter: wrong }), (error: unknown) => {
      assert.ok(error instanceof WeightsError);
      assert.match(error.message, message);
      if (hint !== undefined) assert.ok(error.hint?.includes(hint), error.hint);
      return true;
    });
  }
  close(fixture);
});
