/**
 * `convert patches`: patches of a folder in HEST's layout cut again from its slides.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import type { Generation } from "../data/image/windows.ts";
import { trimmed } from "../io/output.ts";
import { convertPatches } from "../run/convert_patches.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { PATCH_FLAGS, patchScale, SAMPLE_FLAG } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "DATA --out DIR";
/** Its flags. */
export const flags = {
  ...PATCH_FLAGS,
  generation: {
    kind: "choice",
    of: ["current", "v1"],
    help: "patches: cut as in HEST-1k today (if not given), or as in HEST-Benchmark",
  },
  sample: SAMPLE_FLAG,
  out: COMMON.out,
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json, coarse, overwrite, sample } = given;
  const [data, ...more] = words.map(trimmed);
  if (data === undefined || more.length > 0 || out === undefined) {
    throw new ConfigError(`Cannot cut patches: wanted ${usage}`, { context: { words } });
  }
  const rule = (given.generation ?? "current") as Generation;
  const patch = patchScale(given);
  const settings = flagFacts({ ...given, mpp: patch.pixelSize, px: patch.size, generation: rule }, ["sample"]);
  const progress = new Progress(quiet);
  const done = await convertPatches(
    { data, samples: sample, out, rule, patch, coarse, overwrite, settings },
    progress,
  );
  const pairs = done.reduce((sum, one) => sum + one.pairs, 0);
  progress.say(`${out}: ${count(done.length, "sample")}, ${count(pairs, "patch", "patches")}`);
  if (json) printJson({ out, rule, px: patch.size, mpp: patch.pixelSize, pairs, samples: done }, 2);
}
