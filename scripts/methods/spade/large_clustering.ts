/**
 * Clustering of 500,000 rows of 1,024 into 16: one start, ten iterations, in blocks. Prints time, the largest buffer and the peak
 * of the process's memory; a part of 20,000 rows is clustered in blocks and whole, and must come out the same.
 *
 *     deno run -A scripts/methods/spade/large_clustering.ts [rows] [dim]
 */

import { blockRows, kmeans, rowsInMemory } from "../../../src/eval/kmeans.ts";
import { DEFAULT_LIMITS, openGpu } from "../../../tests/gpu/shared.ts";

const [rows = 500_000, dim = 1024] = Deno.args.map(Number);
const clusters = 16;

/** Rows around 16 centres: whole numbers of a congruential generator, cheap and the same everywhere. */
function make(count: number): Float32Array {
  const x = new Float32Array(count * dim);
  let state = 1;
  for (let i = 0; i < x.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const centre = Math.imul((Math.floor(i / dim) % clusters) * dim + i % dim + 1, 2654435761) >>> 0;
    x[i] = state / 2 ** 32 - 0.5 + centre / 2 ** 32;
  }
  return x;
}

/** Peak of resident memory, MiB, where the system tells. */
function peak(): string {
  try {
    return `${(Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024).toFixed(0)} MiB`;
  } catch {
    return "not told";
  }
}

const gpu = await openGpu({ limits: DEFAULT_LIMITS });
const { maxStorageBufferBindingSize, maxBufferSize } = gpu.caps.limits;
let largest = 0;
const create = gpu.device.createBuffer.bind(gpu.device);
gpu.device.createBuffer = (given) => {
  largest = Math.max(largest, given.size);
  return create(given);
};
console.log(`${gpu.description}; bindings of at most ${maxStorageBufferBindingSize >> 20} MiB`);

const part = rowsInMemory("part", make(Math.min(rows, 20_000)), dim);
const options = { clusters, seed: 1, restarts: 1, iterations: 10 };
const streamed = await kmeans(gpu, part, options);
const whole = await kmeans(gpu, part, { ...options, block: Math.ceil(part.count / 64) * 64 });
const differ = streamed.labels.filter((label, r) => label !== whole.labels[r]).length;
console.log(`${part.count} rows: ${differ} labels differ between blocks of ${blockRows(part, clusters, gpu)} and one`);
largest = 0;
const all = rowsInMemory("all", make(rows), dim);
const begun = performance.now();
const { inertia, iterations } = await kmeans(gpu, all, options);
const seconds = (performance.now() - begun) / 1000;
console.log(
  `${rows} x ${dim}, ${clusters} clusters: ${seconds.toFixed(1)} s, ${iterations} iterations, inertia ${
    inertia.toFixed(0)
  }; ` +
    `blocks of ${blockRows(all, clusters, gpu)} rows, largest buffer ${
      (largest / 2 ** 20).toFixed(1)
    } MiB, peak ${peak()}`,
);
gpu.destroy();
if (differ > 0 || largest > Math.min(maxBufferSize, maxStorageBufferBindingSize)) Deno.exit(1);
