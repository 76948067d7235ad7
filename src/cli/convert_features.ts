/**
 * `convert features`: features of slides in the forms of TRIDENT, CLAM, STAMP, eva and npy.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";
import {
  type ConvertedFeatures,
  convertFeatures,
  evaManifest,
  FEATURE_FORMS,
  type FeatureForm,
} from "../embed/convert_features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { slideName } from "../slides/names.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { checkFolder, endsAll, isSame } from "../io/output.ts";
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

/** Folders below the output that a form has, and the file that shows one is there. */
const PLACES: Readonly<Record<FeatureForm, { readonly folders: readonly string[]; file(name: string): string }>> = {
  trident: { folders: [], file: (name) => `${name}.h5` },
  clam: { folders: ["h5_files", "pt_files"], file: (name) => `h5_files/${name}.h5` },
  stamp: { folders: [], file: (name) => `${name}.h5` },
  npy: { folders: [], file: (name) => `${name}.npy` },
  eva: { folders: [], file: (name) => `${name}.pt` },
};

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

/** Runs the conversion. */
export async function run({ flags: values, words }: Args<typeof flags>): Promise<number> {
  const [from, out, ...more] = words.map((word) => word.replace(/(?<=.)[/\\]+$/, ""));
  const form = values.to as FeatureForm | undefined;
  if (from === undefined || out === undefined || more.length > 0 || form === undefined) {
    throw new ConfigError(`Cannot convert features: IN OUT --to FORM wanted`, {
      hint: `For example: convert features job/20x_256px_0px_overlap/features_uni_v2 clam --to clam`,
    });
  }
  const files = filesAt(from);
  checkFolder(out);
  if (isSame(from, out)) {
    throw new ConfigError(`Cannot write to ${out}: it is the input`, { hint: "Name another folder" });
  }
  const there = files.map((path) => `${out}/${PLACES[form].file(slideName(path))}`).find((path) => disk.look(path));
  if (there !== undefined && !values.overwrite) {
    throw new ConfigError(`Cannot write ${there}: it is there already`, {
      code: "output-exists",
      hint: "Pass --overwrite to replace it, or name another folder",
      context: { path: there },
    });
  }
  for (const folder of ["", ...PLACES[form].folders]) makeFolder(`${out}/${folder}`.replace(/\/$/, ""));
  const progress = new Progress(values.quiet);
  const done: ConvertedFeatures[] = [];
  const failed: { file: string; error: string }[] = [];
  for (const path of files) {
    try {
      const result = await convertFeatures(disk, path, out, form, {
        mpp: values.mpp,
        strict: values["strict-trident"],
      });
      done.push(result);
      for (const note of result.notes) progress.warn(`${result.name}: ${note}`);
      progress.say(`${result.files[0] ?? `${result.name}: no tiles, no file`}: ${result.rows} x ${result.dim}`);
    } catch (error) {
      if (files.length === 1 || endsAll(error)) throw error;
      const { message, hint } = error as SealError;
      failed.push({ file: path, error: message });
      progress.warn(`${path}: ${message}${hint ? `; ${hint}` : ""}`);
    }
  }
  if (form === "eva") disk.write(`${out}/manifest.csv`, evaManifest(done));
  if (values.json) printJson({ to: form, out, slides: done, failed });
  return failed.length > 0 ? 3 : 0;
}
