/**
 * A table of anndata at a path, be it a file of HDF5 or a folder of zarr.
 *
 * @module
 */

import type { Disk } from "./disk.ts";
import { H5ad } from "./hdf5/h5ad.ts";

/** Access to files, for reading. */
type ReadDisk = Pick<Disk, "look" | "open">;

/** Whether a path leads to a table in a folder of zarr. */
export function isZarr(disk: ReadDisk, path: string): boolean {
  return disk.look(path)?.kind === "folder";
}

/**
 * Opens a table; one in a folder is held in memory.
 *
 * @param parts Of one in a folder, those that are wanted beside others or not; if not given all that data are made of.
 * @throws {DataError | FormatError} If it is not there, no table of anndata, or damaged.
 */
export async function openAnndata(disk: ReadDisk, path: string, parts?: readonly string[]): Promise<H5ad> {
  if (!isZarr(disk, path)) return await H5ad.open(disk.open(path, "read"));
  // Only who has such tables loads the library.
  const { ZarrFolder } = await import("./zarr/zarr.ts");
  const { openStoreTable } = await import("./zarr/anndata_copy.ts");
  return await openStoreTable(new ZarrFolder(disk, path), "", parts);
}
