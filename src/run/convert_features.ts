/**
 * Features of slides in the forms of TRIDENT, CLAM, STAMP, eva and npy: all files of a folder, or one.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import {
  besidePath,
  type ConvertedFeatures,
  convertFeatures,
  type ConvertOptions,
  evaManifest,
  type FeatureForm,
  featurePaths,
  featuresName,
} from "../embed/convert_features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { checkFolder, endsAll, isSame } from "../io/output.ts";
import { contentHash } from "./content_hash.ts";
import { checkConvertFolder, ConvertFolder } from "./convert_folder.ts";

/** What is converted, and how. */
export interface FeaturesRequest extends ConvertOptions {
  /** A feature file, or a folder of them. */
  readonly from: string;
  /** The folder. */
  readonly out: string;
  readonly form: FeatureForm;
  readonly overwrite: boolean;
  /** Settings as the folder's record keeps them. */
  readonly settings: Facts;
}

/** What became of the files. */
export interface FeaturesResult {
  /** Files by their paths below the output. */
  readonly slides: readonly ConvertedFeatures[];
  readonly failed: readonly { readonly file: string; readonly error: string }[];
}

/** Feature files at a path: itself, or those in it; of CLAM's folder those in HDF5, which have coordinates. */
function filesAt(path: string): string[] {
  const entry = disk.look(path);
  if (entry === undefined) {
    throw new DataError(`Cannot convert features of ${path}: there is no such file or folder`, { context: { path } });
  }
  if (entry.kind === "file") return [path];
  const inner = ["h5_files", "pt_files"].find((name) => entry.names.includes(name));
  if (inner !== undefined) return filesAt(`${path}/${inner}`);
  const names = entry.names.filter((name) => /\.(h5|hdf5|pt|npy)$/i.test(name) && !/^\.|_coords\.npy$/i.test(name));
  if (names.length > 0) return names.map((name) => `${path}/${name}`);
  throw new DataError(`Cannot convert features of ${path}: it holds no .h5, .pt or .npy`, { context: { path } });
}

/** Slides by their names, each of one file. */
function slidesOf(files: readonly string[]): Map<string, string> {
  const slides = new Map<string, string>();
  for (const path of files) {
    const name = featuresName(path);
    const before = slides.get(name);
    if (before !== undefined) {
      throw new ConfigError(`Cannot name two slides ${name}: ${before} and ${path}, every name once wanted`, {
        hint: "Rename one of them, or give one file at a time",
        context: { name, paths: [before, path] },
      });
    }
    slides.set(name, path);
  }
  return slides;
}

/** Hash of what features are made from. */
async function hashOf(path: string): Promise<string> {
  const beside = besidePath(disk, path);
  return await contentHash(beside === undefined ? [path] : [path, beside]);
}

/**
 * Converts feature files; of several those that can be.
 *
 * @throws {ConfigError} If two slides have one name, or the folder of the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If there are none, or the only one cannot be converted.
 */
export async function convertFeatureFiles(request: FeaturesRequest, reporter: Reporter): Promise<FeaturesResult> {
  const { from, out, form, mpp, tileSide, strict = false, overwrite, settings } = request;
  const slides = slidesOf(filesAt(from));
  checkFolder(out);
  if (isSame(from, out)) {
    throw new ConfigError(`Cannot write to ${out}: it is the input`, { hint: "Name another folder" });
  }
  const paths = (name: string) => featurePaths(form, name);
  checkConvertFolder({ out, paths }, [...slides.keys()], overwrite);
  const samples: { id: string; input: string }[] = [];
  for (const [id, path] of slides) samples.push({ id, input: await hashOf(path) });
  using folder = ConvertFolder.open<ConvertedFeatures>({
    ...{ out, what: "features", samples, settings, overwrite, paths },
    needed: (_, { files }) => files,
  });
  const places = [...slides.keys()].flatMap(paths).map((path) => `${out}/${path}`.replace(/\/[^/]*$/, ""));
  for (const place of new Set(places)) makeFolder(place);
  const done: ConvertedFeatures[] = [];
  const failed: { file: string; error: string }[] = [];
  for (const [name, path] of slides) {
    try {
      const convert = async () => below(out, await convertFeatures(disk, path, out, form, { mpp, tileSide, strict }));
      const result = await folder.convert(name, reporter, convert, (converted) => lineOf(out, converted));
      done.push(result);
      for (const note of result.notes) reporter.warn(`${result.name}: ${note}`);
    } catch (error) {
      if (slides.size === 1 || endsAll(error)) throw error;
      const { message, hint } = error as SealError;
      failed.push({ file: path, error: message });
      reporter.warn(`${path}: ${message}${hint ? `; ${hint}` : ""}`);
    }
  }
  if (form === "eva") disk.write(`${out}/manifest.csv`, evaManifest(done));
  return { slides: done, failed };
}

/** With its files by their paths below the output. */
function below(out: string, converted: ConvertedFeatures): ConvertedFeatures {
  return { ...converted, files: converted.files.map((file) => file.slice(out.length + 1)) };
}

function lineOf(out: string, { name, files, rows, dim }: ConvertedFeatures): string {
  return `${files[0] === undefined ? `${name}: no tiles, no file` : `${out}/${files[0]}`}: ${rows} x ${dim}`;
}
