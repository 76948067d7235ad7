/**
 * Makes the demo's encoder: a small vision transformer that regresses some of the causes of synthetic slides (cellularity,
 * nuclear size, chromatin, lymphocytes) from patches. The slides are of another seed than the demo's, so none of its patches
 * and no gene is seen. Two slides are kept apart to say how well it does.
 *
 *   deno run -A scripts/pretrain_demo.ts [--out data/demo/encoder] [--steps 1500] [--slides 40] [--seed 7] [--programs 4]
 *
 * Writes `model.safetensors` (f16, timm's names), `config.json` and `provenance.json` with options, adapter and SHA-256.
 */

import { parseArgs } from "node:util";
import { createHash } from "node:crypto";
import { encode } from "../src/core/dtype.ts";
import { Rng } from "../src/core/rng.ts";
import { turn } from "../src/data/dihedral.ts";
import { requestGpu } from "../src/gpu/device.ts";
import { readback } from "../src/gpu/readback.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import { writeSafetensors } from "../src/io/safetensors.ts";
import { mse } from "../src/losses/pointwise.ts";
import { createEncoder } from "../src/models/encoder.ts";
import { randomEncoder } from "../src/models/random_encoder.ts";
import { constant, truncatedNormal } from "../src/nn/init.ts";
import { applyLinear, linearLayer } from "../src/nn/layers.ts";
import { Parameters } from "../src/nn/parameters.ts";
import { AdamW, decayMatrices } from "../src/optim/adamw.ts";
import { cosineSchedule } from "../src/optim/schedule.ts";
import { TrainStep } from "../src/train/step.ts";
import type { SlidePatches, SlideRequest } from "./pretrain_demo_worker.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "data/demo/encoder" },
    steps: { type: "string", default: "1500" },
    slides: { type: "string", default: "40" },
    seed: { type: "string", default: "7" },
    programs: { type: "string", default: "4" },
    batch: { type: "string", default: "64" },
    lr: { type: "string", default: "1e-3" },
    dim: { type: "string", default: "96" },
    depth: { type: "string", default: "4" },
  },
});
const [steps, slides, seed, programs, batch] = [values.steps, values.slides, values.seed, values.programs, values.batch]
  .map(Number) as [number, number, number, number, number];
const SIZE = 224;
const EACH = SIZE * SIZE * 3;

/** Renders all slides, in as many workers as there are cores. */
async function renderAll(): Promise<SlidePatches[]> {
  const found: SlidePatches[] = [];
  let next = 0;
  const workers = Array.from({ length: Math.min(slides, navigator.hardwareConcurrency) }, () => {
    const worker = new Worker(new URL("./pretrain_demo_worker.ts", import.meta.url), { type: "module" });
    return new Promise<void>((resolve, reject) => {
      const ask = () => {
        if (next >= slides) return resolve(worker.terminate());
        worker.postMessage({ seed, slide: next++, rows: 10, cols: 20, size: SIZE, programs } satisfies SlideRequest);
      };
      worker.onmessage = ({ data }: MessageEvent<SlidePatches>) => {
        found.push(data);
        ask();
      };
      worker.onerror = (event) => reject(new Error(event.message));
      ask();
    });
  });
  await Promise.all(workers);
  return found.sort((a, b) => a.slide - b.slide);
}

