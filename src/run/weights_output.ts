/**
 * Writing a weights file: streamed, whole or not at all, never over another file unasked.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import { VERSION } from "../core/version.ts";
import { disk, makeFolder, openFile, writeStreamAtomic } from "../io/fs.ts";
import { lockFile } from "../io/lock.ts";
import { unreadable } from "../io/made_output.ts";
import { safetensorsStream } from "../io/torch/safetensors.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { FloatDtype } from "../io/torch/weight_views.ts";
import { openWeights, type Weights } from "../io/torch/weights.ts";
import { contentHash } from "./content_hash.ts";
import { folderOf } from "./encoder.ts";
import { flagFacts } from "./output_folder.ts";
import { checkFile, checkSpace } from "../io/output.ts";
import type { Reporter } from "../core/reporter.ts";

/** Types of `--dtype`. */
export const FLOATS: Readonly<Record<string, FloatDtype>> = { f32: "F32", f16: "F16", bf16: "BF16" };

/** Key of the file's metadata that says what it was made from and how, as JSON. */
const MADE = "seal_made";
/** What else may be given as the output, for hints. */
const ELSEWHERE = "another path";

/**
 * Refuses a path that cannot be written, before anything is read.
 *
 * @throws {ConfigError} If it is no `.safetensors`, or a folder.
 */
export function checkOutput(path: string): void {
  if (!path.endsWith(".safetensors")) {
    throw new ConfigError(`Cannot write ${path}: wanted a name ending in .safetensors`, { context: { given: path } });
  }
  checkFile(path);
}

/** Facts of a file made of `inputs`: their content, and the flags but those of `without`. */
export async function weightsFacts(
  inputs: readonly string[],
  values: Readonly<Record<string, unknown>>,
  without: readonly string[] = [],
): Promise<Facts> {
  const paths = inputs.flatMap((path) => [path, ...shardsOf(path)]);
  const named = inputs.filter((path) => disk.look(path) === undefined).join(" ");
  return {
    software: `seal-webgpu ${VERSION}`,
    ...flagFacts(values, without),
    input_sha256: await contentHash(paths),
    ...(named && { input: named }),
  };
}

/** Files that an index of shards stands for. */
function shardsOf(path: string): string[] {
  if (!path.endsWith(".index.json")) return [];
  const folder = folderOf(path);
  const entry = disk.look(folder);
  const names = entry?.kind === "folder" ? entry.names : [];
  return names.filter((name) => /\.(safetensors|bin)$/.test(name)).map((name) => `${folder}/${name}`);
}

/**
 * The file if it is finished already, of the same inputs and settings.
 *
 * @throws {ConfigError} If what is there was made of others, or by another program.
 * @throws {DataError} If it is damaged.
 */
export async function writtenBefore(path: string, facts: Facts): Promise<Written | undefined> {
  if (disk.look(path) === undefined) return undefined;
  let weights: Weights;
  try {
    weights = await openWeights(await openFile(path));
    weights.close();
  } catch (error) {
    throw unreadable(disk, path, error, ELSEWHERE);
  }
  const text = weights.metadata[MADE];
  if (text === undefined) throw notOwn(path, "it exists, and does not say what it was made from", ELSEWHERE);
  let made: Record<string, unknown>;
  try {
    made = JSON.parse(text);
  } catch (error) {
    throw unreadable(disk, path, error, ELSEWHERE);
  }
  const dropped = Object.keys(made).filter((key) => !(key in facts)).map((key) => [key, "not given"]);
  sameFacts(path, made, { ...Object.fromEntries(dropped), ...facts }, ELSEWHERE);
  // What a process that was killed held is let go.
  lockFile(path, "convert").release();
  return { output: path, bytes: (disk.look(path) as { size: number }).size, ...contentOf(weights.tensors) };
}

function contentOf(tensors: ReadonlyMap<string, WeightTensor>): Pick<Written, "tensors" | "parameters" | "types"> {
  const types: Record<string, number> = {};
  for (const { dtype } of tensors.values()) types[dtype] = (types[dtype] ?? 0) + 1;
  return { tensors: tensors.size, parameters: [...tensors.values()].reduce((sum, { count }) => sum + count, 0), types };
}

/** What was written. */
export interface Written {
  readonly output: string;
  readonly tensors: number;
  readonly parameters: number;
  /** Length of the file. */
  readonly bytes: number;
  /** Tensors by type. */
  readonly types: Readonly<Record<string, number>>;
}

/**
 * Writes the file; tensors are read meanwhile, a piece at a time.
 *
 * @param facts From {@linkcode weightsFacts}; the file says them.
 * @throws {FormatError | DataError} If a tensor cannot be read, or not be stored as its new type.
 */
export async function writeWeights(
  path: string,
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata: Readonly<Record<string, string>>,
  facts: Facts,
  progress: Reporter,
): Promise<Written> {
  const total = [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  let head: number | undefined;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of safetensorsStream(tensors, { ...metadata, [MADE]: JSON.stringify(facts) })) {
      yield chunk;
      bytes += chunk.byteLength;
      if (head === undefined) head = bytes;
      else progress.update("write", bytes - head, total, "bytes");
    }
  }
  makeFolder(folderOf(path));
  checkSpace(path, total);
  using _lock = lockFile(path, "convert");
  await writeStreamAtomic(path, counted());
  return { output: path, bytes, ...contentOf(tensors) };
}
