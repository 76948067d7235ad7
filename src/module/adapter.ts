/**
 * Adapters as files: saved from a run, added to their base.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { checkOptions } from "./check.ts";
import { toPrograms } from "./hints.ts";
import { LISTENER, type Listener, listener } from "./listener.ts";

/** Files of an adapter. */
const ADAPTER = ["adapter_config.json", "adapter_model.safetensors"] as const;

/** Copies the adapter of a run's checkpoint, compared with its checksums, to a folder. */
export async function saveRunAdapter(run: string, folder: string, checkpoint: "best" | "last"): Promise<void> {
  const [{ findCheckpoint }, { disk, makeFolder }] = await Promise.all([
    import("../run/checkpoints.ts"),
    import("../io/fs.ts"),
  ]);
  const found = findCheckpoint(run, checkpoint) ?? findCheckpoint(run, "last");
  const files = ADAPTER.map((name) => [name, found?.read(name)] as const);
  if (files.some(([, bytes]) => bytes === undefined)) {
    throw new ConfigError(`Cannot save the adapter of ${run}: it has none`, {
      hint: "Train with use_lora: true",
      context: { run, checkpoint },
    });
  }
  const there = ADAPTER.find((name) => disk.look(`${folder}/${name}`) !== undefined);
  if (there !== undefined) {
    throw new ConfigError(`Cannot save the adapter to ${folder}: there is ${there} already`, {
      hint: "Pass another folder",
      context: { file: `${folder}/${there}` },
    });
  }
  makeFolder(folder);
  // The configuration last: without it a folder is no adapter.
  for (const [name, bytes] of files.reverse()) disk.write(`${folder}/${name}`, bytes!);
}

/** How an adapter is added to its base. */
export interface MergeOptions extends Listener {
  /** Type of the floating-point tensors; without it each keeps its own, and changed ones are rounded to it. */
  readonly dtype?: "f32" | "f16" | "bf16" | undefined;
  /** Alpha of a SEAL `.pth`, which does not store it; 8 if not given. */
  readonly alpha?: number | undefined;
  /** Names as timm's instead of the file's, and all else left out; default false. */
  readonly timm?: boolean | undefined;
  /** Write over a file that is there; default false. */
  readonly overwrite?: boolean | undefined;
}

/** A merged file. */
export interface MergedWeights {
  /** Its path. */
  readonly file: string;
  /** Its length. */
  readonly bytes: number;
  /** Tensors in it. */
  readonly tensors: number;
}

/**
 * Adds a low-rank adapter to its base, W + s B A, and writes the weights as a safetensors file, which loads without the adapter.
 * A file that the same call wrote before is left as it is. No GPU is used.
 *
 * ```ts ignore
 * import { mergeAdapter } from "@seal-webgpu/seal";
 *
 * await mergeAdapter("conch", "runs/first-lora", "conch-seal.safetensors"); // needs the weights of CONCH
 * ```
 *
 * @param encoder The base: name of an encoder, folder or weights file.
 * @param adapter PEFT folder, or SEAL's `.pth` of an image model.
 * @param out Path ending in `.safetensors`.
 * @throws {ConfigError} If the encoder has no file, or `out` was made of something else.
 * @throws {DataError | FormatError | WeightsError} If weights or adapter cannot be read, or do not fit each other.
 */
export async function mergeAdapter(
  encoder: string,
  adapter: string,
  out: string,
  options: MergeOptions = {},
): Promise<MergedWeights> {
  checkOptions("merge", options, { ...LISTENER, dtype: true, alpha: true, timm: true, overwrite: true });
  const { mergeAdapter: merge } = await import("../run/merge.ts");
  const { dtype, alpha, timm, overwrite } = options;
  const reporter = listener(options);
  const merged = await toPrograms(() => merge({ encoder, adapter, out, dtype, alpha, timm, overwrite }, reporter));
  if ("notes" in merged) merged.notes.forEach(reporter.warn);
  return { file: out, bytes: merged.bytes, tensors: merged.tensors };
}
