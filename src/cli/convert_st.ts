/**
 * `convert st`: sections of Spatial Transcriptomics before Visium to the layout of HEST.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Converted } from "../data/convert/convert_sample.ts";
import { convertSection } from "../data/convert/legacy_convert.ts";
import { disk, openFile } from "../io/fs.ts";
import { IMAGE_ENDINGS } from "../io/image/image.ts";
import { sampleOf } from "../io/metadata.ts";
import type { RandomAccess } from "../io/random_access.ts";
import type { Args, Flags } from "./args.ts";
import { contentHash } from "../run/content_hash.ts";
import { checkConvertFolder } from "./convert_folder.ts";
import {
  checkId,
  checkOut,
  COUNTS_FLAG,
  lineOf,
  makeFolders,
  optionsOf,
  SECTION_FLAGS,
  sectionFolder,
  sectionPaths,
  tellWarnings,
  writeCatalogue,
} from "./convert_section.ts";
import { Progress } from "./progress.ts";
import { count } from "../core/text_table.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "FOLDER --out DIR";
/** Its flags. */
export const flags = {
  counts: COUNTS_FLAG,
  spots: { kind: "text", value: "FILE", help: "selected spots of a section with their places on the picture (.tsv)" },
  ...SECTION_FLAGS,
} as const satisfies Flags;

/** Files of one section. */
interface Files {
  readonly id: string;
  readonly counts: string;
  readonly spots: string;
  readonly image: string;
}

/** Runs the conversion. */
export async function run(args: Args<typeof flags>): Promise<void> {
  const { flags: given, words } = args;
  const { counts, spots, image, out, id, quiet, json } = given;
  const single = [counts, spots, image].filter((file) => file !== undefined).length;
  if (out === undefined || (words.length === 1 ? single > 0 || id !== undefined : words.length > 1 || single < 3)) {
    throw new ConfigError(
      `Cannot convert sections: wanted ${usage}, or --counts FILE --spots FILE --image FILE --out DIR`,
      { context: { words } },
    );
  }
  const sections = words.length === 1
    ? findSections(words[0]!)
    : [{ id: id ?? sampleOf(image!), counts: counts!, spots: spots!, image: image! }];
  // Sections of a folder are named by their files.
  const rename = words.length === 1
    ? "Rename its files: the section is what stands before the first _ or ."
    : undefined;
  for (const section of sections) checkId(section.id, rename);
  const inputs = sections.flatMap(({ counts, spots, image }) => [counts, spots, image]);
  checkOut(out, inputs, words[0]);
  checkConvertFolder({ out, paths: sectionPaths }, sections.map(({ id }) => id), given.overwrite);
  for (const path of inputs) (await openFile(path)).close?.();
  const progress = new Progress(quiet);
  const requests: { id: string; input: string }[] = [];
  // One after another: each opens its files.
  for (const { id, counts, spots, image } of sections) {
    requests.push({ id, input: await contentHash([counts, spots, image]) });
  }
  using folder = sectionFolder(out, "st", requests, given);
  const done: Converted[] = [];
  try {
    for (const section of sections) {
      const convert = () => convertOne(section, out, given, progress);
      done.push(await folder.convert(section.id, progress, convert, lineOf));
    }
  } finally {
    tellWarnings(done, progress);
  }
  writeCatalogue(out, done);
  const pairs = done.reduce((sum, section) => sum + section.pairs, 0);
  progress.say(`${out}: ${count(done.length, "section")}, ${count(pairs, "pair")}`);
  if (json) printJson({ out, rule: given.rule ?? "current", pairs, sections: done }, 2);
}

async function convertOne(
  { id, ...files }: Files,
  out: string,
  given: Args<typeof flags>["flags"],
  progress: Progress,
): Promise<Converted> {
  makeFolders(out, id, given.wsi);
  const opened: RandomAccess[] = [];
  try {
    for (const path of [files.counts, files.spots, files.image]) opened.push(await openFile(path));
    const [counts, spots, image] = opened;
    const sources = { counts: counts!, spots: spots!, image: image! };
    return await convertSection(disk, out, sources, optionsOf(id, given, { pitch: 200, spot: 100 }, progress));
  } finally {
    for (const file of opened) file.close?.();
  }
}

/** Sections of a folder with counts/, spots/ and images/: files of one section share the name up to the first _ or . */
function findSections(folder: string): Files[] {
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
        "wanted counts, spots and a picture of each section",
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
