/**
 * Whole vision transformers: the forward pass, and a step with LoRA (forward, gradients, AdamW), under the names that
 * `tests/python/torch_vit.py` uses. Images are normalised numbers on the device, so that both sides do the same work; a
 * step's objective is the mean of the squared embedding. Software adapters run a small one.
 */

import { backwardFrom } from "../src/autodiff/backward.ts";
import { Rng } from "../src/core/rng.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import { createEncoder } from "../src/models/encoder.ts";
import { randomEncoder } from "../src/models/random_encoder.ts";
import { truncatedNormal } from "../src/nn/init.ts";
import { Parameters } from "../src/nn/parameters.ts";
import { AdamW, decayMatrices } from "../src/optim/adamw.ts";
import { square } from "../src/ops/activation.ts";
import { meanAll } from "../src/ops/reduce.ts";
import { dispatchCost } from "../src/ops/cost.ts";
import { type BenchCase, benchSubject } from "./harness.ts";

/** Rank and factor of the low-rank updates of all four layers of each block. */
const LORA = { rank: 16, alpha: 32, dropout: 0 };

/** Opens a program of an encoder; with a step the update follows the gradients. */
async function open(gpu: Gpu, name: string, batch: number, step: boolean) {
  const { spec } = randomEncoder(`random:${name}`);
  const parameters = new Parameters(gpu, (parameter) => step && parameter.includes(".lora_"));
  const rng = new Rng(3);
  const lora = step ? { lora: () => ({ ...LORA, init: truncatedNormal(rng, 0.02) }) } : {};
  const encoder = createEncoder(parameters, spec, { seed: 1, ...lora });
  parameters.allocate();
  const store = new Store(gpu);
  const side = spec.input.size;
  const images = store.from("images", "images", [batch, side, side, 3], rng.normals(batch * side * side * 3));
  const g = new Plan(gpu);
  const { embedding } = encoder.forward(g, images, { training: step });
  const optimizer = step ? new AdamW(parameters, decayMatrices(0.01), {}) : undefined;
  if (optimizer) {
    backwardFrom(g, meanAll(g, square(g, embedding)));
    optimizer.step(g);
    optimizer.setLearningRate(1e-4);
  } else g.output(embedding);
  const program = await g.compile();
  const costs = program.dispatches.map(dispatchCost);
  return {
    program,
    cost: {
      flops: costs.reduce((sum, { flops }) => sum + flops, 0),
      bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    close() {
      optimizer?.destroy();
      store.destroy();
      parameters.destroy();
    },
  };
}

const small = [["vit_small_patch16_224?depth=2&dim=96&heads=3&img=64", 8]] as const;
const large = [
  ["vit_small_patch16_224", 64],
  ["vit_base_patch16_224", 64],
  ["vit_large_patch16_224", 32],
] as const;

await benchSubject(
  "vit_step",
  (gpu): BenchCase[] =>
    (gpu.caps.software ? small : large).flatMap(([name, batch]) =>
      [false, true].map((step) => ({
        name: `${step ? "vit_lora_step" : "vit_forward"} ${name} ${batch}`,
        group: name,
        open: (device: Gpu) => open(device, name, batch, step),
      }))
    ),
  (rows) => {
    for (const row of rows) row.imagesPerSecond = Number(row.case.split(" ").at(-1)) / row.medianMs * 1e3;
  },
);
