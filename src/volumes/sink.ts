/**
 * Where a volume is written to, whatever the format.
 *
 * @module
 */

import type { Disk } from "../io/disk.ts";
import type { Voxels, Zyx } from "./volume.ts";

/** A disk on which folders can be made. */
export interface FolderDisk extends Disk {
  /** Makes a folder and those above it, where they are missing. */
  makeFolder(path: string): void;
}

/** A box with its voxels. */
export interface FilledBox {
  readonly from: Zyx;
  readonly to: Zyx;
  readonly voxels: Voxels;
}

/** A format being written: it takes boxes that fill the volume, and is whole when all have come. */
export interface VolumeSink {
  /** Paths that it writes; the last is what makes the others a volume. */
  readonly files: readonly string[];
  /** Whether boxes must reach over whole rows, else they are those of {@linkcode VolumeSink.step}. */
  readonly wholeRows: boolean;
  /** Extents of boxes, where the format has chunks. */
  readonly step?: Zyx;
  /** Writes all boxes; whole or not at all. */
  fill(disk: FolderDisk, boxes: AsyncIterable<FilledBox>): Promise<void>;
}
