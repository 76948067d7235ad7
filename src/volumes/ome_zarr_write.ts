/**
 * Writing OME-Zarr: version 0.5 on Zarr 3, or 0.4 on Zarr 2; a channel a chunk, packed by gzip; coarser levels of means, in which
 * NaN, what lies outside, has no part. Chunks of nothing but the fill value are left out.
 *
 * The multiscales metadata is written last: a folder whose writing broke off is no image.
 *
 * Source: https://ngff.openmicroscopy.org/0.4/ and /0.5/
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import { type ZarrArray, ZarrFolder } from "../io/zarr/zarr.ts";
import { type NewZarr, ZarrWriter } from "../io/zarr/zarr_write.ts";
import { zarrBoxes } from "./ome_zarr.ts";
import type { FolderDisk, VolumeSink } from "./sink.ts";
import { boxesOf, boxSize, type VolumeShape, type Voxels, voxelsOf, type VoxelType, type Zyx } from "./volume.ts";

/** Versions that are written. */
export type OmeZarrVersion = "0.4" | "0.5";

/** A volume to write. */
export interface NewOmeZarr extends Pick<VolumeShape, "shape" | "spacing" | "channels" | "dtype"> {
  /** Of voxels that nobody writes: NaN of floats, 0 of others, if not given. */
  readonly fill?: number;
  readonly version?: OmeZarrVersion;
  /** Coarser levels; until all sides are at most 256 if not given. */
  readonly levels?: number;
  /** Extents of a chunk, at most; 16, 256, 256 if not given. */
  readonly chunk?: Zyx;
  /** Where the first voxel lies, µm; 0, 0, 0 if not given. */
  readonly origin?: Zyx;
  /** Kept beside the image's own attributes. */
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Extents of a chunk, at most. */
const CHUNK: Zyx = [16, 256, 256];
/** Names of types. */
const NAMES: Readonly<Record<VoxelType, NewZarr["dtype"]>> = {
  ...{ u8: "u1", i8: "i1", u16: "u2", i16: "i2", u32: "u4", i32: "i4", f32: "f4", f64: "f8" },
};

interface Level {
  readonly shape: Zyx;
  /** Voxels of level 0 that one of this stands for. */
  readonly factor: Zyx;
}

/** An image being written. */
export class OmeZarrWriter {
  /** Extents of chunks, along whose borders boxes must lie. */
  readonly chunk: Zyx;
  readonly #levels: readonly Level[];
  readonly #fill: number;
  readonly #zarr: ZarrWriter;
  readonly #written: string[] = [];

  /** Begins an image in a folder; the arrays' metadata is written, the image's own with {@linkcode finish}. */
  constructor(readonly disk: FolderDisk, readonly path: string, readonly facts: NewOmeZarr) {
    const { dtype, levels, channels } = facts;
    this.chunk = chunkOf(facts);
    this.#fill = facts.fill ?? (dtype === "f32" || dtype === "f64" ? NaN : 0);
    this.#levels = levelsOf(facts, levels ?? 32);
    const put = (file: string, data: Uint8Array | string) => this.#file(`${path}/${file}`, data);
    this.#zarr = new ZarrWriter(path, put, facts.version === "0.4" ? 2 : 3);
    const axes = ["c", "z", "y", "x"];
    const chunks = [1, ...this.chunk];
    for (const [level, { shape }] of this.#levels.entries()) {
      const array = { dtype: NAMES[dtype], shape: [channels.length, ...shape], chunks, fill: this.#fill };
      this.#zarr.array(`${level}`, { ...array, axes, separator: "/" });
    }
  }

  /** Paths of the files written so far. */
  get written(): readonly string[] {
    return this.#written;
  }

  /**
   * Writes the voxels `[z, y, x, channel]` of a box of level 0 that begins and ends at borders of chunks, or at the volume's end.
   */
  write(from: Zyx, to: Zyx, voxels: Voxels): void {
    this.#write(0, from, to, { voxels, channels: [...this.facts.channels.keys()] });
  }

  /** Writes the coarser levels and the image's metadata. */
  async finish(): Promise<void> {
    for (let level = 1; level < this.#levels.length; level++) await this.#shrink(level);
    this.#describe();
  }

  /** @param part Voxels of these channels, by number. */
  #write(level: number, from: Zyx, to: Zyx, part: { readonly voxels: Voxels; readonly channels: readonly number[] }) {
    const { dtype } = this.facts;
    const { voxels, channels } = part;
    const size: Zyx = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
    for (const { from: low, to: high } of boxesOf(size, this.chunk)) {
      for (const [i, c] of channels.entries()) {
        // A chunk is whole also at the end of the volume.
        const chunk = voxelsOf(dtype, this.chunk[0] * this.chunk[1] * this.chunk[2]).fill(this.#fill as never);
        let empty = true;
        for (let z = low[0]; z < high[0]; z++) {
          for (let y = low[1]; y < high[1]; y++) {
            const row = ((z - low[0]) * this.chunk[1] + y - low[1]) * this.chunk[2];
            let at = ((z * size[1] + y) * size[2] + low[2]) * channels.length + i;
            for (let x = 0; x < high[2] - low[2]; x++, at += channels.length) {
              const value = voxels[at]!;
              chunk[row + x] = value;
              empty &&= Object.is(value, this.#fill);
            }
          }
        }
        const at = [c, ...this.chunk.map((extent, axis) => (from[axis]! + low[axis]!) / extent)];
        if (empty) this.disk.remove(`${this.path}/${this.#zarr.file(`${level}`, at)}`);
        else this.#zarr.chunk(`${level}`, at, new Uint8Array(chunk.buffer));
      }
    }
  }

  /** Fills a level by the one before it. */
  async #shrink(level: number): Promise<void> {
    const before = this.#levels[level - 1]!;
    const { shape: own, factor } = this.#levels[level]!;
    const step = factor.map((of, axis) => of / before.factor[axis]!) as unknown as Zyx;
    const array = await new ZarrFolder(this.disk, this.path).array(String(level - 1));
    for (const c of this.facts.channels.keys()) {
      // A channel at a time, every chunk of it once: there may be thousands.
      const shape = [1, ...array.shape.slice(1)];
      const alone: ZarrArray = { ...array, shape, read: ([, ...at]) => array.read([c, ...at]) };
      const read = zarrBoxes(this.disk, alone, ["c", "z", "y", "x"], this.facts.dtype, 0);
      for (const { from, to } of boxesOf(own, this.chunk)) {
        const low = from.map((at, axis) => at * step[axis]!) as unknown as Zyx;
        const high = to.map((at, axis) => Math.min(before.shape[axis]!, at * step[axis]!)) as unknown as Zyx;
        const size = high.map((at, axis) => at - low[axis]!) as unknown as Zyx;
        const means = meansOf(await read(low, high), size, step, this.facts.dtype);
        this.#write(level, from, to, { voxels: means, channels: [c] });
      }
    }
  }

  #file(path: string, data: Uint8Array | string): void {
    const folder = path.slice(0, path.lastIndexOf("/"));
    this.disk.makeFolder(folder);
    this.disk.write(path, data);
    this.#written.push(path);
  }

  #describe(): void {
    const { spacing, channels, attributes = {}, origin = [0, 0, 0], version = "0.5" } = this.facts;
    const space = (name: string) => ({ name, type: "space", unit: "micrometer" });
    const datasets = this.#levels.map(({ factor }, level) => {
      const scale = [1, ...spacing.map((um, axis) => um * factor[axis]!)];
      // The mean of several voxels lies between their centres.
      const translation = [0, ...spacing.map((um, axis) => origin[axis]! + um * (factor[axis]! - 1) / 2)];
      const moved = translation.every((um) => um === 0) ? [] : [{ type: "translation", translation }];
      return { path: String(level), coordinateTransformations: [{ type: "scale", scale }, ...moved] };
    });
    const axes = [{ name: "c", type: "channel" }, space("z"), space("y"), space("x")];
    const colours = ["FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00"];
    const window = { min: 0, max: 1, start: 0, end: 1 };
    const omero = {
      channels: channels.map((label, i) => ({ label, color: colours[i % colours.length], active: i === 0, window })),
    };
    const image = { name: "volume", axes, datasets, type: "mean" };
    if (version === "0.5") this.#zarr.attribute("", "ome", { version, multiscales: [image], omero });
    else {
      this.#zarr.attribute("", "multiscales", [{ version, ...image }]);
      this.#zarr.attribute("", "omero", omero);
    }
    this.#zarr.attribute("", "seal-webgpu", { version: VERSION, ...attributes });
    this.#zarr.close();
  }
}

