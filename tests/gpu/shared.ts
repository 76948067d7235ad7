/** One device for the tests of a file. */

import { type Gpu, type GpuOptions, requestGpu } from "../../src/gpu/device.ts";

/** Opens a device; the caller destroys it. */
export function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  return requestGpu(navigator.gpu, options);
}

/** Views of a device that take one of the two kernel paths each; on a software adapter only one is taken by itself. */
export function kernelPaths(gpu: Gpu): { readonly path: string; readonly on: Gpu }[] {
  return [
    { path: "barrier-free kernels", on: gpu.withCaps({ flat: true }) },
    { path: "kernels for GPUs", on: gpu.withCaps({ flat: false }) },
  ];
}
