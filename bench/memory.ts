/**
 * Memory of a training step beside what its plans say, and the time a new process takes to its first step: one JSON line.
 * With an empty shader cache that is a cold start; `bench/gpu.sh` runs it with one and again.
 *
 * ```sh
 * deno run -A bench/memory.ts [--encoder random:vit_base_patch16_224] [--batch 64] [--method seal] [--shaders empty|filled]
 * ```
 *
 * @module
 */

import process from "node:process";
import { requestGpu } from "../src/gpu/device.ts";
import { submit } from "../src/graph/program.ts";
import { cpuMs } from "../src/host/process.ts";
import { loadMethod } from "../src/methods/index.ts";
import { flag, output, provenance } from "./harness.ts";

const encoder = flag("--encoder") ?? "random:vit_base_patch16_224";
const batch = Number(flag("--batch") ?? 64);
const method = flag("--method") ?? "seal";

/** Device memory in use as NVIDIA's driver counts it, of all processes, bytes; null elsewhere. */
async function usedBytes(): Promise<number | null> {
  const used = Number.parseInt(
    await output("nvidia-smi", ["--query-gpu=memory.used", "--format=csv,noheader,nounits"]),
  );
  return Number.isNaN(used) ? null : used * 2 ** 20;
}

/** Time of the clock and of all threads so far, ms. */
function now(): { ms: number; cpuMs: number } {
  return { ms: performance.now(), cpuMs: cpuMs() };
}

const before = await usedBytes();
const resident = process.memoryUsage().rss;
const started = now();
const gpu = await requestGpu(navigator.gpu);
const opened = now();
const { proof } = await loadMethod(method);
const { step } = await proof!();
const built = await step(gpu, { encoder, batch, micro: batch, genes: 512, dtype: "f32", keys: [] });
await gpu.queue.onSubmittedWorkDone();
const first = now();
submit(gpu, built.sequence.map(({ program }) => program));
await gpu.queue.onSubmittedWorkDone();
const second = now();
const after = await usedBytes();
const { slabs, params, persistent } = built.sequence[0]!.program.memory;
const phases = (of: "ms" | "cpuMs") => ({
  device: opened[of] - started[of],
  first: first[of] - opened[of],
  second: second[of] - first[of],
});
const record = {
  case: `memory and start of a step of ${method}, ${encoder}, batch ${batch}`,
  shaderCache: flag("--shaders") ?? null,
  planBytes: { transient: slabs.reduce((a, b) => a + b, 0), params, persistent },
  // What the process added to the device's memory, the driver's own share included.
  deviceBytes: after === null || before === null ? null : after - before,
  // Most memory of the process beyond what it held at its start; on a software adapter the device's is part of it.
  hostBytes: 1024 * process.resourceUsage().maxRSS - resident,
  // From the start of the program; `first` compiles, draws weights, uploads and runs.
  ms: phases("ms"),
  // Of all threads: on a software adapter it hardly depends on what else runs.
  cpuMs: phases("cpuMs"),
  load: Deno.loadavg()[0],
  ...await provenance(gpu),
};
console.log(JSON.stringify(record));
built.destroy();
gpu.destroy();
