/**
 * The beginning and the end of a run's folder: whether it may be written to, what an earlier process left, and the manifest
 * that marks it as finished.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { entryAt } from "../host/files.ts";
import { removeLeftTemporaries } from "../io/atomic.ts";
import { damaged, type FileMark, markOf, markOfFile, sha256Of } from "../io/checksum.ts";
import type { Disk } from "../io/disk.ts";
import { disk, makeFolder, readText } from "../io/fs.ts";
import { checkFile, MANIFEST, type Manifest, readManifest, writeManifest } from "../io/manifest.ts";
import type { RunFolder } from "../report/evidence_write.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import { STATE_FILE } from "../train/checkpoint.ts";
import { METRIC_FILES, type MetricMarks } from "../train/metrics.ts";
import {
  checkPlaces,
  CHECKPOINT_FOLDERS,
  firstOfOurNames,
  removeEmpty,
  removeFiles,
  RUN_FILES,
  RUN_FOLDERS,
} from "./owned_files.ts";
import { checkWhole, findCheckpoint, recoverCheckpoints, removeCheckpoint } from "./checkpoints.ts";
import type { Resolve, RunStart } from "./train.ts";

/** Fact of the manifest: SHA-256 of the configuration without the line that names the folder, which may move. */
const SETTINGS = "settings";

/** States of a finished run's checkpoints, which tie these to the run: each marks the files of its own checkpoint alone. */
const STATES: readonly string[] = ["last", "best"].map((kind) => `checkpoints/${kind}/${STATE_FILE}`);

/** What a run folder is to a new command. */
export type RunStatus = "new" | "unfinished" | "finished";

const there = (path: string) => entryAt(path) !== undefined;

/** Whether a folder without a manifest holds a run of a version before: its state or facts have the shape of ours. */
function isOldRun(run: string): boolean {
  const json = (path: string): Record<string, unknown> => {
    try {
      return JSON.parse(readText(`${run}/${path}`)) ?? {};
    } catch {
      return {};
    }
  };
  const states = CHECKPOINT_FOLDERS.map((folder) => json(`${folder}/trainer_state.json`));
  return there(`${run}/${EVIDENCE.config}`) &&
    (states.some(({ format, loop, metrics }) => format === 1 && loop && metrics) ||
      String(json(EVIDENCE.facts).command ?? "").startsWith("deno task train"));
}

/** What a folder is. The report can be made again: it does not count. */
function statusOf(run: string, manifest: Manifest | undefined): RunStatus {
  const config = there(`${run}/${EVIDENCE.config}`);
  if (manifest) {
    const all = Object.keys(manifest.files).filter((path) => path !== EVIDENCE.report && !STATES.includes(path));
    if (manifest.complete && all.every((path) => there(`${run}/${path}`))) return "finished";
  } else if (config && there(`${run}/${EVIDENCE.facts}`)) return "finished";
  return config ? "unfinished" : "new";
}

/** The configuration without the line that names the folder. */
function settingsOf(config: string): string {
  return sha256Of(config.replace(/^ {2}out:.*$/m, ""));
}

function sameConfig(before: string, config: string, resolve: Resolve): boolean {
  if (before === config) return true;
  try {
    // Another version explains keys in other words.
    return resolve(before) === config;
  } catch {
    return false;
  }
}

/** Removes what dead processes left under temporary names. */
function sweep(run: string): void {
  for (const folder of ["", ...RUN_FOLDERS]) {
    removeLeftTemporaries(
      folder === "" ? run : `${run}/${folder}`,
      (base) => RUN_FILES.includes(folder === "" ? base : `${folder}/${base}`),
    );
  }
}

/** Looks into a folder that a process may have died in, and finishes what that began. The caller holds its lock. */
function recover(run: string): Manifest | undefined {
  checkPlaces(run);
  const manifest = readManifest(disk, run);
  if (!manifest && !isOldRun(run)) return undefined;
  sweep(run);
  recoverCheckpoints(run);
  return manifest;
}

/**
 * A finished run of the same configuration: all of it is compared with its checksums.
 *
 * @returns Whether it has its report; undefined if the folder holds no such run.
 * @throws {DataError} If a file is not what was written.
 */
export function finishedRun(run: string, config: string, resolve: Resolve): { report: boolean } | undefined {
  const manifest = recover(run);
  if (statusOf(run, manifest) !== "finished" || !(manifest || isOldRun(run))) return undefined;
  const text = readText(`${run}/${EVIDENCE.config}`);
  if (!sameConfig(text, config, resolve)) return undefined;
  const ownConfig = (path: string) => path === EVIDENCE.config;
  for (const path of Object.keys(manifest?.files ?? {})) {
    // The configuration is the command's, whatever was there; the report is made again.
    if (!ownConfig(path) && path !== EVIDENCE.report) checkFile(disk, manifest, run, path);
  }
  for (const name of ["best", "last"] as const) {
    const found = findCheckpoint(run, name);
    if (found) checkWhole(found);
  }
  if (manifest && text !== config) disk.write(`${run}/${EVIDENCE.config}`, config);
  if (manifest) completeManifest(run, [EVIDENCE.config]);
  return { report: reportIsWhole(run, manifest) };
}

