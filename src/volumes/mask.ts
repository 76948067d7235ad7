/**
 * Where tissue is in a volume: cells of a coarse grid whose mean intensity passes Otsu's threshold; of brightfield slices those
 * that are darker. Slices with less than a hundredth of tissue have none.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { otsuOf } from "../data/image/tissue.ts";
import { boxesOf, type Volume, volumeFrom, type Zyx } from "./volume.ts";

/** How tissue is found. */
export interface MaskOptions {
  /** Channel that is looked at; the first if not given. */
  readonly channel?: number;
  /** Side of a cell, µm, at least a voxel; 16 if not given, or more of a volume too large for that. */
  readonly cell?: number;
  /** Whether tissue is darker than its surroundings; it is of three channels, red, green and blue, if not given. */
  readonly darker?: boolean;
  /** Least share of a slice that is tissue, or it has none; 0.01 if not given. */
  readonly least?: number;
}

/** Tissue of a volume. */
export interface VolumeMask {
  /** Cells along z, y, x. */
  readonly shape: Zyx;
  /** Voxels of a cell along z, y, x. */
  readonly cell: Zyx;
  /** 1 of cells with tissue. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Intensity from which on cells are tissue. */
  readonly threshold: number;
  /** Share of the cells that are tissue. */
  readonly share: number;
}

const CELL = 16;
const LEAST = 0.01;
const MOST_CELLS = 2 ** 25;
/** Voxels along y and x that are read at once, about. */
const TILE = 1024;

/** Finds tissue, reading the middle slice of each layer of cells. */
export async function tissueMask(volume: Volume, options: MaskOptions = {}): Promise<VolumeMask> {
  const { channels, shape: extents, spacing } = volume;
  const { channel = 0, cell: side = CELL, least = LEAST } = options;
  const darker = options.darker ?? channels.join() === "red,green,blue";
  let { cell, shape, cells } = gridOf(extents, spacing, side);
  // Of a large volume, cells nobody asked for become larger.
  for (let um = 2 * side; options.cell === undefined && cells > MOST_CELLS; um *= 2) {
    ({ cell, shape, cells } = gridOf(extents, spacing, um));
  }
  if (cells > MOST_CELLS) {
    throw new LimitError(`Cannot mask ${volume.name} in cells of ${side} µm: ${cells} cells, at most ${MOST_CELLS}`, {
      hint: "Take larger cells",
      context: { file: volume.name, cells, most: MOST_CELLS },
    });
  }
  const means = await cellMeans(volume, channel, cell, shape);
  const threshold = otsuOf(means, darker);
  const data = Uint8Array.from(means, (mean) => (darker ? mean < threshold : mean >= threshold) ? 1 : 0);
  const layer = shape[1] * shape[2];
  let tissue = 0;
  for (let z = 0; z < shape[0]; z++) {
    const slice = data.subarray(z * layer, (z + 1) * layer);
    const count = slice.reduce((sum, value) => sum + value, 0);
    if (count < least * layer) slice.fill(0);
    else tissue += count;
  }
  return { shape, cell, data, threshold, share: tissue / cells };
}

/** Cells of a side in µm over a volume. */
function gridOf(extents: Zyx, spacing: Zyx, side: number): { cell: Zyx; shape: Zyx; cells: number } {
  const cell = spacing.map((um, axis) =>
    Math.min(extents[axis]!, Math.max(1, Math.round(side / um)))
  ) as unknown as Zyx;
  const shape = extents.map((extent, axis) => Math.ceil(extent / cell[axis]!)) as unknown as Zyx;
  return { cell, shape, cells: shape[0] * shape[1] * shape[2] };
}

/** Mean intensity of each cell in its middle slice; NaN where nothing is finite. */
async function cellMeans(volume: Volume, channel: number, cell: Zyx, shape: Zyx): Promise<Float32Array> {
  const { shape: [depth, height, width], channels: { length: channels } } = volume;
  const means = new Float32Array(shape[0] * shape[1] * shape[2]);
  const rows = Math.max(1, Math.floor(TILE / cell[1])) * cell[1];
  for (let layer = 0; layer < shape[0]; layer++) {
    const z = Math.min(depth - 1, layer * cell[0] + (cell[0] >> 1));
    for (const { from: [, top], to: [, bottom] } of boxesOf([1, height, width], [1, rows, width])) {
      const box = await volume.readBox(z, z + 1, top, bottom, 0, width);
      const lines = Math.ceil((bottom - top) / cell[1]);
      const [sums, counts] = [new Float64Array(lines * shape[2]), new Float64Array(lines * shape[2])];
      for (let y = top, at = channel; y < bottom; y++) {
        const line = Math.floor((y - top) / cell[1]) * shape[2];
        for (let x = 0; x < width; x++, at += channels) {
          const value = box[at]!;
          if (!Number.isFinite(value)) continue;
          const place = line + Math.floor(x / cell[2]);
          sums[place]! += value;
          counts[place]!++;
        }
      }
      const first = (layer * shape[1] + top / cell[1]) * shape[2];
      for (let i = 0; i < sums.length; i++) means[first + i] = sums[i]! / counts[i]!;
    }
  }
  return means;
}

/** Whether a voxel lies in a cell with tissue. */
export function isTissue({ shape, cell, data }: VolumeMask, z: number, y: number, x: number): boolean {
  const [k, i, j] = [Math.floor(z / cell[0]), Math.floor(y / cell[1]), Math.floor(x / cell[2])];
  return k >= 0 && i >= 0 && j >= 0 && k < shape[0] && i < shape[1] && j < shape[2] &&
    data[(k * shape[1] + i) * shape[2] + j] === 1;
}

/** The mask as a volume of the size of the one it is of. */
export function maskVolume(volume: Volume, mask: VolumeMask): Volume {
  const facts = { ...volume, channels: ["tissue"], dtype: "u8" as const };
  // deno-lint-ignore require-await -- a reader of boxes
  return volumeFrom(facts, async (from, to) => {
    const out = new Uint8Array((to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]));
    let at = 0;
    for (let z = from[0]; z < to[0]; z++) {
      for (let y = from[1]; y < to[1]; y++) {
        for (let x = from[2]; x < to[2]; x++) out[at++] = isTissue(mask, z, y, x) ? 1 : 0;
      }
    }
    return out;
  }, () => volume.close());
}
