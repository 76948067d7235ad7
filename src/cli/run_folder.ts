/**
 * The folder of a training run: checkpoints that are there whole or not at all, and what an earlier run left.
 *
 * A checkpoint is written beside the one it replaces and then takes its name: `last.new` becomes `last`, the old one goes by
 * way of `last.old`. Whenever the process dies, at least one of the three is whole, and `trainer_state.json`, written last,
 * says which.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type ReadFile, STATE_FILE } from "../train/checkpoint.ts";

/** Kinds of checkpoints. */
export type CheckpointName = "last" | "best";

/** Names a checkpoint can have, the one to be preferred first. */
const candidates = (path: string) => [path, `${path}.new`, `${path}.old`];

/** The folder of one checkpoint of a run. */
export function checkpointPath(run: string, name: CheckpointName): string {
  return `${run}/checkpoints/${name}`;
}

/** Writes a file and waits until it is on the disk. */
function writeThrough(path: string, data: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (let at = 0; at < data.length;) at += file.writeSync(data.subarray(at));
  file.syncSync();
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function removeFolder(path: string): void {
  if (exists(path)) Deno.removeSync(path, { recursive: true });
}

/**
 * Writes a checkpoint. The one it replaces stays as it is unless all of it could be written.
 *
 * @param state Goes into `trainer_state.json`.
 * @throws {DataError} If the disk is full or cannot be written, naming the checkpoint that is left.
 */
export function writeCheckpoint(
  run: string,
  name: CheckpointName,
  files: ReadonlyMap<string, Uint8Array>,
  state: unknown,
): void {
  const path = checkpointPath(run, name);
  const [, fresh, old] = candidates(path) as [string, string, string];
  try {
    removeFolder(fresh);
    Deno.mkdirSync(fresh, { recursive: true });
    for (const [file, data] of files) writeThrough(`${fresh}/${file}`, data);
    writeThrough(`${fresh}/${STATE_FILE}`, new TextEncoder().encode(`${JSON.stringify(state, null, 2)}\n`));
  } catch (cause) {
    try {
      removeFolder(fresh);
    } catch { /* what is left of it has no state and is never taken for a checkpoint */ }
    const left = exists(`${path}/${STATE_FILE}`) ? `; the checkpoint before it is intact in ${path}` : "";
    throw new DataError(`Cannot write checkpoint ${path}: ${(cause as Error).message}${left}`, {
      code: "file-access",
      hint: "Make room on the disk and give the same command again: it goes on from the last checkpoint",
      context: { file: path },
      cause,
    });
  }
  removeFolder(old);
  if (exists(path)) Deno.renameSync(path, old);
  Deno.renameSync(fresh, path);
  removeFolder(old);
}

/** A checkpoint that was found. */
export interface FoundCheckpoint {
  readonly path: string;
  /** What `trainer_state.json` holds. */
  readonly state: unknown;
  readonly read: ReadFile;
}

/** Reads files of a folder. */
export function filesIn(path: string): ReadFile {
  return (name) => (exists(`${path}/${name}`) ? Deno.readFileSync(`${path}/${name}`) : undefined);
}

/** The checkpoint of a name; undefined if there is no whole one. @throws {DataError} If its state is no JSON. */
export function findCheckpoint(run: string, name: CheckpointName): FoundCheckpoint | undefined {
  for (const path of candidates(checkpointPath(run, name))) {
    const read = filesIn(path);
    const bytes = read(STATE_FILE);
    if (!bytes) continue;
    try {
      return { path, state: JSON.parse(new TextDecoder().decode(bytes)), read };
    } catch (cause) {
      throw new DataError(`Cannot read ${path}/${STATE_FILE}: ${(cause as Error).message}`, {
        context: { file: `${path}/${STATE_FILE}` },
        cause,
      });
    }
  }
  return undefined;
}

/** What a run folder is to a new command. */
export type RunStatus = "new" | "unfinished" | "finished";

/** Looks at a run folder. */
export function runStatus(run: string): RunStatus {
  if (exists(`${run}/run.json`)) return "finished";
  return exists(`${run}/config.yaml`) ? "unfinished" : "new";
}

/**
 * Makes a run folder, empties one that is to be written over, and refuses a finished one or one of another configuration.
 *
 * @param config Text of the resolved configuration.
 * @returns Whether an earlier run is to be gone on with.
 * @throws {ConfigError} If the folder may not be used.
 */
export function prepareRun(run: string, config: string, overwrite: boolean): boolean {
  const status = runStatus(run);
  if (overwrite) {
    for (const name of ["checkpoints", "evaluation"]) removeFolder(`${run}/${name}`);
    for (const name of ["run.json", "config.yaml", "report.html"]) removeFolder(`${run}/${name}`);
  } else if (status === "finished") {
    throw new ConfigError(`Cannot write to ${run}: it holds a finished run`, {
      hint: "Pass --overwrite, or another --out",
      context: { given: run },
    });
  } else if (status === "unfinished") {
    const before = Deno.readTextFileSync(`${run}/config.yaml`);
    // A run that left no checkpoint, such as one whose data were refused, may be begun anew with other settings.
    if (before !== config && findCheckpoint(run, "last")) {
      const other = before.split("\n").find((line, i) => line !== config.split("\n")[i]) ?? "";
      throw new ConfigError(
        `Cannot go on with ${run}: it was begun with another configuration (${other.split("#")[0]!.trim()})`,
        { hint: "Give the command it was begun with, or --overwrite", context: { given: run } },
      );
    }
    if (before === config) return true;
  }
  Deno.mkdirSync(run, { recursive: true });
  writeThrough(`${run}/config.yaml`, new TextEncoder().encode(config));
  return false;
}
