/**
 * What tells whether files of a run belong together, beside their checksums.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { disk } from "../io/fs.ts";
import { MANIFEST, readManifest } from "../io/manifest.ts";
import { STATE_FILE } from "../train/checkpoint.ts";
import { type TrainConfig, type TrainingSettings, trainingSettings } from "../train/config.ts";
import type { FoundCheckpoint } from "./run_folder.ts";
import { checkConfigText } from "./run_start.ts";

/**
 * Compares the settings that a checkpoint was trained with to those of its run; checkpoints of versions before say none, and
 * keys that only one of two versions has are not compared.
 *
 * @throws {DataError} If it is of another run.
 */
export function checkSettings({ path, state }: Pick<FoundCheckpoint, "path" | "state">, config: TrainConfig): void {
  const { settings } = (state ?? {}) as { settings?: TrainingSettings };
  if (settings === undefined) return;
  const own = trainingSettings(config);
  const text = (of: TrainingSettings, key: string) => JSON.stringify(of[key]);
  const key = Object.keys(own).find((name) =>
    Object.hasOwn(settings, name) && text(settings, name) !== text(own, name)
  );
  if (key === undefined) return;
  const file = `${path}/${STATE_FILE}`;
  throw new DataError(
    `Cannot use ${file}: it was trained with ${key}=${text(settings, key)}, the run has ${text(own, key)}`,
    {
      code: "foreign-checkpoint",
      hint: "It is another run's: bring the run's own back from a copy, or train anew with --overwrite",
      context: { file, key, given: settings[key], wanted: own[key] },
    },
  );
}

/** Whether all files of a run can be compared with what training wrote. */
export function isChecked(run: string, { checked }: Pick<FoundCheckpoint, "checked">): boolean {
  return checked && readManifest(disk, run) !== undefined;
}

/** What a user should know of a run that is read. */
export function runWarnings(run: string, { checked, path }: Pick<FoundCheckpoint, "checked" | "path">): string[] {
  const moved = checkConfigText(run, Deno.readTextFileSync(`${run}/config.yaml`));
  return [
    ...(moved === undefined ? [] : [moved]),
    ...(checked ? [] : [`${path} is of a version before and has no checksums: its files are read unchecked`]),
    ...(checked && !isChecked(run, { checked })
      ? [`${run} has no ${MANIFEST} of this program: all but its checkpoints is read unchecked`]
      : []),
  ];
}
