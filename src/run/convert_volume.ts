/**
 * Volumes from one format into another, read and written in boxes: at another spacing, some of the channels, through a window of
 * intensity, or the mask of the tissue in their place.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFile, lockFolder } from "../io/lock.ts";
import { checkFolder, checkSpace, isSame, parentOf, trimmed } from "../io/output.ts";
import { maskVolume, tissueMask } from "../volumes/mask.ts";
import { niftiSink } from "../volumes/nifti.ts";
import { omeTiffSink } from "../volumes/ome_tiff_write.ts";
import { omeZarrSink, type OmeZarrVersion } from "../volumes/ome_zarr_write.ts";
import { openVolume, type VolumeOptions } from "../volumes/open.ts";
import { rawSink } from "../volumes/raw.ts";
import { resampled } from "../volumes/resample.ts";
import type { FilledBox, VolumeSink } from "../volumes/sink.ts";
import { findWindow, type Window, windowed } from "../volumes/window.ts";
import { boxesOf, type Volume, volumeBytes, type VolumeShape, VOXEL_BYTES, type Zyx } from "../volumes/volume.ts";

/** What is converted, and how. */
export interface VolumeRequest {
  readonly input: string;
  /** `.ome.zarr` (or `.zarr`), `.nii`, `.json` or `.ome.tif`. */
  readonly output: string;
  readonly options: VolumeOptions;
  /** µm along z, y, x of the result, where they are to be others. */
  readonly resample?: Zyx | undefined;
  /** Whether voxels are labels, which have no mean. */
  readonly labels: boolean;
  /** Intensities that become 0 and 255; `auto`: those of 1 and 99 % of the voxels of each channel. */
  readonly window?: Window | "auto" | undefined;
  /** Writes where tissue is instead of the voxels. */
  readonly mask: boolean;
  /** Whether voxels that are no finite numbers are kept. */
  readonly keepNonFinite: boolean;
  readonly zarrVersion: OmeZarrVersion;
  readonly overwrite: boolean;
}

/** What was written. */
export interface WrittenVolume extends Pick<VolumeShape, "shape" | "spacing" | "channels" | "dtype"> {
  readonly from: string;
  readonly files: readonly string[];
  readonly bytes: number;
  readonly windows?: readonly Window[];
  /** Share of cells that are tissue, of a mask. */
  readonly tissue?: number;
  readonly notes: readonly string[];
}

/** Bytes of voxels that are in memory at once. */
const BOX = 1 << 26;

/** Formats by the ending of the output. */
function sinkOf(path: string, facts: VolumeShape, version: OmeZarrVersion): VolumeSink {
  if (/\.zarr$/i.test(path)) return omeZarrSink(path, { ...facts, version });
  if (/\.nii$/i.test(path)) return niftiSink(path, facts);
  if (/\.json$/i.test(path)) return rawSink(path, facts);
  return omeTiffSink(path, facts);
}

function checkEnding(path: string): void {
  if (/\.(?:zarr|nii|json|tiff?)$/i.test(path)) return;
  throw new ConfigError(`Cannot write ${path}: its ending names no format, wanted .ome.zarr, .nii, .json or .ome.tif`, {
    hint: /\.nii\.gz$/i.test(path) ? "Write .nii and gzip it" : "For example OUT.ome.zarr",
    context: { given: path },
  });
}

/**
 * Converts a volume. What cannot be used is refused before anything is written.
 *
 * @throws {DataError | FormatError | ConfigError} Of what is wrong with the volume, the options or the output.
 */
export async function convertVolume(request: VolumeRequest, reporter: Reporter): Promise<WrittenVolume> {
  const output = trimmed(request.output);
  checkEnding(output);
  const isFolder = /\.zarr$/i.test(output);
  checkFolder(isFolder ? output : parentOf(output), "OUT");
  if (isSame(request.input, output)) {
    throw new ConfigError(`Cannot write ${output}: it is the input`, { context: { given: output } });
  }
  const source = await openVolume(disk, request.input, request.options);
  try {
    for (const note of source.notes) reporter.say(`${request.input}: ${note}`);
    const { volume, ...made } = await changed(source, request);
    const sink = sinkOf(output, volume, request.zarrVersion);
    checkOutput(output, sink, request.overwrite);
    checkSpace(output, volumeBytes(volume));
    // Of the input: bytes through a window and means of neighbours no longer tell, and its places are those that a user finds.
    if (!request.keepNonFinite) await checkFinite(source, reporter);
    const lock = isFolder ? lockFolder(output, "convert volume") : lockFile(output, "convert volume");
    try {
      await sink.fill({ ...disk, makeFolder }, told(boxes(volume, sink), volume, reporter, output));
    } finally {
      lock.release();
    }
    const { shape, spacing, channels, dtype } = volume;
    const facts = { shape, spacing, channels, dtype, from: source.format, files: sink.files };
    return { ...facts, ...made, bytes: volumeBytes(volume), notes: source.notes };
  } finally {
    source.close();
  }
}

