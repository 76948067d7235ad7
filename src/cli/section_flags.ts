/**
 * Flags of the conversions of sections to HEST's layout.
 *
 * @module
 */

import { HEST_PATCH, type PatchScale } from "../data/image/windows.ts";
import type { SectionOptions } from "../run/convert_section.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";

/** Flags that name inputs, which count by content, or say what the section is called. */
const BY_CONTENT = ["counts", "spots", "image", "alignment", "id"] as const;

/** Flag of the counts. */
export const COUNTS_FLAG = {
  kind: "text",
  value: "PATH",
  help:
    "counts: a table of spots by genes (.tsv, .tsv.gz); of Visium an .h5 file or a folder of matrix.mtx; of scores " +
    "the place in .h5ad files, X if not given",
} as const;

/** Side of a tile, of `overlay` and `features`. */
export const TILE_SIDE_FLAG = {
  kind: "number",
  value: "PX",
  min: 1,
  help: "overlay, features: of a tile, pixels of level 0, where no file says",
} as const;

/** Flag of µm a pixel, which several conversions have. */
export const MPP_FLAG = {
  kind: "number",
  value: "UM",
  min: 0.01,
  max: 100,
  help: "µm a pixel: of patches, 0.5 if not given; of features, that of level 0, where files lack it",
} as const;

/** Flags of patches. */
export const PATCH_FLAGS = {
  mpp: MPP_FLAG,
  px: { kind: "number", value: "N", integer: true, min: 16, max: 4096, help: "side of a patch, 224 if not given" },
  coarse: { kind: "switch", help: "take images coarser than 1.15 µm a pixel" },
} as const satisfies Flags;

/** What the flags say of patches. */
export function patchScale({ mpp, px }: Pick<Args<typeof PATCH_FLAGS>["flags"], "mpp" | "px">): PatchScale {
  return { size: px ?? HEST_PATCH.size, pixelSize: mpp ?? HEST_PATCH.pixelSize };
}

/** Flag of samples of a folder in HEST's layout. */
export const SAMPLE_FLAG = {
  kind: "list",
  value: "ID",
  help: "patches, spatialdata, scores: of this sample; of all if not given",
} as const;

/** Flags of all these conversions. */
export const SECTION_FLAGS = {
  image: {
    kind: "text",
    value: "FILE",
    help: "its image; of Visium, and of zarr without one, the slide in full resolution",
  },
  out: COMMON.out,
  id: { kind: "text", value: "NAME", help: "its identifier; after the image or the folder if not given" },
  "pitch-um": {
    kind: "number",
    value: "UM",
    min: 1,
    max: 10000,
    help:
      "between neighbouring spots; 200 if not given, of Visium 100, of Visium HD 128 (squares that bins are pooled to: 8, 16, 55, 112 …), of Xenium 100 (squares)",
  },
  "spot-um": {
    kind: "number",
    value: "UM",
    min: 1,
    max: 10000,
    help: "across a spot; 100 if not given, of Visium 55, of HD 128, of Xenium 100",
  },
  rule: {
    kind: "choice",
    of: ["current", "v1"],
    help: "where patches are cut: as in HEST-1k today (if not given), or as in HEST-Benchmark",
  },
  ...PATCH_FLAGS,
  wsi: {
    kind: "choice",
    of: ["deflate", "jpeg", "none"],
    help:
      "the slide as a pyramid in wsis/, from which patches are cut: without loss (if not given), as JPEG, or left out",
  },
  title: { kind: "text", value: "TEXT", help: "name of the data set in the metadata" },
  patient: { kind: "text", value: "NAME", help: "patient of all sections in the metadata, by whom splits keep apart" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** What the flags say. */
export function sectionOptions(out: string, given: Args<typeof SECTION_FLAGS>["flags"]): SectionOptions {
  return {
    out,
    pitch: given["pitch-um"],
    spot: given["spot-um"],
    rule: (given.rule ?? "current") as SectionOptions["rule"],
    patch: patchScale(given),
    wsi: (given.wsi ?? "deflate") as SectionOptions["wsi"],
    coarse: given.coarse,
    title: given.title,
    patient: given.patient,
    overwrite: given.overwrite,
    settings: flagFacts(given, BY_CONTENT),
  };
}
