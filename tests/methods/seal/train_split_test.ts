/** A run from files does not depend on workers, and on kernel path and split only up to rounding. @seconds 30 */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import { hostOf } from "../../../src/run/host.ts";
import { openData } from "../../../src/methods/seal/data.ts";
import { openSession } from "../../../src/methods/seal/session.ts";
import { sealTraining } from "../../../src/methods/seal/training.ts";
import type { Host } from "../../../src/train/host.ts";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { disk } from "../../../src/io/fs.ts";
import { SEAL_CONFIG, type SealConfig } from "../../../src/methods/seal/config.ts";
import { openGpu } from "../../gpu/shared.ts";
import { prepareRun } from "../../cli/begun_run.ts";
import { trainIn } from "../../train/driver.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "train_split_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
await writeSynth(disk, `${folder}/data`, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});

type Overrides = Readonly<Record<string, string | number | boolean>>;

/** Everything that draws: views, augmentation, dropout, a latent, a warm-up with noise. */
const COMMON: Overrides = {
  encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&patch=32&seed=3",
  data: `${folder}/data`,
  holdout_samples: "SYN3",
  n_train_genes: 40,
  hidden_dims: "[16, 8]",
  warmup_epochs: 1,
  warmup_noise: 0.2,
  epochs: 2,
  steps: 6,
  batch_size: 20,
  vae_dropout: 0.1,
  dec_dropout: 0.1,
  dec_batch_norm: true,
  log_every: 1,
  workers: 0,
};

function configOf(overrides: Overrides): SealConfig {
  const all = { ...COMMON, ...overrides };
  return SEAL_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)])).config;
}

const set = await openData(configOf({}), hostOf(SILENT));
let runs = 0;

/** Whether the host was asked for patches other than they are, since it was last forgotten. */
let changedByHost = false;

function watched(host: Host): Host {
  return {
    ...host,
    openPatches(...how) {
      const source = host.openPatches(...how);
      const batch = source.batch.bind(source);
      source.batch = (request) => {
        const { variant } = request;
        changedByHost ||= variant !== undefined && !("recipe" in variant && variant.recipe === "none");
        return batch(request);
      };
      return source;
    },
  };
}

/** Text of the metrics of a run. */
async function metrics(overrides: Overrides, device: Gpu = gpu): Promise<string> {
  const run = `${folder}/run${runs++}`;
  const config = configOf({ ...overrides, out: run });
  prepareRun(run, SEAL_CONFIG.write(config), false);
  const session = await openSession(device, config, set, watched(hostOf(SILENT)));
  try {
    const { reason } = await trainIn(run, sealTraining(session, [0, 1, 2, 3]));
    assert.equal(reason, "finished");
  } finally {
    session.close();
  }
  return Deno.readTextFileSync(`${run}/metrics.jsonl`);
}

/** Losses of the training steps; ranks of held-out spots may tie, and are not compared. */
function losses(text: string): Record<string, number>[] {
  return text.trim().split("\n").map((line) => JSON.parse(line) as Record<string, number | string>)
    .filter(({ split }) => split === "train")
    .map((row) =>
      Object.fromEntries(Object.entries(row).filter(([name]) => /^loss/.test(name))) as Record<string, number>
    );
}

function same(a: string, b: string): void {
  const [one, other] = [losses(a), losses(b)];
  assert.ok(one.length === other.length && one.length >= 10, `${one.length} rows`);
  one.forEach((row, t) => {
    for (const [name, value] of Object.entries(row)) {
      const off = Math.abs(value - other[t]![name]!) / Math.max(1, Math.abs(value));
      assert.ok(off < 1e-5, `${name} of row ${t}: ${value} and ${other[t]![name]}`);
    }
  });
}

for (const cache of [{ cache: "off" }, { cache: "memory", cache_views: 4, cache_colour_views: 2 }] as Overrides[]) {
  Deno.test(`any number of workers leaves the same bytes: cache ${cache.cache}`, async () => {
    const none = await metrics({ ...cache, workers: 0 });
    for (const workers of [1, 3]) assert.equal(await metrics({ ...cache, workers }), none, `${workers} workers`);
  });
}

Deno.test("kernel paths and micro-batches leave the same losses", async () => {
  const whole = await metrics({ cache: "off" });
  for (const micro_batch of [1, 7]) same(whole, await metrics({ cache: "off", micro_batch }));
  for (const flat of [true, false]) {
    same(whole, await metrics({ cache: "off", micro_batch: 5 }, gpu.withCaps({ flat })));
  }
});

/** A device that augments, with the kernels of the software adapter, so that nothing else differs. */
const augmenting = gpu.withCaps({ software: false });

for (const cache of [{ cache: "off" }, { cache: "memory", cache_views: 4, cache_colour_views: 2 }] as Overrides[]) {
  Deno.test(`patches augmented on the device: cache ${cache.cache}: the host's losses, whatever the workers and the split`, async () => {
    changedByHost = false;
    const device = await metrics({ ...cache }, augmenting);
    assert.equal(await metrics({ ...cache, workers: 3 }, augmenting), device);
    same(device, await metrics({ ...cache, micro_batch: 7 }, augmenting));
    assert.ok(!changedByHost, "the host gives patches as they are");
    // A byte in a hundred thousand is one off.
    same(await metrics({ ...cache }), device);
    assert.ok(changedByHost, "a software adapter is given what the host made");
    // Turns keep the bytes.
    const soft = { ...cache, cache_colour_views: 0, augment: "soft" };
    assert.deepEqual(losses(await metrics(soft, augmenting)), losses(await metrics(soft)));
  });
}
