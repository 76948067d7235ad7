/**
 * What shapes training, as a checkpoint keeps it: a checkpoint of another run is recognised by it.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { STATE_FILE } from "./checkpoint.ts";
import type { Value } from "../core/config_key.ts";

/** Values of keys by name. */
export type TrainingSettings = Readonly<Record<string, Value>>;

/** Keys that say where things lie, which are known by their content, and how work is spread, which changes no number. */
const CIRCUMSTANCES: ReadonlySet<string> = new Set(
  [
    "method",
    "data",
    "slides",
    "volumes",
    "encoder",
    "adapter",
    "omics",
    "out",
    "cache_dir",
    "cache_budget",
    "workers",
    "ignore_keys",
  ],
);

/** Keys that came after version 0.1, with the value that changes nothing: checkpoints name them only where it is another. */
const LATER: TrainingSettings = {
  gene_centre: false,
  ema: 0,
  batch_samples: "mixed",
  control_head: false,
  label_column: null,
  probe_neighbours: null,
  copy_sample: null,
  copy_weight: 0.3,
  copy_spots: 9,
};

/** What shapes training: all that is to be the same when a run goes on. */
export function trainingSettings(config: object): TrainingSettings {
  const all = Object.values(config).flatMap((group) => Object.entries(group as Record<string, Value>));
  return Object.fromEntries(all.filter(([name, value]) => !CIRCUMSTANCES.has(name) && LATER[name] !== value));
}

/**
 * Compares the settings that a checkpoint was trained with to those of its run; checkpoints of earlier versions say none, and
 * keys that only one of two versions has are not compared.
 *
 * @throws {DataError} If it is of another run.
 */
export function checkSettings(
  { path, state }: { readonly path: string; readonly state: unknown },
  given: TrainingSettings,
): void {
  const { settings: found } = (state ?? {}) as { settings?: TrainingSettings };
  if (found === undefined) return;
  const [settings, own] = [{ ...LATER, ...found }, { ...LATER, ...given }];
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
