/**
 * Patches of a volume around places in µm: planes between slices by linear interpolation, pixels in a plane by bilinear, so
 * that spacing may differ between axes and patches stand anywhere. Beyond the lateral border the volume is reflected; slices
 * beyond its ends do not count.
 *
 * Along an axis whose voxels are as wide as a patch's pixels, pixels are voxels: the patch is cut out, at most half a voxel
 * aside. Interpolation half-way between voxels, where an even number of pixels around a voxel lies, would wipe out what
 * alternates from voxel to voxel, and elsewhere dim it by where a spot happens to lie. A single pixel is always interpolated.
 *
 * The spot's plane is one of the slices, `floor(Z / 2)` from the first. Near an end of the volume the slices are shifted
 * inward by whole steps, and their distances from the spot stay the true ones.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Place, Volume, VolumeShape } from "../../volumes/volume.ts";

/** How a patch lies. */
export interface PatchShape {
  /** Side, µm. */
  readonly field: number;
  /** Side, pixels. */
  readonly side: number;
  /** Slices, Z. */
  readonly slices: number;
  /** Between slices, µm. */
  readonly step: number;
}

/** Intensities that become 0 and 1. */
export type Window = readonly [low: number, high: number];

/** Slices of a patch. */
export interface PatchDepths {
  /** Distance of each from the spot's plane, µm, `[Z]`. */
  readonly distance: readonly number[];
  /** Whether each lies within the volume. */
  readonly inside: readonly boolean[];
}

/** What is rounding, in steps. */
const SLACK = 1e-6;

/** Slices of the patch of a spot at depth `z`, µm. */
export function patchDepths(
  { shape, spacing }: Pick<VolumeShape, "shape" | "spacing">,
  z: number,
  { slices, step }: Pick<PatchShape, "slices" | "step">,
): PatchDepths {
  const deepest = (shape[0] - 1) * spacing[0];
  const least = Math.ceil(-z / step - SLACK);
  const most = Math.floor((deepest - z) / step + SLACK);
  const first = most - least + 1 < slices
    ? least
    : Math.min(Math.max(-Math.floor(slices / 2), least), most - slices + 1);
  const steps = Array.from({ length: slices }, (_, k) => first + k);
  return { distance: steps.map((k) => k * step), inside: steps.map((k) => k >= least && k <= most) };
}

/** Index of what lies at `i` of `n` where they are reflected at both ends. */
export function reflected(i: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const at = ((i % period) + period) % period;
  return at < n ? at : period - at;
}

/** Part of a plane between slices, intensities 0 to 1. */
export interface Plane {
  /** Of the volume: first row and column, rows and columns read. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** `[height, width, channels]`. */
  readonly data: Float32Array;
}

/** Rows or columns that interpolation over a range of voxels reads, reflections included. */
export function span(from: number, to: number, extent: number): readonly [first: number, end: number] {
  let [low, high] = [Math.floor(from), Math.floor(to) + 1];
  if (low < 0) high = Math.max(high, -low);
  if (high > extent - 1) low = Math.min(low, 2 * (extent - 1) - high);
  return [Math.max(0, low), Math.min(extent, high + 1)];
}

/**
 * Reads part of a plane at a depth, interpolated between the slices around it.
 *
 * @param z µm, within the volume.
 * @throws {DataError} If a voxel is no finite number.
 */
export async function readPlane(
  volume: Volume,
  z: number,
  [top, bottom, left, right]: readonly [top: number, bottom: number, left: number, right: number],
  [low, high]: Window,
): Promise<Plane> {
  const { shape: [depth], spacing: [dz], channels: { length: channels } } = volume;
  const at = Math.min(depth - 1, Math.max(0, z / dz));
  const nearest = Math.round(at);
  const exact = Math.abs(at - nearest) < SLACK;
  const first = exact ? nearest : Math.floor(at);
  const share = exact ? 0 : at - first;
  const voxels = await volume.readBox(first, first + (exact ? 1 : 2), top, bottom, left, right);
  const size = (bottom - top) * (right - left) * channels;
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const value = share === 0 ? voxels[i]! : voxels[i]! * (1 - share) + voxels[i + size]! * share;
    if (!Number.isFinite(value)) throw notFinite(volume.name, first, i, [top, left, right - left, channels]);
    data[i] = Math.min(1, Math.max(0, (value - low) / (high - low)));
  }
  return { top, left, height: bottom - top, width: right - left, channels, data };
}

function notFinite(
  name: string,
  z: number,
  i: number,
  [top, left, width, channels]: readonly [number, number, number, number],
): DataError {
  const [y, x] = [top + Math.floor(i / (width * channels)), left + Math.floor(i / channels) % width];
  return new DataError(
    `Cannot use ${name}: a voxel at z ${z}, y ${y}, x ${x} is not a finite number, expected finite ones`,
    {
      code: "volume-not-finite",
      hint: "Replace what is missing by the background's intensity, or leave the slices out",
      context: { file: name, z, y, x },
    },
  );
}

