/**
 * Deno as the host of a training run.
 *
 * @module
 */

import { disk, makeFolder, openFile } from "../io/fs.ts";
import { lockFile } from "../io/lock.ts";
import type { Host } from "../train/host.ts";
import type { RunStore } from "../train/run.ts";
import { openPatchPool } from "../worker/patch_pool.ts";
import { DataMark } from "./data_mark.ts";
import { checkEncoder, openEncoder } from "./encoder.ts";
import { checkFolder } from "../io/output.ts";
import type { Reporter } from "../core/reporter.ts";
import { checkCheckpointFile, checkWhole, findCheckpoint, writeCheckpoint } from "./checkpoints.ts";
import { markMetrics } from "./start.ts";

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
