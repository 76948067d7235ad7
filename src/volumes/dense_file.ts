/**
 * Voxels that lie in a file one after the other without compression: reading and writing boxes of them at their places.
 *
 * @module
 */

import type { HostFile } from "../io/disk.ts";
import { checkRange } from "../io/random_access.ts";
import { swapBytes } from "../io/image/tiff_voxels.ts";
import { boxSize, VOXEL_BYTES, type Voxels, voxelsOf, type VoxelType, type Zyx } from "./volume.ts";

/** How voxels lie in a file. */
export interface DenseLayout {
  /** Of the first, bytes. */
  readonly offset: number;
  readonly shape: Zyx;
  readonly channels: number;
  readonly dtype: VoxelType;
  readonly little: boolean;
  /** The axes from slow to fast: channels last, first, or a plane each within a slice. */
  readonly order: "zyxc" | "czyx" | "zcyx";
}

/** Bytes of all voxels. */
export function denseBytes({ shape, channels, dtype }: DenseLayout): number {
  return shape[0] * shape[1] * shape[2] * channels * VOXEL_BYTES[dtype];
}

/** Voxels that lie together both in the file and in a box: where in the file, where in the box, how many. */
interface Run {
  readonly at: number;
  readonly to: number;
  readonly count: number;
  /** Distance of the voxels in the box. */
  readonly stride: number;
}

function* runsOf({ shape, channels, order }: DenseLayout, from: Zyx, to: Zyx): Generator<Run> {
  const [depth, height, width] = shape;
  const together = order === "zyxc" || channels === 1;
  const inner = together ? channels : 1;
  const [rows, columns] = [to[1] - from[1], to[2] - from[2]];
  // Whole rows follow each other without a gap.
  const merged = columns === width;
  for (let c = 0; c < (together ? 1 : channels); c++) {
    for (let z = from[0]; z < to[0]; z++) {
      const slice = order === "zcyx" && !together ? z * channels + c : c * depth + z;
      for (let y = from[1]; y < to[1]; y += merged ? rows : 1) {
        const at = ((slice * height + y) * width + from[2]) * inner;
        const place = ((z - from[0]) * rows + y - from[1]) * columns * channels + c;
        yield { at, to: place, count: (merged ? rows : 1) * columns * inner, stride: together ? 1 : channels };
      }
    }
  }
}

/**
 * Reads the box between two corners.
 *
 * @throws {FormatError} If the file has become shorter.
 */
export function readDense(file: Pick<HostFile, "name" | "read">, layout: DenseLayout, from: Zyx, to: Zyx): Voxels {
  const { dtype, channels, little, offset } = layout;
  const out = voxelsOf(dtype, boxSize(from, to) * channels);
  const width = VOXEL_BYTES[dtype];
  for (const { at, to: place, count, stride } of runsOf(layout, from, to)) {
    const part = stride === 1 ? out.subarray(place, place + count) : voxelsOf(dtype, count);
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    const got = file.read(offset + at * width, bytes);
    if (got < bytes.length) checkRange(file.name, offset + at * width + got, offset + at * width, bytes.length);
    if (!little && width > 1) swapBytes(bytes, width);
    if (stride > 1) { for (let i = 0; i < count; i++) out[place + i * stride] = part[i]!; }
  }
  return out;
}

/** Writes the box between two corners; the layout must be little-endian. */
export function writeDense(
  file: Pick<HostFile, "write">,
  layout: DenseLayout,
  from: Zyx,
  to: Zyx,
  voxels: Voxels,
): void {
  const { dtype, offset } = layout;
  const width = VOXEL_BYTES[dtype];
  for (const { at, to: place, count, stride } of runsOf(layout, from, to)) {
    let part = voxels.subarray(place, place + count);
    if (stride > 1) {
      part = voxelsOf(dtype, count);
      for (let i = 0; i < count; i++) part[i] = voxels[place + i * stride]!;
    }
    file.write(offset + at * width, new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
}
