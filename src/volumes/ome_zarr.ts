/**
 * OME-Zarr of versions 0.4 and 0.5: axes, scales and levels of the multiscales metadata, chunks by Zarr.
 *
 * Source: https://ngff.openmicroscopy.org/0.4/ and /0.5/
 *
 * @module
 */

import { ByteCache } from "../core/byte_cache.ts";
import { ConfigError } from "../core/errors.ts";
import type { Disk } from "../io/disk.ts";
import { type ZarrArray, type ZarrElements, ZarrFolder } from "../io/zarr/zarr.ts";
import { type DenseLayout, readDense } from "./dense_file.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError, type VolumeLevel } from "./found.ts";
import { channelNames } from "./nifti.ts";
import { unique } from "./tiff_stack.ts";
import {
  type BoxReader,
  boxSize,
  copyBox,
  VOXEL_BYTES,
  type Voxels,
  voxelsOf,
  type VoxelType,
  type Zyx,
} from "./volume.ts";

/** Types of elements, by Zarr's names. */
const TYPES: Readonly<Record<string, VoxelType>> = {
  ...{ bool: "u8", uint8: "u8", int8: "i8", uint16: "u16", int16: "i16", uint32: "u32", int32: "i32" },
  ...{ float16: "f32", float32: "f32", float64: "f64" },
};
/** Micrometres of UDUNITS-2's names, which OME-Zarr takes. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ angstrom: 1e-4, picometer: 1e-6, nanometer: 1e-3, micrometer: 1, millimeter: 1e3, centimeter: 1e4, meter: 1e6 },
  ...{ inch: 25_400 },
};
const AXES = "tczyx";
/** Bytes of chunks that are kept. */
const KEPT = 1 << 28;
/** Chunks above this are read in parts where they are plain. */
const LARGE = 1 << 26;

type Json = Readonly<Record<string, unknown>>;

/**
 * Opens an image of OME-Zarr.
 *
 * @param level Which of the levels, 0 the finest.
 */
export async function openOmeZarr(disk: Disk, path: string, level: number): Promise<FoundVolume> {
  const folder = new ZarrFolder(disk, path);
  const { axes, datasets, attributes, version } = multiscaleOf(folder);
  if (level >= datasets.length) {
    throw new ConfigError(`Cannot read level ${level} of ${path}: it has ${datasets.length}, counted from 0`, {
      hint: `Pass --level ${datasets.length - 1} or less`,
      context: { file: path, level, levels: datasets.length },
    });
  }
  const arrays = await Promise.all(datasets.map(({ path }) => folder.array(path)));
  const levels: VolumeLevel[] = arrays.map((array, i) => levelOf(folder, array, axes, datasets[i]!.scale));
  const array = arrays[level]!;
  const extent = (axis: string, of: readonly number[]) => axes.names.includes(axis) ? of[axes.names.indexOf(axis)]! : 1;
  const dtype = TYPES[array.dtype];
  if (dtype === undefined) {
    const expected = Object.keys(TYPES).join(", ");
    throw volumeError(
      path,
      array.path,
      `has elements of type ${array.dtype}`,
      expected,
      "Write it as int32 or float32",
    );
  }
  const channels = extent("c", array.shape);
  if (channels > 65_536) throw volumeError(path, array.path, `has ${channels} channels`, "at most 65536");
  const { shape, spacing } = levels[level]!;
  const times = extent("t", array.shape);
  const [z, y, x] = ["z", "y", "x"].map((axis) => extent(axis, array.chunks)) as [number, number, number];
  return {
    ...{ name: path, format: `OME-Zarr ${version}`, shape, dtype, spacing, levels },
    channels: labelsOf(attributes, channels),
    problem: spacing === undefined ? axes.problem : undefined,
    chunk: [Math.min(z, shape[0]), Math.min(y, shape[1]), Math.min(x, shape[2])],
    notes: times > 1 ? [`of its ${times} times the first is read`] : [],
    read: zarrBoxes(disk, array, axes.names, dtype),
    close: () => {},
  };
}

