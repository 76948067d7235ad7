/**
 * What the conversions of sections to HEST's layout share: flags, checks before anything is read, and what is said at the end.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Converted, type ConvertOptions, samplePaths } from "../data/convert/convert_sample.ts";
import { gatherWarnings } from "../data/sample_checks.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { catalogueCsv, parseCatalogue } from "../io/metadata.ts";
import { COMMON, type Flags } from "./args.ts";
import { checkFolder } from "../io/output.ts";
import { ConvertFolder, type SampleRequest } from "./convert_folder.ts";
import { count } from "../core/text_table.ts";
import type { Progress } from "./progress.ts";

/** Name of the catalogue, by which readers find it. */
const CATALOGUE = "HEST_v1_1_0.csv";

/** Flag of the counts. */
export const COUNTS_FLAG = {
  kind: "text",
  value: "PATH",
  help: "counts: a table of spots by genes (.tsv, .tsv.gz); of Visium an .h5 file or a folder of matrix.mtx",
} as const;

/** Flags of all these conversions. */
export const SECTION_FLAGS = {
  image: { kind: "text", value: "FILE", help: "its picture, or of Visium the slide in full resolution" },
  out: COMMON.out,
  id: { kind: "text", value: "NAME", help: "its identifier; after the picture or the folder if not given" },
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
  coarse: { kind: "switch", help: "take pictures coarser than 1.15 µm a pixel" },
  title: { kind: "text", value: "TEXT", help: "name of the data set in the metadata" },
  patient: { kind: "text", value: "NAME", help: "patient of all sections in the metadata, by whom splits keep apart" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** What the shared flags say. */
interface Given {
  readonly "pitch-um"?: number | undefined;
  readonly "spot-um"?: number | undefined;
  readonly rule?: string | undefined;
  readonly wsi?: string | undefined;
  readonly coarse?: boolean;
  readonly title?: string | undefined;
  readonly patient?: string | undefined;
}

/** Options of a conversion by the flags given. */
export function optionsOf(
  id: string,
  given: Given,
  lattice: { readonly pitch: number; readonly spot: number },
  progress: Progress,
): ConvertOptions {
  return {
    id,
    pitch: given["pitch-um"] ?? lattice.pitch,
    spot: given["spot-um"] ?? lattice.spot,
    rule: (given.rule ?? "current") as ConvertOptions["rule"],
    wsi: (given.wsi ?? "deflate") as ConvertOptions["wsi"],
    coarse: given.coarse === true,
    title: given.title,
    patient: given.patient,
    onProgress: (what, at, total) => progress.update(what, at, total, what.endsWith("patches") ? "tiles" : "steps"),
  };
}

/** A folder that sections are converted into. */
export function sectionFolder(
  out: string,
  what: string,
  samples: readonly SampleRequest[],
  values: Readonly<Record<string, unknown>> & { readonly overwrite: boolean },
): ConvertFolder<Converted> {
  const needed = (id: string) =>
    Object.entries(samplePaths(id)).flatMap(([file, path]) => file === "wsi" && values.wsi === "none" ? [] : [path]);
  // It is added to at the end; one that cannot be read is told before the work.
  catalogueOf(out);
  return ConvertFolder.open({ out, what, samples, values, paths: sectionPaths, needed });
}

/** Paths of a section's files. */
export function sectionPaths(id: string): readonly string[] {
  return Object.values(samplePaths(id));
}

/** Makes the folders of a sample's files. */
export function makeFolders(out: string, id: string, wsi: string | undefined): void {
  for (const [what, path] of Object.entries(samplePaths(id))) {
    if (what !== "wsi" || wsi !== "none") makeFolder(`${out}/${path.replace(/[^/]*$/, "")}`);
  }
}

/** Says what is to be known of the samples, each text once and what harms most first. */
export function tellWarnings(done: readonly Converted[], progress: Progress): void {
  for (const warning of gatherWarnings(done.flatMap(({ warnings }) => warnings))) progress.warn(warning);
}

/** Reasons for which spots are left out, in words. */
const REASONS: Readonly<Record<string, string>> = {
  selectedWithoutCounts: "selected without counts",
  notSelected: "not selected",
  underTissueWithoutCounts: "under tissue without counts",
  notUnderTissue: "not under tissue",
  outsidePicture: "outside the picture",
  countsWithoutPlace: "counted without a place",
  windowOffPicture: "window leaves the picture",
  offTissue: "off the tissue",
};

/** What is said of a sample that was converted. */
export function lineOf({ id, spots, pairs, pixelSize, dropped }: Converted): string {
  const reasons = Object.entries(dropped).flatMap(([key, n]) => n > 0 ? [`${n} ${REASONS[key] ?? key}`] : []);
  const left = reasons.length > 0 ? `; left out: ${reasons.join(", ")}` : "";
  return `${id}: ${count(pairs, "patch", "patches")} of ${count(spots, "spot")}, ${
    pixelSize.toFixed(4)
  } µm a pixel${left}`;
}

/** Refuses names that HEST's file names could not hold. @param hint What mends it. */
export function checkId(id: string, hint = "Pass --id"): void {
  if (/^[A-Za-z0-9-]+$/.test(id)) return;
  throw new ConfigError(`Cannot name a sample ${JSON.stringify(id)}: letters and digits are wanted`, {
    hint,
    context: { given: id },
  });
}

/**
 * Refuses to write among the input, or where nothing can be written, before anything is read.
 *
 * @param inputs Files that are read.
 * @param folder The folder they are in, if it was named.
 */
export function checkOut(
  out: string,
  inputs: readonly string[],
  folder: string | undefined,
): void {
  const target = real(out);
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
  checkFolder(out);
}

/** A path without links, as far as it exists. */
function real(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = /^(.*)[/\\]+[^/\\]+[/\\]*$/s.exec(path);
    const name = path.replace(/[/\\]+$/, "").replace(/^.*[/\\]/s, "");
    return parent === null ? `${Deno.cwd()}/${name}` : `${real(parent[1] || "/")}/${name}`;
  }
}

/** What the folder's catalogue lists. @throws {FormatError} If it is no such table. */
function catalogueOf(out: string): ReturnType<typeof parseCatalogue> {
  const path = `${out}/${CATALOGUE}`;
  return disk.look(path) === undefined ? [] : parseCatalogue(Deno.readTextFileSync(path), path);
}

/** Adds the samples to the folder's catalogue, in place of those of the same name. */
export function writeCatalogue(out: string, done: readonly Converted[]): void {
  const path = `${out}/${CATALOGUE}`;
  const ids = new Set(done.map(({ id }) => id));
  const before = catalogueOf(out).filter(({ id }) => !ids.has(id));
  const rows = [
    ...before.map(({ values }) => Object.fromEntries(values)),
    ...done.map(({ metadata }) => ({ ...metadata, hest_version_added: null })),
  ];
  disk.write(path, catalogueCsv(rows));
}
