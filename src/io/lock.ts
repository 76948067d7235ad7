/**
 * Locks on what is written for long, such as a run folder: one writer at a time, on one machine or several.
 *
 * The lock of a folder is `.lock` in it, that of a file `NAME.lock` beside it. It names its owner and is touched while that
 * lives. The owner also holds an advisory lock of the system on it, which ends with the process however that ends, so that
 * neither a dead owner's file nor a number given to another process stands in the way. Where the system has no such locks, the
 * owner's process is looked for; one on another machine is alive until its lock was not touched for {@linkcode STALE} ms.
 *
 * TRIDENT reads our locks, by `pid`, `hostname` and `created_at`. Its own have no more than that, no advisory lock and no sign of
 * life: their owner is alive while its process is there, or, where nobody can tell, for {@linkcode LEFT} ms, as TRIDENT has it.
 *
 * A lock comes to be by a hard link of a file that is complete and held already, and is taken over by a rename of such a file
 * while the dead owner's is held: of processes that try at the same moment exactly one has it.
 *
 * @module
 */

import { assert, ConfigError, DataError } from "../core/errors.ts";
import { type Advisory, tryAdvisory } from "../host/advisory.ts";
import { entryAt, linkFile, OpenFile, readBytes, removeEntry, renameEntry } from "../host/files.ts";
import { atEnd, every, hostName, isAlive, PID, WINDOWS } from "../host/process.ts";
import { beginTemporary, type Begun, randomPart, removeLeftTemporaries } from "./atomic.ts";
import { makeMissing } from "./fs.ts";
import { errnoOf, systemError } from "./system_error.ts";

/**
 * Milliseconds without a sign of life after which an owner on another machine counts as dead. Signs are writes, whose time the
 * file server sets, and are compared with the time of a file written just now: clocks of machines need not agree.
 */
export const STALE = 5 * 60 * 1000;
/** Milliseconds between two signs of life. */
const BEAT = 15 * 1000;
/** Most that a date can be, seconds since 1970. */
const MOST_SECONDS = 8.64e12;
/** Milliseconds a process has to finish taking over a lock where the system has no advisory locks. */
const TAKEOVER = 60 * 1000;

/** Milliseconds after which a lock of TRIDENT counts as left, where its process cannot be looked for. */
export const LEFT = 24 * 3600 * 1000;

/** Who holds a lock. The first three are TRIDENT's. */
export interface LockOwner {
  readonly pid: number;
  readonly hostname: string;
  /** When it took the lock, seconds since 1970. */
  readonly created_at: number;
  /** What it does. */
  readonly command?: string;
  /** When its process began, in the clock ticks of Linux; null where that is not told. */
  readonly started?: string | null;
  /** Of this lock alone; TRIDENT's have none. */
  readonly token?: string;
}

/** A lock that is held. */
export interface Lock {
  /** Path of the lock file. */
  readonly path: string;
  /**
   * Makes sure that it is still held, before something is written that counts on it.
   *
   * @throws {DataError} If another process took it over, which held this one for dead.
   */
  check(): void;
  /** Lets go of it. */
  release(): void;
  [Symbol.dispose](): void;
}

