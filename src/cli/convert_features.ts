/**
 * `convert features`: features of slides in the forms of TRIDENT, CLAM, STAMP, eva and npy.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { FEATURE_FORMS, type FeatureForm } from "../embed/convert_features.ts";
import { trimmed } from "../io/output.ts";
import { convertFeatureFiles } from "../run/convert_features.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { MPP_FLAG, TILE_SIDE_FLAG } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name of the conversion. */
export const usage = "IN OUT --to FORM";

/** Flags of the conversion. */
export const flags = {
  to: { kind: "choice", of: FEATURE_FORMS, help: "features: whose form" },
  mpp: MPP_FLAG,
  "tile-side": TILE_SIDE_FLAG,
  "strict-trident": { kind: "switch", help: "features: a row a chunk, as TRIDENT stores them" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: values, words }: Args<typeof flags>): Promise<number> {
  const [from, out, ...more] = words.map(trimmed);
  const form = values.to as FeatureForm | undefined;
  if (from === undefined || out === undefined || more.length > 0 || form === undefined) {
    throw new ConfigError(`Cannot convert features: IN OUT --to FORM wanted`, {
      hint: `For example: convert features job/20x_256px_0px_overlap/features_uni_v2 clam --to clam`,
    });
  }
  const { mpp, "tile-side": tileSide, "strict-trident": strict, overwrite } = values;
  const request = { from, out, form, mpp, tileSide, strict, overwrite, settings: flagFacts(values) };
  const { slides: done, failed } = await convertFeatureFiles(request, new Progress(values.quiet));
  if (values.json) {
    const slides = done.map(({ files, ...rest }) => ({ ...rest, files: files.map((file) => `${out}/${file}`) }));
    printJson({ to: form, out, slides, failed });
  }
  return failed.length > 0 ? INCOMPLETE : 0;
}
