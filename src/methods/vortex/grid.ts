/**
 * Where a volume is predicted: a grid of places in its tissue, the slices that their patches read, and what that costs.
 *
 * Places stand `stride` µm apart within slices and `depth` steps between slices apart, counted from the volume's first voxel, so
 * that patches along z share their slices, and a box has places of the whole. Tissue is where the mean intensity around a place is
 * above Otsu's threshold (below it where tissue is dark, as in bright field); slices with less than a hundredth of it have none.
 * Both are told of places half a patch apart or more over the whole volume, so that a box has the threshold of the whole.
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
  /** Where it is predicted, if another run has told that. */
  readonly mask?: Uint8Array | undefined;
}

/** A grid. */
export interface Grid {
  /** Number of the first place along z, y, x; not 0 of a box. */
  readonly first: Zyx;
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
/** What is rounding, in steps. */
const SLACK = 1e-6;
/** Share of a slice below which its tissue is dirt. */
const LEAST = 0.01;
/** Voxels of a plane that are read at a time. */
export const BAND = 1 << 24;

/** Places of a grid, without what is done at them. */
export type Places = Pick<Grid, "first" | "shape" | "spacing">;

/** Where a place of a plane lies, µm. */
export function placeOf({ first, spacing }: Places, y: number, x: number): [x: number, y: number] {
  return [(first[2] + x) * spacing[2], (first[1] + y) * spacing[1]];
}

/** Rows of the grid whose pixels are read together: bands of a plane that memory holds. */
export interface Band {
  readonly from: number;
  readonly to: number;
  /** Of the volume: first row and column, and those behind the last. */
  readonly box: readonly [top: number, bottom: number, left: number, right: number];
}

/** The bands of a plane. @param reach How far pixels of a place lie from it, µm. @param most Voxels of a band. */
export function bandsOf(
  { shape: [, height, width], spacing: [, dy, dx], channels }: Pick<Volume, "shape" | "spacing" | "channels">,
  { first, shape, spacing: [, stride] }: Places,
  reach: number,
  most: number = BAND,
): Band[] {
  const lines = (from: number, to: number, um: number, extent: number) =>
    span((from * stride - reach) / um, (to * stride + reach) / um, extent);
  const [left, right] = lines(first[2], first[2] + shape[2] - 1, dx, width);
  const bands: Band[] = [];
  for (let row = 0; row < shape[1]; row++) {
    const [top, bottom] = lines(first[1] + row, first[1] + row, dy, height);
    const last = bands.at(-1);
    const [above, below] = [Math.min(last?.box[0] ?? top, top), Math.max(last?.box[1] ?? bottom, bottom)];
    const fits = last !== undefined && (below - above) * (right - left) * channels.length <= most;
    if (fits) bands[bands.length - 1] = { from: last.from, to: row + 1, box: [above, below, left, right] };
    else bands.push({ from: row, to: row + 1, box: [top, bottom, left, right] });
  }
  return bands;
}

/** Mean intensity around each place of a plane, 0 to 1. */
export async function intensities(volume: Volume, grid: Places, k: number, window: Window): Promise<Float32Array> {
  const { first, shape: [, ny, nx], spacing: [depth, stride] } = grid;
  const out = new Float32Array(ny * nx);
  const probe = { field: stride, side: PROBE };
  const pixels = new Float32Array(PROBE * PROBE * volume.channels.length);
  for (const { from, to, box } of bandsOf(volume, grid, stride / 2)) {
    const plane = await readPlane(volume, (first[0] + k) * depth, box, window);
    for (let y = from; y < to; y++) {
      for (let x = 0; x < nx; x++) {
        samplePlane(plane, placeOf(grid, y, x), probe, volume, pixels);
        out[y * nx + x] = pixels.reduce((a, b) => a + b, 0) / pixels.length;
      }
    }
  }
  return out;
}

/** Places of the whole that lie within a box. @throws {ConfigError} If there are none. */
function within({ shape, spacing }: Places, box: readonly number[] | undefined): Pick<Places, "first" | "shape"> {
  if (box === undefined) return { first: [0, 0, 0], shape };
  const axes = [2, 1, 0].map((at, axis) => {
    const from = Math.max(0, Math.ceil(box[at]! / spacing[axis]! - SLACK));
    return [from, Math.min(shape[axis]! - 1, Math.floor(box[at + 3]! / spacing[axis]! + SLACK))] as const;
  });
  if (axes.some(([from, to]) => from > to)) {
    const reach = [2, 1, 0].map((axis) => ((shape[axis]! - 1) * spacing[axis]!).toFixed(0)).join(", ");
    throw new ConfigError(`Cannot predict within ${box.join(", ")} µm: no place of the grid lies there`, {
      hint: `The grid reaches to ${reach} µm; lower --grid`,
      context: { key: "box", given: box.join(",") },
    });
  }
  const first = axes.map(([from]) => from) as unknown as Zyx;
  return { first, shape: axes.map(([from, to]) => to - from + 1) as unknown as Zyx };
}

/**
 * Lays the grid.
 *
 * @throws {ConfigError} If the box holds no place.
 */
export async function layGrid(
  volume: Volume,
  patch: Pick<PatchShape, "slices" | "step" | "field">,
  { stride, depth, everywhere, box, mask: given }: GridOptions,
  window: Window,
): Promise<Grid> {
  const [deep, tall, wide] = volume.shape.map((n, axis) => (n - 1) * volume.spacing[axis]!) as [number, number, number];
  const count = (extent: number, step: number) => Math.floor(extent / step + SLACK) + 1;
  const slices = count(deep, patch.step);
  const whole = (stride: number): Places => ({
    first: [0, 0, 0],
    shape: [Math.ceil(slices / depth), count(tall, stride), count(wide, stride)],
    spacing: [depth * patch.step, stride, stride],
  });
  const { spacing } = whole(stride);
  const places: Places = { ...within(whole(stride), box), spacing };
  const [nz, ny, nx] = places.shape;
  const mask = given?.slice() ?? new Uint8Array(nz * ny * nx).fill(1);
  if (!everywhere && given === undefined) {
    await keepTissue(volume, { places, rough: whole(Math.max(stride, patch.field / 2)) }, mask, window);
  }
  const windows = Array.from({ length: nz }, (_, i) => {
    const k = places.first[0] + i;
    const depths = patchDepths(volume, k * spacing[0], patch);
    const own = depths.distance.map((distance, i) =>
      depths.inside[i] ? k * depth + Math.round(distance / patch.step) : -1
    );
    return { slices: own, depths };
  });
  return { ...places, slices, mask, windows };
}

/** Takes out of a mask what is no tissue. @param rough Places over the whole volume. */
async function keepTissue(
  volume: Volume,
  { places, rough }: { readonly places: Places; readonly rough: Places },
  mask: Uint8Array,
  window: Window,
): Promise<void> {
  const coarse = rough.shape[1] * rough.shape[2];
  const seen = new Float32Array(rough.shape[0] * coarse);
  for (let k = 0; k < rough.shape[0]; k++) seen.set(await intensities(volume, rough, k, window), k * coarse);
  // Colours of bytes are bright field, in which tissue is dark.
  const dark = volume.channels.length === 3 && volume.dtype === "u8";
  const edge = otsuOf(seen, dark);
  const is = (value: number) => dark ? value < edge : value >= edge;
  const same = String([places.shape, places.spacing]) === String([rough.shape, rough.spacing]);
  const size = places.shape[1] * places.shape[2];
  for (let k = 0; k < places.shape[0]; k++) {
    const at = places.first[0] + k;
    const slice = seen.subarray(at * coarse, (at + 1) * coarse);
    const plane = mask.subarray(k * size, (k + 1) * size);
    if (slice.reduce((sum, value) => sum + (is(value) ? 1 : 0), 0) < LEAST * coarse) plane.fill(0);
    else {(same ? slice : await intensities(volume, places, k, window)).forEach((value, i) =>
        plane[i] = is(value) ? 1 : 0
      );}
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
