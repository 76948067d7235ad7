/**
 * Places of results: whether they can be written is found out before any work.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";
import { entryAt, freeBytes, linkTarget, makeFolders, OpenFile, realPath, removeEntry, statOf } from "../host/files.ts";
import { PID } from "../host/process.ts";
import { randomPart } from "./atomic.ts";
import { systemError, unlessMissing, withPath } from "./system_error.ts";
import { formatBytes } from "../core/text_table.ts";

/** A path without the slashes at its end. */
export function trimmed(path: string): string {
  return path.replace(/(?<=.)[/\\]+$/, "");
}

/** The folder a path lies in. */
export function parentOf(path: string): string {
  const [, parent] = /^(.*?)[/\\]+[^/\\]+$/s.exec(trimmed(path)) ?? [];
  return parent === undefined ? "." : parent === "" ? "/" : parent;
}

/** A path that a table in a folder names: from that folder on where it is no whole path. */
export function besides(folder: string, path: string): string {
  return /^(?:[/\\]|[A-Za-z]:)/.test(path) || folder === "" ? path : `${folder}/${path}`;
}

/** What is at a path; undefined if nothing. */
function kindAt(path: string): "file" | "folder" | undefined {
  return withPath("write to", path, "write", () => unlessMissing(() => statOf(path).isDirectory ? "folder" : "file"));
}

/** Whether anything has a name, be it a link that leads nowhere. */
function isNamed(path: string): boolean {
  return withPath("write to", path, "write", () => entryAt(path)) !== undefined;
}

/** The nearest folder, file or link that is there: the path itself, or one above it. */
function nearestThere(path: string): string {
  for (let at = trimmed(path);; at = parentOf(at)) if (isNamed(at) || at === parentOf(at)) return at;
}

/** Refuses a link that leads to nothing: no folder can be made at its name, nor is it this program's to follow or remove. */
function refuseDangling(path: string, there: string, flag: string): void {
  if (!entryAt(there)?.isSymlink || kindAt(there) !== undefined) return;
  const target = linkTarget(there);
  const what = there === trimmed(path) ? "it" : there;
  throw new ConfigError(
    `Cannot write to ${path}: ${what} is a symbolic link that leads to ${target}, which is not there`,
    {
      code: "output-path",
      hint: `Make that folder, remove the link, or pass ${flag} with another folder`,
      context: { given: path, path: there, target },
    },
  );
}

/** Times that a folder which was just made may be gone. */
const TRIES = 100;

/**
 * Makes sure that files can be written into a folder, which need not be there yet; nothing is left behind.
 *
 * @param flag The flag that names it, for the hint.
 * @throws {ConfigError} If it, or one above it, is a file, or the system does not let this user write there.
 */
export function checkFolder(path: string, flag = "--out"): void {
  const there = nearestThere(path);
  refuseDangling(path, there, flag);
  const context = { given: path, path: there };
  if (kindAt(there) === "file") {
    const what = there === trimmed(path) ? "it is a file, a folder is wanted" : `${there} is a file`;
    throw new ConfigError(`Cannot write to ${path}: ${what}`, {
      code: "output-path",
      hint: `Pass ${flag} with another folder`,
      context,
    });
  }
  // In the folder itself, made for it and taken away again: what is above need not be this process's to write to.
  const made = missing(path);
  const probe = `${trimmed(path)}/.seal.${PID}.${randomPart()}.tmp`;
  const probed = () => {
    makeFolders(path);
    OpenFile.open(probe, "create").close();
    removeEntry(probe);
    return true;
  };
  try {
    // Another process may look at the same place at that moment, and take away the folders that it made.
    for (let tries = 1; tries < TRIES; tries++) if (unlessMissing(probed)) return;
    probed();
  } catch (error) {
    throw systemError(error, "write to", path, "write");
  } finally {
    for (const folder of made) removeEmpty(folder);
  }
}

/** Folders of a path that are not there, the innermost first. */
function missing(path: string): string[] {
  const folders: string[] = [];
  for (let at = trimmed(path); !isNamed(at) && at !== parentOf(at); at = parentOf(at)) folders.push(at);
  return folders;
}

function removeEmpty(folder: string): void {
  try {
    removeEntry(folder);
  } catch { /* never made, or another process has begun to fill it */ }
}

/**
 * Makes sure that a file can be written: {@linkcode checkFolder} of its folder, and that it is no folder itself.
 *
 * @throws {ConfigError} If it cannot.
 */
export function checkFile(path: string, flag = "--out"): void {
  if (kindAt(path) === "folder") {
    throw new ConfigError(`Cannot write ${path}: it is a folder, a file is wanted`, {
      code: "output-path",
      hint: `Pass ${flag} with the name of a file`,
      context: { path },
    });
  }
  checkFolder(parentOf(path), flag);
}

/**
 * Refuses an output that the disk has no room for, before it is made.
 *
 * @param bytes Of the output, and of what is kept beside it meanwhile.
 * @throws {DataError} If less is free. Where the system does not tell, nothing is refused.
 */
export function checkSpace(path: string, bytes: number): void {
  let free: number;
  try {
    free = freeBytes(nearestThere(path));
  } catch {
    return;
  }
  if (bytes <= free) return;
  throw new DataError(`Cannot write ${path}: it needs ${formatBytes(bytes)}, ${formatBytes(free)} are free`, {
    code: "disk-full",
    hint: "Make room on the disk and give the same command again, or pass another --out",
    context: { path, bytes, free },
  });
}

/** Whether two paths lead to one file that is there. */
export function isSame(a: string, b: string): boolean {
  try {
    return realPath(a) === realPath(b);
  } catch {
    return false;
  }
}

/** Codes of what stands in the way of a whole command and not of one of its inputs. */
const OF_ALL: ReadonlySet<string> = new Set([
  "disk-full",
  "locked",
  "lock-lost",
  "output-exists",
  "output-path",
  "permission",
  "too-many-files",
]);

/** Whether an error ends a command of several inputs, instead of being listed as one that failed. */
export function endsAll(error: unknown): boolean {
  const { code, exitCode } = error as Partial<SealError>;
  // A place that cannot be written is of the command; an input that cannot be read is one of several.
  const place = code === "file-access" && exitCode === 2;
  return place || (code !== undefined && OF_ALL.has(code)) || exitCode === 6 || exitCode === 75;
}
