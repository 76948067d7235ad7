/**
 * SEAL end to end, as `train` runs it: patches read and decoded by workers, augmentation, read-ahead, steps, logs. Pairs a
 * second after the first epoch, with the encoder computed every time and with its frozen part kept, on a data set of synthetic
 * slides that is written first. Prints one JSON line.
 *
 * ```sh
 * deno run -A bench/methods/seal/epoch.ts [--encoder random:vit_base_patch16_224] [--profile ci] [--batch 256] [--micro N]
 *   [--epochs 4] [--set KEY=VALUE]
 * ```
 *
 * @module
 */

import { planSynth, type ProfileName } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { disk } from "../../../src/io/fs.ts";
import { train } from "../../../src/module/train.ts";
import { flag, provenance, quantile } from "../../harness.ts";

const number = (key: string, otherwise: number): number => Number(flag(key) ?? otherwise);
const encoder = flag("--encoder") ?? "random:vit_base_patch16_224";
const profile = (flag("--profile") ?? "ci") as ProfileName;
const [batch, epochs] = [number("--batch", 256), number("--epochs", 4)];
const micro = flag("--micro");
const keys = Object.fromEntries(
  Deno.args.flatMap((word, i) => Deno.args[i - 1] === "--set" ? [word.split("=", 2) as [string, string]] : [])
    .map(([key, text]) => [key, /^[-\d.]+$/.test(text) ? Number(text) : text]),
);

const folder = Deno.makeTempDirSync({ prefix: "seal_epoch_" });
const makeFolder = (path: string): void => Deno.mkdirSync(path, { recursive: true });
const gpu = await requestGpu(navigator.gpu);

/** One view a patch, so that after the first epoch all is kept; 8, the default, take as many epochs. */
const CACHED = { cache: "memory", cache_views: 1 } as const;

/** Seconds to the first step, and pairs a second of the epochs after the first. */
async function run(name: string, own: { cache: "off" } | typeof CACHED) {
  const out = `${folder}/${name}`;
  const stop = new AbortController();
  const begun = performance.now();
  let [first, last] = [0, 0];
  try {
    await train("seal", {
      ...{ encoder, out, data: `${folder}/data`, gpu, signal: stop.signal },
      config: {
        ...{ epochs, batch_size: batch, ...own, log_every: 1, seed: 1, ...(micro && { micro_batch: Number(micro) }) },
        ...keys,
      },
      onStep({ epoch }) {
        first ||= performance.now() - begun;
        last = epoch;
        // What comes after training is not measured.
        if (epoch >= epochs - 1) stop.abort();
      },
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  const rates = Deno.readTextFileSync(`${out}/timing.jsonl`).trim().split("\n")
    .flatMap((line) => (JSON.parse(line) as { samples_per_second?: number }).samples_per_second ?? []);
  // The first epoch compiles, and fills the cache.
  const later = rates.slice(Math.ceil(rates.length / Math.max(1, last))).sort((a, b) => a - b);
  return { secondsToFirstStep: first / 1e3, pairsPerSecond: quantile(later, 0.5), steps: later.length };
}

try {
  makeFolder(`${folder}/data`);
  await writeSynth(disk, `${folder}/data`, planSynth({ profile }), { makeFolder });
  const uncached = await run("uncached", { cache: "off" });
  const cached = await run("cached", CACHED);
  console.log(JSON.stringify({
    case: `SEAL trains ${encoder} on synthetic slides (${profile}), batches of ${batch}`,
    ...{ uncached, cached, ratio: cached.pairsPerSecond / uncached.pairsPerSecond, keys },
    load: Deno.loadavg()[0],
    ...await provenance(gpu),
  }));
} finally {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
}
