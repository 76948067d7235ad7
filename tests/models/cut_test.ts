/** The encoder in two halves, as training with a cache runs it, gives what the whole encoder gives. */

import assert from "node:assert/strict";
import { backwardFrom } from "../../src/autodiff/backward.ts";
import { randomState, Rng } from "../../src/core/rng.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEncoder, type Encoder } from "../../src/models/encoder.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import { fanInUniform } from "../../src/nn/init.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { mul } from "../../src/ops/binary.ts";
import { meanAll } from "../../src/ops/reduce.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const BATCH = 3;

interface Case {
  readonly name: string;
  readonly encoder: string;
  readonly lora: RegExp;
  readonly trains?: RegExp;
  readonly cut: unknown;
}

const VIT = "random:vit_small_patch16_224?dim=32&depth=3&heads=2&img=48";
const CASES: readonly Case[] = [
  { name: "LoRA on the last block, class token", encoder: VIT, lora: /blocks\.2\./, cut: { blocks: 2, kind: "qkv" } },
  { name: "LoRA on the last two", encoder: VIT, lora: /blocks\.[12]\./, cut: { blocks: 1, kind: "qkv" } },
  {
    name: "LoRA on the last MLP only",
    encoder: VIT,
    lora: /blocks\.2\.mlp/,
    cut: { blocks: 2, kind: "attention" },
  },
  { name: "LoRA on two MLPs only", encoder: VIT, lora: /blocks\.[12]\.mlp/, cut: { blocks: 1, kind: "attention" } },
  {
    name: "mean of all tokens, SwiGLU, registers",
    encoder: "random:virchow2?dim=32&depth=2&heads=2&img=42",
    lora: /blocks\.1\./,
    cut: { blocks: 1, kind: "qkv" },
  },
  {
    name: "pooled by attention",
    encoder: "random:conch?dim=32&depth=2&heads=2&img=32",
    lora: /blocks\.1\./,
    cut: { blocks: 1, kind: "qkv" },
  },
  { name: "a block unfrozen", encoder: VIT, lora: /^$/, trains: /blocks\.2|^norm/, cut: { blocks: 2, kind: "input" } },
  { name: "the last norm unfrozen", encoder: VIT, lora: /^$/, trains: /^norm/, cut: { blocks: 3, kind: "input" } },
];

function build({ encoder: name, lora, trains = /^$/ }: Case, on: Gpu = gpu): Encoder {
  const { spec } = randomEncoder(name);
  const parameters = new Parameters(on, (parameter) => trains.test(parameter));
  const rng = new Rng(3, 9);
  const encoder = createEncoder(parameters, spec, {
    seed: 1,
    lora: (layer) => (lora.test(layer) ? { rank: 4, alpha: 4, dropout: 0.25, init: fanInUniform(rng) } : undefined),
  });
  parameters.allocate();
  for (const [parameter, tensor] of parameters.trainableEntries()) {
    if (parameter.endsWith("lora_B.weight")) parameters.store.write(tensor, fanInUniform(rng)(tensor.shape));
  }
  return encoder;
}

/** Loss, embedding and gradients, from a function that appends the embedding. */
async function evaluate(
  encoder: Encoder,
  store: Store,
  embed: (g: Plan) => Tensor,
): Promise<{ embedding: Float32Array; loss: number; grads: Map<string, Float32Array> }> {
  const { gpu } = encoder.parameters;
  const g = new Plan(gpu);
  g.random = store.from("random", "random", [4], randomState(5, 7), "u32");
  const z = embed(g);
  const weights = g.constant("weights", z.shape, "f32", () => new Rng(4, 4).uniforms(z.size, -1, 1));
  const loss = meanAll(g, mul(g, mul(g, z, z), weights));
  g.output(z, loss);
  backwardFrom(g, loss);
  const program = await g.compile({ clearGradients: true });
  program.run();
  const trainable = encoder.parameters.trainableEntries();
  const [embedding, value, ...grads] = await readback(gpu, z, loss, ...trainable.map(([, tensor]) => tensor.grad!));
  program.destroy();
  return {
    embedding: embedding as Float32Array,
    loss: value![0]!,
    grads: new Map(trainable.map(([name], i) => [name, grads[i] as Float32Array])),
  };
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

function close(name: string, a: Float32Array, b: Float32Array, tolerance: number): void {
  const scale = largest(a);
  assert.ok(scale > 0, `${name} is not all zero`);
  const off = largest(a.map((value, i) => value - b[i]!));
  assert.ok(off <= tolerance * scale, `${name} differs by ${off}, of ${scale}`);
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const row of CASES) {
    Deno.test(`encoder in halves: ${row.name}, ${path}`, async () => {
      const encoder = build(row, on);
      const cut = encoder.deepestCut()!;
      assert.deepEqual(cut, row.cut);
      const { imageSize } = encoder.spec.arch;
      const side = imageSize as number;
      const store = new Store(on);
      const bytes = Uint8Array.from(new Rng(2, 2).uniforms(BATCH * side * side * 3, 0, 256));
      const images = store.from("input", "images", [BATCH, side, side, 3], bytes, "u8");
      const before = new Plan(on);
      const stem = encoder.stem(before, images, cut);
      assert.deepEqual(stem.map(({ shape }) => shape.slice(1)), encoder.cutShapes(cut));
      before.output(...stem);
      const program = await before.compile();
      program.run();
      const values = await readback(on, ...stem);
      const kept = stem.map((tensor, i) => store.from("stem", `stem ${i}`, tensor.shape, values[i]!));
      const training = { training: true };
      const whole = await evaluate(encoder, store, (g) => encoder.forward(g, images, training).embedding);
      const halves = await evaluate(encoder, store, (g) => encoder.finish(g, kept, cut, training));
      close("embedding", whole.embedding, halves.embedding, 1e-5);
      assert.ok(Math.abs(whole.loss - halves.loss) <= 1e-5 * Math.abs(whole.loss), `${whole.loss} and ${halves.loss}`);
      for (const [name, grad] of whole.grads) close(name, grad, halves.grads.get(name)!, 2e-5);
      program.destroy();
      store.destroy();
      encoder.parameters.destroy();
    });
  }
}

Deno.test("an encoder of which nothing trains is cut behind everything", () => {
  const encoder = build({ name: "", encoder: VIT, lora: /^$/, cut: undefined });
  assert.equal(encoder.deepestCut(), "embedding");
  assert.deepEqual(encoder.cutShapes("embedding"), [[32]]);
  encoder.parameters.destroy();
});

Deno.test("an encoder whose patch embedding trains has no cut", () => {
  const encoder = build({ name: "", encoder: VIT, lora: /^$/, trains: /./, cut: undefined });
  assert.equal(encoder.deepestCut(), undefined);
  encoder.parameters.destroy();
});
