/**
 * What a run's encoder says of the spots of all sections, for `scripts/her2st/table.ts`: the patch as it is, and the mean over the
 * flips and rotations that the run keeps in its cache, all eight with cache_views: 8. Taken from the last checkpoint.
 *
 *   deno run -A scripts/methods/seal/her2st_features.ts --run runs/her2st_1 --out runs/her2st_1/features.safetensors [KEY=VALUE …]
 *
 * With `--config FILE` instead of a run it is the frozen encoder's, which all runs share:
 *
 *   deno run -A scripts/methods/seal/her2st_features.ts --config data/configs/her2st.yaml --out data/cache/her2st_public/frozen.safetensors
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

const { values, positionals } = parseArgs({
  options: { run: { type: "string" }, config: { type: "string" }, out: { type: "string" } },
  allowPositionals: true,
});
const { run } = values;
const path = run === undefined ? values.config! : `${run}/config.yaml`;
const documents = [{ name: path, text: Deno.readTextFileSync(path) }];
const pairs = positionals.map((one): [string, string] => [one.split("=", 1)[0]!, one.slice(one.indexOf("=") + 1)]);
const { config } = SEAL_CONFIG.read(documents, pairs);
const host = hostOf(new Progress(true));
const set = await openData(config, host);
const gpu = await requestGpu(navigator.gpu);
const session = await openSession(gpu, config, set, host);
const { model, plain } = session;
const views = config.cache.cache_views;
const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();

/** Of each section the patches as they are (`view0.`), and sums over views, divided. */
async function say(what: "frozen" | "seal"): Promise<void> {
  const all = new Map(set.samples.map(({ id }) => [id, new Map<string, Float32Array>()]));
  for (let view = 0; view < views; view++) {
    for (const { id, first, count } of set.samples) {
      const sums = all.get(id)!;
      const out = await plain.images(Array.from({ length: count }, (_, i) => ({ pair: first + i, view })));
      for (const [name, data] of Object.entries(out)) {
        if (what === "frozen" && name !== "embedding") continue;
        const add = (key: string, share: number) => {
          const sum = sums.get(key) ?? new Float32Array(data.length);
          data.forEach((value: number, i: number) => sum[i]! += value * share);
          sums.set(key, sum);
        };
        add(name, 1 / views);
        if (view === 0) add(`view0.${name}`, 1);
      }
      console.error(`${what} ${id} view ${view}: ${new Date().toISOString()}`);
    }
  }
  for (const { id, first, count } of set.samples) {
    for (const [name, data] of all.get(id)!) {
      tensors.set(`${what}.${name}.${id}`, { shape: [count, data.length / count], data });
    }
    if (what === "frozen") continue;
    const own = Array.from({ length: count }, (_, i) => first + i);
    const { projected } = await plain.genes(session.expression(own));
    tensors.set(`gene.projected.${id}`, { shape: [count, projected.length / count], data: projected });
  }
}

if (run === undefined) await say("frozen");
else {
  const found = findCheckpoint(run, "last")!;
  loadModel(model, found.read, found.path);
  await say("seal");
}
const names = Object.fromEntries(set.samples.map(({ id, barcodes }) => [`barcodes.${id}`, barcodes.join(" ")]));
Deno.writeFileSync(
  values.out!,
  writeSafetensorsF32(tensors, {
    genes: set.vocabulary.genes.join(" "),
    seed: String(config.optim.seed),
    views: String(views),
    ...names,
  }),
);
session.close();
gpu.destroy();
