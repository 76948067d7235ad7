/**
 * Matmul laboratory: times kernel variants against each other and checks sampled elements.
 *
 * ```sh
 * deno run -A scripts/lab/matmul/lab.ts nt_flat 197x768x3072 MG=4,NG=4 MG=2,NG=2 weights=bf16,MG=4,NG=4
 * ```
 *
 * On a software adapter two numbers are printed: from wall time, and from the CPU time of the process divided by its
 * cores, which other programs disturb less. Variants are interleaved; each number is the best of the rounds.
 *
 * @module
 */

import type { Dtype } from "../../../src/core/dtype.ts";
import { Rng } from "../../../src/core/rng.ts";
import { type Gpu, requestGpu } from "../../../src/gpu/device.ts";
import * as kernels from "../../../src/gpu/kernels.gen.ts";
import type { Kernel } from "../../../src/gpu/kernel.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import type { Program } from "../../../src/graph/program.ts";
import { Store } from "../../../src/graph/store.ts";

/** Milliseconds of CPU this process has used, all threads. */
function cpuMs(): number {
  let total = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    try {
      total += Number(Deno.readTextFileSync(`/proc/self/task/${name}/schedstat`).split(" ")[0]);
    } catch { /* the thread has ended */ }
  }
  return total / 1e6;
}

interface Lane {
  readonly label: string;
  readonly program: Program;
  readonly repeats: number;
  readonly compileMs: number;
  readonly error: number;
  wallMs: number;
  cpuMs: number;
}

interface Extents {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

async function open(gpu: Gpu, store: Store, name: string, { M, N, K }: Extents, text: string): Promise<Lane> {
  const { weights = "f32", ...rest } = Object.fromEntries(text.split(",").map((pair) => pair.split("=")));
  const tune = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, Number(value)]));
  const [nt, tn] = [name.startsWith("nt"), name.startsWith("tn")];
  const rng = new Rng(1, 0);
  const [A, W] = [rng.uniforms(M * K, -1, 1), rng.uniforms(N * K, -1, 1)];
  const a = store.from("a", "a", tn ? [1, K, M] : [1, M, K], A);
  const b = store.from("b", "b", nt ? [1, N, K] : [1, K, N], W, weights as Dtype);
  const y = store.tensor("y", "y", [1, M, N]);
  store.allocate();
  const kernel = (kernels as unknown as Record<string, Kernel>)[`matmul_${name}`]!;
  const make = (repeats: number) => {
    const g = new Plan(gpu);
    for (let i = 0; i < repeats; i++) {
      g.run<Record<string, "in">, Record<string, number>, Record<string, string>>(
        kernel as never,
        { a, b, y },
        { alpha: 1, tune } as never,
      );
    }
    g.output(y);
    return g.compile();
  };
  const start = performance.now();
  const single = await make(1);
  single.run();
  const [got] = await readback(gpu, y);
  const compileMs = performance.now() - start;
  let error = 0;
  for (let t = 0; t < 50; t++) {
    const i = rng.below(M * N);
    const [m, n] = [Math.floor(i / N), i % N];
    let sum = 0;
    for (let q = 0; q < K; q++) sum += (tn ? A[q * M + m]! : A[m * K + q]!) * (nt ? W[n * K + q]! : W[q * N + n]!);
    error = Math.max(error, Math.abs(sum - got![i]!));
  }
  const repeats = Math.max(1, Math.min(64, Math.round(2e8 / (M * N * K))));
  return { label: text, program: await make(repeats), repeats, compileMs, error, wallMs: Infinity, cpuMs: Infinity };
}

async function main([name = "nt_flat", shape = "512x512x512", ...variants]: string[]): Promise<void> {
  const [M = 1, N = 1, K = 1] = shape.split("x").map(Number);
  const gpu = await requestGpu(navigator.gpu);
  const store = new Store(gpu);
  const lanes: Lane[] = [];
  for (const text of variants) lanes.push(await open(gpu, store, name, { M, N, K }, text));
  const idle = performance.now();
  await gpu.queue.onSubmittedWorkDone();
  const constant = performance.now() - idle;
  for (let round = 0; round < 6; round++) {
    for (const lane of lanes) {
      const [cpu, wall] = [cpuMs(), performance.now()];
      lane.program.run();
      await gpu.queue.onSubmittedWorkDone();
      lane.wallMs = Math.min(lane.wallMs, (performance.now() - wall - constant) / lane.repeats);
      lane.cpuMs = Math.min(lane.cpuMs, (cpuMs() - cpu) / navigator.hardwareConcurrency / lane.repeats);
    }
  }
  const gflops = (ms: number) => (2 * M * N * K / ms / 1e6).toFixed(1).padStart(7);
  console.log(`matmul_${name} ${shape} on ${gpu.description}`);
  for (const { label, wallMs, cpuMs, compileMs, error } of lanes) {
    const cpu = gpu.caps.software ? ` (by CPU time ${gflops(cpuMs)})` : "";
    const tail = `first ${compileMs.toFixed(0)} ms, error ${error.toExponential(1)}`;
    console.log(`${label.padEnd(36)} ${gflops(wallMs)} GFLOP/s${cpu}, ${tail}`);
  }
  store.destroy();
  gpu.destroy();
}

await main(Deno.args);
