/**
 * `convert st`: sections of Spatial Transcriptomics before Visium to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import { sampleOf } from "../io/metadata.ts";
import { convertSt } from "../run/convert_st.ts";
import type { Args, Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { COUNTS_FLAG, SECTION_FLAGS, sectionOptions } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "FOLDER --out DIR";
/** Its flags. */
export const flags = {
  counts: COUNTS_FLAG,
  spots: { kind: "text", value: "FILE", help: "selected spots of a section with their places on the image (.tsv)" },
  ...SECTION_FLAGS,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run(args: Args<typeof flags>): Promise<void> {
  const { flags: given, words } = args;
  const { counts, spots, image, out, id, quiet, json } = given;
  const single = [counts, spots, image].filter((file) => file !== undefined).length;
  if (out === undefined || (words.length === 1 ? single > 0 || id !== undefined : words.length > 1 || single < 3)) {
    throw new ConfigError(
      `Cannot convert sections: wanted ${usage}, or --counts FILE --spots FILE --image FILE --out DIR`,
      { context: { words } },
    );
  }
  const progress = new Progress(quiet);
  const from = words[0] ?? { id: id ?? sampleOf(image!), counts: counts!, spots: spots!, image: image! };
  const done = await convertSt(from, sectionOptions(out, given), progress);
  const pairs = done.reduce((sum, section) => sum + section.pairs, 0);
  progress.say(`${out}: ${count(done.length, "section")}, ${count(pairs, "pair")}`);
  if (json) printJson({ out, rule: given.rule ?? "current", pairs, sections: done }, 2);
}
