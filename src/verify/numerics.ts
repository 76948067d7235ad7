/**
 * What arithmetic of a device is like where WGSL promises little: built-in functions, fused multiply-add, subnormal numbers,
 * infinities and NaN, stores of f16. Facts for a report, not a verdict: kernels rely on none of what is optional here.
 *
 * Source: WGSL specification, "Floating point accuracy" and "Floating point evaluation".
 *
 * @module
 */

import { f32FromF16 } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { readRanges } from "../gpu/readback.ts";

/** What was found of one function. */
export interface FunctionAccuracy {
  readonly name: string;
  /** Arguments, from and to. */
  readonly range: readonly [number, number];
  /** Largest error in units of the last place of the right f32 result; the largest number where one is missing. */
  readonly ulp: number;
  /** Largest absolute error. */
  readonly absolute: number;
}

/** What was found of a device. */
export interface Numerics {
  readonly functions: readonly FunctionAccuracy[];
  /** `fma` rounds once. */
  readonly fusedFma: boolean;
  /** `a * b + c` is contracted to one rounding. */
  readonly contracts: boolean;
  /** Subnormal f32 survive: arithmetic, and a plain copy. */
  readonly subnormals: { readonly arithmetic: boolean; readonly copy: boolean };
  /** 1 / 0 is infinite, infinity - infinity is NaN, NaN is not equal to itself, all by their bits. */
  readonly infinities: boolean;
  readonly nan: boolean;
  readonly nanCompares: boolean;
  /** 1e5 stored as f16: its value on reading (as text where it is not finite); null without f16. */
  readonly f16Overflow: number | string | null;
  /** 1e-6 stored as f16, which holds it as a subnormal; null without f16. */
  readonly f16Subnormal: number | null;
}

const COUNT = 4096;

/** Functions with the arguments they are tried on. */
const FUNCTIONS: readonly [name: string, low: number, high: number, right: (x: number) => number][] = [
  ["exp", -80, 80, Math.exp],
  ["log", 1e-6, 100, Math.log],
  ["log", 0.9, 1.1, Math.log],
  ["sin", -3.2, 3.2, Math.sin],
  ["cos", -3.2, 3.2, Math.cos],
  ["sqrt", 1e-6, 100, Math.sqrt],
  ["inverseSqrt", 1e-6, 100, (x) => 1 / Math.sqrt(x)],
  ["tanh", -6, 6, Math.tanh],
];

async function compute(gpu: Gpu, code: string, inputs: Float32Array<ArrayBuffer>, bytes: number): Promise<Uint8Array> {
  const { device } = gpu;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const [from, to] = [gpu.buffer("probe input", inputs.byteLength, usage), gpu.buffer("probe output", bytes, usage)];
  try {
    device.queue.writeBuffer(from, 0, inputs);
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
    });
    const layout = pipeline.getBindGroupLayout(0);
    const entries = [{ binding: 0, resource: { buffer: from } }, { binding: 1, resource: { buffer: to } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(Math.ceil(inputs.length / 64));
    pass.end();
    device.queue.submit([encoder.finish()]);
    return (await readRanges(gpu, [{ buffer: to, offset: 0, bytes }]))[0]!;
  } finally {
    from.destroy();
    to.destroy();
  }
}

const HEAD = `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= arrayLength(&x)) { return; }`;

/** Distance between neighbouring f32 at a value. */
function ulpAt(value: number): number {
  const size = Math.max(Math.abs(value), 2 ** -126);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

async function accuracy(gpu: Gpu, [name, low, high, right]: typeof FUNCTIONS[number]): Promise<FunctionAccuracy> {
  const x = Float32Array.from({ length: COUNT }, (_, i) => low + (high - low) * i / (COUNT - 1));
  const bytes = await compute(gpu, `${HEAD} y[i] = ${name}(x[i]); }`, x, 4 * COUNT);
  const got = new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, COUNT);
  let [ulp, absolute] = [0, 0];
  x.forEach((argument, i) => {
    const value = right(argument);
    const off = Math.abs(got[i]! - value);
    absolute = off <= absolute ? absolute : Number.isNaN(off) ? Infinity : off;
    const units = off / ulpAt(value);
    ulp = units <= ulp ? ulp : Number.isNaN(units) ? Infinity : units;
  });
  // JSON knows no infinity.
  const [most, off] = [ulp, absolute].map((value) => Math.min(value, Number.MAX_VALUE));
  return { name, range: [low, high], ulp: most!, absolute: off! };
}

