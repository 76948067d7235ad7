/**
 * How fast a device copies memory and multiplies: the peaks that kernels are compared with. Each is the best of several runs
 * of one submit, timed on the host around all of it and on the device where it can write timestamps.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { Plan } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import { affine } from "../ops/scale.ts";
import { matmul } from "../ops/matmul.ts";

/** Rates of a device. */
export interface Rates {
  /** Bytes read and written a second, by a kernel that copies. */
  readonly copyBytesPerSecond: number;
  /** Operations a second of f32 fused multiply-adds that wait for nothing, two each. */
  readonly fmaPerSecond: number;
  /** Operations a second of our f32 product of two square matrices. */
  readonly matmulPerSecond: number;
  /** The product's share of the multiply-adds' rate. */
  readonly matmulShare: number;
  /** Side of the matrices. */
  readonly side: number;
}

const RUNS = 3;

/** Shortest time of an action that is submitted and waited for, s. */
async function best(gpu: Gpu, act: () => void): Promise<number> {
  act();
  await gpu.queue.onSubmittedWorkDone();
  let least = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    act();
    await gpu.queue.onSubmittedWorkDone();
    least = Math.min(least, performance.now() - started);
  }
  return least / 1000;
}

/** Independent chains of multiply-adds an invocation has, and links of each. */
const CHAINS = 8;
const LINKS = 256;

async function fmaRate(gpu: Gpu, invocations: number): Promise<number> {
  const { device } = gpu;
  const names = Array.from({ length: CHAINS }, (_, i) => `c${i}`);
  const code = `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = vec4f(y[0] + 0.999);
  ${names.map((name, i) => `var ${name} = vec4f(f32(id.x) + ${i}.0);`).join(" ")}
  for (var i = 0u; i < ${LINKS}u; i++) { ${names.map((name) => `${name} = fma(${name}, a, a);`).join(" ")} }
  let sum = ${names.join(" + ")};
  if (sum.x == 12345.0) { y[id.x] = sum.y + sum.z + sum.w; }
}`;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = gpu.buffer("rate", Math.max(256, invocations * 4), usage);
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const seconds = await best(gpu, () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(invocations / 64);
    pass.end();
    device.queue.submit([encoder.finish()]);
  });
  buffer.destroy();
  return invocations * CHAINS * LINKS * 4 * 2 / seconds;
}

/** Measures a device. A wait on Deno adds some 10 ms, so small amounts of work would measure that. */
export async function measureRates(gpu: Gpu): Promise<Rates> {
  const { software } = gpu.caps;
  const store = new Store(gpu);
  const elements = software ? 2 ** 22 : 2 ** 26;
  const times = software ? 4 : 40;
  const source = store.tensor("source", "source", [elements]);
  const side = software ? 512 : 4096;
  const [a, b] = ["a", "b"].map((name) => store.tensor(name, name, [side, side])) as [typeof source, typeof source];
  store.allocate();
  const copy = new Plan(gpu);
  copy.output(affine(copy, source, 1));
  const product = new Plan(gpu);
  product.output(matmul(product, a, b, { transB: true }));
  const [copying, multiplying] = [await copy.compile(), await product.compile()];
  const products = software ? 1 : 10;
  try {
    const copySeconds = await best(gpu, () => copying.run(times));
    const matmulSeconds = await best(gpu, () => multiplying.run(products));
    const fmaPerSecond = await fmaRate(gpu, software ? 2 ** 12 : 2 ** 20);
    const matmulPerSecond = 2 * side ** 3 * products / matmulSeconds;
    return {
      copyBytesPerSecond: 8 * elements * times / copySeconds,
      fmaPerSecond,
      matmulPerSecond,
      matmulShare: matmulPerSecond / fmaPerSecond,
      side,
    };
  } finally {
    copying.destroy();
    multiplying.destroy();
    store.destroy();
  }
}
