/**
 * Where a volume is predicted: a grid of places in its tissue, the slices that their patches read, and what that costs.
 *
 * Places stand `stride` µm apart within slices and `depth` steps between slices apart, from the volume's first voxel on, so that
 * patches along z share their slices. Tissue is where the mean intensity around a place is above Otsu's threshold over the whole
 * grid (below it where tissue is dark, as in bright field); slices with less than a hundredth of it have none.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { otsuOf } from "../../data/image/tissue.ts";
import type { Volume, Zyx } from "../../volumes/volume.ts";
import {
  type PatchDepths,
  patchDepths,
  type PatchShape,
  readPlane,
  samplePlane,
  span,
  type Window,
} from "./sampler.ts";

/** What is asked for. */
export interface GridOptions {
  /** µm between places within a slice. */
  readonly stride: number;
  /** Steps between slices from one place to the next along z. */
  readonly depth: number;
  /** Also where there is no tissue. */
  readonly everywhere: boolean;
  /** Only places within, µm: x0, y0, z0, x1, y1, z1. */
  readonly box?: readonly number[] | undefined;
}

/** A grid. */
export interface Grid {
  /** Places along z, y, x. */
  readonly shape: Zyx;
  /** Between them, µm. */
  readonly spacing: Zyx;
  /** Slices that patches may read, from the first voxel, a step apart. */
  readonly slices: number;
  /** 1 where it is predicted, `[z, y, x]`. */
  readonly mask: Uint8Array;
  /** Slices of the patches of each plane: their numbers, -1 beyond the volume; and their depths. */
  readonly windows: readonly { readonly slices: readonly number[]; readonly depths: PatchDepths }[];
}

/** What a prediction takes. */
export interface GridCost {
  readonly places: number;
  /** Slices that are encoded, and what they would be if each patch encoded its own. */
  readonly encodings: number;
  readonly apart: number;
}

/** Pixels along a side of what tells tissue around a place. */
const PROBE = 4;
/** Share of a slice below which its tissue is dirt. */
const LEAST = 0.01;
/** Voxels of a plane that are read at a time. */
export const BAND = 1 << 24;

/** Rows of the grid whose pixels are read together: bands of a plane that memory holds. */
export function bandsOf(
  { shape: [, extent, width], spacing: [, dy], channels }: Pick<Volume, "shape" | "spacing" | "channels">,
  { rows, stride, reach, most = BAND }: {
    readonly rows: number;
    readonly stride: number;
    readonly reach: number;
    /** Voxels of a band. */
    readonly most?: number | undefined;
  },
): { readonly from: number; readonly to: number; readonly top: number; readonly bottom: number }[] {
  const bands: { from: number; to: number; top: number; bottom: number }[] = [];
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = span((row * stride - reach) / dy, (row * stride + reach) / dy, extent);
    const last = bands.at(-1);
    const merged = last &&
      { ...last, to: row + 1, top: Math.min(last.top, top), bottom: Math.max(last.bottom, bottom) };
    if (merged && (merged.bottom - merged.top) * width * channels.length <= most) bands[bands.length - 1] = merged;
    else bands.push({ from: row, to: row + 1, top, bottom });
  }
  return bands;
}

/** Mean intensity around each place of a plane. */
async function intensities(
  volume: Volume,
  z: number,
  [, ny, nx]: Zyx,
  stride: number,
  window: Window,
): Promise<Float32Array> {
  const out = new Float32Array(ny * nx);
  const probe = { field: stride, side: PROBE };
  const pixels = new Float32Array(PROBE * PROBE * volume.channels.length);
  for (const { from, to, top, bottom } of bandsOf(volume, { rows: ny, stride, reach: stride / 2 })) {
    const plane = await readPlane(volume, z, [top, bottom, 0, volume.shape[2]], window);
    for (let y = from; y < to; y++) {
      for (let x = 0; x < nx; x++) {
        samplePlane(plane, [x * stride, y * stride], probe, volume, pixels);
        out[y * nx + x] = pixels.reduce((a, b) => a + b, 0) / pixels.length;
      }
    }
  }
  return out;
}

/** Places of a box. */
function inBox(box: readonly number[] | undefined, place: readonly [x: number, y: number, z: number]): boolean {
  return box === undefined || place.every((value, axis) => value >= box[axis]! && value <= box[axis + 3]!);
}

