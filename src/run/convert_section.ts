/**
 * What the conversions of sections to HEST's layout share: checks before anything is read, the loop over sections, the
 * catalogue.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { count } from "../core/text_table.ts";
import { type Converted, type ConvertOptions, samplePaths } from "../data/convert/convert_sample.ts";
import type { Recut } from "../data/convert/recut_sample.ts";
import { xeniumPaths } from "../data/convert/xenium_convert.ts";
import { gatherWarnings } from "../data/sample_checks.ts";
import { realPath } from "../host/files.ts";
import { disk, makeFolder, readText } from "../io/fs.ts";
import { catalogueCsv, type MetadataValue, parseCatalogue } from "../io/metadata.ts";
import { checkFolder } from "../io/output.ts";
import { contentHash } from "./content_hash.ts";
import { checkConvertFolder, ConvertFolder, type SampleRequest } from "./convert_folder.ts";

/** Name of the catalogue, by which readers find it. */
const CATALOGUE = "HEST_v1_1_0.csv";

/** Where sections go, and how; `pitch` and `spot` are those of the technique where they are not given. */
export interface SectionOptions
  extends Pick<ConvertOptions, "rule" | "patch" | "wsi" | "coarse" | "title" | "patient"> {
  /** The folder. */
  readonly out: string;
  /** Micrometres between neighbouring spots, and across a spot. */
  readonly pitch?: number | undefined;
  readonly spot?: number | undefined;
  readonly overwrite: boolean;
  /** Settings as the folder's record keeps them. */
  readonly settings: Facts;
}

/** A section and the paths it is made from. */
export interface Section {
  readonly id: string;
  readonly inputs: readonly string[];
}

/** Tells how far a sample is. */
export function progressOf(reporter: Reporter): NonNullable<ConvertOptions["onProgress"]> {
  return (what, at, total) => reporter.update(what, at, total, what.endsWith("patches") ? "tiles" : "steps");
}

/** Options of one section's conversion. */
export function optionsOf(
  id: string,
  { pitch, spot, rule, patch, wsi, coarse = false, title, patient }: SectionOptions,
  lattice: { readonly pitch: number; readonly spot: number },
  reporter: Reporter,
): ConvertOptions {
  return {
    id,
    pitch: pitch ?? lattice.pitch,
    spot: spot ?? lattice.spot,
    ...{ rule, patch, wsi, coarse, title, patient },
    onProgress: progressOf(reporter),
  };
}

/**
 * Refuses what can be refused before anything is read.
 *
 * @param folder The folder the inputs are in, if it was named.
 * @param rename What mends an identifier.
 */
export function checkSections(
  sections: readonly Section[],
  { out, overwrite }: SectionOptions,
  folder: string | undefined,
  rename?: string,
): void {
  for (const { id } of sections) checkId(id, rename);
  checkOut(out, sections.flatMap(({ inputs }) => inputs), folder);
  checkConvertFolder({ out, paths: sectionPaths }, sections.map(({ id }) => id), overwrite);
}

/**
 * Converts one section after another, those that are not finished, and lists them in the catalogue.
 *
 * @param what The conversion's name.
 * @param convert Converts the section of that index.
 */
export async function convertSections(
  what: string,
  sections: readonly Section[],
  options: SectionOptions,
  convert: (index: number) => Promise<Converted>,
  reporter: Reporter,
): Promise<Converted[]> {
  const samples: SampleRequest[] = [];
  // One after another: each opens its files.
  for (const { id, inputs } of sections) samples.push({ id, input: await contentHash(inputs) });
  using folder = sectionFolder(what, samples, options);
  const done: Converted[] = [];
  try {
    for (const [i, { id }] of sections.entries()) {
      done.push(await folder.convert(id, reporter, () => convert(i), lineOf));
    }
  } finally {
    for (const warning of gatherWarnings(done.flatMap(({ warnings }) => warnings))) reporter.warn(warning);
  }
  addToCatalogue(options.out, done.map(({ metadata }) => ({ ...metadata, hest_version_added: null })));
  return done;
}

