/**
 * Prints the memory that training plans would take, without allocating it: shapes of an encoder with SEAL's gene model, image
 * decoder and losses, LoRA on its last blocks, behind the cached stem and from pixels.
 *
 * deno run -A scripts/methods/seal/plan_memory.ts [--f16] [ENCODER BLOCKS BATCH [MICRO]]
 *
 * Without an encoder: ViT-L at batch 384, UNI2-h at 64. `--f16` is `precision=f16`: frozen weights and activations.
 *
 * @module
 */

import { backward, backwardFrom } from "../../../src/autodiff/backward.ts";
import { LimitError } from "../../../src/core/errors.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import type { MemoryReport } from "../../../src/graph/program.ts";
import { Store } from "../../../src/graph/store.ts";
import { createEncoder } from "../../../src/models/encoder.ts";
import { randomEncoder } from "../../../src/models/random_encoder.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { createSealModel } from "../../../src/methods/seal/model.ts";
import { stemInputs } from "../../../src/train/stem_cache.ts";
import { visionPart } from "../../../src/train/trainable.ts";
import { preprocess } from "../../../src/models/preprocess.ts";

const GENES = 2000;
const dtype = Deno.args.includes("--f16") ? "f16" : "f32";
const named = Deno.args.filter((arg) => arg !== "--f16");
const gpu = await requestGpu(navigator.gpu);

/** Memory of a plan; nothing of it is made. */
async function planned(g: Plan): Promise<MemoryReport> {
  let report: MemoryReport | undefined;
  try {
    await g.compile({ budgetBytes: 0, clearGradients: true, onMemory: (found) => report = found });
  } catch (error) {
    // The budget of nothing is exceeded, as it is to be.
    if ((error as { code?: string }).code !== "memory-budget") throw error;
  }
  return report!;
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Plans of a step of `batch` pairs, `micro` images at a time. */
async function plans(name: string, blocks: number, batch: number, micro: number, cached: boolean): Promise<void> {
  const { config } = SEAL_CONFIG.read([], [["encoder", name], ["partial_blocks", String(blocks)]]);
  const { spec } = randomEncoder(name);
  const part = visionPart(config, spec);
  let complete = false;
  const parameters = new Parameters(gpu, (parameter) => complete || part.trains(parameter));
  const encoder = createEncoder(parameters, spec, { lora: part.lora, dtype });
  complete = true;
  const model = createSealModel(encoder, config, { genes: GENES, slides: 2 });
  const inputs = new Store(gpu);
  const cut = encoder.deepestCut()!;
  const pieces = cached
    ? stemInputs(inputs, encoder, { cut, dtype: "f16" }, micro)
    : [inputs.tensor("tiles", "tiles", [micro, spec.input.size, spec.input.size, 3], "u8")];
  const random = inputs.tensor("random", "random", [4], "u32");
  const embed = (g: Plan) => {
    g.random = random;
    if (cached) return encoder.finish(g, pieces, cut, { training: true });
    return encoder.forward(g, preprocess(g, pieces[0]!, spec.input), { training: true }).embedding;
  };
  const numbers = {
    x: inputs.tensor("x", "x", [batch, GENES]),
    std: inputs.tensor("std", "std", [GENES]),
  };
  const reports: [string, MemoryReport][] = [];
  if (micro === batch) {
    const g = new Plan(gpu);
    const losses = model.objective(g, embed(g), numbers);
    backwardFrom(g, losses.loss);
    reports.push(["whole", await planned(g)]);
  } else {
    const again = new Plan(gpu);
    backward(again, [{ tensor: embed(again), grad: inputs.tensor("dz", "dz", [micro, model.dim]) }]);
    reports.push(["images", await planned(again)]);
    const forward = new Plan(gpu);
    forward.output(forward.withoutTape(() => embed(forward)));
    reports.push(["images, forward alone", await planned(forward)]);
    const head = new Plan(gpu);
    head.random = random;
    const z = inputs.tensor("z", "z", [batch, model.dim]);
    z.requiresGrad = true;
    head.output(backwardFrom(head, model.objective(head, z, numbers).loss).of(z)!);
    reports.push(["objective", await planned(head)]);
  }
  const stores = parameters.store.bytes();
  const weights = Object.values(stores).reduce((a, b) => a + b, 0);
  const optimizer = 2 * (stores.weights ?? 0);
  // Slabs of plans lie side by side; the encoder's frozen blocks are on the device too, used by the plan or not.
  const transient = reports.reduce((sum, [, { slabs, params }]) => sum + slabs.reduce((a, b) => a + b, 0) + params, 0);
  const data = Object.values(inputs.bytes()).reduce((a, b) => a + b, 0);
  console.log(
    `${name} in ${dtype}, LoRA on ${blocks}, batch ${batch}${micro < batch ? ` in micro-batches of ${micro}` : ""}, ${
      cached ? `cached stem (${JSON.stringify(cut)})` : "from pixels"
    }: ${mib(weights + optimizer + transient + data)} in all`,
  );
  for (const [what, { slabs, live, unshared, dispatches }] of reports) {
    console.log(
      `  ${what}: ${mib(slabs.reduce((a, b) => a + b, 0))} of activations (at least ${mib(live)}, unshared ${
        mib(unshared)
      }), ${dispatches.kept} dispatches`,
    );
  }
  console.log(`  parameters, gradients, buffers ${mib(weights)}, optimiser ${mib(optimizer)}, batch ${mib(data)}`);
}

/** As training does: halves what is in memory at a time until the device can bind it. */
async function fitting(name: string, blocks: number, batch: number, micro: number, cached: boolean): Promise<void> {
  for (let m = micro;; m = Math.ceil(m / 2)) {
    try {
      return await plans(name, blocks, batch, m, cached);
    } catch (error) {
      if (!(error instanceof LimitError) || m === 1) throw error;
      console.log(`micro-batches of ${m}: ${error.message}`);
    }
  }
}

if (named.length) {
  const [name, blocks, batch, micro] = named as [string, string, string, string?];
  for (const cached of [true, false]) {
    await fitting(name, Number(blocks), Number(batch), Number(micro ?? batch), cached);
  }
} else {
  await fitting("random:uni", 1, 384, 384, true);
  await fitting("random:uni", 1, 384, 32, false);
  await fitting("random:uni2-h", 3, 64, 64, true);
  await fitting("random:uni2-h", 3, 64, 16, false);
}
gpu.destroy();
