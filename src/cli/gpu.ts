/**
 * The device of a command, opened when all that can be refused without it has been looked at.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { describeMatrix } from "../gpu/matrix_units.ts";
import { markOfPicks, parseTuning, type TuningFile, tuningFor } from "../gpu/tuning.ts";
import { tuningOf } from "../gpu/tuning_of.ts";
import { disk, readText } from "../io/fs.ts";
import { checkPicks, subgroupClass } from "../verify/tune.ts";
import { DAWN } from "./backend.ts";
import { type Backend, prepareGpu } from "./setup.ts";
import { say as sayLine } from "./terminal.ts";

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
 * @param say Told of matrix units that are used; that Dawn offers none is a warning.
 * @throws {DeviceError} If there is none.
 */
export async function openGpu(
  { software, backend, subgroups = false }: Omit<DeviceFlags, "tuning"> & { readonly subgroups?: boolean },
  say?: (text: string) => void,
): Promise<Gpu> {
  const prepared = await prepareGpu({ software, backend: backend as Backend });
  // Dawn was asked for a software adapter in its own way.
  if (prepared.backend !== "dawn") return await requestGpu(prepared.entry, { software, subgroups });
  const gpu = await requestGpu(prepared.entry, { runtime: `Dawn of ${DAWN}`, subgroups });
  // A software adapter goes by its barrier-free kernels, which are sooner there.
  const { matrix } = gpu.caps;
  if (matrix === undefined) sayLine(`No matrix units: ${gpu.withoutMatrix}. The ordinary kernels compute`);
  else if (!gpu.caps.flat) {
    const shape = describeMatrix({ ...matrix, operands: "f16", sums: "f32" });
    say?.(`Matrix units of ${shape} compute products and attention under --precision f16`);
  }
  return gpu;
}

/**
 * How a command opens its device when its inputs are read; a file of `tune` is read at once.
 *
 * @param say Told which file is used, and of matrix units. What is returned throws {@linkcode ConfigError} if it was made for another device.
 * @throws {DataError | FormatError} If it is missing or damaged.
 */
export function gpuOpener({ tuning, ...of }: DeviceFlags, say?: (text: string) => void): () => Promise<Gpu> {
  if (tuning === undefined) return () => openGpu(of, say);
  const made = readTuning(tuning);
  const exchanging = subgroupClass(made);
  return async () => {
    const gpu = await openGpu({ ...of, subgroups: exchanging !== undefined }, say);
    try {
      const measured = tuningFor(made, tuning, tuningOf(gpu));
      if (exchanging !== undefined && !gpu.caps.subgroups) throw withoutSubgroups(gpu, tuning, exchanging);
      say?.(`Kernels as measured: ${tuning} (mark ${measured.mark}), ${made.classes.length} classes of shapes`);
      return gpu.withTuning(measured);
    } catch (error) {
      gpu.destroy();
      throw error;
    }
  };
}

function withoutSubgroups({ withoutSubgroups }: Gpu, file: string, name: string): ConfigError {
  return new ConfigError(
    `Cannot use ${file}: "${name}" is computed by subgroups, which this device does not have (${withoutSubgroups})`,
    {
      code: "tuning",
      hint: "Make one for this machine with deno task tune --out FILE, or go without --tuning",
      context: { path: file, class: name },
    },
  );
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