/** Bits of numbers, a row each: how they were made is in the text below. */
async function oddities(gpu: Gpu): Promise<Uint32Array> {
  // Zero and values come from memory, so that no compiler computes them.
  const x = Float32Array.of(0, 1, 1 + 2 ** -12, 2 ** -126, Infinity);
  const code = `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x > 0u) { return; }
  let zero = x[0];
  let square = x[2] * x[2];
  y[0] = bitcast<u32>(fma(x[2], x[2], -square));
  y[1] = bitcast<u32>(x[2] * x[2] - (1.0 + x[0] + 0.00048828125));
  y[2] = bitcast<u32>(x[3] * 0.5 * (1.0 + zero));
  y[3] = bitcast<u32>(x[1] / zero);
  y[4] = bitcast<u32>(x[4] - x[4]);
  let nan = bitcast<f32>(bitcast<u32>(x[4]) | 1u);
  y[5] = select(0u, 1u, nan == nan);
}`;
  const bytes = await compute(gpu, code, x, 32);
  return new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, 8);
}

async function copiesSubnormals(gpu: Gpu): Promise<boolean> {
  const tiny = Float32Array.of(2 ** -130, -(2 ** -149), 1, 2);
  const bytes = await compute(gpu, `${HEAD} y[i] = x[i]; }`, tiny, 16);
  return tiny.every((value, i) => new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, 4)[i] === value);
}

async function halves(gpu: Gpu): Promise<[number, number] | undefined> {
  if (!gpu.caps.f16) return undefined;
  const code = `enable f16;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f16>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { y[id.x] = f16(x[id.x]); }
}`;
  const bytes = await compute(gpu, code, Float32Array.of(1e5, 1e-6), 4);
  const words = new Uint16Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, 2);
  return [f32FromF16(words[0]!), f32FromF16(words[1]!)];
}

/** Tries the arithmetic of a device. */
export async function probeNumerics(gpu: Gpu): Promise<Numerics> {
  const functions: FunctionAccuracy[] = [];
  for (const row of FUNCTIONS) functions.push(await accuracy(gpu, row));
  const bits = await oddities(gpu);
  const half = await halves(gpu);
  return {
    functions,
    // (1 + 2^-12)^2 is 1 + 2^-11 + 2^-24: its last digit is lost unless the product is not rounded.
    fusedFma: bits[0] !== 0,
    contracts: bits[1] !== 0,
    subnormals: { arithmetic: bits[2] === 0x00400000, copy: await copiesSubnormals(gpu) },
    infinities: bits[3] === 0x7f800000,
    nan: (bits[4]! & 0x7fffffff) > 0x7f800000,
    nanCompares: bits[5] === 0,
    f16Overflow: half ? (Number.isFinite(half[0]) ? half[0] : String(half[0])) : null,
    f16Subnormal: half ? half[1] : null,
  };
}

/** The same in words: what was tried, and what came of it. */
export function describeNumerics(numerics: Numerics): Record<string, string> {
  const yes = (value: boolean) => (value ? "yes" : "no");
  const { subnormals, f16Overflow, f16Subnormal } = numerics;
  return Object.fromEntries([
    ...numerics.functions.map(({ name, range, ulp, absolute }) => [
      `${name} of ${range[0]} to ${range[1]}`,
      `within ${ulp.toPrecision(3)} ulp, ${absolute.toExponential(1)} absolute`,
    ]),
    ["fma rounds once", yes(numerics.fusedFma)],
    ["a * b + c is contracted", yes(numerics.contracts)],
    ["subnormal numbers survive arithmetic", yes(subnormals.arithmetic)],
    ["subnormal numbers survive a copy", yes(subnormals.copy)],
    ["1 / 0 is infinite", yes(numerics.infinities)],
    ["infinity - infinity is NaN", yes(numerics.nan)],
    ["NaN differs from itself", yes(numerics.nanCompares)],
    ["f16 of 1e5", String(f16Overflow ?? "no f16")],
    ["f16 of 1e-6", String(f16Subnormal ?? "no f16")],
  ]);
}