function reportIsWhole(run: string, manifest: Manifest | undefined): boolean {
  if (!there(`${run}/${EVIDENCE.report}`)) return false;
  try {
    checkFile(disk, manifest, run, EVIDENCE.report);
    return true;
  } catch {
    return false;
  }
}

/**
 * Looks at a run folder, and refuses a finished one, one of another configuration, and one that is not the program's.
 *
 * @param config Text of the resolved configuration.
 * @throws {ConfigError} If the folder may not be used.
 * @throws {DataError} If what an earlier run left is damaged.
 */
export function startRun(run: string, config: string, overwrite: boolean, resolve: Resolve): RunStart {
  const anew = () => {
    makeFolder(run);
    // Of a process that died before it had a manifest.
    removeLeftTemporaries(run, () => false);
    begin(run, config, {});
  };
  if (overwrite) {
    checkPlaces(run);
    return { resume: false, begin: () => (clear(run), anew()) };
  }
  const manifest = recover(run);
  const foreign = manifest || isOldRun(run) ? undefined : firstOfOurNames(run);
  if (foreign !== undefined) {
    throw new ConfigError(`Cannot write to ${run}: it holds ${foreign}, which this program did not write there`, {
      code: "output-exists",
      hint: "Pass another --out; with --overwrite files of such names are replaced, and all others stay",
      context: { given: run, path: `${run}/${foreign}` },
    });
  }
  const status = statusOf(run, manifest);
  if (status === "finished") {
    // Another configuration, or this one damaged?
    const before = readText(`${run}/${EVIDENCE.config}`);
    checkConfigText(run, before, manifest);
    const other = sameConfig(before, config, resolve) ? "" : ` of another configuration (${differing(before, config)})`;
    throw new ConfigError(`Cannot write to ${run}: it holds a finished run${other}`, {
      hint: "Pass --overwrite, or another --out",
      context: { given: run },
    });
  }
  const files = status === "unfinished" ? filesToKeep(run, config, manifest, resolve) : undefined;
  if (files === undefined) return { resume: false, begin: anew };
  return { resume: true, begin: () => begin(run, config, files) };
}

/** The first setting in which two configurations differ: what was, and what is where that is of the same key. */
function differing(before: string, config: string): string {
  const lines = (text: string) => text.split("\n").map((line) => line.split("#")[0]!.trim());
  const [was, is] = [lines(before), lines(config)];
  const at = was.findIndex((line, i) => line !== is[i]);
  const [line = "", key] = [is[at], is[at]?.match(/^[^:]+: /)?.[0]];
  return key !== undefined && was[at]?.startsWith(key) ? `${was[at]}, now ${line.slice(key.length)}` : was[at] ?? "";
}

/**
 * What an unfinished run of this configuration has; undefined if it is to be begun anew.
 *
 * @throws {ConfigError} If it has another configuration.
 */
function filesToKeep(
  run: string,
  config: string,
  manifest: Manifest | undefined,
  resolve: Resolve,
): Manifest["files"] | undefined {
  const path = `${run}/${EVIDENCE.config}`;
  const before = readText(path);
  if (sameConfig(before, config, resolve)) {
    const files = { ...manifest?.files };
    // Without a checkpoint the metrics are begun anew.
    if (!findCheckpoint(run, "last")) { for (const name of Object.values(METRIC_FILES)) delete files[name]; }
    return files;
  }
  // A run that left no checkpoint, such as one whose data were refused, may be begun anew with other settings.
  if (!findCheckpoint(run, "last")) return undefined;
  checkConfigText(run, before, manifest);
  throw new ConfigError(
    `Cannot go on with ${run}: it was begun with another configuration (${differing(before, config)})`,
    { hint: "Give the command it was begun with, or --overwrite", context: { given: run } },
  );
}

/** Writes the manifest before the first file it names. */
function begin(run: string, config: string, files: Manifest["files"]): void {
  const path = `${run}/${EVIDENCE.config}`;
  const mark = markOf(new TextEncoder().encode(config));
  const lasting = Object.entries(files).filter(([name]) => !STATES.includes(name));
  writeManifest(disk, run, {
    complete: false,
    files: { ...Object.fromEntries(lasting), [EVIDENCE.config]: mark },
    facts: { [SETTINGS]: settingsOf(config) },
  });
  if (!there(path) || readText(path) !== config) disk.write(path, config);
}

