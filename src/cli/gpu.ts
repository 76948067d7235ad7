/**
 * The device of a command, opened when all that can be refused without it has been looked at.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { markOfPicks, parseTuning, type TuningFile, tuningFor } from "../gpu/tuning.ts";
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
 * @throws {DeviceError} If there is none.
 */
export async function openGpu({ software, backend }: Omit<DeviceFlags, "tuning">): Promise<Gpu> {
  const prepared = await prepareGpu({ software, backend: backend as Backend });
  // Dawn was asked for a software adapter in its own way.
  return await requestGpu(
    prepared.entry,
    prepared.backend === "dawn" ? { runtime: `Dawn of ${DAWN}` } : { software },
  );
}

/**
 * How a command opens its device when its inputs are read; a file of `tune` is read at once.
 *
 * @param say Told which file is used. What is returned throws {@linkcode ConfigError} if it was made for another device.
 * @throws {DataError | FormatError} If it is missing or damaged.
 */
export function gpuOpener({ tuning, ...of }: DeviceFlags, say?: (text: string) => void): () => Promise<Gpu> {
  if (tuning === undefined) return () => openGpu(of);
  const made = readTuning(tuning);
  return async () => {
    const gpu = await openGpu(of);
    try {
      const measured = tuningFor(made, tuning, tuningOf(gpu));
      say?.(`Kernels as measured: ${tuning} (mark ${measured.mark}), ${made.classes.length} classes of shapes`);
      return gpu.withTuning(measured);
    } catch (error) {
      gpu.destroy();
      throw error;
    }
  };
}

/** What a command's output says of measured kernels: wherever the file lies, what it picks. */
export function tuningFacts({ tuning }: { readonly tuning?: string | undefined }): Facts {
  return tuning === undefined ? {} : { "--tuning": markOfPicks(readTuning(tuning)) };
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
