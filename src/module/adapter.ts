/**
 * Adapters as files: saved from a run, added to their base.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

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
