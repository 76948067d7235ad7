/**
 * The device of a world: Deno's own, or with `--backend dawn` that of Dawn, which is another implementation of WebGPU with a
 * compiler of its own.
 *
 * @module
 */

import { dawnFrom, findDawn } from "../../src/cli/backend.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { DEFAULT_LIMITS, openGpu } from "../../tests/gpu/shared.ts";

/** Opens it with the limits that every device has, and says what it is. @throws {Error} If Dawn was asked for and is not there. */
export async function worldGpu(): Promise<Gpu> {
  const at = Deno.args.indexOf("--backend");
  const limits = DEFAULT_LIMITS;
  if (at < 0 || Deno.args[at + 1] === "deno") {
    const gpu = await openGpu({ limits });
    console.log(gpu.description);
    return gpu;
  }
  const found = await dawnFrom(await findDawn(), false);
  if (!("entry" in found)) throw new Error(`Cannot use Dawn: ${found.missing}`);
  const gpu = await requestGpu(found.entry, { limits });
  console.log(`Dawn, ${gpu.description}`);
  return gpu;
}
