/**
 * Windows of intensity: what becomes black and what white, by numbers or by shares of the voxels; and voxels through them.
 *
 * Source: conventions of TriPath for light-sheet volumes (github.com/mahmoodlab/TriPath): a floor of 100 of the nuclear channel,
 * the upper end at the brightest hundredth.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type Volume, volumeFrom, type Voxels, type Zyx } from "./volume.ts";

/** Intensities that become 0 and 1. */
export type Window = readonly [low: number, high: number];

/** Slices and voxels that shares are taken of. */
const SLICES = 16;
const VOXELS = 1 << 20;
/** Shares of the voxels below the ends, where none are given. */
const SHARES: Window = [0.01, 0.99];

/** Values of a channel, spread over the volume, sorted; those that are no finite numbers are left out. */
export async function sampledValues(volume: Volume, channel: number): Promise<Float64Array> {
  const { shape: [depth, height, width], channels } = volume;
  const slices = Math.min(SLICES, depth);
  const most = Math.ceil(VOXELS / slices);
  // Rows as many as are wanted, spread over the slice, so that a large one is never read whole.
  const rows = Math.max(1, Math.min(height, Math.floor(most / width)));
  const values: number[] = [];
  for (let i = 0; i < slices; i++) {
    const z = Math.floor((i + 0.5) * depth / slices);
    for (let r = 0; r < rows; r++) {
      const y = Math.floor((r + 0.5) * height / rows);
      const row = await volume.readBox(z, z + 1, y, y + 1, 0, width);
      const step = Math.max(1, Math.ceil(width / most)) * channels.length;
      for (let at = channel; at < row.length; at += step) if (Number.isFinite(row[at]!)) values.push(row[at]!);
    }
  }
  return Float64Array.from(values).sort();
}

/** The value below which a share of sorted values lies. */
export function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}

/**
 * The window of a channel by shares of its voxels.
 *
 * @throws {DataError} If all of its voxels have one value.
 */
export async function findWindow(
  volume: Volume,
  channel: number,
  [low, high]: Window = SHARES,
  floor = -Infinity,
): Promise<Window> {
  const values = await sampledValues(volume, channel);
  const window: Window = [Math.max(floor, quantile(values, low)), quantile(values, high)];
  if (window[1] > window[0]) return window;
  const name = volume.channels[channel]!;
  throw new DataError(
    `Cannot find a window of channel ${name} of ${volume.name}: ${values.length} voxels looked at are ${
      window[0]
    } to ` +
      `${window[1]}, expected different ones`,
    {
      code: "volume-window",
      hint: "Give the window yourself: --window LOW,HIGH",
      context: { file: volume.name, channel: name, found: window },
    },
  );
}

/** Windows of a light-sheet volume of a nuclear channel and eosin: a floor under the nuclear one, both ends at the top hundredth. */
export async function otlsWindows(volume: Volume, nuclear = 0, eosin = 1): Promise<{ nuclear: Window; eosin: Window }> {
  return {
    nuclear: await findWindow(volume, nuclear, [0, 0.99], 100),
    eosin: await findWindow(volume, eosin, [0, 0.99]),
  };
}

/** The volume through a window a channel, as bytes; what is no finite number becomes 0. */
export function windowed(volume: Volume, windows: readonly Window[]): Volume {
  const read = async (from: Zyx, to: Zyx): Promise<Voxels> => {
    const voxels = await volume.readBox(from[0], to[0], from[1], to[1], from[2], to[2]);
    const out = new Uint8Array(voxels.length);
    for (let i = 0; i < out.length; i++) {
      const [low, high] = windows[i % windows.length]!;
      out[i] = Math.round(255 * Math.min(1, Math.max(0, (voxels[i]! - low) / (high - low))) || 0);
    }
    return out;
  };
  return volumeFrom({ ...volume, dtype: "u8" }, read, () => volume.close());
}
