/**
 * A compiled plan. All pipelines, bind groups and parameters exist; a step re-encodes the dispatches into one pass and one
 * submit and allocates nothing.
 *
 * @module
 */

import { assert, LimitError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { expand } from "../gpu/expand.ts";
import { bindGroupLayout, pipeline } from "../gpu/pipelines.ts";
import { readRanges } from "../gpu/readback.ts";
import { type Layout, placeStorage } from "./memory.ts";
import { dropUnused, writeGradientsInPlace } from "./passes.ts";
import type { Dispatch } from "./plan.ts";
import type { Storage } from "./tensor.ts";

/** Options of {@linkcode compile}. */
export interface CompileOptions {
  /**
   * Most bytes the plan may take: transient, parameters and the persistent tensors it touches. `device`: what it needs beside
   * the persistent ones must be free on the device.
   */
  budgetBytes?: number | "device";
  /** Told the memory before anything is allocated. */
  onMemory?: (report: MemoryReport) => void;
  /**
   * Gradients of parameters are zero before each run, so the first contribution may be written instead of added; one
   * dispatch less a parameter. Default: contributions are added to what is there.
   */
  clearGradients?: boolean;
  /** Every tensor has memory of its own, so that all can be read after a run. */
  keep?: boolean;
  /** Tests: guard bytes around every tensor, each with bytes of its own. */
  guard?: number;
}

/** Memory of a plan, bytes. */
export interface MemoryReport {
  /** Of each slab of transient tensors. */
  readonly slabs: readonly number[];
  /** Most transient bytes alive at once, the lower bound of any layout. */
  readonly live: number;
  /** Transient bytes if nothing were shared. */
  readonly unshared: number;
  /** Uniform parameters of all dispatches. */
  readonly params: number;
  /** Persistent buffers the plan touches. */
  readonly persistent: number;
  /** Everything. */
  readonly total: number;
  /** Dispatches recorded, and those that remain. */
  readonly dispatches: { readonly recorded: number; readonly kept: number };
}

/** Quiet NaN with a payload that no kernel produces. */
const POISON = 0x7fc00abc;
const ALIGN = 256;

function memoryReport(
  layout: Layout,
  dispatches: readonly Dispatch[],
  recorded: number,
  paramBytes: number,
): MemoryReport {
  const all = new Set(dispatches.flatMap(({ bound }) => bound.map(({ tensor }) => tensor.storage)));
  let unshared = 0;
  let persistent = 0;
  const buffers = new Map<Storage, number>();
  for (const storage of all) {
    if (storage.kind === "transient") unshared += storage.bytes;
  }
  for (const { bound } of dispatches) {
    for (const { tensor } of bound) {
      if (tensor.storage.kind !== "persistent") continue;
      const end = tensor.storage.buffer?.size ?? tensor.byteOffset + tensor.bytes;
      buffers.set(tensor.storage, Math.max(buffers.get(tensor.storage) ?? 0, end));
    }
  }
  for (const bytes of buffers.values()) persistent += bytes;
  const slabs = layout.slabs.reduce((a, b) => a + b, 0);
  return {
    slabs: layout.slabs,
    live: layout.liveBytes,
    unshared,
    params: paramBytes,
    persistent,
    total: slabs + paramBytes + persistent,
    dispatches: { recorded, kept: dispatches.length },
  };
}

/** @throws {LimitError} If a plan takes more than it may, or than is free. */
async function keepBudget(gpu: Gpu, report: MemoryReport, budget: number | "device"): Promise<void> {
  const { total, persistent } = report;
  if (budget === "device" ? await gpu.hasMemory(total - persistent) : total <= budget) return;
  const most = budget === "device" ? `${gpu.description} has not that much left` : `the budget is ${budget}`;
  throw new LimitError(`Cannot run this plan: it takes ${total} bytes, ${most}`, {
    code: "memory-budget",
    hint: "Lower the batch size, recompute activations, or raise the budget",
    context: { ...report, budget },
  });
}

/** Bytes of all uniform blocks and the words of each. */
function packParams(dispatches: readonly Dispatch[], stride: number): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.max(stride, dispatches.length * stride));
  const view = new DataView(bytes);
  dispatches.forEach(({ kernel, dims, options }, i) => {
    let at = i * stride;
    assert((kernel.dims.length + kernel.params.length) * 4 <= stride, `parameters of ${kernel.name} fit a slot`);
    for (const name of kernel.dims) {
      view.setUint32(at, dims[name] as number, true);
      at += 4;
    }
    for (const { name, type } of kernel.params) {
      const value = options[name] as number;
      if (type === "f32") view.setFloat32(at, value, true);
      else if (type === "u32") view.setUint32(at, value, true);
      else view.setInt32(at, value, true);
      at += 4;
    }
  });
  return bytes;
}

