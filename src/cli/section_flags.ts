/**
 * Flags of the conversions of sections to HEST's layout.
 *
 * @module
 */

import type { SectionOptions } from "../run/convert_section.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";

/** Flags that name inputs, which count by content, or say what the section is called. */
const BY_CONTENT = ["counts", "spots", "image", "id"] as const;

/** Flag of the counts. */
export const COUNTS_FLAG = {
  kind: "text",
  value: "PATH",
  help: "counts: a table of spots by genes (.tsv, .tsv.gz); of Visium an .h5 file or a folder of matrix.mtx",
} as const;

/** Flags of all these conversions. */
export const SECTION_FLAGS = {
  image: { kind: "text", value: "FILE", help: "its image, or of Visium the slide in full resolution" },
  out: COMMON.out,
  id: { kind: "text", value: "NAME", help: "its identifier; after the image or the folder if not given" },
  "pitch-um": {
    kind: "number",
    value: "UM",
    min: 1,
    max: 10000,
    help: "between neighbouring spots; 200 if not given, of Visium 100, of Visium HD 128 (squares of bins)",
  },
  "spot-um": {
    kind: "number",
    value: "UM",
    min: 1,
    max: 10000,
    help: "across a spot; 100 if not given, of Visium 55, of HD 128",
  },
  rule: {
    kind: "choice",
    of: ["current", "v1"],
    help: "where patches are cut: as in HEST-1k today (if not given), or as in HEST-Benchmark",
  },
  wsi: {
    kind: "choice",
    of: ["deflate", "jpeg", "none"],
    help: "the slide as a pyramid in wsis/: without loss (if not given), as JPEG, or left out",
  },
  coarse: { kind: "switch", help: "take images coarser than 1.15 µm a pixel" },
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
    wsi: (given.wsi ?? "deflate") as SectionOptions["wsi"],
    coarse: given.coarse,
    title: given.title,
    patient: given.patient,
    overwrite: given.overwrite,
    settings: flagFacts(given, BY_CONTENT),
  };
}