interface Axes {
  readonly names: readonly string[];
  /** µm of the unit along z, y, x. */
  readonly units: readonly (number | undefined)[];
  readonly problem: string | undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function multiscaleOf(folder: ZarrFolder) {
  const { name } = folder;
  const all = folder.attributes();
  const attributes: Json = isObject(all.ome) ? all.ome : all;
  const [image, ...more] = Array.isArray(attributes.multiscales) ? attributes.multiscales as unknown[] : [];
  if (!isObject(image)) {
    const hint = "Give the folder of one image, whose attributes have multiscales; of a collection that is one below";
    throw volumeError(name, "it", "has no multiscales", "an image of OME-Zarr 0.4 or 0.5", hint);
  }
  if (more.length > 0) throw volumeError(name, "it", `has ${more.length + 1} multiscales`, "one");
  const version = attributes.version ?? image.version ?? "0.4";
  if (version !== "0.4" && version !== "0.5") {
    throw volumeError(name, "it", `is OME-Zarr ${JSON.stringify(version)?.slice(0, 20)}`, "0.4 or 0.5");
  }
  const axes = axesOf(image.axes, name);
  const outer = scaleOf(image.coordinateTransformations, axes.names.length, name);
  const datasets = Array.isArray(image.datasets) ? image.datasets as unknown[] : [];
  if (datasets.length === 0 || datasets.length > 64) {
    throw volumeError(name, "it", `has ${datasets.length} levels`, "1 to 64");
  }
  return {
    ...{ axes, attributes, version },
    datasets: datasets.map((dataset, i) => {
      const { path, coordinateTransformations } = isObject(dataset) ? dataset : {} as Json;
      if (typeof path !== "string") throw volumeError(name, `level ${i}`, "has no path", "the path of its array");
      const scale = scaleOf(coordinateTransformations, axes.names.length, name);
      return { path, scale: scale?.map((value, axis) => value * (outer?.[axis] ?? 1)) };
    }),
  };
}

function axesOf(value: unknown, name: string): Axes {
  const list = Array.isArray(value) ? value.map((axis) => isObject(axis) ? axis : {} as Json) : [];
  const names = list.map((axis) => String(axis.name));
  const order = names.map((axis) => AXES.indexOf(axis));
  const rising = order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1]!));
  if (!rising || !["z", "y", "x"].every((axis) => names.includes(axis))) {
    const hint = "Write axes in the order of the standard: t, c, z, y, x, of which z, y and x must be there";
    throw volumeError(
      name,
      "it",
      `has axes ${names.join(", ").slice(0, 80) || "of no name"}`,
      "of t, c, z, y, x in this order",
      hint,
    );
  }
  const units = ["z", "y", "x"].map((axis) => {
    const unit = list[names.indexOf(axis)]!.unit;
    return typeof unit === "string" && Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  });
  const without = units.findIndex((unit) => unit === undefined);
  const unit = without < 0 ? undefined : list[names.indexOf("zyx"[without]!)]!.unit;
  const problem = without < 0
    ? undefined
    : `its axis ${"zyx"[without]} is ${unit === undefined ? "of no unit" : `in ${JSON.stringify(unit)?.slice(0, 40)}`}`;
  return { names, units, problem };
}

function scaleOf(value: unknown, axes: number, name: string): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const scale = value.find((of) => isObject(of) && of.type === "scale") as Json | undefined;
  if (scale === undefined) return undefined;
  const numbers = scale.scale;
  if (Array.isArray(numbers) && numbers.length === axes && numbers.every((n) => typeof n === "number")) return numbers;
  throw volumeError(name, "its scale", `is ${JSON.stringify(numbers)?.slice(0, 80)}`, `${axes} numbers`);
}

function levelOf(folder: ZarrFolder, array: ZarrArray, axes: Axes, scale: readonly number[] | undefined): VolumeLevel {
  const { names, units } = axes;
  if (array.shape.length !== names.length) {
    throw volumeError(
      folder.name,
      array.path,
      `has ${array.shape.length} axes`,
      `${names.length}: ${names.join(", ")}`,
    );
  }
  const at = ["z", "y", "x"].map((axis) => names.indexOf(axis));
  const shape = at.map((i) => array.shape[i]!) as unknown as Zyx;
  checkShape(folder.name, array.path, shape);
  const spacing = at.map((i, k) => scale === undefined || units[k] === undefined ? undefined : scale[i]! * units[k]!);
  return { shape, spacing: positiveSpacing(spacing) };
}

function labelsOf({ omero }: Json, count: number): string[] {
  const listed = isObject(omero) && Array.isArray(omero.channels) ? omero.channels as unknown[] : [];
  const labels = listed.map((channel) => isObject(channel) && typeof channel.label === "string" ? channel.label : "");
  return labels.length === count && labels.every((label) => label !== "") ? unique(labels) : channelNames(count);
}

/**
 * Reads boxes of an array whose axes are some of t, c, z, y, x; of several times the first.
 *
 * @param kept Bytes of chunks that are kept.
 */
export function zarrBoxes(
  disk: Disk,
  array: ZarrArray,
  axes: readonly string[],
  dtype: VoxelType,
  kept: number = KEPT,
): BoxReader {
  const extent = (axis: string) => axes.includes(axis) ? array.shape[axes.indexOf(axis)]! : 1;
  const reader: Reader = { disk, array, axes, channels: extent("c"), dtype, cache: new ByteCache(kept) };
  return (from, to) => readBox(reader, from, to);
}

interface Reader {
  readonly disk: Disk;
  readonly array: ZarrArray;
  readonly axes: readonly string[];
  readonly channels: number;
  readonly dtype: VoxelType;
  readonly cache: ByteCache<Voxels>;
}