/** The constants that some dispatch reads. */
function usedOf(constants: ReadonlyMap<Storage, Uint8Array>, dispatches: readonly Dispatch[]): [Storage, Uint8Array][] {
  const read = new Set(dispatches.flatMap(({ bound }) => bound.map(({ tensor }) => tensor.storage)));
  return [...constants].filter(([storage]) => read.has(storage));
}

/** Compiles recorded dispatches; see {@linkcode Plan.compile}. */
export async function compile(
  gpu: Gpu,
  recorded: readonly Dispatch[],
  outputs: ReadonlySet<Storage>,
  constants: ReadonlyMap<Storage, Uint8Array>,
  options: CompileOptions,
): Promise<Program> {
  gpu.check();
  const used = dropUnused(recorded, outputs).filter(({ groups }) => groups.every((count) => count > 0));
  const dispatches = options.clearGradients ? writeGradientsInPlace(used, outputs) : used;
  const { maxBufferSize, minUniformBufferOffsetAlignment } = gpu.caps.limits;
  const guard = options.guard ?? 0;
  const layout = placeStorage(
    dispatches.map(({ bound }) => ({
      reads: bound.filter(({ slot }) => slot.access === "in").map(({ tensor }) => tensor.storage),
      writes: bound.filter(({ slot }) => slot.access !== "in").map(({ tensor }) => tensor.storage),
    })),
    { maxSlab: maxBufferSize, align: ALIGN, guard, reuse: !guard && !options.keep, keep: outputs },
  );
  const words = Math.max(1, ...dispatches.map(({ kernel }) => kernel.dims.length + kernel.params.length));
  const stride = Math.ceil((words * 4) / minUniformBufferOffsetAlignment) * minUniformBufferOffsetAlignment;
  const packed = packParams(dispatches, stride);
  const report = memoryReport(layout, dispatches, recorded.length, packed.byteLength);
  options.onMemory?.(report);
  if (options.budgetBytes !== undefined) await keepBudget(gpu, report, options.budgetBytes);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const owned: GPUBuffer[] = [];
  try {
    const slabs = layout.slabs.map((bytes, i) => gpu.buffer(`slab ${i}`, bytes, usage));
    owned.push(...slabs);
    for (const [storage, { slab, offset }] of layout.places) {
      storage.buffer = slabs[slab];
      storage.offset = offset;
    }
    const params = gpu.buffer("params", packed.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    owned.push(params);
    gpu.queue.writeBuffer(params, 0, packed);
    for (const [storage, data] of usedOf(constants, dispatches)) {
      storage.buffer = gpu.buffer(storage.label, storage.bytes, usage);
      owned.push(storage.buffer);
      gpu.queue.writeBuffer(storage.buffer, 0, data as Uint8Array<ArrayBuffer>);
    }
    const steps = await Promise.all(
      dispatches.map((dispatch, i) => prepare(gpu, dispatch, params, i * stride, words * 4)),
    );
    return new Program(gpu, dispatches, steps, report, slabs, owned, layout, guard);
  } catch (error) {
    for (const buffer of owned) buffer.destroy();
    throw error;
  }
}

/** A dispatch ready to encode. */
interface Step {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly groups: readonly [number, number, number];
}

async function prepare(gpu: Gpu, dispatch: Dispatch, params: GPUBuffer, offset: number, size: number): Promise<Step> {
  const { kernel, variant, bound, groups } = dispatch;
  const accesses = bound.map(({ slot }) => (slot.access === "in" ? "r" : "w")).join("");
  const made = await pipeline(gpu, kernel.name, expand(kernel, variant), accesses);
  const usage = new Map<GPUBuffer, boolean>();
  const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: params, offset, size } }];
  bound.forEach(({ slot, tensor }, i) => {
    const { storage } = tensor;
    assert(storage.buffer, `${kernel.name}: ${slot.name} in ${storage.label} has memory (allocate its store first)`);
    const writes = slot.access !== "in";
    const before = usage.get(storage.buffer);
    assert(
      before === undefined || before === writes,
      `${kernel.name}: ${slot.name} shares a buffer with a tensor of the other access`,
    );
    usage.set(storage.buffer, writes);
    const at = storage.offset + tensor.byteOffset;
    entries.push({ binding: i + 1, resource: { buffer: storage.buffer, offset: at, size: tensor.bytes } });
  });
  const group = gpu.device.createBindGroup({ label: kernel.name, layout: bindGroupLayout(gpu, accesses), entries });
  return { name: kernel.name, pipeline: made, group, groups };
}

