/**
 * Expression of a volume by a trained run: OME-Zarr with a channel a gene, on a grid in tissue, NaN outside; by several runs the
 * mean of what they say, and how far it spreads.
 *
 * | file | content |
 * |---|---|
 * | `expression.ome.zarr` | f32; place (0, 0, 0) lies where the volume's first voxel does, or in a box where the image says |
 * | `spread.ome.zarr` | standard deviation over the runs, where there are several |
 * | `refined.ome.zarr`, `refined_spread.ome.zarr` | the same within the box, at places nearer to each other |
 * | `volume.json` | what was predicted and what it was made from; written last |
 *
 * Planes are written a row of chunks at a time; a run that was killed goes on behind the last whole one, to the same bytes.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import { sha256Of } from "../io/checksum.ts";
import { disk } from "../io/fs.ts";
import type { VolumePredictor, VolumeRun, VolumeTask } from "../methods/volume_run.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { type OpenVolume, openVolume, type VolumeOptions as OpenOptions } from "../volumes/open.ts";
import type { Volume, Zyx } from "../volumes/volume.ts";
import { runWarnings } from "./checks.ts";
import { runHash } from "./facts.ts";
import type { HostMachine } from "./machine.ts";
import type { Host } from "../train/host.ts";
import type { Reporter } from "../core/reporter.ts";
import { checkpointOf, runSettings } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";
import { imageShape, imagesPlan, writeImages, WrittenPlanes } from "./volume_images.ts";

/** What is asked for. */
export interface PredictVolumeOptions {
  readonly run: string;
  /** Runs of other seeds beside it: the mean of all is predicted, and how far they spread. */
  readonly beside: readonly string[];
  readonly checkpoint: CheckpointName;
  readonly volume: string;
  /** Whether it is a table of serial sections, for a run that is of such. */
  readonly serial: boolean;
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
  /** µm between places within the box, after all was predicted at `grid`. */
  readonly refine: number | undefined;
  readonly blend: "centre" | "gaussian";
  readonly by: "head" | "retrieval";
  /** µm between voxels of the result, if they are to be others than the places. */
  readonly resample: Zyx | undefined;
  readonly encoder: string | undefined;
  readonly precision: "f32" | "f16" | undefined;
  readonly settings: Facts;
}

const RESULT = "volume.json";
const PROGRESS = "slabs.json";
const SERIAL = "serial sections in the place of a continuous volume: an extension, not VORTEX";
const NAMES = ["expression.ome.zarr", "spread.ome.zarr", "refined.ome.zarr", "refined_spread.ome.zarr"] as const;

/** What the runtime holds of arrays that are no longer used before it collects them, at most about. */
const UNCOLLECTED = 64 * 2 ** 20;

/** Slices that show how long one takes. */
const TRIED = 64;

interface Request {
  readonly run: string;
  readonly found: FoundCheckpoint;
  readonly trained: VolumeRun;
}

async function requestOf(run: string, checkpoint: CheckpointName): Promise<Request> {
  const { method, config } = await runSettings(run);
  if (method.volumes === undefined) {
    throw new ConfigError(`Cannot predict a volume with ${run}: models of method ${method.name} take no volumes`, {
      code: "method-unsupported",
      hint: "Give a run of train method=vortex",
      context: { run, method: method.name },
    });
  }
  const found = checkpointOf(run, checkpoint, config);
  return { run, found, trained: method.volumes(config, found) };
}

/** Refuses runs whose predictions have no mean. */
function checkAlike([first, ...others]: readonly Request[]): void {
  const kind = ({ trained: { genes, unit, patch } }: Request) => ({
    genes: genes.join(" "),
    unit,
    patch: `${patch.field} µm, ${patch.slices} slices ${patch.step} µm apart`,
  });
  for (const other of others) {
    for (const key of ["genes", "unit", "patch"] as const) {
      const [found, expected] = [kind(other)[key], kind(first!)[key]];
      if (found === expected) continue;
      throw new DataError(
        `Cannot predict with ${other.run} beside ${
          first!.run
        }: its ${key} are not the same, expected runs that differ in seed`,
        {
          code: "run-mismatch",
          hint: "Train them on the same table with the same settings",
          context: { run: other.run, key, found: found.slice(0, 200), expected: expected.slice(0, 200) },
        },
      );
    }
  }
}

/** Refuses a volume of another kind than was said, or than the run is of. */
function checkKind({ serial, volume }: PredictVolumeOptions, [first]: readonly Request[], made: boolean): void {
  const { run, trained } = first!;
  const kind = (is: boolean) => (is ? "serial sections" : "a continuous volume");
  const fail = (found: string, wanted: string, hint: string) =>
    new ConfigError(`Cannot predict ${volume}: ${found}, wanted ${wanted}`, { hint, context: { key: "serial", run } });
  if (made !== serial) {
    throw fail(`it is ${kind(made)}`, made ? "--serial, which says so" : "a table of them with --serial", "See README");
  }
  if (trained.serial === serial) return;
  throw fail(`${run} is trained on ${kind(trained.serial)}`, `a run of ${kind(serial)}`, `Train with serial=${serial}`);
}

