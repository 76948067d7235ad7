/**
 * The device of a command, opened when all that can be refused without it has been looked at.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { parseTuning, type TuningFile, tuningFor } from "../gpu/tuning.ts";
import { tuningOf } from "../gpu/tuning_of.ts";
import { disk, readText } from "../io/fs.ts";
import { checkPicks } from "../verify/tune.ts";
import { DAWN } from "./backend.ts";
import { type Backend, prepareGpu } from "./setup.ts";

/** How a device is opened. */
export interface DeviceFlags {
  readonly software: boolean;
  /** `--backend`: Deno's WebGPU, or Dawn's. */
  readonly backend: string;
  /** File of `tune`. */
  readonly tuning?: string | undefined;
}

/**
 * Makes sure of an adapter, installing Mesa's software driver where that may be done, and opens it.
 *
 * @param say Told which file of `tune` is used.
 * @throws {DeviceError} If there is none.
 * @throws {FormatError | ConfigError} If a file of `tune` is damaged, or was made for another device.
 */
export async function openGpu({ software, backend, tuning }: DeviceFlags, say?: (text: string) => void): Promise<Gpu> {
  const made = tuning === undefined ? undefined : readTuning(tuning);
  const prepared = await prepareGpu({ software, backend: backend as Backend });
  // Dawn was asked for a software adapter in its own way.
  const gpu = await requestGpu(
    prepared.entry,
    prepared.backend === "dawn" ? { runtime: `Dawn of ${DAWN}` } : { software },
  );
  if (!made) return gpu;
  try {
    const measured = tuningFor(made, tuning!, tuningOf(gpu));
    say?.(`Kernels as measured: ${tuning}, ${made.classes.length} classes of shapes on ${made.adapter}`);
    return gpu.withTuning(measured);
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/** Reads a file of `tune`. @throws {DataError | FormatError} If it is missing or damaged. */
export function readTuning(path: string): TuningFile {
  if (disk.look(path)?.kind !== "file") {
    throw new DataError(`Cannot read ${path}: there is no such file`, {
      hint: "Make it with deno task tune --out FILE",
    });
  }
  const made = parseTuning(readText(path), path);
  checkPicks(made, path);
  return made;
}
