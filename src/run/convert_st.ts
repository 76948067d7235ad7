/**
 * Sections of Spatial Transcriptomics before Visium to the layout of HEST.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Converted } from "../data/convert/convert_sample.ts";
import { convertSection } from "../data/convert/legacy_convert.ts";
import { disk, openFile } from "../io/fs.ts";
import { IMAGE_ENDINGS } from "../io/image/image.ts";
import { sampleOf } from "../io/metadata.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { checkSections, convertSections, makeFolders, optionsOf, type SectionOptions } from "./convert_section.ts";

/** Micrometres between neighbouring spots, and across a spot. */
const LATTICE = { pitch: 200, spot: 100 };

/** Files of one section. */
export interface StFiles {
  readonly id: string;
  readonly counts: string;
  readonly spots: string;
  readonly image: string;
}

/**
 * Converts the sections of a folder, or one of given files.
 *
 * @throws {ConfigError} If the folder of the output holds what is not to be replaced, or lies in the input.
 * @throws {DataError | FormatError} If files are missing, or cannot be read.
 */
export async function convertSt(
  from: string | StFiles,
  options: SectionOptions,
  reporter: Reporter,
): Promise<Converted[]> {
  const folder = typeof from === "string" ? from : undefined;
  const files = typeof from === "string" ? findSections(from) : [from];
  const sections = files.map(({ id, counts, spots, image }) => ({ id, inputs: [counts, spots, image] }));
  // Sections of a folder are named by their files.
  const rename = folder === undefined
    ? undefined
    : "Rename its files: the section is what stands before the first _ or .";
  checkSections(sections, options, folder, rename);
  for (const path of sections.flatMap(({ inputs }) => inputs)) (await openFile(path)).close?.();
  return await convertSections("st", sections, options, (i) => convertOne(files[i]!, options, reporter), reporter);
}

async function convertOne({ id, ...files }: StFiles, options: SectionOptions, reporter: Reporter): Promise<Converted> {
  makeFolders(id, options);
  const opened: RandomAccess[] = [];
  try {
    for (const path of [files.counts, files.spots, files.image]) opened.push(await openFile(path));
    const [counts, spots, image] = opened;
    const sources = { counts: counts!, spots: spots!, image: image! };
    return await convertSection(disk, options.out, sources, optionsOf(id, options, LATTICE, reporter));
  } finally {
    for (const file of opened) file.close?.();
  }
}

/** Sections of a folder with counts/, spots/ and images/: files of one section share the name up to the first _ or . */
function findSections(folder: string): StFiles[] {
  const list = (part: string, endings: readonly string[]): Map<string, string> => {
    const entry = disk.look(`${folder}/${part}`);
    if (entry?.kind !== "folder") {
      throw new DataError(`Cannot read ${folder}: no folder ${part}, wanted counts, spots and images`, {
        code: "file-missing",
        context: { folder, missing: part },
      });
    }
    const found = new Map<string, string>();
    for (const name of entry.names.filter((name) => endings.some((end) => name.toLowerCase().endsWith(end)))) {
      const id = sampleOf(name);
      if (found.has(id)) {
        throw new DataError(`Cannot read ${folder}/${part}: ${name} is a second file of ${id}, one wanted`, {
          context: { folder, section: id },
        });
      }
      found.set(id, `${folder}/${part}/${name}`);
    }
    return found;
  };
  const parts = {
    counts: list("counts", [".tsv", ".tsv.gz"]),
    spots: list("spots", [".tsv", ".tsv.gz"]),
    images: list("images", IMAGE_ENDINGS),
  };
  const ids = [...new Set(Object.values(parts).flatMap((part) => [...part.keys()]))].sort();
  const lacking = Object.entries(parts).flatMap(([part, files]) =>
    ids.filter((id) => !files.has(id)).map((id) => `${part} of ${id}`)
  );
  if (ids.length === 0 || lacking.length > 0) {
    throw new DataError(
      `Cannot convert ${folder}: ${ids.length === 0 ? "no sections" : `missing ${lacking.join(", ")}`}, ` +
        "wanted counts, spots and an image of each section",
      {
        code: "file-missing",
        hint: "Files of a section share the name up to the first _ or .",
        context: { folder, sections: ids, missing: lacking },
      },
    );
  }
  return ids.map((id) => ({
    id,
    counts: parts.counts.get(id)!,
    spots: parts.spots.get(id)!,
    image: parts.images.get(id)!,
  }));
}
