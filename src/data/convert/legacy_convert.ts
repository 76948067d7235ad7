/**
 * A section of Spatial Transcriptomics before Visium to HEST's layout.
 *
 * @module
 */

import type { Disk } from "../../io/disk.ts";
import type { RandomAccess } from "../../io/random_access.ts";
import { readSpotCounts, readSpotSelection } from "../../io/spots_tsv.ts";
import { type Converted, type ConvertOptions, writeSample } from "./convert_sample.ts";
import { joinSection } from "./legacy_st.ts";
import { openSlide } from "../image/slide.ts";

/**
 * Converts a section. The folders must be there.
 *
 * @throws {FormatError} If a file is damaged, naming it and the line.
 * @throws {DataError} If the files do not belong together, or nothing is left of them.
 */
export async function convertSection(
  disk: Disk,
  out: string,
  sources: { readonly counts: RandomAccess; readonly spots: RandomAccess; readonly image: RandomAccess },
  options: ConvertOptions,
): Promise<Converted> {
  const selection = await readSpotSelection(sources.spots);
  const { genes, ...counted } = await readSpotCounts(sources.counts);
  const slide = await openSlide(sources.image);
  const section = joinSection(options.id, { genes, ...counted }, selection, options.pitch, slide.levels[0]!);
  // The files' own names, so that what else is known of the spots can be found again.
  const columns = { spot: section.names };
  const sample = { ...section, technology: "Spatial Transcriptomics", genes, columns };
  return await writeSample(disk, out, slide, { ...sample, dropped: { ...section.dropped } }, options);
}
