/**
 * `convert merge`: the weights of an encoder with a LoRA adapter added, W + s B A.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { mergeAdapter } from "../run/merge.ts";
import { FLOATS } from "../run/weights_output.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "--encoder X --adapter DIR --out OUT.safetensors";
/** Its flags. */
export const flags = {
  encoder: { kind: "text", value: "X", help: "the base: name of an encoder, folder or weights file" },
  adapter: { kind: "text", value: "DIR", help: "PEFT folder, or SEAL's .pth of an image model" },
  out: COMMON.out,
  alpha: { kind: "number", value: "A", help: "alpha of a SEAL .pth, which does not store it; 8 if not given" },
  dtype: {
    kind: "choice",
    of: Object.keys(FLOATS),
    help: "type of floating-point tensors; without it each keeps its own",
  },
  timm: { kind: "switch", help: "names as timm's instead of the file's, q, k and v joined, and all else left out" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run(args: Args<typeof flags>): Promise<void> {
  const { words } = args;
  const { encoder, adapter: path, out, alpha, dtype, quiet, json, overwrite, timm } = args.flags;
  if (encoder === undefined || path === undefined || out === undefined || words.length > 0) {
    throw new ConfigError(`Cannot merge: wanted ${usage}`, { context: { words } });
  }
  const progress = new Progress(quiet);
  const result = await mergeAdapter({ encoder, adapter: path, out, alpha, dtype, timm, overwrite }, progress);
  if (json) printJson(result, 2);
  if (!("changed" in result)) {
    progress.say(`${out}: is there`);
    return;
  }
  const { notes, modules, changed, tensors, bytes } = result;
  for (const note of notes) progress.say(note);
  progress.say(
    `${out}: ${count(modules, "module")} of the adapter added to ${count(changed.length, "tensor")} of ` +
      `${result.encoder}; ${count(tensors, "tensor")}, ${formatBytes(bytes)}`,
  );
}
