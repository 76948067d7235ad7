/**
 * What is in a volume: voxels, spacing and who says so, channels, levels, what stands in the way of using it.
 *
 * @module
 */

import { count, formatBytes } from "../core/text_table.ts";
import { disk } from "../io/fs.ts";
import { isSlice, SIDECAR } from "../volumes/slices.ts";
import { findVolume, volumeKind } from "../volumes/open.ts";
import { volumeBytes } from "../volumes/volume.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";

/** Whether something is a volume that no other format claims: of TIFF and HDF5 only those that say so. */
export function isVolume({ path, names }: Target): boolean {
  const kind = volumeKind(disk, path);
  if (kind === "bdv") return /\.xml$/i.test(path) || disk.look(path.replace(/\.[^./\\]*$/, ".xml")) !== undefined;
  return kind === "raw" || kind === "nifti" || kind === "zarr" || kind === "serial" ||
    (kind === "slices" && names!.every((name) => name === SIDECAR || isSlice(name)));
}

/** Looks into a volume. */
export async function inspect({ path, bytes }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const { format, shape, spacing, problem, channels, dtype, chunk, levels, notes, placement, close } = await findVolume(
    disk,
    path,
  );
  close();
  const um = (value: number) => Number(value.toPrecision(6));
  const side = spacing?.map((of, axis) => um(of * shape[axis]!));
  const size = spacing === undefined
    ? `unknown: ${problem ?? "the file does not say"}; give --spacing Z,Y,X in µm`
    : `${spacing.map(um).join(" x ")} µm (z, y, x)`;
  return {
    json: {
      ...{ kind: "volume", format, bytes, shape, spacing: spacing ?? null, problem: problem ?? null, channels, dtype },
      ...{ chunk, levels: levels.map((level) => ({ ...level, spacing: level.spacing ?? null })), notes },
      placement: placement ?? null,
    },
    facts: [
      ["file", path],
      ["format", bytes === 0 ? format : `${format}, ${formatBytes(bytes)}`],
      ["voxels", `${shape.join(" x ")} (z, y, x) of ${dtype}, ${formatBytes(volumeBytes({ shape, channels, dtype }))}`],
      ["spacing", size],
      ["extent", side === undefined ? "" : `${side.join(" x ")} µm`],
      ["channels", `${count(channels.length, "channel")}: ${first(channels, limit).join(", ")}`],
      ["chunks", chunk.join(" x ")],
      ["origin", placement === undefined ? "" : `${placement.origin.map(um).join(", ")} µm (x, y, z)`],
      ["note", [...notes, ...(shape[0] < 2 ? ["it has one slice only: it is no volume to train on"] : [])].join("; ")],
    ],
    listings: levels.length < 2 ? [] : [{
      title: ["level", "voxels", "spacing, µm"],
      rows: first(levels, limit).map(({ shape, spacing }, i) => [
        String(i),
        shape.join(" x "),
        spacing?.map(um).join(" x ") ?? "unknown",
      ]),
      total: levels.length,
    }],
  };
}