/** Levels each half the one before along the axes that are fine, until all sides are at most 256. */
function levelsOf({ shape, spacing }: NewOmeZarr, most: number): Level[] {
  const levels: Level[] = [{ shape, factor: [1, 1, 1] }];
  while (levels.length <= most) {
    const last = levels.at(-1)!;
    if (Math.max(...last.shape) <= 256) break;
    const now = spacing.map((um, axis) => um * last.factor[axis]!);
    // Voxels become cubes: an axis that is twice as coarse as the finest waits.
    const finest = Math.min(...now.filter((_, axis) => last.shape[axis]! > 1));
    const step = now.map((um, axis) => last.shape[axis]! > 1 && um < 2 * finest ? 2 : 1);
    levels.push({
      shape: last.shape.map((extent, axis) => Math.ceil(extent / step[axis]!)) as unknown as Zyx,
      factor: last.factor.map((of, axis) => of * step[axis]!) as unknown as Zyx,
    });
  }
  return levels;
}

/** Means over boxes of `step` voxels, without those that are NaN. */
function meansOf(voxels: Voxels, size: Zyx, step: Zyx, dtype: VoxelType): Voxels {
  const out = size.map((extent, axis) => Math.ceil(extent / step[axis]!)) as unknown as Zyx;
  const means = voxelsOf(dtype, boxSize([0, 0, 0], out));
  const whole = dtype !== "f32" && dtype !== "f64";
  let to = 0;
  for (const { from, to: end } of boxesOf(size, step)) {
    let [sum, count] = [0, 0];
    for (let z = from[0]; z < end[0]; z++) {
      for (let y = from[1]; y < end[1]; y++) {
        for (let x = from[2]; x < end[2]; x++) {
          const value = voxels[(z * size[1] + y) * size[2] + x]!;
          if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
        }
      }
    }
    means[to++] = whole ? Math.round(sum / count) : sum / count;
  }
  return means;
}

function chunkOf({ shape, chunk = CHUNK }: NewOmeZarr): Zyx {
  return chunk.map((most, axis) => Math.min(most, shape[axis]!)) as unknown as Zyx;
}

/** Writes a volume as OME-Zarr. */
export function omeZarrSink(path: string, facts: NewOmeZarr): VolumeSink {
  const version = facts.version ?? "0.5";
  return {
    files: version === "0.5" ? [`${path}/zarr.json`] : [`${path}/.zgroup`, `${path}/.zattrs`],
    wholeRows: false,
    step: chunkOf(facts),
    async fill(disk, boxes) {
      const writer = new OmeZarrWriter(disk, path, facts);
      try {
        for await (const { from, to, voxels } of boxes) writer.write(from, to, voxels);
        await writer.finish();
      } catch (error) {
        for (const file of writer.written) disk.remove(file);
        throw error;
      }
    },
  };
}
