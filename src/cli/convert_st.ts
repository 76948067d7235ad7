/**
 * `convert st`: sections of Spatial Transcriptomics before Visium to the layout of HEST.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Converted, convertSection, sectionPaths } from "../data/legacy_convert.ts";
import type { Generation } from "../data/windows.ts";
import { disk, openFile } from "../io/fs.ts";
import { IMAGE_ENDINGS } from "../io/image.ts";
import { catalogueCsv, parseCatalogue, sampleOf } from "../io/metadata.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";

/** What follows the name. */
export const usage = "FOLDER --out DIR";
/** Its flags. */
export const flags = {
  counts: { kind: "text", value: "FILE", help: "counts of one section, a table of spots by genes (.tsv, .tsv.gz)" },
  spots: { kind: "text", value: "FILE", help: "its selected spots with their places on the picture (.tsv)" },
  image: { kind: "text", value: "FILE", help: "its picture" },
  out: COMMON.out,
  id: { kind: "text", value: "NAME", help: "its identifier; the picture's name up to the first _ or . if not given" },
  "pitch-um": { kind: "number", value: "UM", min: 1, max: 10000, help: "between neighbouring spots; 200 if not given" },
  "spot-um": { kind: "number", value: "UM", min: 1, max: 10000, help: "across a spot; 100 if not given" },
  rule: {
    kind: "choice",
    of: ["current", "v1"],
    help: "where patches are cut: as in HEST-1k today (if not given), or as in HEST-Benchmark",
  },
  title: { kind: "text", value: "TEXT", help: "name of the data set in the metadata" },
  patient: { kind: "text", value: "NAME", help: "patient of all sections in the metadata, by whom splits keep apart" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Name of the catalogue, by which readers find it. */
const CATALOGUE = "HEST_v1_1_0.csv";

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
  const { counts, spots, image, out, id, quiet, json, overwrite } = given;
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
  for (const section of sections) checkId(section.id);
  checkOut(out, sections, words[0], overwrite);
  const progress = new Progress(quiet);
  const done: Converted[] = [];
  for (const section of sections) {
    const converted = await convertOne(section, out, given, progress);
    done.push(converted);
    for (const warning of converted.warnings) progress.say(`warning: ${warning}`);
    progress.say(line(converted));
  }
  writeCatalogue(out, done);
  const pairs = done.reduce((sum, section) => sum + section.pairs, 0);
  progress.say(`${out}: ${done.length} sections, ${pairs} pairs`);
  if (json) console.log(JSON.stringify({ out, rule: given.rule ?? "current", pairs, sections: done }, null, 2));
}

async function convertOne(
  { id, ...files }: Files,
  out: string,
  given: Args<typeof flags>["flags"],
  progress: Progress,
): Promise<Converted> {
  for (const path of Object.values(sectionPaths(id))) {
    Deno.mkdirSync(`${out}/${path.replace(/[^/]*$/, "")}`, { recursive: true });
  }
  const opened: RandomAccess[] = [];
  try {
    for (const path of [files.counts, files.spots, files.image]) opened.push(await openFile(path));
    const [counts, spots, image] = opened;
    return await convertSection(disk, out, { counts: counts!, spots: spots!, image: image! }, {
      id,
      pitch: given["pitch-um"] ?? 200,
      spot: given["spot-um"] ?? 100,
      rule: (given.rule ?? "current") as Generation,
      title: given.title,
      patient: given.patient,
      onProgress: (what, at, total) => progress.update(what, at, total, what.endsWith("patches") ? "tiles" : "steps"),
    });
  } finally {
    for (const file of opened) file.close?.();
  }
}

function line({ id, spots, pairs, pixelSize, dropped }: Converted): string {
  const words: Record<keyof typeof dropped, string> = {
    selectedWithoutCounts: "selected without counts",
    notSelected: "not selected",
    outsidePicture: "outside the picture",
    countsWithoutPlace: "counted without a place",
    windowOffPicture: "window leaves the picture",
    offTissue: "off the tissue",
  };
  const reasons = Object.entries(words).flatMap(([key, text]) => {
    const n = dropped[key as keyof typeof dropped];
    return n > 0 ? [`${n} ${text}`] : [];
  });
  const left = reasons.length > 0 ? `; left out: ${reasons.join(", ")}` : "";
  return `${id}: ${pairs} patches of ${spots} spots, ${pixelSize.toFixed(4)} µm a pixel${left}`;
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

function checkId(id: string): void {
  if (/^[A-Za-z0-9-]+$/.test(id)) return;
  throw new ConfigError(`Cannot name a sample ${JSON.stringify(id)}: letters and digits are wanted`, {
    hint: "Pass --id",
    context: { given: id },
  });
}

/** Refuses to write among the input, or over a sample, before anything is read. */
function checkOut(out: string, sections: readonly Files[], folder: string | undefined, overwrite: boolean): void {
  const target = real(out);
  const inputs = sections.flatMap(({ counts, spots, image }) => [counts, spots, image]);
  // A new folder beside single files is fine; in a folder of sections it is not.
  const inside = folder !== undefined && `${target}/`.startsWith(`${real(folder)}/`)
    ? folder
    : inputs.map((file) => real(file).replace(/[/\\][^/\\]*$/, "")).find((input) => target === input);
  if (inside !== undefined) {
    throw new ConfigError(`Cannot write ${out}: it lies in ${inside}, which is the input`, {
      hint: "Pass another --out",
      context: { path: out, input: inside },
    });
  }
  const there = sections.flatMap(({ id }) => Object.values(sectionPaths(id))).find((path) =>
    disk.look(`${out}/${path}`)
  );
  if (there === undefined || overwrite) return;
  throw new ConfigError(`Cannot write ${out}/${there}: it exists`, {
    code: "output-exists",
    hint: "Pass --overwrite, or another --out",
    context: { file: `${out}/${there}` },
  });
}

/** A path without links, as far as it exists. */
function real(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = /^(.*)[/\\]+[^/\\]+[/\\]*$/.exec(path);
    const name = path.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "");
    return parent === null ? `${Deno.cwd()}/${name}` : `${real(parent[1] || "/")}/${name}`;
  }
}

/** Adds the samples to the folder's catalogue, in place of those of the same name. */
function writeCatalogue(out: string, done: readonly Converted[]): void {
  const path = `${out}/${CATALOGUE}`;
  const text = disk.look(path) === undefined ? undefined : Deno.readTextFileSync(path);
  const ids = new Set(done.map(({ id }) => id));
  const before = text === undefined ? [] : parseCatalogue(text, path).filter(({ id }) => !ids.has(id));
  const rows = [
    ...before.map(({ values }) => Object.fromEntries(values)),
    ...done.map(({ metadata }) => ({ ...metadata, hest_version_added: null })),
  ];
  disk.write(path, catalogueCsv(rows));
}
