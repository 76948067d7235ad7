/**
 * What a measurement of kernel variants is of: the adapter, its driver and the texts of the kernels, which this alone loads.
 *
 * @module
 */

import { streamOf } from "../core/rng.ts";
import type { Gpu } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import * as kernels from "./kernels.gen.ts";
import type { TuningOf } from "./tuning.ts";

/** Families of kernels that have variants. */
const FAMILIES = /^(matmul_(nt|nn|tn|reduce)|attention_(fwd|bwd_query|bwd_key))(_flat|_tall|_matrix)?$/;

/** Tells these kernels from those of other versions. */
function tunedKernels(): string {
  const all = Object.values(kernels as unknown as Record<string, Kernel>)
    .filter((kernel) => typeof kernel === "object" && FAMILIES.test(kernel.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return streamOf(all.flatMap(({ source, libs }) => [source, ...libs]).join("\n")).toString(16).padStart(8, "0");
}

/** What a measurement made on this device is of. */
export function tuningOf(gpu: Gpu): TuningOf {
  return { adapter: gpu.description, driver: gpu.driver, kernels: tunedKernels() };
}
