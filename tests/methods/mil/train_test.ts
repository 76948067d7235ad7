/** Training of models of bags next to PyTorch: the same start, bags and order, no dropout, 20 steps. */

import assert from "node:assert/strict";
import { readback } from "../../../src/gpu/readback.ts";
import { createMil, type MilKind } from "../../../src/methods/mil/model.ts";
import fixture from "../../fixtures/mil_train.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { createTrainer, type TrainBag } from "./driver.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const { width, hidden, classes, steps, runs } = fixture;

function wave(n: number, s: number, c: number): Float32Array {
  return Float32Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
}

/** Bag `n` of the fixture's script. */
function bag(n: number): TrainBag {
  const rows = n % 7 === 3 ? 1 : 1 + (37 * n) % 61;
  const label = (5 * n + Math.floor(n / 3)) % classes;
  const x = wave(rows * width, 0.3 + n, 1);
  for (let i = 0; i < rows; i++) x[i * width]! += 0.5 * label;
  return { x, label };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(runs)) {
    Deno.test(`20 steps give PyTorch's losses: ${name}, ${path}`, async () => {
      const { heads, batch, lr, weights } = run;
      const model = createMil(on, {
        kind: run.model as MilKind,
        dim: width,
        outputs: classes,
        hidden,
        heads,
        dropout: { features: 0, attention: 0 },
      });
      const { parameters } = model;
      parameters.allocate();
      parameters.load(
        new Map(
          parameters.state().map(([key, { shape, size }], place) => {
            return [key, { shape, data: wave(size, 1.1 * place, key.endsWith("weight") ? 0.5 : 0.1) }];
          }),
        ),
      );
      const trainer = await createTrainer(model, {
        rows: 61 * batch,
        batch,
        lr,
        steps,
        ...(weights && { weights }),
      });
      for (let t = 0; t < steps; t++) {
        trainer.submit(Array.from({ length: batch }, (_, i) => bag(t * batch + i)));
        const [got, wanted] = [await trainer.loss(), run.losses[t]!];
        assert.ok(Math.abs(got - wanted) <= 1e-4, `loss of step ${t} is ${got}, PyTorch has ${wanted}`);
      }
      for (const [key, wanted] of Object.entries(run.final) as [string, number[]][]) {
        const [got] = await readback(on, parameters.get(key));
        // A step of AdamW is as long for a gradient of rounding size as for any other.
        wanted.forEach((value, i) => {
          assert.ok(Math.abs(got![i]! - value) <= 0.05 * lr, `${key}[${i}] is ${got![i]}, PyTorch has ${value}`);
        });
      }
      trainer.destroy();
    });
  }
}
