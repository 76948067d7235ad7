/** Inference block by block is that of the whole bag, whatever its size, with the rows that are left out. */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { type BagRows, MilInference } from "../../../src/methods/mil/inference.ts";
import { createMil, MIL_MODELS, type MilModel, type MilOptions } from "../../../src/methods/mil/model.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const DIM = 8;

function create(on: Gpu, kind: MilOptions["kind"]): MilModel {
  const heads = kind === "gated" ? 2 : 1;
  const model = createMil(on, { kind, dim: DIM, outputs: 3, hidden: 6, heads, seed: 5 });
  model.parameters.allocate();
  return model;
}

/** A bag whose rows are read in order, and never more than a block at a time. */
function bagOf(x: Float32Array, block: number): BagRows {
  return {
    name: "bag",
    count: x.length / DIM,
    read(from, to) {
      assert.ok(to - from <= block, `${to - from} rows of a block of ${block}`);
      return Promise.resolve(x.slice(from * DIM, to * DIM));
    },
  };
}

/** All rows in one plan. */
async function whole(model: MilModel, x: Float32Array, mask?: ArrayLike<number>) {
  const { gpu: on } = model.parameters;
  const rows = x.length / DIM;
  const inputs = new Store(on);
  const bound = inputs.from("bound", "bound", [2], [0, rows], "u32");
  const counts = mask && inputs.from("mask", "mask", [rows], mask, "u32");
  const tile = inputs.from("x", "x", [rows, DIM], x);
  const g = new Plan(on);
  const { output, slide, weights } = g.withoutTape(() => model.forward(g, tile, { bound, mask: counts }, false));
  g.output(output, slide, weights);
  const program = await g.compile();
  program.run();
  const [y, z, attention] = await readback(on, output, slide, weights);
  program.destroy();
  inputs.destroy();
  return { output: y!, slide: z!, attention: attention! };
}

function near(name: string, got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  assert.equal(got.length, wanted.length, name);
  for (let i = 0; i < wanted.length; i++) {
    assert.ok(Math.abs(got[i]! - wanted[i]!) <= tolerance, `${name}: element ${i} is ${got[i]}, wanted ${wanted[i]}`);
  }
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const kind of MIL_MODELS) {
    Deno.test(`blocks of ${kind} give what the whole bag gives: ${path}`, async () => {
      const model = create(on, kind);
      const inference = await MilInference.compile(model, 7);
      for (const rows of [50, 1, 6, 7, 8]) {
        const x = new Rng(rows, 0).normals(rows * DIM, 2);
        // A masked row may hold anything that is a number; the first block of the largest bag is masked whole.
        const mask = Array.from({ length: rows }, (_, j) => (rows === 50 && j < 7 ? 0 : j % 4 === 1 ? 0 : 1));
        for (const [name, counts] of [["all", undefined], ["masked", mask]] as const) {
          const [got, wanted] = [await inference.run(bagOf(x, 7), counts), await whole(model, x, counts)];
          near(`${rows} rows, ${name}: output`, got.output, wanted.output, 2e-6);
          near(`${rows} rows, ${name}: slide`, got.slide, wanted.slide, 2e-6);
          near(`${rows} rows, ${name}: attention`, got.attention, wanted.attention, 1e-6);
        }
      }
      const bag = bagOf(new Rng(1, 0).normals(3 * DIM), 7);
      await assert.rejects(inference.run(bag, [0, 0, 0]), /Cannot score bag: none of its 3 rows counts/);
      inference.destroy();
    });
  }
}

Deno.test("a bag of 100,000 rows takes one block of the device, and its attention sums to 1", async () => {
  const model = create(gpu, "gated");
  const inference = await MilInference.compile(model);
  const x = new Rng(9, 0).normals(100_000 * DIM, 3);
  const [got, wanted] = [await inference.run(bagOf(x, 4096)), await whole(model, x)];
  near("output", got.output, wanted.output, 1e-5);
  for (const head of [0, 1]) {
    let sum = 0;
    for (let j = head; j < got.attention.length; j += 2) sum += got.attention[j]!;
    assert.ok(Math.abs(sum - 1) < 1e-9, `weights of head ${head} sum to ${sum}`);
  }
  inference.destroy();
});