/**
 * Writes pixels of a plane by bilinear interpolation.
 *
 * @param place Of the middle, µm.
 * @param extent Rows and columns of the whole slice.
 * @param out `[side, side, channels]`.
 */
export function samplePlane(
  plane: Plane,
  [x, y]: readonly [x: number, y: number],
  { field, side }: Pick<PatchShape, "field" | "side">,
  { shape: [, rows, columns], spacing: [, dy, dx] }: Pick<VolumeShape, "shape" | "spacing">,
  out: Float32Array,
): void {
  const { channels, data, width, top, left } = plane;
  const ys = taps(y, dy, rows, field, side, top);
  const xs = taps(x, dx, columns, field, side, left);
  let at = 0;
  for (const { low: y0, high: y1, share: v } of ys) {
    for (const { low: x0, high: x1, share: u } of xs) {
      for (let c = 0; c < channels; c++) {
        const value = (row: number, column: number) => data[(row * width + column) * channels + c]!;
        const above = u === 0 ? value(y0, x0) : value(y0, x0) * (1 - u) + value(y0, x1) * u;
        const below = v === 0 ? above : u === 0 ? value(y1, x0) : value(y1, x0) * (1 - u) + value(y1, x1) * u;
        out[at++] = v === 0 ? above : above * (1 - v) + below * v;
      }
    }
  }
}

/** Voxels of a plane and the share of the second, of each pixel along an axis. */
function taps(centre: number, spacing: number, extent: number, field: number, side: number, first: number) {
  const pitch = field / side / spacing;
  const start = centre / spacing - (side - 1) / 2 * pitch;
  // Of two voxels that are as near the one before, as an index of half a side before the place's own has it.
  const cut = side > 1 && Math.abs(pitch - 1) < SLACK ? Math.ceil(start - 0.5 - SLACK) : undefined;
  return Array.from({ length: side }, (_, i) => {
    const at = cut === undefined ? start + i * pitch : cut + i;
    const near = Math.round(at);
    const exact = Math.abs(at - near) < SLACK;
    const low = exact ? near : Math.floor(at);
    const place = (j: number) => reflected(j, extent) - first;
    return { low: place(low), high: exact ? place(low) : place(low + 1), share: exact ? 0 : at - low };
  });
}

/** What a patch reads of a slice: rows and columns, in voxels. */
export function patchBox(
  { shape: [, rows, columns], spacing: [, dy, dx] }: Pick<VolumeShape, "shape" | "spacing">,
  [x, y]: readonly [x: number, y: number],
  { field, side }: Pick<PatchShape, "field" | "side">,
): [top: number, bottom: number, left: number, right: number] {
  const reach = field / side * (side - 1) / 2;
  const [top, bottom] = span((y - reach) / dy, (y + reach) / dy, rows);
  const [left, right] = span((x - reach) / dx, (x + reach) / dx, columns);
  return [top, bottom, left, right];
}

/** A patch. */
export interface Patch extends PatchDepths {
  /** `[Z, side, side, channels]`, 0 to 1; slices beyond the volume are 0. */
  readonly pixels: Float32Array<ArrayBuffer>;
}

/** Reads the patch around a place. */
export async function readPatch(volume: Volume, place: Place, shape: PatchShape, window: Window): Promise<Patch> {
  const depths = patchDepths(volume, place[2], shape);
  const size = shape.side * shape.side * volume.channels.length;
  const pixels = new Float32Array(shape.slices * size);
  const [x, y, z] = place;
  const box = patchBox(volume, [x, y], shape);
  for (const [k, distance] of depths.distance.entries()) {
    if (!depths.inside[k]) continue;
    const plane = await readPlane(volume, z + distance, box, window);
    samplePlane(plane, [x, y], shape, volume, pixels.subarray(k * size, (k + 1) * size));
  }
  return { ...depths, pixels };
}

/** Values that a percentile is taken of, at most. */
const SAMPLE = 1 << 18;

/** Intensities that become 0 and 1: as said, 0 to 255 of bytes, else 0 to the 99th percentile of five slices. */
export async function windowOf(volume: Volume, given: readonly number[]): Promise<Window> {
  if (given.length === 2) return [given[0]!, given[1]!];
  if (volume.dtype === "u8") return [0, 255];
  const [depth] = volume.shape;
  const values: number[] = [];
  for (const share of [0.1, 0.3, 0.5, 0.7, 0.9]) {
    const slice = await volume.readSlice(Math.min(depth - 1, Math.floor(share * depth)));
    const step = Math.max(1, Math.ceil(slice.length * 5 / SAMPLE));
    for (let i = 0; i < slice.length; i += step) if (Number.isFinite(slice[i]!)) values.push(slice[i]!);
  }
  values.sort((a, b) => a - b);
  const high = values[Math.floor(0.99 * (values.length - 1))] ?? 0;
  return [0, high > 0 ? high : 1];
}
