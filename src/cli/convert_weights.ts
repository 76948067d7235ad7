/**
 * `convert weights`: PyTorch's formats and shards as one safetensors file.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import { castTensor } from "../io/torch/weight_views.ts";
import { openWeights, openWeightsFolder, type Weights } from "../io/torch/weights.ts";
import { encoderMetadata, readEncoderMetadata } from "../models/encoder_config.ts";
import { identifyWeights } from "../models/identify.ts";
import { timmTensors } from "../models/merge.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { factsIn, folderOf } from "../run/encoder.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { checkOutput, FLOATS, weightsFacts, writeWeights, writtenBefore } from "../run/weights_output.ts";

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
export async function run(args: Args<typeof flags>): Promise<void> {
  const { words } = args;
  const { dtype, timm, key, tolerant, overwrite, quiet, json } = args.flags;
  const [input, output, ...rest] = words;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new ConfigError(`Cannot convert weights: given ${count(words.length, "path")}, wanted ${usage}`, {
      hint: "deno task convert weights pytorch_model.bin model.safetensors",
    });
  }
  checkOutput(output);
  const progress = new Progress(quiet);
  if (disk.look(input) === undefined) (await openFile(input)).close?.();
  const facts = await weightsFacts([input], args.flags);
  const before = overwrite ? undefined : await writtenBefore(output, facts);
  if (before !== undefined) {
    progress.say(`${output}: is there`);
    if (json) printJson(before, 2);
    return;
  }
  const { weights, folder } = await open(input, key, tolerant);
  try {
    const { tensors, metadata, left, wrappers, notes } = timm
      ? await renamed(weights, folder)
      : { tensors: weights.tensors, metadata: weights.metadata, left: [], wrappers: [], notes: [] };
    if (tensors.size === 0) {
      throw new DataError(`Cannot convert ${weights.file}: it holds no tensors`, {
        hint: "Pass --key with the key they are under",
        context: { file: weights.file },
      });
    }
    const cast = new Map([...tensors].map(([name, tensor]) => [name, castAs(tensor, dtype)]));
    const written = await writeWeights(output, cast, { ...metadata, format: "pt" }, facts, progress);
    const result = { input: weights.file, ...written, container: weights.path, wrappers, leftOut: left, notes };
    if (json) printJson(result, 2);
    for (const note of notes) progress.say(note);
    progress.say(
      `${output}: ${count(written.tensors, "tensor")}, ${written.parameters.toLocaleString("en-US")} parameters, ` +
        `${formatBytes(written.bytes)}${left.length ? `; ${count(left.length, "tensor")} left out` : ""}`,
    );
  } finally {
    weights.close();
  }
}

function castAs(tensor: WeightTensor, dtype: string | undefined): WeightTensor {
  return dtype === undefined ? tensor : castTensor(tensor, FLOATS[dtype]!);
}

async function open(input: string, key: string | undefined, tolerant: boolean) {
  const options = { tolerant, ...(key !== undefined && { path: key }) };
  if (disk.look(input)?.kind === "folder") {
    const folder = input.replace(/[/\\]+$/, "");
    return { weights: await openWeightsFolder(openFolder(folder), options), folder };
  }
  const folder = folderOf(input);
  const shard = (name: string) => openFolder(folder).open(name);
  return { weights: await openWeights(await openFile(input), { ...options, open: shard }), folder };
}

/** An encoder under timm's names. */
async function renamed(weights: Weights, folder: string) {
  const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
  const stored = readEncoderMetadata(weights.metadata);
  const facts = [...await factsIn(folder), ...stored.facts];
  const { keymap, heads } = identifyWeights(shapes, weights.file, facts);
  const tensors = timmTensors(weights, keymap);
  const used = new Set(keymap.entries.flatMap(({ parts }) => parts.map(({ source }) => source)));
  const { family, arch } = keymap;
  const notes = family === "timm" ? [] : [
    `note: names of ${family} became those of timm. timm resizes position tables in its own way: at another image size ` +
    `than ${arch.imageSize} px the embedding differs from the original's`,
  ];
  return {
    tensors,
    metadata: { ...weights.metadata, ...encoderMetadata({ ...arch, heads }, facts, stored.encoder) },
    left: [...weights.tensors.keys()].filter((name) => !used.has(name)),
    wrappers: keymap.steps,
    notes,
  };
}
