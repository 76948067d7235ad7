/**
 * Where a training run goes when nothing was said.
 *
 * @module
 */

import type { AnyMethod, AnyRunConfig } from "../methods/method.ts";

/** The run folder of a configuration: as it says, else named after what is trained. */
export function runFolderOf(method: Pick<AnyMethod, "runName">, config: AnyRunConfig): string {
  return config.input.out ?? `runs/${method.runName(config).replace(/[^\w.-]+/g, "_").replace(/^_+|_+$/g, "")}`;
}