/**
 * Lays the grid.
 *
 * @throws {ConfigError} If the box holds no place.
 */
export async function layGrid(
  volume: Volume,
  patch: Pick<PatchShape, "slices" | "step">,
  { stride, depth, everywhere, box }: GridOptions,
  window: Window,
): Promise<Grid> {
  const [deep, tall, wide] = volume.shape.map((n, axis) => (n - 1) * volume.spacing[axis]!) as [number, number, number];
  const count = (extent: number, step: number) => Math.floor(extent / step + 1e-6) + 1;
  const slices = count(deep, patch.step);
  const shape: Zyx = [Math.ceil(slices / depth), count(tall, stride), count(wide, stride)];
  const spacing: Zyx = [depth * patch.step, stride, stride];
  const size = shape[1] * shape[2];
  const mask = new Uint8Array(shape[0] * size);
  for (let i = 0; i < mask.length; i++) {
    const [z, y, x] = [Math.floor(i / size), Math.floor(i / shape[2]) % shape[1], i % shape[2]];
    mask[i] = inBox(box, [x * stride, y * stride, z * spacing[0]]) ? 1 : 0;
  }
  if (!mask.includes(1)) {
    throw new ConfigError(`Cannot predict within ${box!.join(", ")} µm: no place of the grid lies there`, {
      hint: `The grid reaches to ${[wide, tall, deep].map((um) => um.toFixed(0)).join(", ")} µm; lower --grid`,
      context: { key: "box", given: box!.join(",") },
    });
  }
  if (!everywhere) await keepTissue(volume, { shape, spacing }, mask, window);
  const windows = Array.from({ length: shape[0] }, (_, k) => {
    const depths = patchDepths(volume, k * spacing[0], patch);
    const own = depths.distance.map((distance, i) =>
      depths.inside[i] ? k * depth + Math.round(distance / patch.step) : -1
    );
    return { slices: own, depths };
  });
  return { shape, spacing, slices, mask, windows };
}

/** Takes out of a mask what is no tissue. */
async function keepTissue(
  volume: Volume,
  { shape, spacing }: Pick<Grid, "shape" | "spacing">,
  mask: Uint8Array,
  window: Window,
): Promise<void> {
  const size = shape[1] * shape[2];
  const seen = new Float32Array(mask.length);
  for (let z = 0; z < shape[0]; z++) {
    seen.set(await intensities(volume, z * spacing[0], shape, spacing[1], window), z * size);
  }
  // Colours of bytes are bright field, in which tissue is dark.
  const dark = volume.channels.length === 3 && volume.dtype === "u8";
  const edge = otsuOf(seen);
  for (let z = 0; z < shape[0]; z++) {
    const plane = mask.subarray(z * size, (z + 1) * size);
    let tissue = 0;
    plane.forEach((_, i) => {
      const is = dark ? seen[z * size + i]! < edge : seen[z * size + i]! >= edge;
      tissue += is ? 1 : 0;
      if (!is) plane[i] = 0;
    });
    if (tissue < LEAST * size) plane.fill(0);
  }
}

/** Places of each slice that are encoded, `[slices][ny * nx]`. */
export function neededSlices({ shape, slices, mask, windows }: Grid): Uint8Array[] {
  const size = shape[1] * shape[2];
  const needed = Array.from({ length: slices }, () => new Uint8Array(size));
  windows.forEach(({ slices: own }, k) => {
    for (const j of own) {
      if (j < 0) continue;
      for (let i = 0; i < size; i++) if (mask[k * size + i]) needed[j]![i] = 1;
    }
  });
  return needed;
}

/** What predicting a grid takes. */
export function costOf(grid: Grid): GridCost {
  const total = (of: Uint8Array) => of.reduce((a, b) => a + b, 0);
  const places = total(grid.mask);
  const encodings = neededSlices(grid).reduce((sum, of) => sum + total(of), 0);
  const size = grid.shape[1] * grid.shape[2];
  const apart = grid.windows.reduce(
    (sum, { slices }, k) =>
      sum + slices.filter((j) => j >= 0).length * total(grid.mask.subarray(k * size, (k + 1) * size)),
    0,
  );
  return { places, encodings, apart };
}
