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
import { type Advisory, tryAdvisory } from "../host/advisory.ts";
import { entriesOf, entryAt, OpenFile, removeEntry, renameEntry } from "../host/files.ts";
import { atEnd, isAlive, PID, WINDOWS } from "../host/process.ts";

/** Temporary names of any process: of this version, and of those before, which had no random part. */
const TEMPORARY = /^(.+?)\.(\d+)(\.[0-9a-f]{8})?\.tmp$/;

/** Milliseconds after which a temporary file counts as left where the file system knows no locks. */
const ABANDONED = 24 * 3600 * 1000;

/** The folder a path lies in. */
export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), WINDOWS ? path.lastIndexOf("\\") : -1);
  return at < 0 ? "." : path.slice(0, at) || "/";
}

function baseOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), WINDOWS ? path.lastIndexOf("\\") : -1) + 1);
}

/**
 * Makes a folder outlast a power cut: names that were made, changed or removed in it. Where the system has no such thing
 * (Windows, some network file systems) nothing is done.
 */
export function syncFolder(path: string): void {
  try {
    using folder = OpenFile.open(path, "read");
    folder.sync();
  } catch { /* the files themselves are synchronised; this is the most the system gives */ }
}

/** Eight hexadecimal digits. */
export function randomPart(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16).padStart(8, "0");
}

/** Files in the making, which do not outlast a process that ends in the middle of one. */
const inTheMaking = new Set<Temporary>();
atEnd(() => inTheMaking.forEach((file) => file[Symbol.dispose]()));

/** A file under a temporary name, open for reading and writing, and held. */
export interface Begun {
  readonly path: string;
  readonly file: OpenFile;
  /** Undefined where the system has no such locks. */
  readonly lock: Advisory | undefined;
}

/** Makes a file under a temporary name beside `target` and holds it; what the system refuses is thrown as it is. */
export function beginTemporary(target: string): Begun {
  for (;;) {
    const path = `${target}.${PID}.${randomPart()}.tmp`;
    const file = OpenFile.open(path, "create");
    try {
      const lock = tryAdvisory(path);
      // Another process may have taken it for one that was left, in the moment before it was held.
      const lost = lock === "held" || (lock !== undefined && entryAt(path)?.ino !== lock.ino);
      if (!lost) return { path, file, lock };
      if (lock !== "held") lock?.release();
    } catch (error) {
      if (entryAt(path) !== undefined) {
        file.close();
        removeEntry(path);
        throw error;
      }
    }
    file.close();
  }
}

/** A file in the making, under a temporary name beside its own; removed when it is disposed of before {@linkcode commit}. */
export class Temporary {
  #open = true;
  #there = true;

  readonly #lock: Advisory | undefined;
  /** Path it has. */
  readonly path: string;
  /** For writing and reading. */
  readonly file: OpenFile;

  private constructor(
    /** Path the file will have. */
    readonly target: string,
    { path, file, lock }: Begun,
  ) {
    this.path = path;
    this.file = file;
    this.#lock = lock;
  }

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
    const made = new Temporary(target, beginTemporary(target));
    inTheMaking.add(made);
    return made;
  }

  /** Gives the file its name; afterwards it outlasts a power cut. */
  commit(): void {
    this.file.sync();
    // Windows renames no open file.
    if (WINDOWS) this.#close();
    renameEntry(this.path, this.target);
    this.#there = false;
    this.#close();
    syncFolder(parentOf(this.target));
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.file.close();
    this.#lock?.release();
  }

  /** Removes the file unless it has its name. */
  [Symbol.dispose](): void {
    this.#close();
    inTheMaking.delete(this);
    if (!this.#there) return;
    this.#there = false;
    try {
      removeEntry(this.path);
    } catch { /* the folder is gone with it */ }
  }
}

/** Writes a new file and waits until it outlasts a power cut; what the system refuses is thrown as it is. */
export function writeThrough(path: string, data: Uint8Array): void {
  using file = OpenFile.open(path, "create");
  file.write(data);
  file.sync();
}

/** Whether nobody holds a temporary file any more. */
function isLeft(path: string, pid: number, ofThisVersion: boolean): boolean {
  try {
    const lock = tryAdvisory(path);
    if (lock === "held") return false;
    if (lock === undefined) return Date.now() - entryAt(path)!.modified > ABANDONED;
    lock.release();
    // Versions before held no lock.
    return ofThisVersion || isAlive(pid) !== true;
  } catch {
    return false; // Gone, or not ours to touch.
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
      removeEntry(path);
    } catch { /* another process was faster */ }
  }
}

function temporariesIn(folder: string): string[] {
  try {
    return entriesOf(folder).filter(({ isFile, name }) => isFile && TEMPORARY.test(name))
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
