/**
 * PyTorch's formats and shards as one safetensors file.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import { castTensor } from "../io/torch/weight_views.ts";
import { openWeights, openWeightsFolder, type Weights } from "../io/torch/weights.ts";
import { encoderMetadata, readEncoderMetadata } from "../models/encoder_config.ts";
import { identifyWeights } from "../models/identify.ts";
import { timmTensors } from "../models/merge.ts";
import { factsIn, folderOf } from "./encoder.ts";
import { checkOutput, FLOATS, weightsFacts, writeWeights, type Written, writtenBefore } from "./weights_output.ts";

/** What is converted, and how. */
export interface WeightsRequest {
  /** A weights file, or a folder with one or with shards. */
  readonly input: string;
  /** The file, `.safetensors`. */
  readonly output: string;
  /** A name of {@linkcode FLOATS}; without it each tensor keeps its type. */
  readonly dtype?: string | undefined;
  /** Names an encoder's tensors as timm does, and leaves all others out. */
  readonly timm: boolean;
  /** Where in a checkpoint the weights are; else found. */
  readonly key?: string | undefined;
  /** Reads PyTorch files that hold unknown classes. */
  readonly tolerant: boolean;
  readonly overwrite: boolean;
}

/** What was written. */
export interface WrittenWeights extends Written {
  /** File of the input. */
  readonly input: string;
  /** Where in it the weights were. */
  readonly container: string;
  readonly wrappers: readonly string[];
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Converts weights, or finds that it was done: then what the file holds.
 *
 * @throws {ConfigError} If what is at `output` was made of something else.
 * @throws {DataError | FormatError | WeightsError} If the weights cannot be read.
 */
export async function convertWeights(request: WeightsRequest, reporter: Reporter): Promise<WrittenWeights | Written> {
  const { input, output, dtype, timm, key, tolerant, overwrite } = request;
  checkOutput(output);
  if (disk.look(input) === undefined) (await openFile(input)).close?.();
  const facts = await weightsFacts([input], { dtype, timm, key, tolerant });
  const before = overwrite ? undefined : await writtenBefore(output, facts);
  if (before !== undefined) return before;
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
    const written = await writeWeights(output, cast, { ...metadata, format: "pt" }, facts, reporter);
    return { input: weights.file, ...written, container: weights.path, wrappers, leftOut: left, notes };
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
