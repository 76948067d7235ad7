/**
 * TRIDENT's tree of a job: where files of a slide lie, what their attributes say, and the file of its tiles.
 *
 * @module
 */

import type { Disk } from "../io/disk.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import type { Extent, Grid, Tiles } from "./grid.ts";
import { gridFolder } from "./names.ts";
import type { SlideScale } from "./scale.ts";

/** Files of a slide, below the job's folder. */
export interface SlidePaths {
  readonly thumbnail: string;
  readonly contours: string;
  readonly geojson: string;
  /** Tiles as squares, for QuPath. */
  readonly tilesGeojson: string;
  readonly patches: string;
  readonly visualization: string;
  readonly features: string;
  readonly state: string;
}

/**
 * Files of a slide.
 *
 * @param encoder Name of the encoder's folder.
 */
export function slidePaths(name: string, grid: Pick<Grid, "kind">, encoder: string): SlidePaths {
  const folder = gridFolder(grid.kind);
  return {
    thumbnail: `thumbnails/${name}.jpg`,
    contours: `contours/${name}.jpg`,
    geojson: `contours_geojson/${name}.geojson`,
    tilesGeojson: `${folder}/tiles_geojson/${name}.geojson`,
    patches: `${folder}/patches/${name}_patches.h5`,
    visualization: `${folder}/visualization/${name}.jpg`,
    features: `${folder}/features_${encoder}/${name}.h5`,
    state: `wsi_states/${name}.json`,
  };
}

/** What is written about the tiles of a slide: TRIDENT's attributes first, then what it leaves unsaid. */
export function tileAttributes(
  slide: Extent,
  grid: Grid,
  scale: SlideScale,
  savetodir: string,
): Record<string, string | number> {
  const { width, height } = slide.levels[0]!;
  const { kind, patch, side } = grid;
  const nominal = kind.scale === "nominal";
  const target = nominal ? kind.magnification : 10 / kind.pixelSize;
  return {
    patch_size: patch,
    patch_size_level0: Math.round(side),
    level0_magnification: grid.magnification ?? 10 / slide.um,
    target_magnification: target,
    overlap: nominal ? kind.overlap : Math.round(kind.overlap / kind.pixelSize),
    name: slide.name,
    savetodir,
    level0_width: width,
    level0_height: height,
    coords_of: "top-left",
    scale: kind.scale,
    mpp_level0: slide.um,
    mpp_source: scale.source,
    mpp_target: nominal ? slide.um * grid.downsample : kind.pixelSize,
    ...(Number.isInteger(side) ? {} : { patch_size_level0_exact: side }),
  };
}

/** Writes the file of a slide's tiles, as TRIDENT does, whole or not at all; each tile's share of tissue beside it. */
export async function writeTiles(
  disk: Pick<Disk, "writeAnywhere">,
  path: string,
  { coords, tissue, count }: Pick<Tiles, "coords" | "tissue" | "count">,
  attributes: Readonly<Record<string, string | number>>,
): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    const rows = Math.max(1, Math.min(count, 4096));
    h5.dataset("/coords", "i8", [count, 2], undefined, { chunks: [rows, 2], growing: true });
    h5.rows("/coords", 0, [2], BigInt64Array.from(coords, BigInt));
    for (const [name, value] of Object.entries(attributes)) h5.attribute("/coords", name, value);
    h5.dataset("/tissue", "f4", [count], undefined, { chunks: [rows], growing: true });
    h5.rows("/tissue", 0, [], tissue);
    h5.close();
  });
}
