/**
 * `convert spatialdata`: samples in HEST's layout as stores of SpatialData, whose tables anndata opens by themselves.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import { trimmed } from "../io/output.ts";
import { convertToSpatialData } from "../run/convert_spatialdata.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { SAMPLE_FLAG } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "DATA --out DIR";
/** Its flags. */
export const flags = {
  sample: SAMPLE_FLAG,
  out: COMMON.out,
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json, overwrite, sample: samples } = given;
  const [data, ...more] = words.map(trimmed);
  if (data === undefined || more.length > 0 || out === undefined) {
    throw new ConfigError(`Cannot write SpatialData: wanted ${usage}`, { context: { words } });
  }
  const progress = new Progress(quiet);
  const settings = flagFacts(given, ["sample"]);
  const stores = await convertToSpatialData({ data, samples, out, overwrite, settings }, progress);
  progress.say(`${out}: ${count(stores.length, "store")}`);
  if (json) printJson({ out, stores }, 2);
}