function sectionFolder(
  what: string,
  samples: readonly SampleRequest[],
  { out, wsi, settings, overwrite }: SectionOptions,
): ConvertFolder<Converted> {
  const needed = (id: string) =>
    Object.entries(samplePaths(id)).flatMap(([file, path]) => file === "wsi" && wsi === "none" ? [] : [path]);
  // It is added to at the end; one that cannot be read is told before the work.
  catalogueOf(out);
  return ConvertFolder.open({ out, what, samples, settings, overwrite, paths: sectionPaths, needed });
}

/** Paths that a section's files can have, whatever the technology; the metadata last. */
function sectionPaths(id: string): readonly string[] {
  return [...Object.values(xeniumPaths(id)), ...Object.values(samplePaths(id))];
}

/** Makes the folders of a section's files. */
export function makeFolders(id: string, { out, wsi }: SectionOptions): void {
  for (const [what, path] of Object.entries(samplePaths(id))) {
    if (what !== "wsi" || wsi !== "none") makeFolder(`${out}/${path.replace(/[^/]*$/, "")}`);
  }
}

/** Reasons for which spots are left out, in words. */
const REASONS: Readonly<Record<string, string>> = {
  selectedWithoutCounts: "selected without counts",
  notSelected: "not selected",
  underTissueWithoutCounts: "under tissue without counts",
  notUnderTissue: "not under tissue",
  outsideImage: "outside the image",
  countsWithoutPlace: "counted without a place",
  windowOffImage: "window leaves the image",
  offTissue: "off the tissue",
  lowQuality: "transcripts of low quality",
  controls: "transcripts of controls",
};

/** What is said of a sample that was converted. */
export function lineOf({ id, spots, pairs, pixelSize, dropped }: Recut): string {
  return `${id}: ${count(pairs, "patch", "patches")} of ${count(spots, "spot")}, ${pixelSize.toFixed(4)} µm a pixel${
    leftOut(dropped)
  }`;
}

/** What is said of spots that were left out, by reason. */
function leftOut(dropped: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(dropped).flatMap(([key, n]) => n > 0 ? [`${n} ${REASONS[key] ?? key}`] : []);
  return reasons.length > 0 ? `; left out: ${reasons.join(", ")}` : "";
}

/** Refuses names that HEST's file names could not hold. @param hint What mends it. */
function checkId(id: string, hint = "Pass --id"): void {
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
export function checkOut(out: string, inputs: readonly string[], folder: string | undefined): void {
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
    return realPath(path);
  } catch {
    const parent = /^(.*)[/\\]+[^/\\]+[/\\]*$/s.exec(path);
    const name = path.replace(/[/\\]+$/, "").replace(/^.*[/\\]/s, "");
    return parent === null ? `${realPath(".")}/${name}` : `${real(parent[1] || "/")}/${name}`;
  }
}

/** What the folder's catalogue lists. @throws {FormatError} If it is no such table. */
export function catalogueOf(out: string): ReturnType<typeof parseCatalogue> {
  const path = `${out}/${CATALOGUE}`;
  return disk.look(path) === undefined ? [] : parseCatalogue(readText(path), path);
}

/** Adds samples to the folder's catalogue, in place of those of the same name. */
export function addToCatalogue(out: string, added: readonly Readonly<Record<string, MetadataValue>>[]): void {
  const path = `${out}/${CATALOGUE}`;
  const ids = new Set(added.map(({ id }) => id));
  const before = catalogueOf(out).filter(({ id }) => !ids.has(id));
  disk.write(path, catalogueCsv([...before.map(({ values }) => Object.fromEntries(values)), ...added]));
}

/** Folders that software makes inside a sample's own. */
const INNER = /^(?:outs|spatial|binned_outputs|square_\d+um)$/;

/** A sample's name: of the folder, or of the one that the software's own lie in, with hyphens for what no name may have. */
export function nameOfFolder(folder: string): string {
  const name = realPath(folder).split(/[/\\]/).findLast((part) => !INNER.test(part)) ?? "";
  return name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
}
