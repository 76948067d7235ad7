/**
 * `convert features`: features of slides in the forms of TRIDENT, CLAM, STAMP, eva and npy.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";
import {
  besidePath,
  type ConvertedFeatures,
  convertFeatures,
  evaManifest,
  FEATURE_FORMS,
  type FeatureForm,
  featurePaths,
  featuresName,
} from "../embed/convert_features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { contentHash } from "../run/content_hash.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { checkFolder, endsAll, isSame } from "../io/output.ts";
import { checkConvertFolder, ConvertFolder } from "./convert_folder.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** What follows the name of the conversion. */
export const usage = "IN OUT --to FORM";

/** Flags of the conversion. */
export const flags = {
  to: { kind: "choice", of: FEATURE_FORMS, help: "features: whose form" },
  mpp: {
    kind: "number",
    value: "UM",
    min: 0.01,
    max: 100,
    help: "features: µm a pixel of level 0, where files lack it",
  },
  "strict-trident": { kind: "switch", help: "features: a row a chunk, as TRIDENT stores them" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

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

/** Runs the conversion. */
export async function run({ flags: values, words }: Args<typeof flags>): Promise<number> {
  const [from, out, ...more] = words.map((word) => word.replace(/(?<=.)[/\\]+$/, ""));
  const form = values.to as FeatureForm | undefined;
  if (from === undefined || out === undefined || more.length > 0 || form === undefined) {
    throw new ConfigError(`Cannot convert features: IN OUT --to FORM wanted`, {
      hint: `For example: convert features job/20x_256px_0px_overlap/features_uni_v2 clam --to clam`,
    });
  }
  const slides = slidesOf(filesAt(from));
  checkFolder(out);
  if (isSame(from, out)) {
    throw new ConfigError(`Cannot write to ${out}: it is the input`, { hint: "Name another folder" });
  }
  const paths = (name: string) => featurePaths(form, name);
  checkConvertFolder({ out, paths }, [...slides.keys()], values.overwrite);
  const samples: { id: string; input: string }[] = [];
  for (const [id, path] of slides) samples.push({ id, input: await hashOf(path) });
  const progress = new Progress(values.quiet);
  using folder = ConvertFolder.open<ConvertedFeatures>({
    ...{ out, what: "features", samples, values, paths },
    needed: (_, { files }) => files,
  });
  const places = [...slides.keys()].flatMap(paths).map((path) => `${out}/${path}`.replace(/\/[^/]*$/, ""));
  for (const place of new Set(places)) makeFolder(place);
  const options = { mpp: values.mpp, strict: values["strict-trident"] };
  const done: ConvertedFeatures[] = [];
  const failed: { file: string; error: string }[] = [];
  for (const [name, path] of slides) {
    try {
      const convert = async () => below(out, await convertFeatures(disk, path, out, form, options));
      const result = await folder.convert(name, progress, convert, (converted) => lineOf(out, converted));
      done.push(result);
      for (const note of result.notes) progress.warn(`${result.name}: ${note}`);
    } catch (error) {
      if (slides.size === 1 || endsAll(error)) throw error;
      const { message, hint } = error as SealError;
      failed.push({ file: path, error: message });
      progress.warn(`${path}: ${message}${hint ? `; ${hint}` : ""}`);
    }
  }
  if (form === "eva") disk.write(`${out}/manifest.csv`, evaManifest(done));
  if (values.json) {
    const slides = done.map(({ files, ...rest }) => ({ ...rest, files: files.map((file) => `${out}/${file}`) }));
    printJson({ to: form, out, slides, failed });
  }
  return failed.length > 0 ? 3 : 0;
}

/** With its files by their paths below the output. */
function below(out: string, converted: ConvertedFeatures): ConvertedFeatures {
  return { ...converted, files: converted.files.map((file) => file.slice(out.length + 1)) };
}

function lineOf(out: string, { name, files, rows, dim }: ConvertedFeatures): string {
  return `${files[0] === undefined ? `${name}: no tiles, no file` : `${out}/${files[0]}`}: ${rows} x ${dim}`;
}
