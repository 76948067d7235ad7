/** A SEAL run without a file system: data, checkpoints, evidence and report in memory; stopped, gone on with, found finished. */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import { Stopwatch } from "../../../src/core/stopwatch.ts";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { loadMethod } from "../../../src/methods/index.ts";
import { train } from "../../../src/run/train.ts";
import { openGpu } from "../../gpu/shared.ts";
import { type Files, memoryDisk, memoryHome, memoryHost } from "../../run/memory_machine.ts";

const KEYS: Readonly<Record<string, string>> = {
  encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&patch=32&seed=3",
  data: "[data]",
  holdout_samples: "SYN3",
  n_train_genes: "40",
  hidden_dims: "[16, 8]",
  epochs: "2",
  batch_size: "20",
  steps: "6",
  cache_views: "1",
  augment: "soft",
  log_every: "1",
  workers: "0",
};

/** A device that outlives a run; with `fits` one whose memory is asked for, as a GPU's is. */
function lent(gpu: Gpu, fits?: (bytes: number) => boolean): Gpu {
  const device = fits ? gpu.withCaps({ software: false }) : gpu.withCaps({});
  device.destroy = () => {};
  if (fits) device.hasMemory = (bytes) => Promise.resolve(fits(bytes));
  return device;
}

/** Trains in memory. */
async function go(
  files: Files,
  device: Gpu,
  { stopAt, keys = {} }: { stopAt?: number; keys?: Record<string, string> } = {},
) {
  const method = await loadMethod("seal");
  const { config } = method.config.read([], Object.entries({ ...KEYS, ...keys, out: "runs/a" }));
  const stop = new AbortController();
  const said: string[] = [];
  const home = memoryHome(files, "runs/a");
  let ms = 0;
  const result = await train({
    method,
    config,
    home,
    host: memoryHost(files, {
      ...SILENT,
      say: (text) => void said.push(text),
      warn: (text) => void said.push(text),
      training: ({ step }) => step === stopAt && stop.abort(new Error("asked to stop")),
    }, stop.signal),
    clock: { date: () => new Date(0), ms: () => ms++ },
    overwrite: false,
    gracefully: (act) => act(),
    openGpu: () => Promise.resolve(device),
    started: new Date(0),
    stopwatch: new Stopwatch(),
    demo: false,
    command: "in memory",
    versions: {},
  });
  return { result, said, marked: home.marked };
}

async function dataFiles(): Promise<Files> {
  const data: Files = new Map();
  await writeSynth(memoryDisk(data), "data", planSynth({ profile: "smoke" }), { makeFolder() {} });
  return data;
}

/** What a run leaves that has no clock in it. */
function lasting(files: Files): string[] {
  const paths = [...files.keys()].filter((path) => /checkpoints\/.*\.safetensors$|metrics\.(jsonl|csv)$/.test(path));
  assert.ok(paths.length >= 8, paths.join(" "));
  return paths;
}

Deno.test("train() needs no file system: a run in memory ends as a folder does, and goes on to the same bytes", async () => {
  const gpu = await openGpu();
  const device = lent(gpu);
  try {
    const data = await dataFiles();
    const whole: Files = new Map(data);
    const first = await go(whole, device);
    assert.deepEqual([first.result.steps, first.result.out], [6, "runs/a"]);
    assert.deepEqual(first.marked, [undefined], "marked as finished once, at the end");
    for (const name of ["config.yaml", "metrics.jsonl", "run.json", "report.html", "evaluation/results.json"]) {
      assert.ok(whole.has(`runs/a/${name}`), name);
    }
    assert.equal((await go(whole, device)).result.reason, "finished");

    const parts: Files = new Map(data);
    await assert.rejects(go(parts, device, { stopAt: 3 }), /Interrupted at step 3/);
    assert.ok(!parts.has("runs/a/run.json"));
    const second = await go(parts, device);
    assert.match(second.said.join("\n"), /Going on from runs\/a\/checkpoints\/last: step 3/);
    for (const path of lasting(whole)) assert.deepEqual(parts.get(path), whole.get(path), path);
  } finally {
    gpu.destroy();
  }
});

Deno.test("a run in f16 that overflows says so, keeps its loss scale when it stops, and goes on to the same bytes", async () => {
  const gpu = await openGpu();
  if (!gpu.caps.f16) return gpu.destroy();
  const device = lent(gpu);
  try {
    const data = await dataFiles();
    const keys = { precision: "f16", loss_scale: String(2 ** 24), epochs: "4", steps: "10" };
    const whole: Files = new Map(data);
    const { said } = await go(whole, device, { keys });
    assert.match(said.join("\n"), /weights in f16, activations in f16/);
    assert.match(said.join("\n"), /\d+ steps? (was|were) left out so far: .*; the loss scale is \d+ now/);
    const parts: Files = new Map(data);
    await assert.rejects(go(parts, device, { keys, stopAt: 4 }), /Interrupted at step 4/);
    await go(parts, device, { keys });
    for (const path of lasting(whole)) assert.deepEqual(parts.get(path), whole.get(path), path);
  } finally {
    gpu.destroy();
  }
});

Deno.test("a run goes on with the rows in memory that it began with, whatever is free then", async () => {
  const gpu = await openGpu();
  try {
    const data = await dataFiles();
    const options = { keys: { cache: "off", steps: "4" } };
    const asked: number[] = [];
    const all = lent(gpu, (bytes) => asked.push(bytes) > 0);
    const upTo = (share: number) => lent(gpu, (bytes) => bytes <= share * Math.max(...asked));
    await assert.rejects(go(new Map(data), all, { ...options, stopAt: 1 }), /Interrupted at step 1/);

    const whole: Files = new Map(data);
    await go(whole, upTo(0.6), options);
    const parts: Files = new Map(data);
    await assert.rejects(go(parts, upTo(0.6), { ...options, stopAt: 2 }), /Interrupted at step 2/);
    const least = await go(new Map(parts), upTo(0.45), options);
    assert.match(least.said.join("\n"), /Less memory is free than when the run began/);
    const second = await go(parts, all, options);
    assert.match(second.said.join("\n"), /in micro-batches of \d+/);
    for (const path of lasting(whole)) assert.deepEqual(parts.get(path), whole.get(path), path);
  } finally {
    gpu.destroy();
  }
});
