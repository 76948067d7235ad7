/**
 * `convert weights`: PyTorch's formats and shards as one safetensors file.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { convertWeights } from "../run/convert_weights.ts";
import { FLOATS } from "../run/weights_output.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "IN OUT.safetensors";
/** Its flags. */
export const flags = {
  dtype: {
    kind: "choice",
    of: Object.keys(FLOATS),
    help: "type of floating-point tensors; without it each keeps its own",
  },
  timm: {
    kind: "switch",
    help: "rename an encoder's tensors as timm does, q, k and v joined, and leave all others out",
  },
  key: { kind: "text", value: "KEY", help: "where in a checkpoint the weights are, such as teacher; else found" },
  tolerant: { kind: "switch", help: "read PyTorch files that hold unknown classes; none is ever run" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { quiet, json } = given;
  const [input, output, ...rest] = words;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new ConfigError(`Cannot convert weights: given ${count(words.length, "path")}, wanted ${usage}`, {
      hint: "deno task convert weights pytorch_model.bin model.safetensors",
    });
  }
  const progress = new Progress(quiet);
  const result = await convertWeights({ ...given, input, output }, progress);
  if (!("leftOut" in result)) {
    progress.say(`${output}: is there`);
    if (json) printJson(result, 2);
    return;
  }
  if (json) printJson(result, 2);
  const { notes, leftOut, tensors, parameters, bytes } = result;
  for (const note of notes) progress.say(note);
  progress.say(
    `${output}: ${count(tensors, "tensor")}, ${parameters.toLocaleString("en-US")} parameters, ` +
      `${formatBytes(bytes)}${leftOut.length ? `; ${count(leftOut.length, "tensor")} left out` : ""}`,
  );
}
