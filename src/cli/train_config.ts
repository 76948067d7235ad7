/**
 * Where a training run goes when nothing was said.
 *
 * @module
 */

import type { SealConfig } from "../methods/seal/config.ts";

/** The run folder of a configuration: as it says, else named after the encoder. */
export function runFolderOf({ input: { out, encoder } }: Pick<SealConfig, "input">): string {
  return out ?? `runs/${encoder.replace(/[^\w.-]+/g, "_").replace(/^_+|_+$/g, "")}`;
}
