/**
 * Expression of a volume by a trained run: OME-Zarr with a channel a gene, on a grid in tissue, NaN outside.
 *
 * | file | content |
 * |---|---|
 * | `expression.ome.zarr` | f32, spacing that of the grid; voxel (0, 0, 0) lies where the volume's does |
 * | `volume.json` | what was predicted and what it was made from; written last |
 *
 * Planes are written a slab at a time; a run that was killed goes on behind the last whole one, to the same bytes.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { sha256Of } from "../io/checksum.ts";
import { disk, makeFolder, readText } from "../io/fs.ts";
import type { VolumePredictor, VolumeRun, VolumeTask } from "../methods/volume_run.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { OmeZarrWriter } from "../volumes/ome_zarr_write.ts";
import { openVolume, type VolumeOptions as OpenOptions } from "../volumes/open.ts";
import type { Volume, Zyx } from "../volumes/volume.ts";
import { runWarnings } from "./checks.ts";
import { runHash } from "./facts.ts";
import type { HostMachine } from "./machine.ts";
import { checkpointOf, runSettings } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";

/** What is asked for. */
export interface PredictVolumeOptions {
  readonly run: string;
  readonly checkpoint: CheckpointName;
  readonly volume: string;
  /** Of the volume's file, where it does not say. */
  readonly open: OpenOptions;
  readonly out: string;
  readonly overwrite: boolean;
  /** µm between places within a slice; half the field of a patch if not given. */
  readonly grid: number | undefined;
  /** µm between places along z; a step between slices if not given. */
  readonly gridZ: number | undefined;
  readonly everywhere: boolean;
  /** µm: x0, y0, z0, x1, y1, z1. */
  readonly box: readonly number[] | undefined;
  readonly blend: "centre" | "gaussian";
  readonly encoder: string | undefined;
  readonly precision: "f32" | "f16" | undefined;
  readonly settings: Facts;
}

const RESULT = "volume.json";
const IMAGE = "expression.ome.zarr";
const PROGRESS = "slabs.json";

/** Slices that show how long one takes. */
const TRIED = 64;

interface Request {
  readonly found: FoundCheckpoint;
  readonly trained: VolumeRun;
  readonly facts: Facts;
}

async function requestOf({ run, checkpoint, settings }: PredictVolumeOptions): Promise<Request> {
  const { method, config } = await runSettings(run);
  if (method.volumes === undefined) {
    throw new ConfigError(`Cannot predict a volume with ${run}: models of method ${method.name} take no volumes`, {
      code: "method-unsupported",
      hint: "Give a run of train method=vortex",
      context: { run, method: method.name },
    });
  }
  const found = checkpointOf(run, checkpoint, config);
  return {
    found,
    trained: method.volumes(config, found),
    facts: { ...settings, run_sha256: await runHash({ found }, run) },
  };
}

/** Lays the grid. @throws {ConfigError} If steps along z are not whole. */
async function layOf(
  { grid, gridZ, everywhere, box, blend }: PredictVolumeOptions,
  { patch, lay }: VolumeRun,
  volume: Volume,
): Promise<VolumeTask> {
  const depth = (gridZ ?? patch.step) / patch.step;
  if (Math.abs(depth - Math.round(depth)) > 1e-6 || depth < 0.5) {
    throw new ConfigError(
      `Cannot predict every ${gridZ} µm along z: wanted a multiple of ${patch.step} µm, the run's slice_step`,
      {
        hint: `--grid-z ${patch.step * Math.max(1, Math.round(depth))}`,
        context: { key: "grid-z", given: gridZ },
      },
    );
  }
  return await lay(volume, { stride: grid ?? patch.field / 2, depth: Math.round(depth), everywhere, box, blend });
}

/** What a volume is, for a result that goes on: its extents, and its middle slice, since it may be larger than memory. */
async function volumeFacts(volume: Volume): Promise<Facts> {
  const { shape, spacing, channels } = volume;
  const slice = await volume.readSlice(Math.floor(shape[0] / 2));
  const bytes = new Uint8Array(slice.buffer, slice.byteOffset, slice.byteLength);
  return {
    volume_shape: shape.join(" "),
    volume_spacing: spacing.join(" "),
    volume_channels: channels.join(" "),
    volume_slice_sha256: sha256Of(bytes),
  };
}

/**
 * Predicts a volume. What it takes is said before it begins.
 *
 * @throws {ConfigError | DataError} If run and volume do not fit, or the output was made from something else.
 */
