/**
 * `convert xenium`: an output bundle of Xenium to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { trimmed } from "../io/output.ts";
import { convertXeniumBundle, QUALITY } from "../run/convert_xenium.ts";
import type { Args, Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { SECTION_FLAGS, sectionOptions } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "BUNDLE [--image FILE] [--alignment FILE] --out DIR";
/** Its flags. */
export const flags = {
  alignment: {
    kind: "text",
    value: "FILE",
    help:
      "xenium: how the H&E image lies: Xenium Explorer's matrix (.csv) or key points; found in the bundle if not given",
  },
  "min-qv": {
    kind: "number",
    value: "Q",
    min: 0,
    max: 40,
    help: `xenium: least quality of a transcript that counts; ${QUALITY} if not given`,
  },
  ...SECTION_FLAGS,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json, alignment } = given;
  const [folder, ...more] = words.map(trimmed);
  if (folder === undefined || more.length > 0 || out === undefined) {
    throw new ConfigError(`Cannot convert Xenium: wanted ${usage}`, { context: { words } });
  }
  const quality = given["min-qv"] ?? QUALITY;
  const progress = new Progress(quiet);
  const request = { folder, image: given.image, id: given.id, alignment, quality };
  const converted = await convertXeniumBundle(request, sectionOptions(out, given), progress);
  const { cells, outlines, landmarks } = converted;
  progress.say(`${converted.id}: ${cells} cells, outlines of ${outlines.cell} cells and ${outlines.nucleus} nuclei`);
  if (landmarks !== null) {
    progress.say(`${converted.id}: landmarks off by ${landmarks.map((um) => um.toFixed(1)).join(", ")} µm`);
  }
  if (json) printJson({ out, rule: given.rule ?? "current", ...converted }, 2);
}