async function readBox(reader: Reader, from: Zyx, to: Zyx): Promise<Voxels> {
  const { array: { chunks }, axes, channels, dtype } = reader;
  const extent = (axis: string) => axes.includes(axis) ? chunks[axes.indexOf(axis)]! : 1;
  const size: Zyx = [extent("z"), extent("y"), extent("x")];
  const deep = Math.min(extent("c"), channels);
  const out = voxelsOf(dtype, boxSize(from, to) * channels);
  for (let c = 0; c < channels; c += deep) {
    for (let z = Math.floor(from[0] / size[0]); z * size[0] < to[0]; z++) {
      for (let y = Math.floor(from[1] / size[1]); y * size[1] < to[1]; y++) {
        for (let x = Math.floor(from[2] / size[2]); x * size[2] < to[2]; x++) {
          const at: Zyx = [z * size[0], y * size[1], x * size[2]];
          const end: Zyx = [at[0] + size[0], at[1] + size[1], at[2] + size[2]];
          const low = at.map((value, i) => Math.max(value, from[i]!)) as unknown as Zyx;
          const high = end.map((value, i) => Math.min(value, to[i]!)) as unknown as Zyx;
          const index = axes.map((axis) => ({ t: 0, c: c / extent("c"), z, y, x })[axis]!);
          await addChunk(reader, index, { at, low, high, first: c }, { out, from, to });
        }
      }
    }
  }
  return out;
}

interface Part {
  /** First voxel of the chunk. */
  readonly at: Zyx;
  /** What of it is wanted. */
  readonly low: Zyx;
  readonly high: Zyx;
  /** First channel. */
  readonly first: number;
}

async function addChunk(
  reader: Reader,
  index: readonly number[],
  { at, low, high, first }: Part,
  { out, from, to }: { out: Voxels; from: Zyx; to: Zyx },
): Promise<void> {
  const { array, axes, channels, dtype, cache } = reader;
  const extent = (axis: string) => axes.includes(axis) ? array.chunks[axes.indexOf(axis)]! : 1;
  const size: Zyx = [extent("z"), extent("y"), extent("x")];
  const layout: DenseLayout = {
    ...{ offset: 0, shape: size, channels: extent("c"), dtype, little: array.plain?.little ?? true, order: "czyx" },
  };
  const bytes = array.chunks.reduce((a, b) => a * b, VOXEL_BYTES[dtype]);
  const inner = (corner: Zyx) => corner.map((value, i) => value - at[i]!) as unknown as Zyx;
  const large = bytes > LARGE && array.plain !== undefined && array.dtype !== "float16";
  let box = large ? readPlain(reader, index, layout, inner(low), inner(high)) : undefined;
  box ??= interleaved(
    await cache.get(index.join(), async () => numbersOf(await array.read(index), dtype)),
    ...[layout, inner(low), inner(high)] as const,
  );
  // The last chunk of channels may reach over the end.
  const deep = Math.min(layout.channels, channels - first);
  if (channels === 1 && layout.channels === 1) return copyBox(box, low, high, out, from, to, 1);
  const lone = voxelsOf(dtype, boxSize(low, high));
  for (let c = 0; c < deep; c++) {
    for (let i = 0; i < lone.length; i++) lone[i] = box[i * layout.channels + c]!;
    scatter(lone, low, high, out, { from, to, channel: first + c, channels });
  }
}

function scatter(
  lone: Voxels,
  low: Zyx,
  high: Zyx,
  out: Voxels,
  { from, to, channel, channels }: { from: Zyx; to: Zyx; channel: number; channels: number },
): void {
  const width = high[2] - low[2];
  for (let z = low[0], at = 0; z < high[0]; z++) {
    for (let y = low[1]; y < high[1]; y++) {
      const row = ((z - from[0]) * (to[1] - from[1]) + y - from[1]) * (to[2] - from[2]) + low[2] - from[2];
      for (let x = 0, place = row * channels + channel; x < width; x++, at++, place += channels) out[place] = lone[at]!;
    }
  }
}

/** A part of a chunk that is stored plainly; undefined where the chunk is left out. */
function readPlain({ disk, array }: Reader, index: readonly number[], layout: DenseLayout, from: Zyx, to: Zyx) {
  const path = array.file(index);
  if (disk.look(path)?.kind !== "file") {
    return voxelsOf(layout.dtype, boxSize(from, to) * layout.channels).fill(Number(array.fill ?? 0) as never);
  }
  const file = disk.open(path, "read");
  try {
    return readDense(file, layout, from, to);
  } finally {
    file.close();
  }
}

/** The wanted box of a whole chunk `[c, z, y, x]`, channels last. */
function interleaved(chunk: Voxels, { shape, channels, dtype }: DenseLayout, from: Zyx, to: Zyx): Voxels {
  const out = voxelsOf(dtype, boxSize(from, to) * channels);
  let place = 0;
  for (let z = from[0]; z < to[0]; z++) {
    for (let y = from[1]; y < to[1]; y++) {
      for (let x = from[2]; x < to[2]; x++) {
        for (let c = 0; c < channels; c++) out[place++] = chunk[((c * shape[0] + z) * shape[1] + y) * shape[2] + x]!;
      }
    }
  }
  return out;
}

function numbersOf(elements: ZarrElements, dtype: VoxelType): Voxels {
  const out = voxelsOf(dtype, elements.length);
  if (elements.constructor === out.constructor) return elements as unknown as Voxels;
  for (let i = 0; i < out.length; i++) out[i] = Number(elements[i]);
  return out;
}