export async function predictVolume(
  options: PredictVolumeOptions,
  { host, openGpu }: HostMachine,
): Promise<{ json: Readonly<Record<string, unknown>>; status: number }> {
  const { found, trained, facts } = await requestOf(options);
  const { reporter } = host;
  const volume = await openVolume(host.disk, options.volume, options.open);
  try {
    const made = { ...facts, ...await volumeFacts(volume) };
    using folder = OutputFolder.open({
      ...{ out: options.out, command: "predict", result: RESULT, names: [IMAGE, PROGRESS], facts: made },
      overwrite: options.overwrite,
    });
    if (folder.finished) {
      reporter.say(`${options.out}: is there`);
      return folder.finished;
    }
    for (const warning of runWarnings(options.run, found)) reporter.warn(warning);
    const task = await layOf(options, trained, volume);
    sayGrid(task, trained, reporter);
    const gpu = await openGpu();
    try {
      const predictor = await task.open(
        gpu,
        host,
        options.encoder === undefined && options.precision === undefined
          ? { batchSize: 64 }
          : { batchSize: 64, encoder: options.encoder, precision: options.precision },
      );
      try {
        await sayTime(task, predictor, reporter);
        folder.begin();
        await writeAll(folder, task, trained, predictor, host);
      } finally {
        predictor.close();
      }
    } finally {
      gpu.destroy();
    }
    const { shape, spacing, cost, window } = task;
    const result = {
      image: IMAGE,
      shape,
      spacing_um: spacing,
      genes: trained.genes,
      unit: trained.unit,
      window,
      ...cost,
    };
    const json = folder.finish(result, 0);
    disk.remove(`${folder.path}/${PROGRESS}`);
    reporter.say(`${folder.path}/${IMAGE}: ${shape.join(" x ")} places, ${trained.genes.length} genes`);
    return { json, status: 0 };
  } finally {
    await volume.close();
  }
}

function sayGrid(
  { shape, spacing, cost }: VolumeTask,
  { genes }: VolumeRun,
  reporter: HostMachine["host"]["reporter"],
): void {
  const all = shape[0] * shape[1] * shape[2];
  reporter.say(
    `Grid: ${shape.join(" x ")} places of ${spacing.join(" x ")} µm (z, y, x), ${cost.places} of ${all} in tissue, ` +
      `${genes.length} genes; ${cost.encodings} slices are encoded, ${cost.apart} without those shared along z`,
  );
}

async function sayTime(
  { cost, bytes }: VolumeTask,
  predictor: VolumePredictor,
  reporter: HostMachine["host"]["reporter"],
): Promise<void> {
  await predictor.tryOut(TRIED);
  const begin = performance.now();
  await predictor.tryOut(TRIED);
  const seconds = (performance.now() - begin) / 1000 / TRIED * cost.encodings;
  const time = seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  const mebibytes = Math.ceil(bytes(predictor.dim) / 2 ** 20);
  reporter.say(`Cost: about ${time} for the slices, ${mebibytes} MiB at most beside the model`);
}

/** Planes that were written before. */
function doneBefore(path: string): number {
  if (disk.look(path) === undefined) return 0;
  try {
    const { planes } = JSON.parse(readText(path));
    return Number.isInteger(planes) && planes > 0 ? planes : 0;
  } catch {
    return 0;
  }
}

async function writeAll(
  folder: OutputFolder,
  task: VolumeTask,
  { genes, unit }: VolumeRun,
  predictor: VolumePredictor,
  { reporter, signal }: HostMachine["host"],
): Promise<void> {
  const [nz, ny, nx] = task.shape;
  const writer = new OmeZarrWriter({ ...disk, makeFolder }, `${folder.path}/${IMAGE}`, {
    ...{ shape: task.shape, spacing: task.spacing, channels: genes, dtype: "f32" as const, fill: NaN },
    attributes: { expression: unit },
  });
  const progress = `${folder.path}/${PROGRESS}`;
  const step = writer.chunk[0];
  const first = doneBefore(progress);
  if (first > 0) reporter.say(`Going on behind plane ${first} of ${nz}`);
  for (let from = first; from < nz; from += step) {
    const to = Math.min(nz, from + step);
    const slab = new Float32Array((to - from) * ny * nx * genes.length);
    for (let k = from; k < to; k++) {
      signal?.throwIfAborted();
      slab.set(await predictor.plane(k), (k - from) * ny * nx * genes.length);
      reporter.update("planes", k + 1, nz, "slides");
    }
    const corner: Zyx = [from, 0, 0];
    writer.write(corner, [to, ny, nx], slab);
    disk.write(progress, JSON.stringify({ planes: to }));
  }
  await writer.finish();
}
