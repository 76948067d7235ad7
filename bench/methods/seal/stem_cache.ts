/**
 * Seconds of a training epoch with the stem's cache and without it, of one encoder with LoRA on its last block: the same
 * model, data and step in one process, the filling of the cache timed apart. Appends a record to `bench/results/stem_cache.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/seal/stem_cache.ts [--encoder random:vit_base_patch16_224] [--pairs 32] [--batch 16] [--epochs 3] [--dry]
 * ```
 *
 * @module
 */

import { Rng } from "../../../src/core/rng.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { createEncoder } from "../../../src/models/encoder.ts";
import { randomEncoder } from "../../../src/models/random_encoder.ts";
import { fanInUniform, moduleRng } from "../../../src/nn/init.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { parameterGroups } from "../../../src/optim/param_groups.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { createSealModel } from "../../../src/methods/seal/model.ts";
import { StemCache, type ViewImages } from "../../../src/train/stem_cache.ts";
import { DeviceStemStore } from "../../../src/train/stem_store.ts";
import { visionPart } from "../../../src/train/trainable.ts";
import { alignModel } from "../../../src/methods/seal/align.ts";
import { Step } from "../../../src/train/step.ts";
import { cachedInput, pixelInput, type RowInput } from "../../../src/train/row_input.ts";
import { flag, provenance } from "../../harness.ts";

const name = flag("--encoder") ?? "random:vit_base_patch16_224";
const [pairs, batch, epochs] = [["--pairs", 32], ["--batch", 16], ["--epochs", 3]].map(([key, otherwise]) =>
  Number(flag(String(key)) ?? otherwise)
) as [number, number, number];
const GENES = 512;

const gpu = await requestGpu(navigator.gpu);
const { config } = SEAL_CONFIG.read([], [["encoder", name], ["scheduler", "constant"]]);
const { spec, seed } = randomEncoder(name);
const part = visionPart(config, spec, (layer) => fanInUniform(moduleRng(1, layer)!));
let complete = false;
const parameters = new Parameters(gpu, (parameter) => complete || part.trains(parameter));
const encoder = createEncoder(parameters, spec, { seed, lora: part.lora });
complete = true;
const model = createSealModel(encoder, config, { genes: GENES, slides: 1 });
parameters.allocate();
const optimizer = new AdamW(parameters, parameterGroups({ weightDecay: config.optim.weight_decay }));
const side = spec.input.size;
const bytes = side * side * 3;
const pixels = Uint8Array.from(new Rng(5, 5).uniforms(pairs * bytes, 0, 256));
const images: ViewImages = (views) => {
  const chosen = new Uint8Array(views.length * bytes);
  views.forEach(({ pair }, i) => chosen.set(pixels.subarray(pair * bytes, (pair + 1) * bytes), i * bytes));
  return Promise.resolve(chosen);
};
const x = new Rng(6, 6).uniforms(batch * GENES, 0, 3);
const rates = stageRates(config, "align", epochs)(0);

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Median seconds of an epoch. */
async function epoch(vision: RowInput, runs: number): Promise<number> {
  const step = await Step.compile(
    alignModel(model, vision, { batch, std: new Float32Array(GENES).fill(1) }),
    optimizer,
    { batch, seed: 1 },
  );
  const one = async (from: number) => {
    await step.submit(
      rates,
      () => ({ rows: Array.from({ length: batch }, (_, i) => ({ pair: from + i, view: 0 })), fields: { x } }),
    );
  };
  const seconds: number[] = [];
  // The first pass warms up.
  for (let run = 0; run <= runs; run++) {
    const before = performance.now();
    // A whole epoch, but only a step of the warm-up.
    for (let from = 0; from + batch <= (run ? pairs : batch); from += batch) await one(from);
    await step.readMetrics();
    if (run) seconds.push((performance.now() - before) / 1e3);
  }
  step.destroy();
  return median(seconds);
}

const cut = encoder.deepestCut()!;
const shapes = encoder.cutShapes(cut);
const store = new DeviceStemStore(gpu, { rows: pairs, shapes, dtype: "f16" });
const stemCache = await StemCache.create(gpu, encoder, {
  cut,
  store,
  dtype: "f16",
  pairs: 4096,
  tile: side,
  images,
  batch,
});
const before = performance.now();
await stemCache.ensure(Array.from({ length: pairs }, (_, pair) => ({ pair, view: 0 })));
await gpu.queue.onSubmittedWorkDone();
const fill = (performance.now() - before) / 1e3;
const cached = await epoch(cachedInput(encoder, cut, stemCache, "f16"), Math.max(3, epochs));
const whole = await epoch(pixelInput(encoder, images, side), epochs);
const record = {
  ...await provenance(gpu),
  encoder: name,
  pairs,
  batch,
  genes: GENES,
  cut,
  rowBytes: store.rowBytes,
  seconds: { fill, cached, whole },
  ratio: whole / cached,
};
console.log(JSON.stringify(record, null, 2));
if (flag("--dry") === undefined) {
  const file = new URL("results/stem_cache.jsonl", import.meta.url);
  Deno.writeTextFileSync(file, `${JSON.stringify(record)}\n`, { append: true });
}
gpu.destroy();
