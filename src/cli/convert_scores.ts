/**
 * `convert scores`: scores of gene sets, of every spot and slide of a folder in HEST's layout.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { trimmed } from "../io/output.ts";
import { convertScores } from "../run/convert_scores.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { COUNTS_FLAG, SAMPLE_FLAG } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "DATA --gene-sets FILE --out DIR";
/** Its flags. */
export const flags = {
  "gene-sets": { kind: "text", value: "FILE", help: "scores: sets in GMT: name, description and genes between tabs" },
  aliases: {
    kind: "text",
    value: "FILE",
    help: "scores: table of alias and symbol, or HGNC's, in place of 253 symbols that it withdrew from 2021 to 2025",
  },
  "map-genes": {
    kind: "switch",
    help: "scores: take genes measured under another name (letter case, Ensembl, alias), which are told otherwise",
  },
  counts: COUNTS_FLAG,
  sample: SAMPLE_FLAG,
  out: COMMON.out,
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<number> {
  const { out, quiet, json, sample, aliases, counts, overwrite, "gene-sets": geneSets } = given;
  const [data, ...more] = words.map(trimmed);
  if (data === undefined || more.length > 0 || out === undefined || geneSets === undefined) {
    throw new ConfigError(`Cannot score gene sets: wanted ${usage}`, { context: { words } });
  }
  const settings = flagFacts(given, ["sample", "gene-sets", "aliases"]);
  const progress = new Progress(quiet);
  const request = { data, samples: sample, geneSets, aliases, mapGenes: given["map-genes"], counts, out, overwrite };
  const { json: result, empty } = await convertScores({ ...request, settings }, progress);
  if (empty.length > 0) {
    const more = empty.length > 3 ? `, and ${empty.length - 3} more` : "";
    progress.warn(`without score: ${empty.slice(0, 3).join(", ")}${more}`);
  }
  progress.say(`${out}: spots, slides.csv, expression.csv`);
  if (json) printJson({ out, ...result }, 2);
  return empty.length > 0 ? INCOMPLETE : 0;
}
