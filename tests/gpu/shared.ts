/** One device for the tests of a file. */

import { type Gpu, type GpuOptions, requestGpu } from "../../src/gpu/device.ts";

/** Opens a device; the caller destroys it. */
export function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  return requestGpu(navigator.gpu, options);
}
