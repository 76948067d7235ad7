/**
 * Pre-training of a small vision transformer by regression: images to numbers that are known of them. Used for the demo's
 * encoder and for that of the serial-section table; the product never trains one from nothing.
 */

import { createHash } from "node:crypto";
import { encode } from "../src/core/dtype.ts";
import { Rng } from "../src/core/rng.ts";
import { turn } from "../src/data/image/dihedral.ts";
import { requestGpu } from "../src/gpu/device.ts";
import { readback } from "../src/gpu/readback.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import { writeSafetensors } from "../src/io/torch/safetensors.ts";
import { mse } from "../src/losses/gene/mse.ts";
import { createEncoder } from "../src/models/encoder.ts";
import { randomEncoder } from "../src/models/random_encoder.ts";
import { constant, truncatedNormal } from "../src/nn/init.ts";
import { applyLinear, linearLayer } from "../src/nn/layers.ts";
import { Parameters } from "../src/nn/parameters.ts";
import { AdamW, decayMatrices } from "../src/optim/adamw.ts";
import { cosineSchedule } from "../src/optim/schedule.ts";
import { Step } from "../src/train/step.ts";

/** An image and the numbers to be regressed. */
export interface Example {
  /** `[size, size, 3]`. */
  readonly rgb: Uint8Array;
  readonly target: Float32Array;
}

/** How to pre-train. */
export interface PretrainOptions {
  readonly what: string;
  readonly out: string;
  readonly size: number;
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  readonly dim: number;
  readonly depth: number;
  readonly patch: number;
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

/**
 * Pre-trains and writes `model.safetensors` (f16, timm's names), `config.json` and `provenance.json`.
 *
 * @param test Examples kept apart, to say how well it does.
 */
export async function pretrain(
  train: readonly Example[],
  test: readonly Example[],
  options: PretrainOptions,
): Promise<void> {
  const { size, steps, batch, lr, seed, dim, depth, patch } = options;
  const started = performance.now();
  const each = size * size * 3;
  const outputs = train[0]!.target.length;
  const gpu = await requestGpu(navigator.gpu);
  const heads = Math.max(1, dim / 32);
  const { spec } = randomEncoder(
    `random:vit_small_patch16_224?dim=${dim}&depth=${depth}&heads=${heads}&patch=${patch}&img=${size}&seed=${seed}`,
  );
  const parameters = new Parameters(gpu, true);
  const encoder = createEncoder(parameters, spec, { seed });
  const head = linearLayer(parameters, "pretext", encoder.dim, outputs, {
    weightInit: truncatedNormal(new Rng(seed, 5)),
    biasInit: constant(0),
  });
  parameters.allocate();
  const inputs = new Store(gpu);
  const images = inputs.tensor("images", "images", [batch, size, size, 3], "u8");
  const target = inputs.tensor("targets", "targets", [batch, outputs]);
  inputs.allocate();
  const optimizer = new AdamW(parameters, decayMatrices(0.05), { clipNorm: 1 });
  const step = await Step.compile(
    {
      parameters,
      objective(g) {
        const y = applyLinear(g, head, encoder.forward(g, images, { training: true }).embedding);
        return { loss: mse(g, y, target) };
      },
    },
    optimizer,
    { batch, seed },
  );
  const rate = cosineSchedule({ base: lr, warmup: Math.min(100, steps), total: steps });
  const rng = new Rng(seed, 6);
  const [pixels, wanted] = [new Uint8Array(batch * each), new Float32Array(batch * outputs)];
  for (let t = 0; t < steps; t++) {
    for (let i = 0; i < batch; i++) {
      const example = train[rng.below(train.length)]!;
      pixels.set(turn(example.rgb, size, rng.below(8)), i * each);
      wanted.set(example.target, i * outputs);
    }
    await step.submit(rate(t), () => {
      inputs.write(images, pixels);
      inputs.write(target, wanted);
      return {};
    });
    if ((t + 1) % 100 && t + 1 < steps) continue;
    const read = await step.readMetrics();
    const loss = read.reduce((sum, { loss }) => sum + loss!, 0) / read.length;
    console.error(`step ${t + 1}: mse ${loss.toFixed(5)}, ${((performance.now() - started) / 1e3).toFixed(0)} s`);
  }

  const g = new Plan(gpu);
  const y = g.withoutTape(() => applyLinear(g, head, encoder.forward(g, images).embedding));
  g.output(y);
  const program = await g.compile();
  const said: Float32Array[] = [];
  for (let from = 0; from < test.length; from += batch) {
    const some = test.slice(from, from + batch);
    some.forEach(({ rgb }, i) => pixels.set(rgb, i * each));
    inputs.write(images, pixels);
    program.run();
    const [values] = await readback(gpu, y);
    some.forEach((_, i) => said.push((values as Float32Array).slice(i * outputs, (i + 1) * outputs)));
  }
  const found = Array.from({ length: outputs }, (_, f) =>
    correlation(
      Float64Array.from(said, (row) => row[f]!),
      Float64Array.from(test, (example) => example.target[f]!),
    ));
  console.error(`correlation on ${test.length} examples kept apart: ${found.map((r) => r.toFixed(3)).join(" ")}`);
  await write(parameters, encoder.names, { ...options, heads, found, adapter: gpu.description, input: spec.input });
  step.destroy();
  gpu.destroy();
}

async function write(
  parameters: Parameters,
  names: readonly string[],
  facts: PretrainOptions & {
    heads: number;
    found: number[];
    adapter: string;
    input: { mean: readonly number[]; std: readonly number[] };
  },
): Promise<void> {
  const { out, size, dim, depth, patch, heads, found, adapter, what, input, steps, batch, lr, seed } = facts;
  const weights = await parameters.read(names);
  const file = writeSafetensors(
    new Map([...weights].map(([name, data]) => [
      name,
      { dtype: "F16", shape: parameters.get(name).shape, data: encode(data, "f16") },
    ])),
    { format: "pt" },
  );
  const sha256 = createHash("sha256").update(file).digest("hex");
  Deno.mkdirSync(out, { recursive: true });
  Deno.writeFileSync(`${out}/model.safetensors`, file);
  const config = {
    architecture: `vit_d${dim}_patch${patch}_${size}`,
    num_classes: 0,
    num_features: dim,
    global_pool: "token",
    model_args: {
      img_size: size,
      patch_size: patch,
      embed_dim: dim,
      depth,
      num_heads: heads,
      num_classes: 0,
      global_pool: "token",
    },
    pretrained_cfg: {
      input_size: [3, size, size],
      crop_pct: 1,
      interpolation: "bicubic",
      mean: input.mean,
      std: input.std,
      num_classes: 0,
    },
  };
  Deno.writeTextFileSync(`${out}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
  const provenance = {
    what,
    options: { steps, batch, lr, seed, dim, depth, patch, size },
    adapter,
    deno: Deno.version.deno,
    correlation: found.map((r) => Number(r.toFixed(3))),
    sha256,
  };
  Deno.writeTextFileSync(`${out}/provenance.json`, `${JSON.stringify(provenance, null, 2)}\n`);
  console.error(`${out}: ${file.length} bytes, sha256 ${sha256}`);
}
