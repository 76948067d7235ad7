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

Deno.test("train() needs no file system: a run in memory ends as a folder does, and goes on to the same bytes", async () => {
  const gpu = await openGpu();
  // The caller's device outlives a run.
  const lent = new Proxy(gpu, {
    get: (target, key) => {
      if (key === "destroy") return () => {};
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as Gpu;
  try {
    const data: Files = new Map();
    await writeSynth(memoryDisk(data), "data", planSynth({ profile: "smoke" }), { makeFolder() {} });
    const method = await loadMethod("seal");
    const { config } = method.config.read([], Object.entries({ ...KEYS, out: "runs/a" }));
    const go = async (files: Files, stopAt?: number) => {
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
          training: ({ step }) => step === stopAt && stop.abort(new Error("asked to stop")),
        }, stop.signal),
        clock: { date: () => new Date(0), ms: () => ms++ },
        overwrite: false,
        gracefully: (act) => act(),
        openGpu: () => Promise.resolve(lent),
        started: new Date(0),
        stopwatch: new Stopwatch(),
        demo: false,
        command: "in memory",
        versions: {},
      });
      return { result, said, marked: home.marked };
    };
    const whole: Files = new Map(data);
    const first = await go(whole);
    assert.deepEqual([first.result.steps, first.result.out], [6, "runs/a"]);
    assert.deepEqual(first.marked, [undefined], "marked as finished once, at the end");
    for (const name of ["config.yaml", "metrics.jsonl", "run.json", "report.html", "evaluation/results.json"]) {
      assert.ok(whole.has(`runs/a/${name}`), name);
    }
    assert.equal((await go(whole)).result.reason, "finished");

    const parts: Files = new Map(data);
    await assert.rejects(go(parts, 3), /Interrupted at step 3/);
    assert.ok(!parts.has("runs/a/run.json"));
    const second = await go(parts);
    assert.match(second.said.join("\n"), /Going on from runs\/a\/checkpoints\/last: step 3/);
    const lasting = [...whole.keys()].filter((path) =>
      /checkpoints\/.*\.safetensors$|metrics\.(jsonl|csv)$/.test(path)
    );
    assert.ok(lasting.length >= 8, lasting.join(" "));
    for (const path of lasting) assert.deepEqual(parts.get(path), whole.get(path), path);
  } finally {
    gpu.destroy();
  }
});