/** A compiled plan, ready to replay. */
export class Program {
  readonly #steps: readonly Step[];
  readonly #slabs: readonly GPUBuffer[];
  readonly #owned: readonly GPUBuffer[];
  readonly #layout: Layout;
  readonly #guard: number;

  /** Made by {@linkcode compile}. */
  constructor(
    readonly gpu: Gpu,
    /** What a run dispatches, in order. */
    readonly dispatches: readonly Dispatch[],
    steps: readonly Step[],
    readonly memory: MemoryReport,
    slabs: readonly GPUBuffer[],
    owned: readonly GPUBuffer[],
    layout: Layout,
    guard: number,
  ) {
    this.#steps = steps;
    this.#slabs = slabs;
    this.#owned = owned;
    this.#layout = layout;
    this.#guard = guard;
  }

  /** Kernel names in order. */
  get kernels(): string[] {
    return this.#steps.map((step) => step.name);
  }

  /**
   * Submits one step. Never waits; results are read with `readback`.
   *
   * @param times Benches: encodes the step so many times in one pass.
   * @throws {DeviceError} If the device was lost or refused an earlier command.
   */
  run(times = 1): void {
    submit(this.gpu, Array.from({ length: times }, () => this));
  }

  /** Encodes the dispatches of one step. */
  encode(pass: GPUComputePassEncoder): void {
    for (let i = 0; i < this.#steps.length; i++) this.encodeOne(pass, i);
  }

  /** Encodes dispatch `i` of a step. */
  encodeOne(pass: GPUComputePassEncoder, i: number): void {
    const { pipeline, group, groups } = this.#steps[i]!;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
  }

  /** Tests: fills all transient memory, guards included, with NaN. */
  poison(): void {
    for (const slab of this.#slabs) {
      this.gpu.queue.writeBuffer(slab, 0, new Uint32Array(slab.size / 4).fill(POISON));
    }
  }

  /** Tests: labels of tensors whose guard words a kernel wrote. */
  async damagedGuards(): Promise<string[]> {
    const slabs = await readRanges(this.gpu, this.#slabs.map((buffer) => ({ buffer, offset: 0, bytes: buffer.size })));
    const damaged: string[] = [];
    for (const [storage, { slab, offset }] of this.#layout.places) {
      const words = new Uint32Array(slabs[slab]!.buffer as ArrayBuffer);
      const from = offset / 4;
      const to = from + storage.bytes / 4;
      const guard = this.#guard / 4;
      const intact = [...words.subarray(from - guard, from), ...words.subarray(to, to + guard)].every((w) =>
        w === POISON
      );
      if (!intact) damaged.push(storage.label);
    }
    return damaged;
  }

  /** Frees the memory of the plan; persistent tensors stay. */
  destroy(): void {
    for (const buffer of this.#owned) buffer.destroy();
  }
}

/**
 * Submits several programs in order: one encoder, one pass, one submit.
 *
 * @throws {DeviceError} If the device was lost or refused an earlier command.
 */
export function submit(gpu: Gpu, programs: readonly Program[]): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const program of programs) program.encode(pass);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
}