/** When a process began; null where the system does not say. */
function startOf(pid: number): string | null {
  try {
    // The name, in brackets, may hold anything.
    return new TextDecoder().decode(readBytes(`/proc/${pid}/stat`)).replace(/^.*\)/s, "").trim().split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** A lock file as it is. */
interface Found {
  /** Undefined where the file is empty, damaged, of another program, or not to be read while it is held (Windows). */
  readonly owner: LockOwner | undefined;
  /** Last sign of life, milliseconds since 1970. */
  readonly beat: number;
  /** Whether it holds something that is no lock, or nothing, as TRIDENT's once did. */
  readonly foreign: boolean;
  readonly empty: boolean;
}

/** Reads a lock file; undefined where there is none. */
function ownerAt(path: string): Found | undefined {
  try {
    using file = OpenFile.open(path, "read");
    const { size, modified } = file.entry();
    const bytes = new Uint8Array(Math.min(size, 1 << 16));
    const got = file.read(bytes, 0);
    const owner = parseOwner(new TextDecoder().decode(bytes.subarray(0, got)));
    return { owner, beat: modified, foreign: !owner && got > 0, empty: got === 0 };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    // Windows lets nobody read what another holds.
    return { owner: undefined, beat: Date.now(), foreign: false, empty: false };
  }
}

/** Whom a lock file names; undefined where there is none that says. */
export function ownerOf(path: string): LockOwner | undefined {
  return ownerAt(path)?.owner;
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<LockOwner> | null;
    const whole = Number.isSafeInteger(owner?.pid) && typeof owner?.hostname === "string";
    return whole && Math.abs(owner.created_at!) < MOST_SECONDS ? owner as LockOwner : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the owner may be alive, as far as its file says.
 *
 * @param now Time of a file written just now. What lies long after it was written before the clock was set, and not since.
 */
function mayLive({ owner, beat, empty }: Found, now: number, systemSaysDead: boolean, ofFolder: boolean): boolean {
  const fresh = Math.abs(now - beat) < STALE;
  // Only files have locks of TRIDENT.
  if (!owner) return empty && !ofFolder ? Math.abs(now - beat) < LEFT : !systemSaysDead && fresh;
  const here = owner.hostname === hostName();
  if (owner.token === undefined) {
    const alive = here ? isAlive(owner.pid) : undefined;
    return alive ?? Math.abs(now - Math.max(beat, 1000 * owner.created_at)) < LEFT;
  }
  if (!here) return fresh;
  if (systemSaysDead || isAlive(owner.pid) === false) return false;
  const started = startOf(owner.pid);
  return started === null || !owner.started ? fresh : started === owner.started;
}

function refusal(target: string, path: string, owner: LockOwner | undefined): ConfigError {
  const who = owner
    ? `process ${owner.pid}${owner.hostname && owner.hostname !== hostName() ? ` on ${owner.hostname}` : ""} ` +
      `(${owner.command ?? "TRIDENT"})`
    : "another process";
  const since = owner
    ? ` writes there since ${new Date(1000 * owner.created_at).toISOString().replace(/\.\d+Z$/, "Z")}`
    : " writes there";
  return new ConfigError(`Cannot write to ${target}: ${who}${since}`, {
    code: "locked",
    hint: `Wait until it ends or stop it, or pass another --out; the lock is ${path}`,
    context: { path, ...(owner && { pid: owner.pid, hostname: owner.hostname, created_at: owner.created_at }) },
  });
}

function notOurs(target: string, path: string): ConfigError {
  return new ConfigError(`Cannot write to ${target}: ${path} is no lock of this program, wanted one or nothing`, {
    code: "locked",
    hint: "Remove it if no other program needs it, or pass another --out",
    context: { path },
  });
}

/**
 * Locks a folder, which is made if need be; one that was made for the lock and holds nothing else goes with it.
 *
 * @param command What is done, for who is refused.
 * @throws {ConfigError} If another process holds it, or it is no folder that can be written to.
 */
export function lockFolder(folder: string, command: string): Lock {
  for (let round = 1;; round++) {
    const isNew = entryAt(folder) === undefined;
    try {
      makeMissing(folder);
    } catch (error) {
      throw unusable(folder, error);
    }
    try {
      return lock(folder, `${folder.replace(/(?<=.)[/\\]+$/, "")}/.lock`, command, isNew ? folder : undefined);
    } catch (error) {
      // Who had the lock before may have taken the folder away with it.
      if (round > 5 || errnoOf((error as Error).cause) !== "ENOENT") throw error;
    }
  }
}

/** As {@linkcode lockFolder}, of one file, there or not, in a folder that exists. */
export function lockFile(path: string, command: string): Lock {
  return lock(path, `${path}.lock`, command);
}

function unusable(folder: string, cause: unknown): unknown {
  // Where a file stands, the system says only that it exists.
  if (!entryAt(folder)?.isFile || errnoOf(cause) === "ENOSPC") return systemError(cause, "write to", folder, "write");
  return new ConfigError(`Cannot write to ${folder}: it is a file, wanted a folder`, {
    code: "output-path",
    hint: "Pass another --out",
    context: { path: folder },
    cause,
  });
}

/** A file that is to be a lock. */
interface Candidate extends Begun {
  readonly owner: LockOwner;
}

/** A file with this process as owner, held, under a name of its own. */
function candidate(path: string, command: string): Candidate {
  assert(command !== "", "a lock says what is done");
  const owner: LockOwner = {
    pid: PID,
    hostname: hostName(),
    created_at: Date.now() / 1000,
    command,
    started: startOf(PID),
    token: randomPart() + randomPart(),
  };
  const begun = beginTemporary(path);
  try {
    begun.file.write(bytesOf(owner));
    begun.file.sync();
  } catch (error) {
    letGo(begun);
    removeEntry(begun.path);
    throw error;
  }
  return { ...begun, owner };
}

function bytesOf(owner: LockOwner): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(owner)}\n`);
}

function letGo({ file, lock }: Begun): void {
  file.close();
  lock?.release();
}

function lock(target: string, path: string, command: string, made?: string): Lock {
  const there = entryAt(path);
  if (there?.isSymlink) {
    throw new ConfigError(`Cannot write to ${target}: ${path} is a symbolic link, wanted a lock or nothing`, {
      hint: "Remove the link, or pass another --out",
      context: { path },
    });
  }
  // A folder, or a pipe, whose opening would wait for ever.
  if (there && !there.isFile) throw notOurs(target, path);
  const base = path.replace(/^.*[/\\]/s, "");
  removeLeftTemporaries(path.slice(0, path.length - base.length) || ".", (name) => name === base);
  let own: Candidate;
  try {
    own = candidate(path, command);
  } catch (cause) {
    if (made !== undefined) removeEntry(made);
    throw systemError(cause, "write to", target, "write");
  }
  try {
    claim(target, path, own);
  } catch (error) {
    letGo(own);
    throw systemError(error, "write to", target, "write");
  } finally {
    try {
      removeEntry(own.path);
    } catch { /* it has the lock's name now */ }
  }
  return held(path, own, made);
}

/** Gives the candidate the lock's name. @throws {ConfigError} If another process has it. */
function claim(target: string, path: string, own: Candidate): void {
  // Each round ends because another process got ahead; there are only so many.
  for (let round = 0; round < 100; round++) {
    if (linked(own, path)) return;
    const found = ownerAt(path);
    if (!found) continue; // Released since.
    let before: Advisory | "held" | undefined;
    try {
      before = tryAdvisory(path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") continue;
      throw refusal(target, path, found.owner);
    }
    try {
      const now = own.file.entry().modified;
      if (before === "held" || mayLive(found, now, before !== undefined, path.endsWith("/.lock"))) {
        throw refusal(target, path, ownerAt(path)?.owner);
      }
      if (found.foreign) throw notOurs(target, path);
      if (before === undefined) {
        if (takenOver(path, own.path, found.owner?.token)) return;
        throw refusal(target, path, ownerAt(path)?.owner);
      }
      // What is held now may have been replaced in between; only the file of that name counts.
      if (isAt(path, before)) {
        renameEntry(own.path, path);
        return;
      }
    } finally {
      if (before !== "held") before?.release();
    }
  }
  throw refusal(target, path, ownerAt(path)?.owner);
}

/** Gives the candidate the lock's name if that is free. */
function linked(own: Candidate, path: string): boolean {
  try {
    linkFile(own.path, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    if (entryAt(path)) return false;
  }
  // A file system without hard links: the name is claimed first and filled then.
  try {
    using made = OpenFile.open(path, "create");
    made.write(bytesOf(own.owner));
    if (!WINDOWS) renameEntry(own.path, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Whether the file that is held has this name. */
function isAt(path: string, { ino, dev }: Advisory): boolean {
  const there = entryAt(path);
  return there !== undefined && there.ino === ino && there.dev === dev;
}

/** Replaces a dead owner's lock where the system has no advisory locks, under a second file that one process makes. */
function takenOver(path: string, name: string, token: string | undefined): boolean {
  const gate = `${path}.takeover`;
  const there = entryAt(gate);
  if (there && Date.now() - there.modified > TAKEOVER) removeEntry(gate);
  try {
    OpenFile.open(gate, "create").close();
  } catch {
    return false;
  }
  try {
    if (ownerAt(path)?.owner?.token !== token) return false;
    renameEntry(name, path);
    return true;
  } finally {
    removeEntry(gate);
  }
}

function held(path: string, own: Candidate, made: string | undefined): Lock {
  const { token } = own.owner;
  let open = true;
  const mine = () => {
    const found = ownerAt(path);
    return found !== undefined && (found.owner === undefined || found.owner.token === token);
  };
  const endBeat = every(BEAT, () => {
    try {
      // The byte that is there: the time is then the file server's, not this machine's.
      own.file.write(new TextEncoder().encode("{"), 0);
    } catch { /* the next beat may reach the disk again */ }
  });
  function release(): void {
    if (!open) return;
    open = false;
    endBeat();
    stay();
    try {
      if (mine()) removeEntry(path);
    } catch { /* a lock without its owner is taken over */ }
    letGo(own);
    try {
      if (made !== undefined) removeEntry(made);
    } catch { /* it holds something */ }
  }
  // Also where the process is ended in the middle of something.
  const stay = atEnd(release);
  return {
    path,
    check() {
      if (open && mine()) return;
      throw new DataError(`Cannot go on writing: the lock ${path} is no longer held, another process took it over`, {
        code: "lock-lost",
        hint: "Give the command again when the other has ended",
        context: { path, owner: ownerAt(path)?.owner },
      });
    },
    release,
    [Symbol.dispose]: release,
  };
}
