/**
 * Deno as the host of a training run, and its file system as the home of one.
 *
 * @module
 */

import { disk, makeFolder, openFile } from "../io/fs.ts";
import { lockFile, lockFolder } from "../io/lock.ts";
import type { Host } from "../train/host.ts";
import type { RunStore } from "../train/run.ts";
import { openPatchPool } from "../worker/patch_pool.ts";
import { DataMark } from "./data_mark.ts";
import { checkEncoder, openEncoder } from "./encoder.ts";
import { checkFolder } from "../io/output.ts";
import type { Reporter } from "../core/reporter.ts";
import { checkCheckpointFile, checkWhole, findCheckpoint, writeCheckpoint } from "./checkpoints.ts";
import { runFolder } from "./folder.ts";
import { completeManifest, finishedRun, journalled, markMetrics, startRun } from "./start.ts";
import type { RunHome } from "./train.ts";

/** The host of a command. */
export function hostOf(progress: Reporter, signal?: AbortSignal): Host {
  return {
    disk,
    reporter: progress,
    signal,
    openFile,
    checkEncoder,
    checkFolder,
    openEncoder,
    openPatches: (table, workers) => openPatchPool(table, { workers }),
    markData: (set) => DataMark.of(set, progress),
    markFiles: (paths) => DataMark.ofFiles(paths, progress),
    checkFile: checkCheckpointFile,
    makeFolder,
    lock: (path) => lockFile(path, "train"),
  };
}

/** A run's folder. @param held Asked before a checkpoint is written: whether the folder is still this process's. */
export function runStore(path: string, held: () => void = () => {}): RunStore {
  return {
    disk,
    path,
    find: (name) => findCheckpoint(path, name),
    checkWhole,
    write: (name, files, state) => writeCheckpoint(path, name, files, state),
    markMetrics: (marks) => markMetrics(path, marks),
    held,
  };
}

/** A run's folder as training keeps it: one process at a time, whole files with checksums, resumed after a crash. */
export function runHome(path: string): RunHome {
  const folder = runFolder(path);
  return {
    path,
    folder,
    noted: journalled(folder),
    lock: () => lockFolder(path, "train"),
    finished: (config, resolve) => finishedRun(path, config, resolve),
    start: (config, overwrite, resolve) => startRun(path, config, overwrite, resolve),
    store: (held) => runStore(path, held),
    complete: (only) => completeManifest(path, only),
  };
}
