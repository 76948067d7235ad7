/**
 * The folder of a training run: where it goes when nothing was said, and how others see it.
 *
 * @module
 */

import { disk, makeFolder } from "../io/fs.ts";
import { trimmed } from "../io/output.ts";
import type { AnyMethod, AnyRunConfig } from "../methods/method.ts";
import type { RunFolder } from "../report/evidence_write.ts";

/** The run folder of a configuration: as it says, else named after what is trained. */
export function runFolderOf(method: Pick<AnyMethod, "runName">, config: AnyRunConfig): string {
  return config.input.out ?? `runs/${method.runName(config).replace(/[^\w.-]+/g, "_").replace(/^_+|_+$/g, "")}`;
}

/** A run's folder on this machine's file system. */
export function runFolder(path: string): RunFolder {
  return { path: trimmed(path), disk, makeFolder };
}
