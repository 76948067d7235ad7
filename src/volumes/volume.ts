/**
 * A volume: voxels `[z, y, x, channel]` with their spacing, read by boxes, so that nobody needs to hold it whole.
 *
 * Indices are ordered z, y, x, as the voxels lie. Places in space are µm, ordered x, y, z, counted from the centre of voxel
 * (0, 0, 0) along the volume's own axes: `place.x = x * spacing[2]`.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";

/** Types of voxels. Readers turn any other (u64, bool, half) into the nearest of them that holds its values. */
export type VoxelType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

/** Voxels of a box. */
export type Voxels =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** A number for each axis: z, y, x. */
export type Zyx = readonly [z: number, y: number, x: number];

/** A place in space, µm: x, y, z. */
export type Place = readonly [x: number, y: number, z: number];

/** How a volume lies in the space of a scanner; nothing is computed with it, writers keep it. */
export interface Placement {
  /** Of the centre of voxel (0, 0, 0), µm. */
  readonly origin: Place;
  /** Unit vectors of the axes x, y and z. */
  readonly direction: readonly [x: Place, y: Place, z: Place];
}

/** What is known of a volume without reading voxels. */
export interface VolumeShape {
  /** For messages: usually the path. */
  readonly name: string;
  /** Voxels along z, y, x. */
  readonly shape: Zyx;
  /** Distance of the centres of neighbours along z, y, x: µm. */
  readonly spacing: Zyx;
  /** Names of the channels, one at least. */
  readonly channels: readonly string[];
  readonly dtype: VoxelType;
  /** Extents of what the file stores together: boxes along its borders are the cheapest to read. */
  readonly chunk: Zyx;
  /** Where the file says so. */
  readonly placement?: Placement | undefined;
}

/** A volume open for reading. */
export interface Volume extends VolumeShape {
  /**
   * Reads the box from (z0, y0, x0) up to but without (z1, y1, x1), which must lie within the volume.
   *
   * @returns Voxels `[z1 - z0, y1 - y0, x1 - x0, channels]`.
   * @throws {FormatError} If the file is damaged.
   * @throws {LimitError} If the box leaves the volume, or is empty.
   */
  readBox(z0: number, z1: number, y0: number, y1: number, x0: number, x1: number): Promise<Voxels>;
  /** Reads slice z: voxels `[y, x, channels]`. */
  readSlice(z: number): Promise<Voxels>;
  /** Releases what the volume holds. */
  close(): void;
}

/** Reads a box whose bounds are checked. */
export type BoxReader = (from: Zyx, to: Zyx) => Promise<Voxels>;

const ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

/** Bytes of a voxel's channel. */
export const VOXEL_BYTES: Readonly<Record<VoxelType, number>> = {
  ...{ u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, f64: 8 },
};

/** Room for `count` voxels, zeros. */
export function voxelsOf(dtype: VoxelType, count: number): Voxels {
  return new ARRAYS[dtype](count);
}

/** The type of an array of voxels. */
export function voxelType(voxels: Voxels): VoxelType {
  const found = (Object.keys(ARRAYS) as VoxelType[]).find((dtype) => voxels instanceof ARRAYS[dtype]);
  if (found === undefined) throw new TypeError("Cannot take voxels: wanted a typed array of u8 to f64");
  return found;
}

/** Bytes of a whole volume without compression. */
export function volumeBytes({ shape, channels, dtype }: Pick<VolumeShape, "shape" | "channels" | "dtype">): number {
  return shape[0] * shape[1] * shape[2] * channels.length * VOXEL_BYTES[dtype];
}

