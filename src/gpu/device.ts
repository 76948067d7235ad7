/**
 * The GPU as the engine sees it: adapter and device request, limits asked for by name, capability probes, error and
 * device-loss reporting. Takes the `GPU` object from its caller, so that it runs on Deno, in a browser and on Dawn.
 *
 * @module
 */

import { DeviceError, KernelError } from "../core/errors.ts";
import { adapterHint, hostGpu } from "../host/gpu.ts";
import { MATRIX_FEATURE, type MatrixUnits, usableUnits } from "./matrix_units.ts";
import { type Subgroups, subgroupsOf } from "./subgroups.ts";
import type { Tuning } from "./tuning.ts";

/** Limits the engine asks for; each is clamped to what the adapter offers. */
const WANTED_LIMITS: Readonly<Record<string, number>> = {
  maxBufferSize: Number.MAX_SAFE_INTEGER,
  maxStorageBufferBindingSize: Number.MAX_SAFE_INTEGER,
  maxComputeWorkgroupStorageSize: 32768,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65535,
};

/** Alignments of sub-ranges; smaller is better, so the adapter's own value is asked for. */
const WANTED_ALIGNMENTS: readonly string[] = ["minStorageBufferOffsetAlignment", "minUniformBufferOffsetAlignment"];

/** Features the engine uses where they exist. */
export type Feature = "shader-f16" | "subgroups" | "timestamp-query" | "chromium-experimental-subgroup-matrix";

/** 128 cores with 8 warps each; every invocation of a product has 16 or 64 independent sums. */
const INVOCATIONS = 2 ** 15;

/** GPUs that share the memory of the host or have few registers an invocation; what is measured of them takes tiles of 64. */
const SMALL_TILES = /apple|intel|iris|arc\(tm\)|adreno|qualcomm|mali|arm\b|powervr|radeon(\(tm\))? graphics|videocore/i;

const FEATURES: readonly Feature[] = ["shader-f16", "subgroups", "timestamp-query", MATRIX_FEATURE];

/** Limits that plans and kernels depend on. */
export type DeviceLimits = Readonly<
  Record<
    | "maxBufferSize"
    | "maxStorageBufferBindingSize"
    | "maxComputeWorkgroupStorageSize"
    | "maxComputeInvocationsPerWorkgroup"
    | "maxComputeWorkgroupSizeX"
    | "maxStorageBuffersPerShaderStage"
    | "maxComputeWorkgroupsPerDimension"
    | "minStorageBufferOffsetAlignment"
    | "minUniformBufferOffsetAlignment",
    number
  >
>;

/** What this device can do, found out by asking and by compiling; by its name only what nothing else tells. */
export interface Caps {
  /** `shader-f16` was granted and a kernel using it compiles. */
  readonly f16: boolean;
  /** Timestamps can be written at pass boundaries. */
  readonly timestamps: boolean;
  /** The adapter is a software implementation. */
  readonly software: boolean;
  /** Use the barrier-free kernels: on software adapters each barrier costs more than it saves. */
  readonly flat: boolean;
  /** Invocations that keep a large GPU busy, by which products choose their tiles. */
  readonly invocations: number;
  /**
   * Largest edge of a product's tile: 128 is 64 sums an invocation and 16 KiB of workgroup memory, which pays on large GPUs.
   * Told by the adapter's name, since nothing else tells it; a measurement (`tuning`) goes before.
   */
  readonly largestTile: 64 | 128;
  /** Matrix units that products of f16 go by; undefined where there are none, or none that the kernels can use. */
  readonly matrix: MatrixUnits | undefined;
  /** Subgroups by which invocations exchange; undefined where nobody asked for them, or none that the kernels can use. */
  readonly subgroups: Subgroups | undefined;
  /** What was granted. */
  readonly limits: DeviceLimits;
}

/** Options of {@linkcode requestGpu}. */
export interface GpuOptions {
  /** Force the fallback (software) adapter. */
  software?: boolean;
  /** Override the choice of kernel path, for tests. */
  flat?: boolean;
  /** Do not use these features even where they exist, for tests. */
  without?: readonly Feature[];
  /** Ask for subgroups, for kernels by them that were measured or are to be. */
  subgroups?: boolean;
  /** Lower limits than the adapter's, for tests. */
  limits?: Partial<DeviceLimits>;
  /** Whose WebGPU it is, where it is not the host's own; measurements of `tune` hold for it alone. */
  runtime?: string;
}

/** First failure of a device, shared by all views of it. */
interface Health {
  error: Error | undefined;
}

/** An open device with everything that depends on it. */
export class Gpu {
  readonly #health: Health;
  /** What the runtime tells of vendor, architecture and device, and the runtime itself. */
  driver = "unknown";
  /** Why matrix units are not used; empty where they are. */
  withoutMatrix = "";
  /** Why there are no subgroups; empty where there are, or where nobody asked. */
  withoutSubgroups = "";
  /** Pipelines by WGSL text; filled by `pipelines.ts`. */
  readonly pipelines: Map<string, Promise<GPUComputePipeline>> = new Map();
  /** Bind-group layouts by access pattern; filled by `pipelines.ts`. */
  readonly layouts: Map<string, GPUBindGroupLayout> = new Map();

