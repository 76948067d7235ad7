/**
 * A volume at another spacing: intensities by trilinear interpolation, labels by the nearest voxel. The centre of the first voxel
 * stays where it is.
 *
 * @module
 */

import { boxSize, type Volume, volumeFrom, type Voxels, voxelsOf, type Zyx } from "./volume.ts";

/** What is rounding, in voxels. */
const SLACK = 1e-9;

/** For one axis: the voxel at or before a place, and the share of the one behind it. */
function tapOf(at: number, extent: number): readonly [low: number, high: number, share: number] {
  const place = Math.min(extent - 1, Math.max(0, at));
  const near = Math.round(place);
  if (Math.abs(place - near) < SLACK) return [near, near, 0];
  const low = Math.floor(place);
  return [low, Math.min(extent - 1, low + 1), place - low];
}

/**
 * The value at a place between voxels.
 *
 * @param box Voxels `[z, y, x, channel]` of the box from `from` up to `to`, which holds all neighbours.
 * @param at Voxels along z, y, x.
 */
export function trilinear(box: Voxels, from: Zyx, to: Zyx, at: Zyx, extents: Zyx, channel = 0, channels = 1): number {
  const [z, y, x] = at.map((place, axis) => tapOf(place, extents[axis]!)) as [
    ...[ReturnType<typeof tapOf>, ReturnType<typeof tapOf>, ReturnType<typeof tapOf>],
  ];
  const value = (k: number, i: number, j: number) =>
    box[(((k - from[0]) * (to[1] - from[1]) + i - from[1]) * (to[2] - from[2]) + j - from[2]) * channels + channel]!;
  const along = (k: number, i: number) => mix(value(k, i, x[0]), () => value(k, i, x[1]), x[2]);
  const plane = (k: number) => mix(along(k, y[0]), () => along(k, y[1]), y[2]);
  return mix(plane(z[0]), () => plane(z[1]), z[2]);
}

/** A neighbour without a share is not looked at: it may lie outside of the box, or be no number. */
function mix(a: number, b: () => number, share: number): number {
  return share === 0 ? a : a * (1 - share) + b() * share;
}

/** Voxels that are read at once, about: of a box at a wider spacing many are read for each that is made. */
const MOST = 1 << 23;

/** The volume with voxels `spacing` µm apart, read as it is asked for. @param most Voxels that are read at once, about. */
export function resampled(
  volume: Volume,
  spacing: Zyx,
  method: "trilinear" | "nearest" = "trilinear",
  most: number = MOST,
): Volume {
  const { shape, channels, dtype } = volume;
  const step = spacing.map((um, axis) => um / volume.spacing[axis]!) as unknown as Zyx;
  const extents = shape.map((extent, axis) => Math.floor((extent - 1) / step[axis]! + SLACK) + 1) as unknown as Zyx;
  const chunk = volume.chunk.map((of, axis) => Math.max(1, Math.round(of / step[axis]!))) as unknown as Zyx;
  const source = (from: Zyx, to: Zyx): readonly [low: Zyx, high: Zyx] => [
    from.map((at, axis) => Math.min(shape[axis]! - 1, Math.floor(at * step[axis]!))) as unknown as Zyx,
    to.map((at, axis) => Math.min(shape[axis]!, Math.floor((at - 1) * step[axis]!) + 2)) as unknown as Zyx,
  ];
  const read = async (from: Zyx, to: Zyx): Promise<Voxels> => {
    const out = voxelsOf(dtype, boxSize(from, to) * channels.length);
    const fits = (part: Part) => boxSize(...source(part.from, part.to)) * channels.length <= most;
    for (const part of partsOf(from, to, fits)) {
      const [low, high] = source(part.from, part.to);
      const box = await volume.readBox(low[0], high[0], low[1], high[1], low[2], high[2]);
      fill(out, { from, to, part }, { box, low, high, step, volume, method });
    }
    return out;
  };
  return volumeFrom({ ...volume, shape: extents, spacing, chunk }, read, () => volume.close());
}

interface Part {
  readonly from: Zyx;
  readonly to: Zyx;
}

/** Parts of a box, halved until each reads no more than is held at once: along z first, which leaves whole rows together. */
function* partsOf(from: Zyx, to: Zyx, fits: (part: Part) => boolean): Generator<Part> {
  const axis = [0, 1, 2].find((axis) => to[axis]! - from[axis]! > 1);
  if (axis === undefined || fits({ from, to })) return yield { from, to };
  const middle = (from[axis]! + to[axis]!) >> 1;
  yield* partsOf(from, to.map((at, i) => i === axis ? middle : at) as unknown as Zyx, fits);
  yield* partsOf(from.map((at, i) => i === axis ? middle : at) as unknown as Zyx, to, fits);
}

/** Makes the voxels of a part of a box. */
function fill(
  out: Voxels,
  { from, to, part }: Part & { readonly part: Part },
  { box, low, high, step, volume: { shape, channels: { length: channels }, dtype }, method }: {
    readonly box: Voxels;
    readonly low: Zyx;
    readonly high: Zyx;
    readonly step: Zyx;
    readonly volume: Volume;
    readonly method: "trilinear" | "nearest";
  },
): void {
  const whole = dtype !== "f32" && dtype !== "f64";
  for (let z = part.from[0]; z < part.to[0]; z++) {
    for (let y = part.from[1]; y < part.to[1]; y++) {
      const row = ((z - from[0]) * (to[1] - from[1]) + y - from[1]) * (to[2] - from[2]);
      let place = (row + part.from[2] - from[2]) * channels;
      for (let x = part.from[2]; x < part.to[2]; x++) {
        const at: Zyx = [z * step[0], y * step[1], x * step[2]];
        const taken = method === "nearest" ? at.map(Math.round) as unknown as Zyx : at;
        for (let c = 0; c < channels; c++) {
          const value = trilinear(box, low, high, taken, shape, c, channels);
          out[place++] = whole ? Math.round(value) : value;
        }
      }
    }
  }
}