/** A volume of what is known of it and a reader of boxes. */
export function volumeFrom(facts: VolumeShape, read: BoxReader, close: () => void = () => {}): Volume {
  const { name, shape: [depth, height, width] } = facts;
  const check = (axis: string, from: number, to: number, extent: number) => {
    if (Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= extent) return;
    throw new LimitError(
      `Cannot read voxels ${from} to ${to} along ${axis} of ${name}: it has ${extent}, expected a box within it`,
      { code: "volume-box", context: { file: name, axis, from, to, extent } },
    );
  };
  // Async, so that a bad box rejects and never throws.
  const readBox = async (z0: number, z1: number, y0: number, y1: number, x0: number, x1: number) => {
    check("z", z0, z1, depth);
    check("y", y0, y1, height);
    check("x", x0, x1, width);
    return await read([z0, y0, x0], [z1, y1, x1]);
  };
  return { ...facts, readBox, readSlice: (z) => readBox(z, z + 1, 0, height, 0, width), close };
}

/** What a volume in memory may leave out. */
export type MemoryFacts =
  & Pick<VolumeShape, "shape" | "spacing">
  & Partial<Pick<VolumeShape, "name" | "channels" | "placement">>;

/**
 * A volume in memory.
 *
 * @param voxels `[z, y, x, channel]`; not copied.
 * @throws {ShapeError} If there are not as many as the shape says.
 */
export function memoryVolume(voxels: Voxels, facts: MemoryFacts): Volume {
  const { shape, name = "a volume in memory", channels = ["intensity"] } = facts;
  const wanted = shape[0] * shape[1] * shape[2] * channels.length;
  if (voxels.length !== wanted || wanted === 0) {
    throw new ShapeError(
      `Cannot make ${name}: ${voxels.length} values, wanted ${[...shape, channels.length].join("x")}`,
    );
  }
  const dtype = voxelType(voxels);
  return volumeFrom({ ...facts, name, channels, dtype, chunk: [1, shape[1], shape[2]] }, (from, to) => {
    const out = voxelsOf(dtype, boxSize(from, to) * channels.length);
    copyBox(voxels, [0, 0, 0], shape, out, from, to, channels.length);
    return Promise.resolve(out);
  });
}

/** Voxels of the box between two corners. */
export function boxSize(from: Zyx, to: Zyx): number {
  return (to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]);
}

/**
 * Copies what two boxes share from one's voxels into the other's.
 *
 * @param source Voxels of the box from `sourceFrom` up to `sourceTo`.
 * @param out Voxels of the box from `from` up to `to`.
 */
export function copyBox(
  source: Voxels,
  sourceFrom: Zyx,
  sourceTo: Zyx,
  out: Voxels,
  from: Zyx,
  to: Zyx,
  channels: number,
): void {
  const first = from.map((at, axis) => Math.max(at, sourceFrom[axis]!)) as unknown as Zyx;
  const end = to.map((at, axis) => Math.min(at, sourceTo[axis]!)) as unknown as Zyx;
  const run = (end[2] - first[2]) * channels;
  if (run <= 0) return;
  const place = (z: number, y: number, x: number, low: Zyx, high: Zyx) =>
    (((z - low[0]) * (high[1] - low[1]) + y - low[1]) * (high[2] - low[2]) + x - low[2]) * channels;
  for (let z = first[0]; z < end[0]; z++) {
    for (let y = first[1]; y < end[1]; y++) {
      const at = place(z, y, first[2], sourceFrom, sourceTo);
      out.set(source.subarray(at, at + run) as never, place(z, y, first[2], from, to));
    }
  }
}

/** Boxes along the borders of chunks that fill a volume, in the order z, y, x. */
export function* boxesOf(shape: Zyx, step: Zyx): Generator<{ readonly from: Zyx; readonly to: Zyx }> {
  const [depth, height, width] = shape;
  for (let z = 0; z < depth; z += step[0]) {
    for (let y = 0; y < height; y += step[1]) {
      for (let x = 0; x < width; x += step[2]) {
        const to: Zyx = [Math.min(depth, z + step[0]), Math.min(height, y + step[1]), Math.min(width, x + step[2])];
        yield { from: [z, y, x], to };
      }
    }
  }
}