  /**
   * Wraps an open device; see {@linkcode requestGpu}.
   *
   * @param description Adapter name as the driver gives it.
   * @param shared Another view of the same device.
   */
  constructor(
    readonly device: GPUDevice,
    readonly caps: Caps,
    readonly description: string,
    shared?: Gpu,
    /** Variants of kernels that were measured; without it a rule chooses. */
    readonly tuning?: Tuning,
  ) {
    if (shared) {
      this.driver = shared.driver;
      this.withoutMatrix = shared.withoutMatrix;
      this.withoutSubgroups = shared.withoutSubgroups;
      this.#health = shared.#health;
      this.pipelines = shared.pipelines;
      this.layouts = shared.layouts;
      return;
    }
    const health: Health = this.#health = { error: undefined };
    device.addEventListener("uncapturederror", (event) => {
      const error = (event as GPUUncapturedErrorEvent).error;
      health.error ??= new DeviceError(`Cannot go on using ${description}: ${firstLine(error.message)}`, {
        code: "device-validation",
        context: { text: error.message },
      });
    });
    device.lost.then((info) => {
      health.error ??= lostError(description, info.message || info.reason || "unknown reason");
    });
  }

  /** The queue of the device. */
  get queue(): GPUQueue {
    return this.device.queue;
  }

  /**
   * Throws the first error that reached the device outside an error scope, or its loss. Costs nothing when all is well.
   *
   * @throws {DeviceError} If the device is lost or refused a command.
   */
  check(): void {
    if (this.#health.error) throw this.#health.error;
  }

  /** Same device with other capabilities, for tests of both kernel paths. */
  withCaps(caps: Partial<Caps>): Gpu {
    return new Gpu(this.device, { ...this.caps, ...caps }, this.description, this, this.tuning);
  }

  /** Same device with variants of kernels that were measured on it, or without any. */
  withTuning(tuning: Tuning | undefined): Gpu {
    return new Gpu(this.device, this.caps, this.description, this, tuning);
  }

  /**
   * Creates a buffer.
   *
   * @throws {DeviceError} If the device has no memory left, naming the bytes asked for.
   */
  buffer(label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.check();
    try {
      return this.device.createBuffer({ label, size, usage });
    } catch (cause) {
      throw new DeviceError(`Cannot allocate ${size} bytes for ${label}: ${firstLine(String(cause))}`, {
        code: "out-of-memory",
        context: { adapter: this.description, bytes: size },
        cause,
      });
    }
  }

  /**
   * Whether that many bytes can be had now, beside what is in use. WebGPU does not say how much memory there is, so they are
   * taken and given back, an eighth and 256 MiB more for what else a program allocates. No byte of them is written.
   */
  async hasMemory(bytes: number): Promise<boolean> {
    this.check();
    const { maxBufferSize } = this.caps.limits;
    const wanted = bytes + bytes / 8 + 2 ** 28;
    // Metal gives more than there is and swaps; there the largest buffer is a share of the memory, elsewhere 2 to 4 GiB.
    if (maxBufferSize > 2 ** 32 && wanted > maxBufferSize) return false;
    const taken: GPUBuffer[] = [];
    const piece = Math.min(maxBufferSize, 2 ** 30);
    this.device.pushErrorScope("out-of-memory");
    let thrown = false;
    try {
      for (let left = wanted; left > 0; left -= piece) {
        const size = Math.ceil(Math.min(left, piece) / 4) * 4;
        taken.push(this.device.createBuffer({ label: "probe of memory", size, usage: GPUBufferUsage.STORAGE }));
      }
    } catch {
      thrown = true;
    }
    const refused = await this.device.popErrorScope();
    taken.forEach((buffer) => buffer.destroy());
    await this.queue.onSubmittedWorkDone();
    return !thrown && !refused;
  }

  /** Gives the device back. Later use of plans on it throws {@linkcode DeviceError}. */
  destroy(): void {
    this.#health.error ??= lostError(this.description, "destroyed");
    this.device.destroy();
  }
}

function lostError(description: string, reason: string): DeviceError {
  return new DeviceError(`Cannot go on using ${description}: the device was lost (${reason})`, {
    code: "device-lost",
    hint: "Run the same command again: an unfinished run resumes from its last checkpoint",
    context: { adapter: description, reason },
  });
}

/** First line of a driver's message. */
export function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}

