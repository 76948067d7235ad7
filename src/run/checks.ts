/**
 * What tells whether files of a run belong together, beside their checksums.
 *
 * @module
 */

import { disk, readText } from "../io/fs.ts";
import { MANIFEST, readManifest } from "../io/manifest.ts";
import type { FoundCheckpoint } from "../train/run.ts";
import { checkConfigText } from "./start.ts";

/** Whether all files of a run can be compared with what training wrote. */
export function isChecked(run: string, { checked }: Pick<FoundCheckpoint, "checked">): boolean {
  return checked && readManifest(disk, run) !== undefined;
}

/** What a user should know of a run that is read. */
export function runWarnings(
  run: string,
  { checked, path, state }: Pick<FoundCheckpoint, "checked" | "path" | "state">,
): string[] {
  const { loop } = state as { readonly loop?: { readonly step?: number } };
  const moved = checkConfigText(run, readText(`${run}/config.yaml`));
  return [
    ...(moved === undefined ? [] : [moved]),
    // Weights of later stages may be those of the start.
    ...(readManifest(disk, run)?.complete === false
      ? [`${run} is not finished: ${path} is of step ${loop?.step ?? 0}; its train command goes on with it`]
      : []),
    ...(checked ? [] : [`${path} is of a version before and has no checksums: its files are read unchecked`]),
    ...(checked && !isChecked(run, { checked })
      ? [`${run} has no ${MANIFEST} of this program: all but its checkpoints is read unchecked`]
      : []),
  ];
}
