/**
 * Which files in an output folder are the program's own: only those are ever replaced or removed; what it never wrote stays.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { entryAt, removeEntry, renameEntry } from "../host/files.ts";
import { syncFolder } from "../io/atomic.ts";
import { disk } from "../io/fs.ts";
import { MANIFEST } from "../io/manifest.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import { methodFiles } from "../methods/index.ts";
import { SHARED_FILES } from "../train/checkpoint.ts";
import { METRIC_FILES } from "../train/metrics.ts";
import { PREDICTOR_FILES } from "../evidence/predictor.ts";

/** Files at the top of a run's folder. */
export const TOP_FILES: readonly string[] = [
  MANIFEST,
  EVIDENCE.config,
  ...Object.values(METRIC_FILES),
  EVIDENCE.facts,
  EVIDENCE.report,
];

/** Files below the top whose names do not depend on the data. */
const EVIDENCE_FILES = [
  EVIDENCE.results,
  EVIDENCE.maps,
  EVIDENCE.gallery,
  EVIDENCE.embedding,
  EVIDENCE.cases,
  EVIDENCE.outputs,
  EVIDENCE.cohort,
  EVIDENCE.attentionCases,
  ...Object.values(PREDICTOR_FILES),
] as const;

/** Names that files of a checkpoint can have. */
export const CHECKPOINT_FILES: readonly string[] = [...SHARED_FILES, ...methodFiles()];

/** Folders a checkpoint can lie in, below the run's. */
export const CHECKPOINT_FOLDERS: readonly string[] = ["last", "best"].flatMap((kind) =>
  ["", ".new", ".old"].map((ending) => `checkpoints/${kind}${ending}`)
);

/** Folders of a run, parents first. */
export const RUN_FOLDERS: readonly string[] = [
  "checkpoints",
  ...CHECKPOINT_FOLDERS,
  "evaluation",
  EVIDENCE.predictions,
  EVIDENCE.thumbnails,
  EVIDENCE.patches,
  EVIDENCE.attention,
  EVIDENCE.attentionImages,
  EVIDENCE.attentionMaps,
];

/** Paths of the contract below a run's folder. */
export const RUN_FILES: readonly string[] = [
  ...TOP_FILES,
  ...EVIDENCE_FILES,
  ...CHECKPOINT_FOLDERS.flatMap((folder) => CHECKPOINT_FILES.map((name) => `${folder}/${name}`)),
];

/**
 * Makes sure that what stands at the names of a run's files and folders can be such: no link, no folder for a file.
 *
 * @throws {ConfigError} Naming what is in the way.
 */
export function checkPlaces(run: string): void {
  const wrong = (path: string, found: string, wanted: string) => {
    throw new ConfigError(`Cannot write to ${run}: ${path} is ${found}, wanted ${wanted}`, {
      hint: "Remove it, or pass another --out",
      context: { given: run, path: `${run}/${path}` },
    });
  };
  for (const path of RUN_FOLDERS) {
    const entry = entryAt(`${run}/${path}`);
    if (entry?.isSymlink) wrong(path, "a symbolic link", "a folder");
    if (entry && !entry.isDirectory) wrong(path, "a file", "a folder");
  }
  for (const path of RUN_FILES) {
    const entry = entryAt(`${run}/${path}`);
    if (entry?.isDirectory) wrong(path, "a folder", "a file");
  }
}

/** The first thing of a run's names that lies in a folder; undefined if nothing does. */
export function firstOfOurNames(run: string): string | undefined {
  const taken = [...TOP_FILES, ...CHECKPOINT_FOLDERS, ...EVIDENCE_FILES];
  return taken.find((path) => entryAt(`${run}/${path}`) !== undefined);
}

/** Names in a folder, sorted; none where there is no folder. */
export function namesIn(folder: string): string[] {
  const entry = entryAt(folder)?.isDirectory ? disk.look(folder) : undefined;
  return entry?.kind === "folder" ? entry.names : [];
}

/** Removes files by their paths below a folder; links themselves, not what they lead to. */
export function removeFiles(folder: string, paths: Iterable<string>): void {
  for (const path of paths) {
    const entry = entryAt(`${folder}/${path}`);
    if (entry && !entry.isDirectory) removeEntry(`${folder}/${path}`);
  }
}

/** Removes folders that are empty. */
export function removeEmpty(folders: Iterable<string>): void {
  for (const folder of folders) {
    if (entryAt(folder)?.isDirectory && namesIn(folder).length === 0) removeEntry(folder);
  }
}

/** Moves what is not ours from one folder to another where that has nothing of the name. */
export function carryForeign(from: string, to: string, isOurs: (name: string) => boolean): void {
  for (const name of namesIn(from)) {
    if (!isOurs(name) && entryAt(`${to}/${name}`) === undefined) renameEntry(`${from}/${name}`, `${to}/${name}`);
  }
  syncFolder(to);
}
