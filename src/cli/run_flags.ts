/**
 * Flags of the commands that use a trained run.
 *
 * @module
 */

import { runSettings } from "../run/open.ts";
import { COMMON, type Flags } from "./args.ts";

/** The flags. */
export const RUN_FLAGS = {
  run: { kind: "text", value: "DIR", help: "folder of a training run" },
  checkpoint: { kind: "choice", of: ["best", "last"], default: "best", help: "which of its checkpoints" },
  data: { kind: "list", value: "DIR", help: "folder in HEST's layout: st, patches, metadata" },
  samples: { kind: "text", value: "ID,ID,…", help: "only these samples" },
  encoder: { kind: "text", value: "PATH", help: "the encoder's weights, if elsewhere than at training" },
  organ: { kind: "text", value: "NAME", help: "organ of all samples, for models with an organ token" },
  "batch-size": {
    ...COMMON["batch-size"],
    help: "patches a batch; 64, on software 8",
  },
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  backend: COMMON.backend,
  tuning: COMMON.tuning,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** The encoder that a command line with a run opens. */
export async function encodersOf(
  { flags: { run, encoder } }: { flags: { run?: string | undefined; encoder?: string | undefined } },
): Promise<readonly string[]> {
  if (encoder !== undefined) return [encoder];
  if (run === undefined) return [];
  const { method, config } = await runSettings(run);
  return method.encoders?.(config) ?? [];
}
