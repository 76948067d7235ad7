/** Cases of tests/fixtures/gene_models.*: a module with given weights, run forwards and backwards on both kernel paths. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { randomState } from "../../src/core/rng.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { readSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import fixture from "../fixtures/gene_models.json" with { type: "json" };

/** One case of the fixture. */
export interface FixtureCase {
  kind: string;
  // deno-lint-ignore no-explicit-any
  config: any;
  training: boolean;
  losses: string[];
  latent?: string | number;
  strength?: number;
}

/** Cases by name. */
export const CASES = fixture.cases as unknown as Record<string, FixtureCase>;
const WEIGHTS: Readonly<Record<string, number>> = fixture.weights;

const { tensors } = readSafetensorsF32(
  Deno.readFileSync(new URL("../fixtures/gene_models.safetensors", import.meta.url)),
  "gene_models.safetensors",
);

/** Tensors of a case under one heading, by name. */
export function under(name: string, heading: string): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const prefix = `${name}/${heading}/`;
  return new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([k, t]) => [k.slice(prefix.length), t]));
}

/**
 * What PyTorch computed, against what the device did: relative to the largest element, or to `floor` where that is larger.
 */
function close(what: string, given: ArrayLike<number>, wanted: ArrayLike<number>, floor: number): number {
  const bound = 1e-4;
  assert.equal(given.length, wanted.length, `${what} has ${given.length} elements, wanted ${wanted.length}`);
  let top = floor;
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    top = Math.max(top, Math.abs(wanted[i]!));
    worst = Math.max(worst, Number.isNaN(given[i]!) ? Infinity : Math.abs(given[i]! - wanted[i]!));
  }
  const error = worst / top;
  assert.ok(error <= bound, `${what} is ${error.toExponential(1)} of its largest element away`);
  return error;
}

/** Outputs by name: `z` and `y` are pulled on by the cotangents, losses by their weights; the others are compared only. */
export type Outputs = Record<string, Tensor>;

/** A module made from a configuration: it adds parameters, then appends itself to a plan. */
export type Build = (
  parameters: Parameters,
  config: FixtureCase,
  prefix: string,
) => (g: Plan, inputs: Record<string, Tensor>) => Outputs;

/** Runs one case on one path; throws where it differs from PyTorch. */
async function runPath(gpu: Gpu, name: string, test: FixtureCase, build: Build): Promise<number> {
  const prefix = "net.";
  const parameters = new Parameters(gpu);
  const forward = build(parameters, test, prefix);
  parameters.load(new Map([...under(name, "param")].map(([key, value]) => [`${prefix}${key}`, fromTorch(value)])));
  const store = new Store(gpu);
  const inputs = Object.fromEntries(
    [...under(name, "in")].map(([key, { shape, data }]) => {
      const tensor = store.from("inputs", key, shape, data, key === "ids" ? "u32" : "f32");
      tensor.requiresGrad = key === "z";
      return [key, tensor];
    }),
  );
  const g = new Plan(gpu);
  g.random = store.from("random", "random", [4], randomState(...fixture.random as [number, number]), "u32");
  const outputs = forward(g, inputs);
  const cotangents = under(name, "cotangent");
  const seeds = [
    ...[...cotangents].map(([key, { shape, data }]) => ({
      tensor: outputs[key]!,
      grad: store.from("seeds", key, shape, data),
    })),
    ...test.losses.map((key) => ({ tensor: outputs[key]!, grad: store.from("seeds", key, [1], [WEIGHTS[key]!]) })),
  ];
  const gradients = backward(g, seeds);
  const inputGrads = Object.entries(inputs).flatMap(([key, tensor]) => {
    const grad = tensor.requiresGrad ? gradients.of(tensor) : undefined;
    return grad ? [[`in:${key}`, grad] as const] : [];
  });
  g.output(...Object.values(outputs), ...inputGrads.map(([, grad]) => grad));
  const program = await g.compile();
  program.poison();
  program.run();
  let worst = 0;
  const note = (what: string, given: ArrayLike<number>, wanted: ArrayLike<number>, floor = 1e-6) => {
    worst = Math.max(worst, close(`${name}: ${what}`, given, wanted, floor));
  };
  const read = async (entries: (readonly [string, Tensor])[]) => {
    const values = await readback(gpu, ...entries.map(([, tensor]) => tensor));
    return new Map(entries.map(([key], i) => [key, values[i]!]));
  };
  const got = await read(Object.entries(outputs));
  const wantedOut = under(name, "out");
  assert.ok(wantedOut.size > 0);
  for (const [key, { data }] of wantedOut) note(key, got.get(key)!, data);
  const grads = await read([
    ...parameters.trainableEntries().map(([key, tensor]) => [key.slice(prefix.length), tensor.grad!] as const),
    ...inputGrads,
  ]);
  const wantedGrads = under(name, "grad");
  assert.ok(wantedGrads.size > 0 || test.kind === "identity");
  // A bias before a batch normalisation has a gradient of zero, of which each side finds its own rounding noise.
  const floor = 1e-2 * Math.max(1e-4, ...[...wantedGrads.values()].flatMap(({ data }) => [...data].map(Math.abs)));
  for (const [key, { data }] of wantedGrads) note(`gradient of ${key}`, grads.get(key)!, data, floor);
  for (const [key, data] of grads) {
    if (!wantedGrads.has(key)) assert.ok(data.every((v) => v === 0), `${name}: ${key} has a gradient, wanted none`);
  }
  const after = await parameters.read(parameters.buffers().map(([key]) => key));
  assert.deepEqual([...after.keys()].sort(), [...under(name, "after").keys()].map((key) => prefix + key).sort());
  for (const [key, { data }] of under(name, "after")) note(`${key} afterwards`, after.get(prefix + key)!, data);
  program.destroy();
  store.destroy();
  parameters.destroy();
  return worst;
}

/** torch counts batches in a scalar. */
function fromTorch(value: { shape: readonly number[]; data: Float32Array }) {
  return value.shape.length ? value : { ...value, shape: [1] };
}

/** Runs one case on both paths; returns the largest difference. */
export async function runFixture(gpu: Gpu, name: string, build: Build): Promise<number> {
  let worst = 0;
  for (const flat of [true, false]) {
    worst = Math.max(worst, await runPath(gpu.withCaps({ flat }), name, CASES[name]!, build));
  }
  return worst;
}
