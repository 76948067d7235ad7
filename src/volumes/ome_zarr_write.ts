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

import { crc32, deflate } from "../host/zlib.ts";
import { VERSION } from "../core/version.ts";
import { ZarrFolder } from "../io/zarr/zarr.ts";
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
  /** Kept beside the image's own attributes. */
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Extents of a chunk, at most. */
const CHUNK: Zyx = [16, 256, 256];
/** Names of types in Zarr 3 and 2. */
const NAMES: Readonly<Record<VoxelType, readonly [third: string, second: string]>> = {
  ...{
    u8: ["uint8", "|u1"],
    i8: ["int8", "|i1"],
    u16: ["uint16", "<u2"],
    i16: ["int16", "<i2"],
    u32: ["uint32", "<u4"],
  },
  ...{ i32: ["int32", "<i4"], f32: ["float32", "<f4"], f64: ["float64", "<f8"] },
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
  readonly #written: string[] = [];

  /** Begins an image in a folder; the arrays' metadata is written, the image's own with {@linkcode finish}. */
  constructor(readonly disk: FolderDisk, readonly path: string, readonly facts: NewOmeZarr) {
    const { shape, dtype, levels } = facts;
    this.chunk = CHUNK.map((most, axis) => Math.min(most, shape[axis]!)) as unknown as Zyx;
    this.#fill = facts.fill ?? (dtype === "f32" || dtype === "f64" ? NaN : 0);
    this.#levels = levelsOf(facts, levels ?? 32);
    for (const [level, { shape }] of this.#levels.entries()) this.#json(`${level}`, this.#array(shape));
  }

  get #version(): OmeZarrVersion {
    return this.facts.version ?? "0.5";
  }

  /** Paths of the files written so far. */
  get written(): readonly string[] {
    return this.#written;
  }

  /**
   * Writes the voxels `[z, y, x, channel]` of a box of level 0 that begins and ends at borders of chunks, or at the volume's end.
   */
  write(from: Zyx, to: Zyx, voxels: Voxels): void {
    this.#write(0, from, to, voxels);
  }

  /** Whether the chunks that begin at a voxel are all there. */
  has(from: Zyx): boolean {
    return this.facts.channels.every((_, c) => this.disk.look(this.#chunk(0, c, from))?.kind === "file");
  }

  /** Writes the coarser levels and the image's metadata. */
  async finish(): Promise<void> {
    for (let level = 1; level < this.#levels.length; level++) await this.#shrink(level);
    this.#describe();
  }

  #chunk(level: number, c: number, from: Zyx): string {
    const [z, y, x] = from.map((at, axis) => at / this.chunk[axis]!);
    return `${this.path}/${level}/${this.#version === "0.5" ? "c/" : ""}${c}/${z}/${y}/${x}`;
  }

  #write(level: number, from: Zyx, to: Zyx, voxels: Voxels): void {
    const { channels, dtype } = this.facts;
    const size: Zyx = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
    for (const { from: low, to: high } of boxesOf(size, this.chunk)) {
      for (let c = 0; c < channels.length; c++) {
        // A chunk is whole also at the end of the volume.
        const chunk = voxelsOf(dtype, this.chunk[0] * this.chunk[1] * this.chunk[2]).fill(this.#fill as never);
        let empty = true;
        for (let z = low[0]; z < high[0]; z++) {
          for (let y = low[1]; y < high[1]; y++) {
            const row = ((z - low[0]) * this.chunk[1] + y - low[1]) * this.chunk[2];
            let at = ((z * size[1] + y) * size[2] + low[2]) * channels.length + c;
            for (let x = 0; x < high[2] - low[2]; x++, at += channels.length) {
              const value = voxels[at]!;
              chunk[row + x] = value;
              empty &&= Object.is(value, this.#fill);
            }
          }
        }
        const place: Zyx = [from[0] + low[0], from[1] + low[1], from[2] + low[2]];
        if (empty) this.disk.remove(this.#chunk(level, c, place));
        else this.#file(this.#chunk(level, c, place), packed(chunk, this.#version));
      }
    }
  }

  /** Fills a level by the one before it. */
  async #shrink(level: number): Promise<void> {
    const before = this.#levels[level - 1]!;
    const { shape, factor } = this.#levels[level]!;
    const step = factor.map((of, axis) => of / before.factor[axis]!) as unknown as Zyx;
    const array = await new ZarrFolder(this.disk, this.path).array(String(level - 1));
    const read = zarrBoxes(this.disk, array, ["c", "z", "y", "x"], this.facts.dtype);
    for (const { from, to } of boxesOf(shape, this.chunk)) {
      const low = from.map((at, axis) => at * step[axis]!) as unknown as Zyx;
      const high = to.map((at, axis) => Math.min(before.shape[axis]!, at * step[axis]!)) as unknown as Zyx;
      const voxels = await read(low, high);
      const size = high.map((at, axis) => at - low[axis]!) as unknown as Zyx;
      this.#write(level, from, to, meansOf(voxels, size, step, this.facts.channels.length, this.facts.dtype));
    }
  }

  #file(path: string, data: Uint8Array | string): void {
    const folder = path.slice(0, path.lastIndexOf("/"));
    this.disk.makeFolder(folder);
    this.disk.write(path, data);
    this.#written.push(path);
  }

  #json(path: string, third: Record<string, unknown>): void {
    const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
    if (this.#version === "0.5") this.#file(`${this.path}/${path}/zarr.json`, text(third));
    else this.#file(`${this.path}/${path}/.zarray`, text(this.#second(third)));
  }

  #array([z, y, x]: Zyx): Record<string, unknown> {
    const fill = Number.isNaN(this.#fill) ? "NaN" : this.#fill;
    return {
      ...{ zarr_format: 3, node_type: "array", shape: [this.facts.channels.length, z, y, x] },
      data_type: NAMES[this.facts.dtype][0],
      chunk_grid: { name: "regular", configuration: { chunk_shape: [1, ...this.chunk] } },
      chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
      fill_value: fill,
      codecs: [
        { name: "bytes", configuration: { endian: "little" } },
        { name: "gzip", configuration: { level: 1 } },
      ],
      ...{ attributes: {}, dimension_names: ["c", "z", "y", "x"] },
    };
  }

  #second({ shape, fill_value }: Record<string, unknown>): Record<string, unknown> {
    return {
      ...{ zarr_format: 2, shape, chunks: [1, ...this.chunk], dtype: NAMES[this.facts.dtype][1], fill_value },
      ...{ order: "C", filters: null, dimension_separator: "/", compressor: { id: "zlib", level: 1 } },
    };
  }

  #describe(): void {
    const { spacing, channels, attributes = {} } = this.facts;
    const space = (name: string) => ({ name, type: "space", unit: "micrometer" });
    const datasets = this.#levels.map(({ factor }, level) => {
      const scale = [1, ...spacing.map((um, axis) => um * factor[axis]!)];
      // The mean of several voxels lies between their centres.
      const translation = [0, ...spacing.map((um, axis) => um * (factor[axis]! - 1) / 2)];
      const moved = level === 0 ? [] : [{ type: "translation", translation }];
      return { path: String(level), coordinateTransformations: [{ type: "scale", scale }, ...moved] };
    });
    const axes = [{ name: "c", type: "channel" }, space("z"), space("y"), space("x")];
    const colours = ["FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00"];
    const window = { min: 0, max: 1, start: 0, end: 1 };
    const omero = {
      channels: channels.map((label, i) => ({ label, color: colours[i % colours.length], active: i === 0, window })),
    };
    const own = { "seal-webgpu": { version: VERSION, ...attributes } };
    const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
    if (this.#version === "0.5") {
      const ome = { version: "0.5", multiscales: [{ name: "volume", axes, datasets, type: "mean" }], omero };
      const group = { zarr_format: 3, node_type: "group", attributes: { ome, ...own } };
      this.#file(`${this.path}/zarr.json`, text(group));
    } else {
      const multiscales = [{ version: "0.4", name: "volume", axes, datasets, type: "mean" }];
      this.#file(`${this.path}/.zgroup`, text({ zarr_format: 2 }));
      this.#file(`${this.path}/.zattrs`, text({ multiscales, omero, ...own }));
    }
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
function meansOf(voxels: Voxels, size: Zyx, step: Zyx, channels: number, dtype: VoxelType): Voxels {
  const out = size.map((extent, axis) => Math.ceil(extent / step[axis]!)) as unknown as Zyx;
  const means = voxelsOf(dtype, boxSize([0, 0, 0], out) * channels);
  const whole = dtype !== "f32" && dtype !== "f64";
  let to = 0;
  for (const { from, to: end } of boxesOf(size, step)) {
    for (let c = 0; c < channels; c++, to++) {
      let [sum, count] = [0, 0];
      for (let z = from[0]; z < end[0]; z++) {
        for (let y = from[1]; y < end[1]; y++) {
          for (let x = from[2]; x < end[2]; x++) {
            const value = voxels[((z * size[1] + y) * size[2] + x) * channels + c]!;
            if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
          }
        }
      }
      means[to] = whole ? Math.round(sum / count) : sum / count;
    }
  }
  return means;
}

/** zlib's stream as it is in version 2; the same data as gzip in version 3. */
function packed(voxels: Voxels, version: OmeZarrVersion): Uint8Array {
  const bytes = new Uint8Array(voxels.buffer);
  const zlib = deflate(bytes);
  if (version === "0.4") return zlib;
  const data = zlib.subarray(2, zlib.length - 4);
  const out = new Uint8Array(data.length + 18);
  // No name, no time, so that the same voxels give the same bytes.
  out.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
  out.set(data, 10);
  const view = new DataView(out.buffer);
  view.setUint32(out.length - 8, crc32(bytes), true);
  view.setUint32(out.length - 4, bytes.length, true);
  return out;
}

/** Writes a volume as OME-Zarr. */
export function omeZarrSink(path: string, facts: NewOmeZarr): VolumeSink {
  const version = facts.version ?? "0.5";
  return {
    files: version === "0.5" ? [`${path}/zarr.json`] : [`${path}/.zgroup`, `${path}/.zattrs`],
    wholeRows: false,
    step: CHUNK.map((most, axis) => Math.min(most, facts.shape[axis]!)) as unknown as Zyx,
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
