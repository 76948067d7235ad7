/**
 * Files that are there whole or not at all, and last: written under a temporary name, synchronised, renamed, and the folder
 * synchronised too.
 *
 * A temporary name is `NAME.PID.RANDOM.tmp`; its writer holds an advisory lock on it. One that nobody holds was left by a
 * process that died, and goes when the next file is written into its folder. Names are replaced, never written through: a
 * symbolic link at the place of a file gives way to the file, what it leads to stays.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

/** Temporary names of any process: of this version, and of those before, which had no random part. */
const TEMPORARY = /^(.+?)\.(\d+)(\.[0-9a-f]{8})?\.tmp$/;

/** Milliseconds after which a temporary file counts as left where the file system knows no locks. */
const ABANDONED = 24 * 3600 * 1000;

/** The folder a path lies in. */
export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), Deno.build.os === "windows" ? path.lastIndexOf("\\") : -1);
  return at < 0 ? "." : path.slice(0, at) || "/";
}

function baseOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), Deno.build.os === "windows" ? path.lastIndexOf("\\") : -1) + 1);
}

/** What lies at a path, links not followed; undefined where there is nothing. */
export function entryAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/**
 * Makes a folder outlast a power cut: names that were made, changed or removed in it. Where the system has no such thing
 * (Windows, some network file systems) nothing is done.
 */
export function syncFolder(path: string): void {
  try {
    using folder = Deno.openSync(path, { read: true });
    folder.syncSync();
  } catch { /* the files themselves are synchronised; this is the most the system gives */ }
}

/**
 * Whether the lock of an open file could be had: `false` where another holds it, undefined where the file system knows none.
 */
export function tryLock(file: Deno.FsFile): boolean | undefined {
  try {
    return file.tryLockSync(true);
  } catch {
    return undefined;
  }
}

/** Eight hexadecimal digits. */
export function randomPart(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16).padStart(8, "0");
}

/** Files in the making, which do not outlast a process that ends in the middle of one. */
const inTheMaking = new Set<Temporary>();
globalThis.addEventListener?.("unload", () => inTheMaking.forEach((file) => file[Symbol.dispose]()));

/** A file in the making, under a temporary name beside its own; removed when it is disposed of before {@linkcode commit}. */
export class Temporary {
  #open = true;
  #there = true;

  private constructor(
    /** Path the file will have. */
    readonly target: string,
    /** Path it has. */
    readonly path: string,
    /** For writing and reading. */
    readonly file: Deno.FsFile,
  ) {}

  /**
   * Begins a file.
   *
   * @throws {ConfigError} If what lies at the path is neither a file nor a link.
   */
  static begin(target: string): Temporary {
    const before = entryAt(target);
    if (before && !before.isFile && !before.isSymlink) {
      throw new ConfigError(
        `Cannot write ${target}: it is ${before.isDirectory ? "a folder" : "a device"}, wanted a file`,
        {
          code: "output-exists",
          hint: "Pass another --out",
          context: { path: target },
        },
      );
    }
    sweepOnce(parentOf(target), baseOf(target));
    const path = `${target}.${Deno.pid}.${randomPart()}.tmp`;
    const file = Deno.openSync(path, { read: true, write: true, createNew: true });
    tryLock(file);
    const made = new Temporary(target, path, file);
    inTheMaking.add(made);
    return made;
  }

  /** Gives the file its name; afterwards it outlasts a power cut. */
  commit(): void {
    this.file.syncSync();
    // Windows renames no open file.
    if (Deno.build.os === "windows") this.#close();
    Deno.renameSync(this.path, this.target);
    this.#there = false;
    this.#close();
    syncFolder(parentOf(this.target));
  }

  #close(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }

  /** Removes the file unless it has its name. */
  [Symbol.dispose](): void {
    this.#close();
    inTheMaking.delete(this);
    if (!this.#there) return;
    this.#there = false;
    try {
      Deno.removeSync(this.path);
    } catch { /* the folder is gone with it */ }
  }
}

/** Writes all of `bytes` at the file's place. */
export function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

/** Writes a new file and waits until it outlasts a power cut; what the system refuses is thrown as it is. */
export function writeThrough(path: string, data: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  writeAll(file, data);
  file.syncSync();
}

/** Renames a file, link or folder; what the system refuses is thrown as it is. */
export function renameEntry(from: string, to: string): void {
  Deno.renameSync(from, to);
}

/** Removes a file, a link itself, or an empty folder; what the system refuses is thrown as it is. */
export function removeEntry(path: string): void {
  Deno.removeSync(path);
}

/** Whether nobody holds a temporary file any more. */
function isLeft(path: string, pid: number, ofThisVersion: boolean): boolean {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    const free = tryLock(file);
    if (free === false) return false;
    if (free === undefined) return Date.now() - (file.statSync().mtime?.getTime() ?? Date.now()) > ABANDONED;
    // Versions before held no lock.
    return ofThisVersion || isAlive(pid) !== true;
  } catch {
    return false; // Gone, or not ours to touch.
  }
}

/** Whether a process of this machine lives; undefined where it may not be asked. */
export function isAlive(pid: number): boolean | undefined {
  if (pid === Deno.pid) return true;
  try {
    // Signal 0 asks and does nothing; Deno's types know the names of signals only.
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return true; // Another user's.
    return error instanceof Deno.errors.NotFound ? false : undefined;
  }
}

/**
 * Removes the temporary files that dead processes left in a folder.
 *
 * @param named Only those of files with these names are removed when they carry no random part: another program may name its
 * own files so.
 */
export function removeLeftTemporaries(folder: string, named: (base: string) => boolean): void {
  for (const name of temporariesIn(folder)) {
    const [, base, pid, random] = TEMPORARY.exec(name)!;
    if (random === undefined && !named(base!)) continue;
    const path = `${folder}/${name}`;
    if (!isLeft(path, Number(pid), random !== undefined)) continue;
    try {
      Deno.removeSync(path);
    } catch { /* another process was faster */ }
  }
}

function temporariesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ isFile, name }) => isFile && TEMPORARY.test(name))
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Names of temporary files without a random part, by folders this process wrote into. */
const visited = new Map<string, Set<string>>();

/** Looks through a folder when the first file is written into it: listing large folders takes time. */
function sweepOnce(folder: string, base: string): void {
  let old = visited.get(folder);
  if (!old) {
    visited.set(folder, old = new Set(temporariesIn(folder).map((name) => TEMPORARY.exec(name)![1]!)));
    removeLeftTemporaries(folder, (name) => name === base);
  } else if (old.delete(base)) removeLeftTemporaries(folder, (name) => name === base);
}
