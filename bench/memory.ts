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

import { requestGpu } from "../src/gpu/device.ts";
import { submit } from "../src/graph/program.ts";
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

const before = await usedBytes();
const started = performance.now();
const gpu = await requestGpu(navigator.gpu);
const opened = performance.now();
const { proof } = await loadMethod(method);
const { step } = await proof!();
const built = await step(gpu, { encoder, batch, micro: batch, genes: 512, dtype: "f32", keys: [] });
await gpu.queue.onSubmittedWorkDone();
const first = performance.now();
submit(gpu, built.sequence.map(({ program }) => program));
await gpu.queue.onSubmittedWorkDone();
const second = performance.now();
const after = await usedBytes();
const { slabs, params, persistent } = built.sequence[0]!.program.memory;
const record = {
  case: `memory and start of a step of ${method}, ${encoder}, batch ${batch}`,
  shaderCache: flag("--shaders") ?? null,
  planBytes: { transient: slabs.reduce((a, b) => a + b, 0), params, persistent },
  // What the process added to the device's memory, the driver's own share included.
  deviceBytes: after === null || before === null ? null : after - before,
  // From the start of the program; `first` compiles, draws weights, uploads and runs.
  ms: { device: opened - started, first: first - opened, second: second - first },
  ...await provenance(gpu),
};
console.log(JSON.stringify(record));
built.destroy();
gpu.destroy();
