/**
 * The device of a command, opened when all that can be refused without it has been looked at.
 *
 * @module
 */

import { type Gpu, requestGpu } from "../gpu/device.ts";
import { prepareGpu } from "./setup.ts";

/**
 * Makes sure of an adapter, installing Mesa's software driver where that may be done, and opens it.
 *
 * @throws {DeviceError} If there is none.
 */
export async function openGpu(software: boolean): Promise<Gpu> {
  await prepareGpu({ software });
  return await requestGpu(navigator.gpu, { software });
}
