/**
 * The folder of a training run: checkpoints that are there whole or not at all, and what an earlier run left.
 *
 * A checkpoint is written beside the one it replaces and then takes its name: `last.new` becomes `last`, the old one goes by
 * way of `last.old`. Whenever the process dies, at least one of the three is whole, and `trainer_state.json`, written last,
 * says which; the next run finishes what was interrupted. That state also holds length and SHA-256 of every other file, and a
 * checksum of its own: nothing of a checkpoint is used that is not what was written.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { entryAt, renameEntry } from "../host/files.ts";
import { syncFolder, writeThrough } from "../io/atomic.ts";
import { damaged, type FileMark, isMark, markOf, markOfFile, openSealed, sealJson } from "../io/checksum.ts";
import { disk, makeMissing, readFile, readText } from "../io/fs.ts";
import { trimmed } from "../io/output.ts";
import { isTyped, systemError } from "../io/system_error.ts";
import { type ReadFile, STATE_FILE } from "../train/checkpoint.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { carryForeign, CHECKPOINT_FILES, namesIn, removeEmpty, removeFiles } from "./owned_files.ts";

const KINDS: readonly CheckpointName[] = ["last", "best"];
/** Formats of a state that are read. */
const FORMATS = [1, 2] as const;

/** Names a checkpoint can have, the one to be preferred first. */
const candidates = (path: string) => [path, `${path}.new`, `${path}.old`] as const;

/** The folder of one checkpoint of a run. */
export function checkpointPath(run: string, name: CheckpointName): string {
  return `${run}/checkpoints/${name}`;
}

/** The run that a path is, or lies in as one of its checkpoints does; undefined where there is none around it. */
export function runAround(path: string): string | undefined {
  const own = trimmed(path);
  const above = own.replace(/[/\\]checkpoints(?:[/\\](?:last|best))?$/, "");
  return [own, above].find((run) => exists(`${run}/config.yaml`) && exists(`${run}/checkpoints`));
}

const exists = (path: string) => entryAt(path) !== undefined;

/** Names in a checkpoint's folder that are the program's: those of the contract, and those its state lists. */
function ownNames(path: string): Set<string> {
  const names = new Set<string>(CHECKPOINT_FILES);
  try {
    const { files } = JSON.parse(readText(`${path}/${STATE_FILE}`));
    for (const name of Object.keys(files)) if (!/[/\\]/.test(name)) names.add(name);
  } catch { /* the names of the contract are enough */ }
  return names;
}

/** Removes a checkpoint and `more` of its files, where its state does not list them yet; what the program did not write there stays, and with it the folder. */
export function removeCheckpoint(path: string, more: Iterable<string> = []): void {
  if (!exists(path)) return;
  const own = [...ownNames(path), ...more];
  // The state goes first: what is left is no checkpoint.
  removeFiles(path, [STATE_FILE, ...own]);
  removeEmpty([path]);
}

/** Gives `.new` its name. What others put into the folder goes along. */
function takeName(path: string): void {
  const [, fresh, old] = candidates(path);
  const isOurs = (folder: string) => {
    const own = ownNames(folder);
    return (name: string) => own.has(name);
  };
  if (exists(path)) {
    removeCheckpoint(old);
    if (exists(old)) {
      carryForeign(old, path, () => false);
      removeEmpty([old]);
    }
    renameEntry(path, old);
  }
  renameEntry(fresh, path);
  syncFolder(path.replace(/\/[^/]*$/, ""));
  if (!exists(old)) return;
  carryForeign(old, path, isOurs(old));
  removeCheckpoint(old);
}

/**
 * Writes a checkpoint. The one it replaces stays as it is unless all of it could be written.
 *
 * @param state Goes into `trainer_state.json`, with the checksums of `files`.
 * @throws {DataError} If the disk is full or cannot be written, naming the checkpoint that is left.
 */
export function writeCheckpoint(
  run: string,
  name: CheckpointName,
  files: ReadonlyMap<string, Uint8Array>,
  state: object,
): void {
  const path = checkpointPath(run, name);
  const [, fresh] = candidates(path);
  try {
    removeCheckpoint(fresh, files.keys());
    makeMissing(fresh);
    for (const [file, data] of files) writeThrough(`${fresh}/${file}`, data);
    const marks = Object.fromEntries([...files].map(([file, data]) => [file, markOf(data)]));
    syncFolder(fresh);
    writeThrough(`${fresh}/${STATE_FILE}`, new TextEncoder().encode(sealJson({ ...state, files: marks })));
    syncFolder(fresh);
  } catch (cause) {
    try {
      removeCheckpoint(fresh, files.keys());
    } catch { /* what is left of it has no state and is never taken for a checkpoint */ }
    const left = exists(`${path}/${STATE_FILE}`) ? `; the checkpoint before it is intact in ${path}` : "";
    const error = systemError(cause, "write checkpoint", path, "write");
    if (!isTyped(error)) throw error;
    const { message, code, hint, context } = error;
    throw new DataError(`${message}${left}`, { code, ...(hint !== undefined && { hint }), context, cause });
  }
  takeName(path);
}

