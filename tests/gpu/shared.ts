/** One device for the tests of a file. */

import { type DeviceLimits, type Gpu, type GpuOptions, requestGpu } from "../../src/gpu/device.ts";

/** Limits that every WebGPU device has, whatever the adapter offers. */
export const DEFAULT_LIMITS: DeviceLimits = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxComputeWorkgroupStorageSize: 2 ** 14,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};

/** Opens a device; the caller destroys it. */
export function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  return requestGpu(navigator.gpu, options);
}

/** Opens a device that compiles every text as `change` makes it; the caller destroys it. */
export async function deviceThat(
  change: (text: string, kernel: string | undefined) => string,
  options?: GpuOptions,
): Promise<Gpu> {
  const gpu = await openGpu(options);
  const compile = gpu.device.createShaderModule.bind(gpu.device);
  gpu.device.createShaderModule = (given) => compile({ ...given, code: change(given.code, given.label) });
  return gpu;
}

/** Views of a device that take one of the two kernel paths each; on a software adapter only one is taken by itself. */
export function kernelPaths(gpu: Gpu): { readonly path: string; readonly on: Gpu }[] {
  return [
    { path: "barrier-free kernels", on: gpu.withCaps({ flat: true }) },
    { path: "kernels for GPUs", on: gpu.withCaps({ flat: false }) },
  ];
}
