/**
 * Files of a job of slides beside those of each: settings, the summary and TRIDENT's logs.
 *
 * @module
 */

import type { SlideSettings } from "../embed/slide_job.ts";
import type { MadeBy } from "../embed/feature_table.ts";
import { disk, makeFolder, readText } from "../io/fs.ts";
import { compareBytes, gridFolder } from "../slides/names.ts";
import { summaryMarkdown } from "../slides/states.ts";
import { sha256Of } from "../io/checksum.ts";
import { readStates } from "./slide_states.ts";
import { parentOf } from "../io/output.ts";

/** The job. */
interface Of {
  readonly job: string;
  readonly settings: SlideSettings;
  readonly by: MadeBy;
  readonly licence: string;
  readonly folder: string;
}

/** Settings of the job, where TRIDENT has its own. */
export function writeConfigs({ job, settings, by, licence, folder }: Of, tissueGiven: boolean): void {
  const grid = gridFolder(settings.kind);
  const configs: Record<string, unknown> = {
    "_config_segmentation.json": {
      tissue: settings.tissue,
      given: tissueGiven,
      everywhere: settings.everywhere,
    },
    [`${grid}/_config_coords.json`]: { ...settings.kind, ...settings.choice },
    [`${grid}/_config_feats_${folder}.json`]: { ...by, licence, edge: settings.edge, badTiles: settings.badTiles },
  };
  const id = sha256Of(JSON.stringify(configs)).slice(0, 12);
  for (const [path, config] of [...Object.entries(configs), [`runs/${id}.json`, configs]] as [string, unknown][]) {
    makeFolder(parentOf(`${job}/${path}`));
    disk.write(`${job}/${path}`, `${JSON.stringify(config, undefined, 1)}\n`);
  }
}

/** What is said of features, by the settings of those who made them; nothing where these cannot be read. */
function aboutOf(job: string, features: string): [string, string][] {
  const [grid, folder] = features.split("/features_") as [string, string];
  let said: Record<string, unknown> = {};
  try {
    said = JSON.parse(readText(`${job}/${grid}/_config_feats_${folder}.json`)) ?? {};
  } catch { /* another program's, or gone */ }
  return [
    ["encoder", String(said["encoder"] ?? folder)],
    ["licence of its weights", String(said["licence"] ?? "not known")],
    ["adapter", String(said["adapter"] ?? "none")],
    ["grid", grid],
  ];
}

/** The summary of all slides of the job, those of other runs, grids and encoders among them, and TRIDENT's logs. */
export function writeSummary({ job, settings, folder }: Of): void {
  const states = readStates(job).filter(({ features }) => features !== undefined);
  const parts = [...Map.groupBy(states, ({ features }) => features!)].sort(([a], [b]) => compareBytes(a, b));
  const summary = parts.map(([features, states]) => [features, { states, about: aboutOf(job, features) }] as const);
  disk.write(`${job}/summary.md`, summaryMarkdown(new Map(summary)));
  const grid = gridFolder(settings.kind);
  const own = states.filter(({ features }) => features === `${grid}/features_${folder}`);
  const log = own.map(({ name, status, reason }) => `${name}: ${status}${reason ? `: ${reason}` : ""}\n`).join("");
  for (const path of ["_logs_segmentation.txt", `${grid}/_logs_coords.txt`, `${grid}/_logs_feats_${folder}.txt`]) {
    disk.write(`${job}/${path}`, log);
  }
}
