/**
 * Predicted planes as images: OME-Zarr with a channel a gene, written a row of chunks at a time, at the places of the grid or at
 * another spacing between them by trilinear interpolation.
 *
 * @module
 */

import { disk, makeFolder, readText, removeFolder } from "../io/fs.ts";
import { OmeZarrWriter } from "../volumes/ome_zarr_write.ts";
import { boxesOf, type Zyx } from "../volumes/volume.ts";

/** Images of one grid. */
export interface PlaneImages {
  /** Names of the folders: an image of each of the arrays that a plane has. */
  readonly names: readonly string[];
  /** Places along z, y, x, µm between them, and where the first lies. */
  readonly shape: Zyx;
  readonly spacing: Zyx;
  readonly origin: Zyx;
  /** Names of the channels. */
  readonly channels: readonly string[];
  /** µm between voxels, if they are to be others than the places. */
  readonly resample?: Zyx | undefined;
  /** Kept in the images. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Arrays of a plane, `[y, x, channel]` each, NaN outside; planes are asked for from the first to the last. */
  plane(k: number): Promise<readonly Float32Array[]>;
}

/** Extents of a chunk: few planes, so that little is lost by a kill. */
const CHUNK: Zyx = [4, 256, 256];

/** Voxels along z, y, x. */
export function imageShape({ shape, spacing, resample }: Pick<PlaneImages, "shape" | "spacing" | "resample">): Zyx {
  if (resample === undefined) return shape;
  const count = (places: number, axis: number) =>
    Math.floor((places - 1) * spacing[axis]! / resample[axis]! + 1e-6) + 1;
  return shape.map(count) as unknown as Zyx;
}

/** Most bytes that writing holds at once: planes between which voxels of a row of chunks lie, and a chunk of all channels. */
export function imagesPlan(images: Omit<PlaneImages, "plane" | "attributes" | "origin">): number {
  const { names, shape, spacing, channels, resample = spacing } = images;
  const planes = Math.min(shape[0], Math.ceil((CHUNK[0] - 1) * resample[0] / spacing[0]) + 2);
  const box = imageShape(images).reduce((size, extent, axis) => size * Math.min(extent, CHUNK[axis]!), 1);
  const plane = shape[1] * shape[2] * channels.length * names.length;
  // Of a chunk also what is packed, and what coarser levels are made of: four or eight chunks.
  return 4 * (planes * plane + box * (channels.length + 12));
}

/** Planes that were written of each set of images, kept in a file. */
export class WrittenPlanes {
  readonly #planes: Record<string, number> = {};

  constructor(private readonly path: string) {
    if (disk.look(path) === undefined) return;
    try {
      for (const [name, count] of Object.entries(JSON.parse(readText(path)))) {
        if (Number.isInteger(count) && (count as number) >= 0) this.#planes[name] = count as number;
      }
    } catch { /* nothing is known to be written */ }
  }

  /** Planes of images by the first one's name; undefined where they were not begun. */
  of(name: string): number | undefined {
    return this.#planes[name];
  }

  set(name: string, planes: number): void {
    this.#planes[name] = planes;
    disk.write(this.path, `${JSON.stringify(this.#planes)}\n`);
  }
}

/** For one axis: the place at or before a voxel, and the share of the one behind it. */
interface Tap {
  readonly low: number;
  readonly share: number;
}

function tapsOf(from: number, to: number, ratio: number, extent: number): Tap[] {
  return Array.from({ length: to - from }, (_, i) => {
    const at = Math.min(extent - 1, (from + i) * ratio);
    const near = Math.round(at);
    if (Math.abs(at - near) < 1e-6) return { low: near, share: 0 };
    return { low: Math.floor(at), share: at - Math.floor(at) };
  });
}

/**
 * Values of a box between places. Where the nearest place has none there is none; others without a value take no part.
 *
 * @param planes Of the taps along z.
 */
export function between(
  planes: ReadonlyMap<number, Float32Array>,
  [zs, ys, xs]: readonly [readonly Tap[], readonly Tap[], readonly Tap[]],
  { width, channels }: { readonly width: number; readonly channels: number },
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(zs.length * ys.length * xs.length * channels);
  const sums = new Float64Array(channels);
  let to = 0;
  const add = (plane: Float32Array, y: number, x: number, weight: number): number => {
    const at = (y * width + x) * channels;
    if (weight === 0 || Number.isNaN(plane[at]!)) return 0;
    for (let c = 0; c < channels; c++) sums[c]! += weight * plane[at + c]!;
    return weight;
  };
  const near = ({ low, share }: Tap) => (share < 0.5 ? low : low + 1);
  for (const z of zs) {
    for (const y of ys) {
      for (const x of xs) {
        sums.fill(0);
        let total = 0;
        const inside = !Number.isNaN(planes.get(near(z))![(near(y) * width + near(x)) * channels]!);
        for (let corner = 0; inside && corner < 8; corner++) {
          const [k, i, j] = [corner >> 2, corner >> 1 & 1, corner & 1] as const;
          const weight = (k ? z.share : 1 - z.share) * (i ? y.share : 1 - y.share) * (j ? x.share : 1 - x.share);
          if (weight > 0) total += add(planes.get(z.low + k)!, y.low + i, x.low + j, weight);
        }
        for (let c = 0; c < channels; c++) out[to++] = total > 0 ? sums[c]! / total : NaN;
      }
    }
  }
  return out;
}

/** Writes the images, behind the planes that were written before. */
export async function writeImages(folder: string, images: PlaneImages, written: WrittenPlanes): Promise<void> {
  const { names, spacing, origin, channels, resample = spacing, attributes } = images;
  const [name] = names as [string];
  const shape = imageShape(images);
  // What another set of places left would stand between these.
  if (written.of(name) === undefined) { for (const one of names) removeFolder(`${folder}/${one}`); }
  const facts = {
    shape,
    spacing: resample,
    origin,
    channels,
    dtype: "f32" as const,
    fill: NaN,
    chunk: CHUNK,
    attributes,
  };
  const writers = names.map((one) => new OmeZarrWriter({ ...disk, makeFolder }, `${folder}/${one}`, facts));
  const first = written.of(name) ?? 0;
  if (first === 0) written.set(name, 0);
  const ratio = resample.map((um, axis) => um / spacing[axis]!) as unknown as Zyx;
  const kept = new Map<number, readonly Float32Array[]>();
  const width = images.shape[2];
  const step = writers[0]!.chunk;
  for (let from = first; from < shape[0]; from += step[0]) {
    const to = Math.min(shape[0], from + step[0]);
    const zs = tapsOf(from, to, ratio[0], images.shape[0]);
    for (const k of kept.keys()) if (k < zs[0]!.low) kept.delete(k);
    for (const { low, share } of zs) {
      for (const k of share > 0 ? [low, low + 1] : [low]) if (!kept.has(k)) kept.set(k, await images.plane(k));
    }
    for (const { from: low, to: high } of boxesOf([1, shape[1], shape[2]], [1, step[1], step[2]])) {
      const taps = [1, 2].map((axis) => tapsOf(low[axis]!, high[axis]!, ratio[axis]!, images.shape[axis]!));
      writers.forEach((writer, i) => {
        const planes = new Map([...kept].map(([k, arrays]) => [k, arrays[i]!]));
        const voxels = between(planes, [zs, taps[0]!, taps[1]!], { width, channels: channels.length });
        writer.write([from, low[1], low[2]], [to, high[1], high[2]], voxels);
      });
    }
    written.set(name, to);
  }
  for (const writer of writers) await writer.finish();
}