/** The volume as it is to be written. */
async function changed(
  source: Volume,
  { resample, labels, window, mask }: VolumeRequest,
): Promise<{ volume: Volume; windows?: Window[]; tissue?: number }> {
  if (mask) {
    const found = await tissueMask(source);
    const volume = maskVolume(source, found);
    return { volume: resample === undefined ? volume : resampled(volume, resample, "nearest"), tissue: found.share };
  }
  const at = resample === undefined ? source : resampled(source, resample, labels ? "nearest" : "trilinear");
  if (window === undefined) return { volume: at };
  const windows: Window[] = [];
  for (let c = 0; c < source.channels.length; c++) {
    windows.push(window === "auto" ? await findWindow(source, c) : window);
  }
  return { volume: windowed(at, windows), windows };
}

/** Refuses what is there already, unless it is to be replaced and is a volume of the same kind. */
function checkOutput(output: string, { files }: VolumeSink, overwrite: boolean): void {
  const there = [output, ...files].find((path) => disk.look(path) !== undefined);
  if (there === undefined) return;
  if (!overwrite) {
    throw new ConfigError(`Cannot write ${output}: ${there} exists`, {
      code: "output-exists",
      hint: "Pass --overwrite to replace it, or another OUT",
      context: { path: there },
    });
  }
  // Chunks of another volume would stay between those of the new one.
  if (disk.look(output)?.kind !== "folder") return;
  throw new ConfigError(`Cannot write ${output}: it is a folder, which is not written over`, {
    code: "output-exists",
    hint: "Remove it, or pass another OUT",
    context: { path: output },
  });
}

/** Boxes that fill the volume, along the chunks of the output, or of the input where the output has none. */
async function* boxes(volume: Volume, sink: VolumeSink): AsyncGenerator<FilledBox> {
  for (const { from, to } of boxesOf(volume.shape, sink.step ?? stepOf(volume))) {
    yield { from, to, voxels: await volume.readBox(from[0], to[0], from[1], to[1], from[2], to[2]) };
  }
}

/** Whole rows, as many together as chunks have, within bounds of memory. */
function stepOf({ shape, chunk, channels, dtype }: VolumeShape): Zyx {
  const row = shape[2] * channels.length * VOXEL_BYTES[dtype];
  const rows = Math.max(1, Math.min(chunk[1], Math.floor(BOX / row)));
  return [Math.max(1, Math.min(chunk[0], Math.floor(BOX / (row * rows)))), rows, shape[2]];
}

/**
 * Looks at all voxels of floating point before anything is written.
 *
 * @throws {DataError} Naming the first that is no finite number.
 */
async function checkFinite(volume: Volume, reporter: Reporter): Promise<void> {
  const { dtype, shape, channels } = volume;
  if (dtype !== "f32" && dtype !== "f64") return;
  const total = volumeBytes(volume);
  let done = 0;
  for (const { from, to } of boxesOf(shape, stepOf(volume))) {
    const voxels = await volume.readBox(from[0], to[0], from[1], to[1], from[2], to[2]);
    const bad = voxels.findIndex((value: number) => !Number.isFinite(value));
    done += voxels.byteLength;
    reporter.update("voxels are looked at", done, total, "bytes");
    if (bad < 0) continue;
    const place = Math.floor(bad / channels.length);
    const [rows, columns] = [to[1] - from[1], to[2] - from[2]];
    const z = from[0] + Math.floor(place / (rows * columns));
    const [y, x] = [from[1] + Math.floor(place / columns) % rows, from[2] + place % columns];
    throw new DataError(
      `Cannot convert ${volume.name}: the voxel at z ${z}, y ${y}, x ${x} is ${voxels[bad]}, expected finite numbers`,
      {
        code: "volume-not-finite",
        hint: "Replace such voxels first, or pass --keep-non-finite where they mean that there is nothing",
        context: { file: volume.name, z, y, x, channel: channels[bad % channels.length] },
      },
    );
  }
}

async function* told(
  boxes: AsyncIterable<FilledBox>,
  volume: Volume,
  reporter: Reporter,
  output: string,
): AsyncGenerator<FilledBox> {
  const total = volumeBytes(volume);
  let done = 0;
  for await (const box of boxes) {
    yield box;
    done += box.voxels.byteLength;
    reporter.update(output, done, total, "bytes");
  }
}