/**
 * State and checksums of a checkpoint's folder; undefined if it has no state.
 *
 * @throws {DataError} If that is damaged, or of another version.
 */
function stateIn(path: string): { state: Record<string, unknown>; marks?: Record<string, FileMark> } | undefined {
  const file = `${path}/${STATE_FILE}`;
  if (!entryAt(file)?.isFile) return undefined;
  const { value: { files, ...state }, sealed } = openSealed(readFile(file), file);
  const { format } = state;
  if (format !== undefined && !(FORMATS as readonly unknown[]).includes(format)) {
    throw new DataError(`Cannot read ${file}: format ${JSON.stringify(format)}, wanted ${FORMATS.join(" or ")}`, {
      code: "format-version",
      hint: "Another version of this program wrote it: use the run with that one, or train it again",
      context: { file, format },
    });
  }
  if (!sealed && files === undefined && state.loop && !(Number(state.format) >= 2)) return { state };
  const marks = Object.values((files ?? {}) as Record<string, unknown>);
  if (sealed && typeof files === "object" && marks.every(isMark)) {
    return { state, marks: files as Record<string, FileMark> };
  }
  throw new DataError(`Cannot read ${file}: it has ${sealed ? "no checksums of files" : "no checksum"}, wanted one`, {
    code: "checksum",
    context: { file },
  });
}

/** Whether all of a checkpoint is there as it was written, as far as it says. */
function isWhole(path: string): boolean {
  try {
    const found = stateIn(path);
    return found !== undefined && Object.entries(found.marks ?? {}).every(([name, { bytes, sha256 }]) => {
      if (!entryAt(`${path}/${name}`)?.isFile) return false;
      const mark = markOfFile(disk, `${path}/${name}`);
      return mark.bytes === bytes && mark.sha256 === sha256;
    });
  } catch {
    return false;
  }
}

/** What is left beside a damaged checkpoint, for its error. */
function alternatives(path: string): string {
  const run = path.replace(/\/checkpoints\/[^/]*$/, "");
  const whole = KINDS.flatMap((kind) => candidates(checkpointPath(run, kind)).map((at) => ({ kind, at })))
    .filter(({ at }) => at !== path && isWhole(at));
  const step = (at: string) => {
    const { loop } = (stateIn(at)?.state ?? {}) as { loop?: { step?: number } };
    return loop?.step === undefined ? "" : ` (step ${loop.step})`;
  };
  const own = whole.find(({ kind }) => path.startsWith(checkpointPath(run, kind)));
  if (own) return `${own.at}${step(own.at)} is whole: put it in the place of ${path}`;
  const [other] = whole;
  return other
    ? `${other.at}${step(other.at)} is whole: predict and retrieve use it with --checkpoint ${other.kind}; ` +
      "train begins anew with --overwrite"
    : "No other whole checkpoint is there; bring it back from a copy, or train anew with --overwrite";
}

function withAlternatives(error: unknown, path: string): unknown {
  if (!(error instanceof DataError) || error.hint !== undefined) return error;
  const { message, code, context } = error;
  return new DataError(message, { code, context, cause: error.cause, hint: alternatives(path) });
}

/** Reads files of a checkpoint and compares them with its state. */
function checkedReader(path: string, marks: Readonly<Record<string, FileMark>> | undefined): ReadFile {
  return (name) => {
    if (marks && !Object.hasOwn(marks, name)) return undefined; // Whatever it is, it is not of this checkpoint.
    const file = `${path}/${name}`;
    const bytes = exists(file) ? readFile(file) : undefined;
    const wanted = marks?.[name];
    if (bytes === undefined || wanted === undefined) return bytes;
    const found = markOf(bytes);
    if (found.bytes === wanted.bytes && found.sha256 === wanted.sha256) return bytes;
    if (isWhole(path)) {
      throw new DataError(`Cannot read ${file}: a training run replaced the checkpoint meanwhile`, {
        code: "checkpoint-replaced",
        hint: "Give the command again",
        context: { file },
      });
    }
    throw withAlternatives(damaged(file, `${path}/${STATE_FILE}`, found, wanted), path);
  };
}

/**
 * The checkpoint of a name; undefined if there is none.
 *
 * @throws {DataError} If its state is damaged, naming what else is there.
 */
