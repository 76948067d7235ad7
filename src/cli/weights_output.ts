/**
 * Writing a weights file from the command line: streamed, whole or not at all, never over another file unasked.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { disk, makeFolder, writeStreamAtomic } from "../io/fs.ts";
import { safetensorsStream } from "../io/safetensors.ts";
import type { WeightTensor } from "../io/weight_tensor.ts";
import type { FloatDtype } from "../io/weight_views.ts";
import { folderOf } from "./encoder.ts";
import { checkFile } from "./output.ts";
import type { Progress } from "./progress.ts";

/** Types of `--dtype`. */
export const FLOATS: Readonly<Record<string, FloatDtype>> = { f32: "F32", f16: "F16", bf16: "BF16" };

/**
 * Refuses a path that cannot be written, before anything is read.
 *
 * @throws {ConfigError} If it is no `.safetensors`, a folder, or there already.
 */
export function checkOutput(path: string, overwrite: boolean): void {
  if (!path.endsWith(".safetensors")) {
    throw new ConfigError(`Cannot write ${path}: wanted a name ending in .safetensors`, { context: { given: path } });
  }
  checkFile(path);
  if (disk.look(path) === undefined || overwrite) return;
  throw new ConfigError(`Cannot write ${path}: it exists`, {
    code: "output-exists",
    hint: "Pass --overwrite, or another path",
    context: { file: path },
  });
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
 * @throws {FormatError | DataError} If a tensor cannot be read, or not be stored as its new type.
 */
export async function writeWeights(
  path: string,
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata: Readonly<Record<string, string>>,
  progress: Progress,
): Promise<Written> {
  let parameters = 0;
  let total = 0;
  const types: Record<string, number> = {};
  for (const { count, bytes, dtype } of tensors.values()) {
    parameters += count;
    total += bytes;
    types[dtype] = (types[dtype] ?? 0) + 1;
  }
  let bytes = 0;
  let head: number | undefined;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of safetensorsStream(tensors, metadata)) {
      yield chunk;
      bytes += chunk.byteLength;
      if (head === undefined) head = bytes;
      else progress.update("write", bytes - head, total, "bytes");
    }
  }
  makeFolder(folderOf(path));
  await writeStreamAtomic(path, counted());
  return { output: path, tensors: tensors.size, parameters, bytes, types };
}
