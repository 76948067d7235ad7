/**
 * Where the tiles of a slide lie, as files of features, tiles and scores say it: TRIDENT's, CLAM's, STAMP's, HEST's and this
 * program's.
 *
 * @module
 */

import type { H5File } from "./hdf5/h5.ts";

/** Where tiles lie. */
export interface TilePlaces {
  /** Left upper corners, `[n, 2]`, in `unit`; undefined where the file has none. */
  readonly coords: Float64Array | undefined;
  /** Pixels of level 0, or µm. */
  readonly unit: "px" | "um";
  /** Side of a tile: pixels of its own, and in `unit`. */
  readonly patch: number | undefined;
  readonly side: number | undefined;
  /** µm a pixel of level 0. */
  readonly mpp: number | undefined;
  /** Name of the encoder, where it stands there and not at the features. */
  readonly encoder?: string;
  /** Attributes of the coordinates as they are in the file. */
  readonly said: Readonly<Record<string, unknown>>;
  /** What is lacking or had to be assumed, in words. */
  readonly notes: readonly string[];
}

/** STAMP's files from before it named a unit: tiles of 256 µm are 224 long. */
export const LEGACY_STAMP = { um: 256, px: 224 } as const;

/** A positive number among attributes. */
export function positive(value: unknown): number | undefined {
  const found = typeof value === "bigint" ? Number(value) : value;
  return typeof found === "number" && Number.isFinite(found) && found > 0 ? found : undefined;
}

/**
 * Where the tiles of an HDF5 file lie.
 *
 * @param coords Its coordinates as they are stored.
 */
export function h5Places(file: H5File, coords: Float64Array | undefined): TilePlaces {
  const said = file.kind("/coords") === "dataset" ? file.attributes("/coords") : {};
  const root = file.attributes("/");
  const notes = coords === undefined ? ["it has no coordinates"] : [];
  if (file.kind("/feats") === "dataset" || root["unit"] === "um") {
    const um = root["unit"] === "um";
    const scale = um ? 1 : LEGACY_STAMP.um / LEGACY_STAMP.px;
    if (!um && coords !== undefined) notes.push("STAMP's old coordinates: 224 are taken as 256 µm");
    return {
      ...{ said: {}, notes, unit: "um", mpp: undefined, coords: coords?.map((value) => value * scale) },
      patch: positive(root["tile_size_px"]) ?? LEGACY_STAMP.px,
      side: positive(root["tile_size_um"]) ?? LEGACY_STAMP.um,
      encoder: String(root["extractor"] ?? "unknown"),
    };
  }
  const side = positive(said["patch_size_level0_exact"]) ?? positive(said["patch_size_level0"]) ?? clamSide(said);
  return {
    said,
    notes,
    coords,
    unit: "px",
    side,
    patch: positive(said["patch_size"]),
    mpp: positive(said["mpp_level0"]),
  };
}

/** CLAM has the side at a level, and how much smaller that is. */
function clamSide({ downsample, patch_size: size }: Readonly<Record<string, unknown>>): number | undefined {
  const first = ArrayBuffer.isView(downsample) || Array.isArray(downsample)
    ? (downsample as ArrayLike<unknown>)[0]
    : downsample;
  const [times, side] = [positive(first), positive(size)];
  return times === undefined || side === undefined ? undefined : times * side;
}
