/**
 * `--adapter`: from a PEFT folder or a SEAL checkpoint to LoRA weights.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import { type Adapter, readAdapter } from "../io/torch/peft.ts";
import { sealAdapter, splitSeal } from "../io/torch/seal_checkpoint.ts";
import { openWeights } from "../io/torch/weights.ts";
import { checkCheckpointFiles, checkpointPath, runAround } from "./checkpoints.ts";

/** Files of a PEFT folder that hold matrices, best first. */
const PEFT_FILES = ["adapter_model.safetensors", "adapter_model.bin"] as const;

/** An open adapter and where its matrices lie. */
export interface OpenedAdapter {
  readonly adapter: Adapter;
  /** File of the matrices. */
  readonly file: string;
}

/**
 * Opens an adapter.
 *
 * @param path PEFT folder, the weights file in one, or SEAL's `.pth` of an image model.
 * @param alpha Of a SEAL checkpoint, which does not store it; default SEAL's.
 * @throws {DataError | FormatError} If there is none, or it cannot be read.
 */
export async function openAdapter(path: string, alpha?: number): Promise<OpenedAdapter> {
  const entry = disk.look(path);
  if (entry === undefined) {
    throw new DataError(`Cannot open ${path}: no such file or folder`, {
      code: "file-missing",
      context: { file: path },
    });
  }
  const inFolder = /^(?:(.*)[/\\])?adapter_model\.(?:safetensors|bin)$/s.exec(path);
  if (entry.kind === "folder" || inFolder) {
    const folder = inFolder ? inFolder[1] ?? "." : path.replace(/[/\\]+$/, "");
    if (disk.look(`${folder}/adapter_config.json`) === undefined) throw noAdapter(folder);
    // The checkpoint of a run knows what its files should be.
    checkCheckpointFiles(folder, ["adapter_config.json", ...PEFT_FILES]);
    const adapter = await readAdapter(openFolder(folder));
    const file = PEFT_FILES.map((name) => `${folder}/${name}`).find((name) => disk.look(name) !== undefined);
    return { adapter, file: file ?? path };
  }
  const weights = await openWeights(await openFile(path));
  try {
    const parts = splitSeal(weights.tensors, path);
    return { adapter: sealAdapter(parts, path, { alpha, close: weights.close }), file: path };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** The error for a folder that is no adapter; of a run, where its adapter is. */
function noAdapter(folder: string): DataError {
  const run = runAround(folder);
  const own = run === undefined ? [] : (["best", "last"] as const).map((name) => checkpointPath(run, name));
  const found = own.find((path) => disk.look(`${path}/adapter_config.json`) !== undefined);
  const trained = own.some((path) => disk.look(path) !== undefined);
  const hint = run === undefined
    ? "Give the folder with adapter_config.json and adapter_model.safetensors"
    : found !== undefined
    ? `${run} is a training run; its adapter is ${found}`
    : trained
    ? `${run} is a training run without a LoRA adapter; predict and retrieve open it with --run ${run}`
    : `${run} is a training run without a checkpoint; the command that began it goes on with it`;
  return new DataError(`Cannot open ${folder}: no adapter_config.json in it, a PEFT LoRA folder or SEAL .pth wanted`, {
    code: "file-missing",
    hint,
    context: { file: `${folder}/adapter_config.json`, ...(found !== undefined && { adapter: found }) },
  });
}
