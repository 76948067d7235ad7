/**
 * What a run's encoder says of the spots of all sections, before and after training, for `table.ts`: the mean over the eight
 * flips and rotations of a patch. Taken from the last checkpoint: the best one was chosen on the section that is tested.
 *
 *   deno run -A scripts/methods/seal/her2st_features.ts --run runs/her2st_1 --out runs/her2st_1/features.safetensors
 */

import { parseArgs } from "node:util";
import { findCheckpoint } from "../../../src/run/checkpoints.ts";
import { openData } from "../../../src/methods/seal/data.ts";
import { openSession } from "../../../src/methods/seal/session.ts";
import { hostOf } from "../../../src/run/host.ts";
import { Progress } from "../../../src/cli/progress.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { loadModel } from "../../../src/methods/seal/checkpoint.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { Inference } from "../../../src/methods/seal/inference.ts";
import { pixelInput } from "../../../src/train/row_input.ts";

const { values } = parseArgs({ options: { run: { type: "string" }, out: { type: "string" } } });
const run = values.run!;
const { config } = SEAL_CONFIG.read([{ name: "config.yaml", text: Deno.readTextFileSync(`${run}/config.yaml`) }]);
const host = hostOf(new Progress(true));
const set = await openData(config, host);
const gpu = await requestGpu(navigator.gpu);
const session = await openSession(gpu, config, set, host);
const { model, patches } = session;
const dihedral = pixelInput(model.encoder, async (views) => {
  const pairs = Uint32Array.from(views, ({ pair }) => pair);
  return (await patches.batch({ pairs, variant: { view: views.map(({ view }) => view), seed: 0 } })).data;
}, patches.size);
const inference = await Inference.create(model, dihedral, 64);
const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
const sections = set.samples.filter(({ id }) => !id.endsWith("_dense"));

/** Sums over views, divided. */
async function say(what: "frozen" | "seal"): Promise<void> {
  for (const { id, first, count } of sections) {
    const sums = new Map<string, Float32Array>();
    for (let view = 0; view < 8; view++) {
      const out = await inference.images(Array.from({ length: count }, (_, i) => ({ pair: first + i, view })));
      for (const [name, data] of Object.entries(out)) {
        const sum = sums.get(name) ?? new Float32Array(data.length);
        data.forEach((value: number, i: number) => sum[i]! += value / 8);
        sums.set(name, sum);
      }
    }
    for (const [name, data] of sums) {
      tensors.set(`${what}.${name}.${id}`, { shape: [count, data.length / count], data });
    }
    if (what === "frozen") continue;
    const pairs = Array.from({ length: count }, (_, i) => first + i);
    const { projected } = await inference.genes(set.gather(pairs));
    tensors.set(`gene.projected.${id}`, { shape: [count, projected.length / count], data: projected });
  }
}

await say("frozen");
const found = findCheckpoint(run, "last")!;
loadModel(model, found.read, found.path);
await say("seal");
const names = Object.fromEntries(sections.map(({ id, barcodes }) => [`barcodes.${id}`, barcodes.join(" ")]));
Deno.writeFileSync(
  values.out!,
  writeSafetensorsF32(tensors, { genes: set.vocabulary.genes.join(" "), seed: String(config.optim.seed), ...names }),
);
inference.destroy();
session.close();
gpu.destroy();