export function findCheckpoint(run: string, name: CheckpointName): FoundCheckpoint | undefined {
  let first: unknown;
  for (const path of candidates(checkpointPath(run, name))) {
    try {
      const found = stateIn(path);
      if (!found) continue;
      const { state, marks } = found;
      return {
        path,
        state,
        checked: marks !== undefined,
        read: checkedReader(path, marks),
        files: marks ?? {},
      };
    } catch (error) {
      first ??= withAlternatives(error, path);
      // The one that counts is damaged; those beside it are another step's.
      if (path === checkpointPath(run, name)) break;
    }
  }
  if (first !== undefined) throw first;
  return undefined;
}

/**
 * Compares files in the folder of a checkpoint with its state. Folders that have no state, or one without checksums, are no
 * checkpoints of ours, or old ones: nothing is compared.
 *
 * @throws {DataError} If a file is not what was written.
 */
export function checkCheckpointFiles(folder: string, names: readonly string[]): void {
  let marks: Record<string, FileMark> | undefined;
  try {
    marks = stateIn(folder)?.marks;
  } catch (error) {
    // Other programs name a file so too; theirs says nothing of ours.
    if (!mayBeOurs(folder)) return;
    throw withAlternatives(error, folder);
  }
  const read = checkedReader(folder, marks);
  if (marks) { for (const name of names) read(name); }
}

/** As {@linkcode checkCheckpointFiles}, of a file by its path, such as one that another run starts from. */
export function checkCheckpointFile(path: string): void {
  const [, folder = ".", name] = /^(?:(.*)[/\\])?([^/\\]+)$/s.exec(path) ?? [];
  if (name !== undefined) checkCheckpointFiles(folder || "/", [name]);
}

function mayBeOurs(folder: string): boolean {
  return ["omics.safetensors", "heads.safetensors"].some((name) => exists(`${folder}/${name}`));
}

/** Every file of a checkpoint's folder, with what is wrong with it. */
export function checkpointFiles(
  path: string,
): { name: string; checked: boolean; missing: boolean; error: string | undefined }[] {
  const own = (error: string | undefined, checked: boolean) => ({ name: STATE_FILE, checked, missing: false, error });
  let marks: Record<string, FileMark> | undefined;
  try {
    const found = stateIn(path);
    if (!found) return [];
    marks = found.marks;
  } catch (error) {
    return [own((error as Error).message, true)];
  }
  if (!marks) {
    return namesIn(path).filter((name) => CHECKPOINT_FILES.includes(name))
      .map((name) => ({ name, checked: false, missing: false, error: undefined }));
  }
  const files = Object.entries(marks).map(([name, wanted]) => {
    const file = `${path}/${name}`;
    if (!entryAt(file)?.isFile) return { name, checked: true, missing: true, error: `${file} is missing` };
    const found = markOfFile(disk, file);
    const good = found.bytes === wanted.bytes && found.sha256 === wanted.sha256;
    const error = good ? undefined : damaged(file, `${path}/${STATE_FILE}`, found, wanted).message;
    return { name, checked: true, missing: false, error };
  });
  return [own(undefined, true), ...files];
}

/**
 * Compares the files of a checkpoint; all of them unless some are not wanted.
 *
 * @throws {DataError} Naming the first that is missing or not as written.
 */
export function checkWhole({ path, read, files }: FoundCheckpoint, wanted = (_name: string) => true): void {
  const missing = Object.keys(files).filter(wanted).find((name) => {
    const file = `${path}/${name}`;
    if (!entryAt(file)?.isFile) return true;
    const { bytes, sha256 } = markOfFile(disk, file);
    // Read whole only to say what is wrong: it may be large.
    if (bytes !== files[name]!.bytes || sha256 !== files[name]!.sha256) read(name);
    return false;
  });
  if (missing === undefined) return;
  throw new DataError(`Cannot use ${path}: ${missing} is missing`, {
    code: "checksum",
    hint: alternatives(path),
    context: { file: `${path}/${missing}` },
  });
}

/** Finishes what a process that died left half done: renames, and checkpoints that were not all written. */
export function recoverCheckpoints(run: string): void {
  for (const path of KINDS.map((kind) => checkpointPath(run, kind))) {
    const [, fresh, old] = candidates(path);
    const state = (folder: string) => exists(`${folder}/${STATE_FILE}`);
    if (exists(fresh)) {
      if (isWhole(fresh)) takeName(path);
      else if (!state(fresh) || isWhole(path) || isWhole(old)) removeCheckpoint(fresh);
    }
    if (!exists(old)) continue;
    if (state(path)) {
      carryForeign(old, path, (name) => ownNames(old).has(name));
      removeCheckpoint(old);
    } else if (!exists(path)) renameEntry(old, path);
    else if (state(old)) {
      for (const name of namesIn(old)) {
        if (name !== STATE_FILE && !exists(`${path}/${name}`)) renameEntry(`${old}/${name}`, `${path}/${name}`);
      }
      renameEntry(`${old}/${STATE_FILE}`, `${path}/${STATE_FILE}`);
      removeCheckpoint(old);
    }
    syncFolder(path);
  }
}