function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (x: Float64Array) => x.reduce((s, v) => s + v, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

const started = performance.now();
const rendered = await renderAll();
const [train, test] = [rendered.slice(0, -2), rendered.slice(-2)];
const patches = train.flatMap(({ patches, targets }) =>
  Array.from({ length: targets.length / programs }, (_, i) => ({
    rgb: patches.subarray(i * EACH, (i + 1) * EACH),
    target: targets.subarray(i * programs, (i + 1) * programs),
  }))
);
console.error(
  `${patches.length} patches of ${train.length} slides, ${((performance.now() - started) / 1e3).toFixed(0)} s`,
);

const gpu = await requestGpu(navigator.gpu);
const heads = Number(values.dim) / 32;
const { spec } = randomEncoder(
  `random:vit_small_patch16_224?dim=${values.dim}&depth=${values.depth}&heads=${heads}&seed=${seed}`,
);
const parameters = new Parameters(gpu, true);
const encoder = createEncoder(parameters, spec, { seed });
const head = linearLayer(parameters, "pretext", encoder.dim, programs, {
  weightInit: truncatedNormal(new Rng(seed, 5)),
  biasInit: constant(0.5),
});
parameters.allocate();
const inputs = new Store(gpu);
const images = inputs.tensor("images", "images", [batch, SIZE, SIZE, 3], "u8");
const target = inputs.tensor("targets", "targets", [batch, programs]);
inputs.allocate();
const optimizer = new AdamW(parameters, decayMatrices(0.05), { clipNorm: 1 });
const step = await TrainStep.compile(gpu, optimizer, (g) => {
  const y = applyLinear(g, head, encoder.forward(g, images, { training: true }).embedding);
  return { loss: mse(g, y, target) };
}, { seed });
const rate = cosineSchedule({ base: Number(values.lr), warmup: Math.min(100, steps), total: steps });
const rng = new Rng(seed, 6);
const [pixels, wanted] = [new Uint8Array(batch * EACH), new Float32Array(batch * programs)];
for (let t = 0; t < steps; t++) {
  for (let i = 0; i < batch; i++) {
    const patch = patches[rng.below(patches.length)]!;
    pixels.set(turn(patch.rgb, SIZE, rng.below(8)), i * EACH);
    wanted.set(patch.target, i * programs);
  }
  step.submit(rate(t), () => {
    inputs.write(images, pixels);
    inputs.write(target, wanted);
  });
  if ((t + 1) % 50 && t + 1 < steps) continue;
  const read = await step.readMetrics();
  const loss = read.reduce((sum, { loss }) => sum + loss!, 0) / read.length;
  console.error(`step ${t + 1}: mse ${loss.toFixed(5)}, ${((performance.now() - started) / 1e3).toFixed(0)} s`);
}

/** Correlation of each field over the slides kept apart. */
async function validate(): Promise<number[]> {
  const g = new Plan(gpu);
  const y = g.withoutTape(() => applyLinear(g, head, encoder.forward(g, images).embedding));
  g.output(y);
  const program = await g.compile();
  const [said, true_]: [number[][], number[][]] = [[], []];
  for (const { patches, targets } of test) {
    const n = targets.length / programs;
    for (let from = 0; from < n; from += batch) {
      const count = Math.min(batch, n - from);
      pixels.set(patches.subarray(from * EACH, (from + count) * EACH));
      inputs.write(images, pixels);
      program.run();
      const [out] = await readback(gpu, y);
      for (let i = 0; i < count; i++) {
        said.push([...out!.subarray(i * programs, (i + 1) * programs)]);
        true_.push([...targets.subarray((from + i) * programs, (from + i + 1) * programs)]);
      }
    }
  }
  const column = (rows: number[][], f: number) => Float64Array.from(rows, (row) => row[f]!);
  return Array.from({ length: programs }, (_, f) => correlation(column(said, f), column(true_, f)));
}

const found = await validate();
console.error(`correlation on ${test.length} other slides: ${found.map((r) => r.toFixed(3)).join(" ")}`);
const weights = await parameters.read(encoder.names);
const file = writeSafetensors(
  new Map([...weights].map(([name, data]) => [
    name,
    { dtype: "F16", shape: parameters.get(name).shape, data: encode(data, "f16") },
  ])),
  { format: "pt" },
);
const sha256 = createHash("sha256").update(file).digest("hex");
Deno.mkdirSync(values.out, { recursive: true });
Deno.writeFileSync(`${values.out}/model.safetensors`, file);
const { mean, std } = spec.input;
const config = {
  architecture: "vit_synthetic_patch16_224",
  num_classes: 0,
  num_features: encoder.dim,
  global_pool: "token",
  model_args: {
    img_size: SIZE,
    patch_size: 16,
    embed_dim: encoder.dim,
    depth: Number(values.depth),
    num_heads: heads,
    num_classes: 0,
    global_pool: "token",
  },
  pretrained_cfg: { input_size: [3, SIZE, SIZE], crop_pct: 1, interpolation: "bicubic", mean, std, num_classes: 0 },
};
Deno.writeTextFileSync(`${values.out}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
const provenance = {
  what: "small vision transformer for the demo, made by scripts/pretrain_demo.ts",
  options: {
    steps,
    slides,
    seed,
    programs,
    batch,
    lr: Number(values.lr),
    dim: encoder.dim,
    depth: Number(values.depth),
  },
  adapter: gpu.description,
  deno: Deno.version.deno,
  correlation: found.map((r) => Number(r.toFixed(3))),
  sha256,
};
Deno.writeTextFileSync(`${values.out}/provenance.json`, `${JSON.stringify(provenance, null, 2)}\n`);
console.error(`${values.out}: ${file.length} bytes, sha256 ${sha256}`);
gpu.destroy();
