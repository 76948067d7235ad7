/**
 * Patches of a folder in HEST's layout cut again into another folder, sample by sample.
 *
 * @module
 */

import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { type Recut, recutPaths, recutSample, recutSources } from "../data/convert/recut_sample.ts";
import type { Generation, PatchScale } from "../data/image/windows.ts";
import { gatherWarnings } from "../data/sample_checks.ts";
import { Sha256 } from "../host/zlib.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { contentHash } from "./content_hash.ts";
import { checkConvertFolder, ConvertFolder } from "./convert_folder.ts";
import { addToCatalogue, catalogueOf, checkOut, lineOf, progressOf } from "./convert_section.ts";
import { namedSamples } from "./named_samples.ts";

/** What is cut. */
export interface PatchesRequest {
  /** A folder in HEST's layout. */
  readonly data: string;
  /** Samples by name; all if there are none. */
  readonly samples: readonly string[];
  readonly out: string;
  readonly rule: Generation;
  readonly patch: PatchScale;
  readonly coarse: boolean;
  readonly overwrite: boolean;
  /** Settings as the folder's record keeps them. */
  readonly settings: Facts;
}

/**
 * Cuts the patches of samples, those that are not finished.
 *
 * @throws {ConfigError} If a sample is not there, or the folder of the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If a sample lacks its slide, or a file cannot be read.
 */
export async function convertPatches(request: PatchesRequest, reporter: Reporter): Promise<Recut[]> {
  const { data, out, rule, patch, coarse, overwrite, settings } = request;
  const sources = namedSamples(data, request.samples).map((files) => recutSources(disk, files));
  checkOut(out, [], data);
  const places = { out, paths: recutPaths };
  const ids = sources.map(({ files }) => files.id);
  checkConvertFolder(places, ids, overwrite);
  // It is added to at the end; one that cannot be read is told before the work.
  catalogueOf(out);
  const samples: { id: string; input: string }[] = [];
  for (const { files, slide, tissue, metadata } of sources) {
    const told = JSON.stringify([...metadata.values]);
    const content = await contentHash([files.expression, slide, ...(tissue === undefined ? [] : [tissue])]);
    const hash = new Sha256().update(new TextEncoder().encode(content + told));
    samples.push({ id: files.id, input: hash.hex() });
  }
  const needed = (id: string) => recutPaths(id).filter((path) => !path.startsWith("tissue_seg/"));
  using folder = ConvertFolder.open<Recut>({ ...places, what: "patches", samples, settings, overwrite, needed });
  const done: Recut[] = [];
  const onProgress = progressOf(reporter);
  try {
    for (const source of sources) {
      const { id } = source.files;
      const cut = async () => {
        for (const path of recutPaths(id)) makeFolder(`${out}/${path.replace(/[^/]*$/, "")}`);
        return await recutSample(disk, out, source, { id, rule, patch, coarse, onProgress });
      };
      done.push(await folder.convert(id, reporter, cut, lineOf));
    }
  } finally {
    for (const warning of gatherWarnings(done.flatMap(({ warnings }) => warnings))) reporter.warn(warning);
  }
  addToCatalogue(out, sources.map(({ metadata }) => Object.fromEntries(metadata.values)));
  return done;
}