/** Refuses a stack whose sections are not a slice of a patch apart. */
function checkStep({ name, spacing, serial }: OpenVolume, [first]: readonly Request[]): void {
  const { run, trained: { patch: { step } } } = first!;
  if (serial === undefined || Math.abs(spacing[0] / step - 1) < 0.01) return;
  throw new ConfigError(`Cannot predict ${name} with ${run}: its sections are ${spacing[0]} µm apart, wanted ${step}`, {
    hint: "Train with slice_step as its sections are apart",
    context: { given: spacing[0], wanted: step },
  });
}

/** What is predicted at once: a grid, laid for every run. */
interface Pass {
  readonly names: readonly string[];
  readonly tasks: readonly [VolumeTask, ...VolumeTask[]];
}

/** Lays the grids. @throws {ConfigError} If steps along z are not whole, or what is to be refined is not said. */
async function passesOf(
  { grid, gridZ, everywhere, box, blend, by, refine }: PredictVolumeOptions,
  runs: readonly Request[],
  volume: Volume,
): Promise<Pass[]> {
  const { patch } = runs[0]!.trained;
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
  const stride = grid ?? patch.field / 2;
  if (refine !== undefined && (box === undefined || refine >= stride)) {
    throw new ConfigError(
      `Cannot refine to ${refine} µm: wanted a --box, and less than the ${stride} µm of the whole`,
      { hint: "--box X0,Y0,Z0,X1,Y1,Z1 --refine 28", context: { key: "refine", given: refine } },
    );
  }
  const names = runs.length > 1 ? NAMES : [NAMES[0], NAMES[2]];
  const half = names.length / 2;
  const options = { depth: Math.round(depth), everywhere, blend, by };
  const lay = async (names: readonly string[], stride: number, box?: readonly number[]): Promise<Pass> => {
    const first = await runs[0]!.trained.lay(volume, { ...options, stride, box });
    const tasks: [VolumeTask, ...VolumeTask[]] = [first];
    for (const { trained } of runs.slice(1)) {
      tasks.push(await trained.lay(volume, { ...options, stride, box, mask: first.mask }));
    }
    return { names, tasks };
  };
  if (refine === undefined) return [await lay(names.slice(0, half), stride, box)];
  return [await lay(names.slice(0, half), stride), await lay(names.slice(half), refine, box)];
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
  const runs: Request[] = [];
  for (const run of [options.run, ...options.beside]) runs.push(await requestOf(run, options.checkpoint));
  checkAlike(runs);
  const hashes = await Promise.all(runs.map((request) => runHash(request, request.run)));
  const facts = { ...options.settings, run_sha256: hashes.join(" ") };
  const { reporter } = host;
  const volume = await openVolume(host.disk, options.volume, options.open);
  try {
    checkKind(options, runs, volume.serial !== undefined);
    checkStep(volume, runs);
    const made = { ...facts, ...await volumeFacts(volume) };
    using folder = OutputFolder.open({
      ...{ out: options.out, command: "predict", result: RESULT, names: [...NAMES, PROGRESS], facts: made },
      overwrite: options.overwrite,
    });
    if (folder.finished) {
      reporter.say(`${options.out}: is there`);
      warnEmpty(folder.finished.json, options, reporter);
      return folder.finished;
    }
    for (const { run, found } of runs) for (const warning of runWarnings(run, found)) reporter.warn(warning);
    const passes = await passesOf(options, runs, volume);
    for (const { tasks } of passes) sayGrid(tasks[0], runs[0]!.trained, reporter);
    await predictAll(folder, { passes, runs, options }, { host, openGpu });
    const { genes, unit } = runs[0]!.trained;
    const images = passes.map(({ names, tasks: [{ shape, spacing, origin, cost, window }] }) => ({
      ...{ images: names, shape, spacing_um: spacing, origin_um: origin, window, ...cost },
    }));
    const voxels = passes.map(({ tasks: [task] }) => imageShape({ ...task, resample: options.resample }));
    const [{ images: names, ...whole }, refined] = images as [typeof images[0], typeof images[0] | undefined];
    const empty = passes.filter(({ tasks: [{ cost }] }) => cost.places === 0).map(({ names }) => names[0]);
    const result = {
      ...volume.serial !== undefined && { serial: SERIAL },
      ...{ image: names[0], ...names.length > 1 && { spread: names[1] }, genes, unit, ...whole },
      ...options.resample !== undefined && { voxels: voxels[0], voxel_um: options.resample },
      ...refined !== undefined && { refined },
      ...empty.length > 0 && { empty },
    };
    const status = empty.length > 0 ? INCOMPLETE : 0;
    const json = folder.finish(result, status);
    disk.remove(`${folder.path}/${PROGRESS}`);
    for (const [i, { names }] of passes.entries()) {
      reporter.say(`${folder.path}/${names.join(", ")}: ${voxels[i]!.join(" x ")} voxels, ${genes.length} genes`);
    }
    warnEmpty(json, options, reporter);
    return { json, status };
  } finally {
    volume.close();
  }
}

