/**
 * `convert visium`: output of Space Ranger, of Visium or Visium HD, to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { trimmed } from "../io/output.ts";
import { convertVisiumFolder } from "../run/convert_visium.ts";
import type { Args, Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { COUNTS_FLAG, SECTION_FLAGS, sectionOptions } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "FOLDER [--image FILE] --out DIR";
/** Its flags. */
export const flags = {
  counts: COUNTS_FLAG,
  genome: { kind: "text", value: "NAME", help: "whose genes, of counts of two genomes; all of files with one" },
  ...SECTION_FLAGS,
  "under-tissue": { kind: "switch", help: "only spots that Space Ranger calls under tissue; so of raw counts anyway" },
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json } = given;
  const [folder, ...more] = words.map(trimmed);
  if (folder === undefined || more.length > 0 || out === undefined) {
    throw new ConfigError(`Cannot convert Visium: wanted ${usage}`, { context: { words } });
  }
  const request = { ...given, folder, underTissue: given["under-tissue"] };
  const converted = await convertVisiumFolder(request, sectionOptions(out, given), new Progress(quiet));
  if (json) printJson({ out, rule: given.rule ?? "current", ...converted }, 2);
}