async function requestDevice(adapter: GPUAdapter, options: GpuOptions): Promise<GPUDevice> {
  const offered = adapter.limits as unknown as Record<string, number>;
  const requiredLimits: Record<string, number> = {};
  for (const [name, wanted] of Object.entries(WANTED_LIMITS)) {
    requiredLimits[name] = Math.min(
      wanted,
      offered[name] ?? 0,
      options.limits?.[name as keyof DeviceLimits] ?? Infinity,
    );
  }
  for (const name of WANTED_ALIGNMENTS) requiredLimits[name] = offered[name] ?? 256;
  const offers = adapter.features as unknown as ReadonlySet<string>;
  // Matrix units are of subgroups. For other kernels they are asked for by name: some devices compute slower for their sake.
  const listed = FEATURES.filter((name) =>
    !options.without?.includes(name) && offers.has(name) && (name !== "subgroups" || offers.has(MATRIX_FEATURE))
  );
  const request = (features: readonly Feature[]) =>
    adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[], requiredLimits });
  if (options.subgroups && !listed.includes("subgroups")) {
    try {
      // Deno has them without listing them.
      return await request([...listed, "subgroups"]);
    } catch {
      // Then without.
    }
  }
  try {
    return await request(listed);
  } catch (cause) {
    const why = firstLine(String(cause));
    throw new DeviceError(`Cannot open the adapter ${adapter.info.description}: ${why}`, { cause });
  }
}

/** Whether a kernel compiles to a pipeline. */
async function compiles(device: GPUDevice, code: string): Promise<boolean> {
  device.pushErrorScope("validation");
  try {
    const module = device.createShaderModule({ code });
    await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  } catch {
    await device.popErrorScope();
    return false;
  }
  return (await device.popErrorScope()) === null;
}

const PROBE_F16 = `enable f16;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(32) fn main(@builtin(local_invocation_index) i: u32) { y[i] = f32(f16(i) * 2.0h); }`;

/** The matrix units that products will go by, proved; else why there are none. */
async function matrixOf(adapter: GPUAdapter, device: GPUDevice, f16: boolean): Promise<MatrixUnits | string> {
  const usable = usableUnits(adapter);
  if (typeof usable === "string") return usable;
  if (!f16 || !(device.features as unknown as Set<string>).has(MATRIX_FEATURE)) {
    return "the device was not granted them";
  }
  const { provesUnits } = await import("./matrix_probe.ts"); // With it come the texts of all kernels.
  for (const units of usable) if (await provesUnits(device, units)) return units;
  return "they do not multiply as the kernels need it";
}

/**
 * Opens a device with everything the engine can use of it.
 *
 * ```ts
 * import { requestGpu } from "@seal-webgpu/seal";
 *
 * const gpu = await requestGpu();
 * console.log(gpu.description, gpu.caps.f16);
 * gpu.destroy();
 * ```
 *
 * @param gpu By default `navigator.gpu`, in Node what the npm package `webgpu` gives.
 * @throws {DeviceError} With code `no-adapter` when there is none.
 */
export async function requestGpu(
  gpu?: GPU,
  options: GpuOptions = {},
): Promise<Gpu> {
  const adapter = await (gpu ?? await hostGpu())?.requestAdapter({
    powerPreference: "high-performance",
    forceFallbackAdapter: options.software ?? false,
  });
  if (!adapter) {
    throw new DeviceError("Cannot find a GPU adapter: the system offers none", {
      code: "no-adapter",
      hint: adapterHint(),
    });
  }
  const { info } = adapter;
  const device = await requestDevice(adapter, options);
  const granted = device.features as unknown as Set<string>;
  const f16 = granted.has("shader-f16") && await compiles(device, PROBE_F16);
  const software = info.isFallbackAdapter ||
    /llvmpipe|lavapipe|swiftshader|software|basic render/i.test(info.description);
  const limits = Object.fromEntries(
    [...Object.keys(WANTED_LIMITS), ...WANTED_ALIGNMENTS].map((name) => {
      const own = (device.limits as unknown as Record<string, number>)[name] ?? 0;
      return [name, Math.min(own, options.limits?.[name as keyof DeviceLimits] ?? own)];
    }),
  ) as Record<keyof DeviceLimits, number>;
  const matrix = await matrixOf(adapter, device, f16);
  const subgroups = options.subgroups ? await subgroupsOf(info, device) : "";
  const caps: Caps = {
    f16,
    timestamps: granted.has("timestamp-query"),
    software,
    flat: options.flat ?? software,
    invocations: INVOCATIONS,
    largestTile: SMALL_TILES.test(`${info.vendor} ${info.description}`) ? 64 : 128,
    matrix: typeof matrix === "string" ? undefined : matrix,
    subgroups: typeof subgroups === "string" ? undefined : subgroups,
    limits,
  };
  const opened = new Gpu(device, caps, info.description || `${info.vendor} ${info.architecture}`.trim());
  if (typeof matrix === "string") opened.withoutMatrix = matrix;
  if (typeof subgroups === "string") opened.withoutSubgroups = subgroups;
  const runtime = options.runtime ?? globalThis.navigator?.userAgent ?? "unknown runtime";
  opened.driver = [info.vendor, info.architecture, info.device, runtime].filter(Boolean).join(" ");
  return opened;
}

/** A {@linkcode KernelError} that names the kernel and the first line of the compiler's message. */
export function kernelError(kernel: string, message: string, text: string, cause?: unknown): KernelError {
  return new KernelError(`Cannot compile kernel ${kernel}: ${firstLine(message)}`, {
    code: "kernel",
    context: { kernel, message, text },
    cause,
  });
}