/** Names images without a place in tissue, which are no answer. */
function warnEmpty(
  { empty = [] }: { readonly empty?: unknown },
  { volume }: Pick<PredictVolumeOptions, "volume">,
  reporter: Reporter,
): void {
  for (const name of empty as readonly string[]) {
    reporter.warn(
      `${volume}: no place of ${name} lies in tissue, all of it is NaN; --everywhere predicts outside of tissue too`,
    );
  }
}

function sayGrid({ shape, spacing, cost }: VolumeTask, { genes }: VolumeRun, reporter: Reporter): void {
  const all = shape[0] * shape[1] * shape[2];
  reporter.say(
    `Grid: ${shape.join(" x ")} places of ${spacing.join(" x ")} µm (z, y, x), ${cost.places} of ${all} in tissue, ` +
      `${genes.length} genes; ${cost.encodings} slices are encoded, ${cost.apart} without those shared along z`,
  );
}

/** What is predicted, by what, and how. */
interface Work {
  readonly passes: readonly Pass[];
  readonly runs: readonly Request[];
  readonly options: PredictVolumeOptions;
}

/** Images of a pass. */
function imagesOf({ names, tasks: [{ shape, spacing, origin }] }: Pass, { runs, options }: Omit<Work, "passes">) {
  const { genes, unit } = runs[0]!.trained;
  const attributes = { expression: unit };
  return { ...{ names, shape, spacing, origin, attributes }, channels: genes, resample: options.resample };
}

async function predictAll(folder: OutputFolder, work: Work, { host, openGpu }: HostMachine): Promise<void> {
  const { passes, options } = work;
  const gpu = await openGpu();
  const open: VolumePredictor[] = [];
  try {
    const { encoder, precision } = options;
    for (const [i, pass] of passes.entries()) {
      for (const task of pass.tasks) {
        open.push(await task.open(gpu, host, { batchSize: 64, encoder, precision }));
      }
      if (i === 0) await sayTime(work, open, host.reporter);
      folder.begin();
      // What was begun with other settings is not gone on with.
      if (i === 0 && options.overwrite) {
        for (const name of [PROGRESS, RESULT]) disk.remove(`${folder.path}/${name}`);
      }
      await writePass(folder, pass, { ...work, open }, host);
      for (const predictor of open.splice(0)) predictor.close();
    }
  } finally {
    for (const predictor of open) predictor.close();
    gpu.destroy();
  }
}

async function sayTime(work: Work, open: readonly VolumePredictor[], reporter: Reporter): Promise<void> {
  const [predictor] = open as readonly [VolumePredictor, ...VolumePredictor[]];
  const { passes } = work;
  await predictor.tryOut(TRIED);
  const begin = performance.now();
  await predictor.tryOut(TRIED);
  const encodings = passes.reduce((sum, { tasks: [{ cost }] }) => sum + cost.encodings, 0) * open.length;
  const seconds = (performance.now() - begin) / 1000 / TRIED * encodings;
  const time = seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  const bytes = passes.map((pass) =>
    pass.tasks.reduce((sum, task) => sum + task.bytes(predictor.dim), 0) + imagesPlan(imagesOf(pass, work))
  );
  const mebibytes = Math.ceil((Math.max(...bytes) + UNCOLLECTED) / 2 ** 20);
  reporter.say(`Cost: about ${time} for the slices, ${mebibytes} MiB at most beside the model`);
}

async function writePass(
  folder: OutputFolder,
  pass: Pass,
  { open, ...work }: Omit<Work, "passes"> & { readonly open: readonly VolumePredictor[] },
  { reporter, signal }: Host,
): Promise<void> {
  const images = imagesOf(pass, work);
  const written = new WrittenPlanes(`${folder.path}/${PROGRESS}`);
  const before = written.of(pass.names[0]!) ?? 0;
  if (before > 0) reporter.say(`${pass.names[0]}: going on behind plane ${before} of ${imageShape(images)[0]}`);
  await writeImages(folder.path, {
    ...images,
    async plane(k) {
      signal?.throwIfAborted();
      const said: Float32Array[] = [];
      for (const predictor of open) said.push(await predictor.plane(k));
      reporter.update("planes", k + 1, images.shape[0], "slides");
      return said.length === 1 ? said : spreadOf(said);
    },
  }, written);
}

/** Mean and standard deviation of what several say. */
export function spreadOf(said: readonly Float32Array[]): readonly [mean: Float32Array, deviation: Float32Array] {
  const n = said.length;
  const [mean, deviation] = [new Float32Array(said[0]!.length), new Float32Array(said[0]!.length)];
  for (let i = 0; i < mean.length; i++) {
    let sum = 0;
    for (const values of said) sum += values[i]!;
    let squares = 0;
    for (const values of said) squares += (values[i]! - sum / n) ** 2;
    mean[i] = sum / n;
    deviation[i] = Math.sqrt(squares / (n - 1));
  }
  return [mean, deviation];
}