/** Removes the files of an earlier run; what the program did not write stays. */
function clear(run: string): void {
  const listed = (() => {
    try {
      return Object.keys(readManifest(disk, run)?.files ?? {});
    } catch {
      return []; // A damaged list: the names of the contract are known without it.
    }
  })();
  sweep(run);
  for (const folder of CHECKPOINT_FOLDERS) removeCheckpoint(`${run}/${folder}`);
  // The manifest goes last: until then the folder is the program's.
  const isPlain = (path: string) => !path.split(/[/\\]/).some((part) => part === "" || part === "." || part === "..");
  removeFiles(run, [...listed.filter(isPlain), ...RUN_FILES.filter((path) => path !== MANIFEST)]);
  removeFiles(run, [MANIFEST]);
  removeEmpty([...RUN_FOLDERS].reverse().map((folder) => `${run}/${folder}`));
}

/**
 * The text of a run's configuration, compared with the manifest.
 *
 * @returns A warning, if it names another folder than when it was written.
 * @throws {DataError} If it is not what was written.
 */
export function checkConfigText(run: string, text: string, manifest = readManifest(disk, run)): string | undefined {
  const wanted = manifest?.files[EVIDENCE.config];
  if (!wanted) return undefined;
  const found = markOf(new TextEncoder().encode(text));
  if (found.sha256 === wanted.sha256) return undefined;
  const path = `${run}/${EVIDENCE.config}`;
  if (settingsOf(text) === manifest?.facts[SETTINGS]) return `${path} names another folder than when it was written`;
  throw damaged(path, `${run}/${MANIFEST}`, found, wanted, "Bring it back from a copy, or train anew with --overwrite");
}

/**
 * Compares the state of a checkpoint with the manifest of a finished run: a whole checkpoint of another run is none of it.
 *
 * @throws {DataError} If it is not the one the run ended with.
 */
export function checkState(run: string, checkpoint: string): void {
  const path = `${checkpoint.slice(run.length + 1)}/${STATE_FILE}`;
  const manifest = readManifest(disk, run);
  if (manifest?.complete && STATES.includes(path)) checkFile(disk, manifest, run, path);
}

/** Marks the metrics as they are at a checkpoint, for those who read an unfinished run. */
export function markMetrics(run: string, marks: MetricMarks): void {
  const manifest = readManifest(disk, run);
  if (!manifest) return;
  const named = Object.entries(marks).map(([form, mark]) => [METRIC_FILES[form as keyof MetricMarks], mark] as const);
  writeManifest(disk, run, { ...manifest, files: { ...manifest.files, ...Object.fromEntries(named) } });
}

/** A run's folder whose manifest names every file before it is written. */
export function journalled(run: RunFolder): RunFolder {
  const note = (path: string) => {
    const below = path.slice(run.path.length + 1);
    const manifest = readManifest(run.disk, run.path);
    if (!manifest || manifest.files[below] === null) return;
    writeManifest(run.disk, run.path, { ...manifest, files: { ...manifest.files, [below]: null } });
  };
  const noted: Disk = {
    ...run.disk,
    write(path, data) {
      note(path);
      run.disk.write(path, data);
    },
    writeAnywhere(path, fill) {
      note(path);
      run.disk.writeAnywhere(path, fill);
    },
  };
  return { ...run, disk: noted };
}

/**
 * Marks files of a run; all of those it has when none is named, which makes the run complete: the last thing that is written.
 *
 * @throws {DataError} If the folder has no manifest.
 */
export function completeManifest(run: string, only?: readonly string[]): void {
  const manifest = readManifest(disk, run);
  if (!manifest) {
    throw new DataError(`Cannot finish ${run}: ${MANIFEST} is missing, it was removed meanwhile`, {
      hint: "Give the same command again",
      context: { file: `${run}/${MANIFEST}` },
    });
  }
  const paths = only ?? [...new Set([...Object.keys(manifest.files), ...Object.values(METRIC_FILES), ...STATES])];
  const marks = paths.filter((path) => there(`${run}/${path}`))
    .map((path): [string, FileMark] => [path, markOfFile(disk, `${run}/${path}`)]);
  const kept = only ? manifest.files : {};
  const files = { ...kept, ...Object.fromEntries(marks) };
  const facts = { [SETTINGS]: settingsOf(readText(`${run}/${EVIDENCE.config}`)) };
  const next = { complete: manifest.complete || !only, files, facts };
  if (JSON.stringify(next) !== JSON.stringify(manifest)) writeManifest(disk, run, next);
}
