/**
 * 20 training steps next to PyTorch in float64, by slices and by tubelets, whole and by gradient caching.
 *
 * @seconds 20
 */

import assert from "node:assert/strict";
import { NO_NEGATIVE } from "../../../src/losses/masked_clip.ts";
import { inverseCount } from "../../../src/losses/masked_mse.ts";
import { depthValues } from "../../../src/methods/vortex/batch.ts";
import type { VortexConfig } from "../../../src/methods/vortex/config.ts";
import { createVortexModel } from "../../../src/methods/vortex/model.ts";
import { createPatchEncoder } from "../../../src/methods/vortex/slices.ts";
import { vortexStep } from "../../../src/methods/vortex/training.ts";
import { createEncoder } from "../../../src/models/encoder.ts";
import { findEncoder } from "../../../src/models/encoder_registry.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";
import { Step } from "../../../src/train/step.ts";
import { phantomConfig } from "../../../scripts/methods/vortex/phantom_data.ts";
import fixture from "../../fixtures/vortex_train.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const { side, slices, genes, volumes, batch, patches, steps, dim, heads } = fixture;

function wave(n: number, s: number, c: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
}

/** Patches of a step, and their expression. */
function batchOf(t: number, aggregate: VortexConfig["model"]["aggregate"]) {
  const own = Array.from({ length: batch }, (_, b) => (t * batch + b) % patches);
  const all = own.map((n) => {
    const inside = Array.from({ length: slices }, (_, k) => k < 3 || n % 4 !== 3);
    const pixels = wave(slices * side * side, 0.3 + 1.9 * n, 0.5)
      .map((value, i) => inside[Math.floor(i / (side * side))] ? 0.5 + value : 0);
    return { pixels, inside, distance: [-16, -8, 0, 8] };
  });
  const measured = Float32Array.from(
    own.flatMap((n) => Array.from({ length: genes }, (_, g) => (n + g) % 5 === 0 ? 0 : 1)),
  );
  const x = Float32Array.from(
    own.flatMap((n) => [...wave(genes, 0.9 + 1.3 * n, 1)]),
    (value, i) => value * measured[i]!,
  );
  const near = (a: number, b: number) => Math.abs(a - b) === 1 && Math.min(a, b) % 6 === 0;
  const fields = {
    ...depthValues(all, { dim, aggregate }),
    ...{ x, measured, inverse: inverseCount(measured) },
    volume: Float32Array.from(
      own.flatMap((n) => Array.from({ length: volumes }, (_, v) => (n % volumes === v ? 1 : 0))),
    ),
    overlap: Float32Array.from(own.flatMap((a) => own.map((b) => (near(a, b) ? NO_NEGATIVE : 0)))),
  };
  return { all, fields };
}

/** A model with the fixture's start, trained on its patches. */
async function losses(
  on: typeof gpu,
  aggregate: VortexConfig["model"]["aggregate"],
  micro?: number,
): Promise<number[]> {
  const config = phantomConfig({
    ...{ aggregate, tubelet: fixture.tubelet, slices, depth_blocks: 1, width: fixture.width },
    ...{ pool_heads: fixture.pool_heads, gene_hidden: fixture.hidden, gene_dropout: 0 },
  });
  const parameters = new Parameters(on, () => true);
  const spec = findEncoder("vit_small_patch16_224");
  assert.deepEqual([spec.input.mean[0], spec.input.std[2]], [fixture.mean, fixture.std]);
  const arch = { ...spec.arch, width: dim, depth: fixture.depth, heads, hidden: 4 * dim, patch: fixture.patch };
  const encoder = createEncoder(parameters, spec, { arch, imageSize: side, seed: 1 });
  const model = createVortexModel(parameters, { dim, heads, genes, volumes }, config);
  const patchEncoder = createPatchEncoder(encoder, model, { channels: 1, config });
  parameters.allocate();
  const optimizer = new AdamW(parameters, [
    { match: (_, tensor) => tensor.shape.length > 1, weightDecay: fixture.decay },
    { match: () => true },
  ]);
  const named = [...parameters.state()].sort(([a], [b]) => (a < b ? -1 : 1));
  parameters.load(
    new Map(named.map(([name, { shape, size }], place) => {
      const norm = /(norm[12]?|ln_[qk]|gene\.0)\.weight$/.test(name) ? 1 : 0;
      const data = name === "temperature" ? Float32Array.of(-Math.log(0.07)) : Float32Array.from(
        { length: size },
        (_, k) => norm + (shape.length > 1 ? 0.3 : 0.1) * Math.sin(1.7 * k + 1.1 * place),
      );
      return [name, { shape, data }];
    })),
  );
  const made = vortexStep({ parameters, patchEncoder, model }, { batch, slices, genes, dim, volumes }, [
    "shared",
    "volume",
  ]);
  const step = await Step.compile(made, optimizer, {
    ...{ batch, rows: batch * patchEncoder.rowsOf(slices), ring: steps },
    ...(micro !== undefined && { micro }),
  });
  const rate = cosineSchedule({ base: fixture.lr, total: steps, min: 0 });
  for (let t = 0; t < steps; t++) {
    const { all, fields } = batchOf(t, aggregate);
    await step.submit(rate(t), () => ({ rows: patchEncoder.rows(all), fields }));
  }
  const found = (await step.readMetrics()).map(({ loss }) => loss!);
  step.destroy();
  optimizer.destroy();
  parameters.destroy();
  return found;
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(fixture.runs)) {
    Deno.test(`20 steps give PyTorch's losses, whole and by gradient caching: ${name}, ${path}`, async () => {
      for (const micro of [undefined, run.aggregate === "depth" ? 7 : 4]) {
        const found = await losses(on, run.aggregate as VortexConfig["model"]["aggregate"], micro);
        assert.equal(found.length, steps);
        found.forEach((got, t) => {
          const off = Math.abs(got - run.losses[t]!) / run.losses[t]!;
          assert.ok(
            off <= 2e-5,
            `loss of step ${t} in parts of ${micro} is ${got}, PyTorch has ${run.losses[t]}: ${off}`,
          );
        });
      }
    });
  }
}
