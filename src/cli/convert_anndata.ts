/**
 * `convert anndata`: a table of anndata from a file of HDF5 into a folder of zarr, or back.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import { convertAnndata } from "../run/convert_anndata.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "IN.h5ad OUT.zarr|IN.zarr OUT.h5ad";
/** Its flags. */
export const flags = {
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: { overwrite, quiet, json }, words }: Args<typeof flags>): Promise<void> {
  const [input, output, ...more] = words;
  if (input === undefined || output === undefined || more.length > 0) {
    throw new ConfigError(`Cannot convert a table: wanted ${usage}`, { context: { words } });
  }
  const progress = new Progress(quiet);
  const written = await convertAnndata({ input, output, overwrite }, progress);
  progress.say(`${written.out}: ${count(written.spots, "spot")}, ${count(written.genes, "gene")}`);
  if (json) printJson(written, 2);
}
