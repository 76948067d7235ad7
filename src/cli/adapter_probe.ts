/**
 * What the GPU of this process is and can do, as one JSON line on stdout. Runs in a process of its own: an adapter that
 * appears after an installation is seen only by a fresh process, and a driver that crashes takes only the probe along.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { type Caps, type Gpu, requestGpu } from "../gpu/device.ts";
import { type MatrixConfig, matrixConfigs } from "../gpu/matrix_units.ts";
import { openDawn } from "../host/gpu.ts";
import { type Numerics, probeNumerics } from "../verify/numerics.ts";

/** The adapter as the browser interface names it. */
export interface AdapterFacts {
  description: string;
  vendor: string;
  device: string;
  /** A software implementation. */
  software: boolean;
  features: string[];
  limits: Record<string, number>;
  /** Shapes of its matrix units, where its WebGPU offers them. */
  matrix: readonly MatrixConfig[];
}

/** Facts that need an open device. */
export interface DeviceFacts {
  caps: Caps;
  /** Answers of compile probes, by name. */
  probes: Record<string, boolean>;
  /** Largest error of the self-test kernel, which must be 0; a text if it did not run. */
  selfTest: number | string;
  selfTestMs: number;
  /** Milliseconds that reading 4 bytes takes while nothing runs; the median of some. */
  readbackMs: number;
  /** What its arithmetic is like. */
  numerics: Numerics;
}

/** Steps of the default method beside a reference's; all zero where it brings none. */
export interface StepFacts {
  /** What was trained. */
  label: string;
  steps: number;
  /** Largest relative difference of a loss. */
  error: number;
  /** The loss and step it is of. */
  worst: string;
}

/** The probe's answer. */
export interface ProbeAnswer {
  adapter?: AdapterFacts;
  device?: DeviceFacts;
  steps?: StepFacts;
  /** Why the device part is missing. */
  error?: string;
}

const ADD = `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&y)) { y[id.x] = a[id.x] + b[id.x]; }
}`;

/** Kernels at the edge of what implementations grant; the engine does not need them, tuning does. */
const PROBES: Readonly<Record<string, string>> = {
  "17 KiB of workgroup memory": `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> w: array<f32, 4352>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
  w[i] = f32(i); workgroupBarrier(); y[i] = w[63u - i];
}`,
  "512 invocations": `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(512) fn main(@builtin(local_invocation_index) i: u32) { y[i] = f32(i); }`,
};

/** Adds two vectors on the device and returns the largest error. */
async function selfTest(device: GPUDevice): Promise<number> {
  const n = 1000;
  const a = Float32Array.from({ length: n }, (_, i) => i * 0.5);
  const b = Float32Array.from({ length: n }, (_, i) => 1 - i * 0.25);
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const buffers = [a, b, undefined].map((data) => {
    const buffer = device.createBuffer({ size: n * 4, usage: STORAGE | COPY_SRC | COPY_DST });
    if (data !== undefined) device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  });
  const back = device.createBuffer({ size: n * 4, usage: MAP_READ | COPY_DST });
  const module = device.createShaderModule({ code: ADD });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(n / 64));
  pass.end();
  encoder.copyBufferToBuffer(buffers[2]!, 0, back, 0, n * 4);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(GPUMapMode.READ);
  const y = new Float32Array(back.getMappedRange());
  return y.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (a[i]! + b[i]!))), 0);
}

/** Times readings of an idle device. */
async function readback(device: GPUDevice): Promise<number> {
  const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const times: number[] = [];
  for (let i = 0; i < 9; i++) {
    const started = performance.now();
    await buffer.mapAsync(GPUMapMode.READ);
    buffer.unmap();
    times.push(performance.now() - started);
  }
  buffer.destroy();
  return times.sort((a, b) => a - b)[4]!;
}

async function compiles(device: GPUDevice, code: string): Promise<boolean> {
  device.pushErrorScope("validation");
  try {
    const module = device.createShaderModule({ code });
    device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  } catch {
    await device.popErrorScope();
    return false;
  }
  return await device.popErrorScope() === null;
}

async function deviceFacts(gpu: Gpu): Promise<DeviceFacts> {
  const probes: Record<string, boolean> = {};
  for (const [name, code] of Object.entries(PROBES)) probes[name] = await compiles(gpu.device, code);
  const started = performance.now();
  const result = await selfTest(gpu.device).catch(String);
  const selfTestMs = performance.now() - started;
  const readbackMs = await readback(gpu.device);
  return { caps: gpu.caps, probes, selfTest: result, selfTestMs, readbackMs, numerics: await probeNumerics(gpu) };
}

function adapterFacts(adapter: GPUAdapter, software: boolean): AdapterFacts {
  const { description, vendor, device, isFallbackAdapter } = adapter.info;
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === "number") limits[name] = value;
  }
  return {
    description: description || `${vendor} ${device}`,
    vendor,
    device,
    software: software || isFallbackAdapter || /llvmpipe|lavapipe|swiftshader/i.test(description),
    features: [...adapter.features].sort(),
    limits,
    matrix: matrixConfigs(adapter),
  };
}

/** Steps that are tried. */
const STEPS = 10;

async function stepFacts(gpu: Gpu): Promise<StepFacts> {
  // Only here, since training needs packages that a bare probe has no table of.
  const { DEFAULT_METHOD, loadMethod } = await import("../methods/index.ts");
  const method = await loadMethod(DEFAULT_METHOD);
  const proof = await method.proof?.();
  if (proof === undefined) return { label: method.name, steps: 0, error: 0, worst: "" };
  const { steps, error, worst } = await proof.steps(gpu, STEPS);
  // JSON knows no infinity.
  return { label: proof.label, steps, error: Math.min(error, Number.MAX_VALUE), worst };
}

/**
 * Prints a {@linkcode ProbeAnswer}. `--software` asks for the fallback adapter, `--device` opens it and tests it, `--steps`
 * trains a little on it, `--dawn FOLDER` takes Dawn of that folder in place of Deno's WebGPU.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const dawn = argv.includes("--dawn") ? argv[argv.indexOf("--dawn") + 1] : undefined;
  // Dawn knows no fallback adapter but its own.
  const software = argv.includes("--software") && dawn === undefined;
  const answer: ProbeAnswer = {};
  const entry = dawn === undefined ? navigator.gpu : await openDawn(pathToFileURL(`${dawn}/index.js`).href);
  const adapter = await entry?.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: software });
  if (adapter) answer.adapter = adapterFacts(adapter, software);
  const [device, steps] = [argv.includes("--device"), argv.includes("--steps")];
  if (adapter && (device || steps)) {
    try {
      const gpu = await requestGpu(entry, { software });
      if (device) answer.device = await deviceFacts(gpu);
      if (steps) answer.steps = await stepFacts(gpu);
      gpu.destroy();
    } catch (error) {
      answer.error = error instanceof Error ? error.message : String(error);
    }
  }
  console.log(JSON.stringify(answer));
  return 0;
}
