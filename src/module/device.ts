/**
 * The device of a call: one that is handed in, or one that is opened.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { Gpu, requestGpu } from "../gpu/device.ts";

/** A device: an open {@linkcode Gpu}, or what `navigator.gpu` is, such as that of the npm package `webgpu`. */
export type Device = Gpu | GPU;

/**
 * Opens a device unless an open one is given.
 *
 * @returns The device, and whether the caller closes it.
 * @throws {DeviceError} With code `no-adapter` when there is none.
 */
export async function deviceOf(device: Device | undefined): Promise<{ gpu: Gpu; owned: boolean }> {
  if (device instanceof Gpu) return { gpu: device, owned: false };
  if (device !== undefined && device !== null && typeof (device as GPU).requestAdapter !== "function") {
    throw new ConfigError("Cannot open a device: gpu is neither open nor a WebGPU entry, such as navigator.gpu", {
      hint: "Pass what requestGpu() gave, or leave gpu out",
    });
  }
  return { gpu: await requestGpu(device), owned: true };
}

/** Makes something on {@linkcode deviceOf} a call; where that fails, a device that was opened for it is closed. */
export async function onDevice<T>(
  device: Device | undefined,
  make: (gpu: Gpu, owned: boolean) => Promise<T>,
): Promise<T> {
  const { gpu, owned } = await deviceOf(device);
  try {
    return await make(gpu, owned);
  } catch (error) {
    if (owned) gpu.destroy();
    throw error;
  }
}
