/**
 * Files of a job of slides beside those of each: settings, the summary and TRIDENT's logs.
 *
 * @module
 */

import type { SlideSettings } from "../embed/slide_job.ts";
import type { MadeBy } from "../embed/feature_table.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { gridFolder } from "../slides/names.ts";
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

/** The summary of all slides of the job, those of other runs among them, and TRIDENT's logs. */
export function writeSummary({ job, settings, by, licence, folder }: Of): void {
  const states = readStates(job);
  const about: [string, string][] = [
    ["encoder", by.encoder],
    ["licence of its weights", licence],
    ["adapter", by.adapter ?? "none"],
    ["grid", gridFolder(settings.kind)],
  ];
  disk.write(`${job}/summary.md`, summaryMarkdown(states, about));
  const log = states.map(({ name, status, reason }) => `${name}: ${status}${reason ? `: ${reason}` : ""}\n`).join("");
  const grid = gridFolder(settings.kind);
  for (const path of ["_logs_segmentation.txt", `${grid}/_logs_coords.txt`, `${grid}/_logs_feats_${folder}.txt`]) {
    disk.write(`${job}/${path}`, log);
  }
}
