/**
 * `convert volume`: slices, TIFF, OME-Zarr, BigDataViewer's HDF5, NIfTI and raw voxels as OME-Zarr, NIfTI, OME-TIFF or raw.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { formatBytes } from "../core/text_table.ts";
import { convertVolume } from "../run/convert_volume.ts";
import type { OmeZarrVersion } from "../volumes/ome_zarr_write.ts";
import type { Window } from "../volumes/window.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";
import { parseZyx, VOLUME_FLAGS, volumeOptions } from "./volume_flags.ts";

/** What follows the name of the conversion. */
export const usage = "IN OUT.ome.zarr|OUT.nii|OUT.ome.tif|OUT.json";

/** Flags of the conversion. */
export const flags = {
  ...VOLUME_FLAGS,
  resample: { kind: "text", value: "Z,Y,X", help: "volume: µm between voxels of the result, by linear interpolation" },
  labels: { kind: "switch", help: "volume: voxels are labels: the nearest is taken instead of a mean" },
  window: {
    kind: "text",
    value: "LOW,HIGH|auto",
    help: "volume: intensities that become 0 and 255; auto: of 1 and 99 % of the voxels of each channel",
  },
  mask: { kind: "switch", help: "volume: write where tissue is, by Otsu's threshold, in place of the voxels" },
  "keep-non-finite": { kind: "switch", help: "volume: keep NaN and infinities, which are refused otherwise" },
  zarr: { kind: "choice", of: ["0.5", "0.4"], help: "volume: version of OME-Zarr that is written; 0.5" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: values, words }: Args<typeof flags>): Promise<number> {
  const [input, output, ...more] = words;
  if (input === undefined || output === undefined || more.length > 0) {
    throw new ConfigError(`Cannot convert a volume: wanted ${usage}`, {
      hint: "For example: convert volume slices brain.ome.zarr --spacing 10,0.5,0.5",
      context: { words },
    });
  }
  if (values.mask && values.window !== undefined) {
    throw new ConfigError("Cannot use --window with --mask: a mask is 0 and 1", { context: { given: values.window } });
  }
  const progress = new Progress(values.quiet);
  const result = await convertVolume({
    ...{ input, output, options: volumeOptions(values), mask: values.mask, labels: values.labels },
    ...{ resample: parseZyx("resample", values.resample), window: parseWindow(values.window) },
    ...{ keepNonFinite: values["keep-non-finite"], overwrite: values.overwrite },
    zarrVersion: (values.zarr ?? "0.5") as OmeZarrVersion,
  }, progress);
  if (values.json) printJson(result, 2);
  const { shape, spacing, channels, dtype, bytes } = result;
  progress.say(
    `${output}: ${shape.join(" x ")} voxels of ${spacing.join(" x ")} µm, ${channels.join(", ")}, ${dtype}, ` +
      formatBytes(bytes),
  );
  if (result.tissue !== 0) return 0;
  progress.warn(`${output}: no tissue was found, all of it is 0`);
  return INCOMPLETE;
}

function parseWindow(text: string | undefined): Window | "auto" | undefined {
  if (text === undefined || text === "auto") return text;
  const [low, high, ...more] = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (more.length === 0 && Number.isFinite(low) && Number.isFinite(high) && low! < high!) return [low!, high!];
  throw new ConfigError(`Cannot use --window ${text}: wanted two numbers, the lower first, or auto`, {
    hint: "For example --window 100,10000",
    context: { given: text },
  });
}
