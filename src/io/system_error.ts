/**
 * What the operating system refuses, as errors of this project: one table from its codes to what they mean to a user.
 *
 * An input that cannot be had is a {@linkcode DataError}; a place that cannot be written is a {@linkcode ConfigError}, since
 * another `--out` mends it; a full disk is a {@linkcode DataError} with code `disk-full` whoever meets it.
 *
 * @module
 */

import { ConfigError, DataError, type SealError } from "../core/errors.ts";

/** Whether a path was to be read or written. */
export type Access = "read" | "write";

/** What a refusal means. */
interface Fault {
  /** In words, as the end of "Cannot open PATH: …". */
  readonly what: string;
  readonly code: string;
  /** The mend when reading and when writing. */
  readonly read?: string;
  readonly write?: string;
  /** Whether another path mends it; else the machine is in the way, whatever the path. */
  readonly place: boolean;
}

/** What another path mends. */
function place(what: string, code = "file-access", read?: string, write = "Pass another --out"): Fault {
  return { what, code, place: true, write, ...(read !== undefined && { read }) };
}

/** What is in the way whatever the path. */
function machine(what: string, code = "file-access", mend?: string): Fault {
  return { what, code, place: false, ...(mend !== undefined && { read: mend, write: mend }) };
}

const RIGHT = ["Give yourself the right to read it", "Give yourself the right to write there, or pass another --out"];
const MORE_FILES = "Raise the limit: ulimit -n 4096";

/** Faults by the names of `errno`. */
const FAULTS: Readonly<Record<string, Fault>> = {
  ENOENT: place("no such file or folder", "file-missing"),
  EACCES: place("permission denied", "file-access", ...RIGHT),
  EPERM: place("operation not permitted", "file-access", ...RIGHT),
  EROFS: place("the file system is read-only"),
  EEXIST: place("a file of this name is there", "output-exists"),
  ENOTDIR: place("a file stands where a folder is wanted"),
  EISDIR: place("it is a folder, a file is wanted"),
  ENOTEMPTY: place("the folder is not empty", "output-exists"),
  ELOOP: place("its symbolic links lead in a circle", "file-access", "Mend the links, or give another path"),
  ENAMETOOLONG: place("the name is too long for the file system"),
  EINVAL: place("the file system does not take such a name or access"),
  EILSEQ: place("the file system does not take such a name"),
  ETXTBSY: place("the file is being executed"),
  EXDEV: place("it lies on another file system"),
  ENOSPC: machine("no space left on the disk", "disk-full"),
  EDQUOT: machine("the quota of the disk is used up", "disk-full"),
  EFBIG: machine("the file is larger than the file system takes", "disk-full"),
  EMFILE: machine("too many files are open", "too-many-files", MORE_FILES),
  ENFILE: machine("too many files are open on this machine", "too-many-files"),
  EIO: machine("the disk reports an input/output error", "file-access", "Look at the disk's health, or use another"),
  EBUSY: machine("it is in use by another process"),
  EAGAIN: machine("it is locked by another process"),
  ESTALE: machine("the network file system lost it"),
  ENOMEM: machine("the machine has no memory left", "no-memory"),
};

/** Faults that Deno names and gives no code, and those of Windows, by the name of the error. */
const NAMES: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  AlreadyExists: "EEXIST",
  NotADirectory: "ENOTDIR",
  IsADirectory: "EISDIR",
  FilesystemLoop: "ELOOP",
  Busy: "EBUSY",
  WouldBlock: "EAGAIN",
};

/** Linux's numbers of what Deno gives neither name nor code. */
const NUMBERS: Readonly<Record<string, string>> = { 5: "EIO", 27: "EFBIG", 28: "ENOSPC", 30: "EROFS", 122: "EDQUOT" };

const MAKE_ROOM = "Make room on the disk and give the same command again, or pass another --out";

/** The `errno` name of an error of the system; undefined for any other. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, name } = error as Error & { code?: unknown };
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  if (name in NAMES) return NAMES[name];
  // What Deno says of it where it asks for permission, and the system nowhere.
  if (error.message === "Empty path is not allowed") return "ENOENT";
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return number === undefined ? undefined : NUMBERS[number] ?? "EUNKNOWN";
}

/** Whether nothing is at a path: neither it nor, where a folder is wanted, one above it. */
function isMissing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR";
}

/** What `act` gives; undefined if nothing is at the path it asks for. */
export function unlessMissing<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether an error is one of this project's. */
export function isTyped(error: unknown): error is SealError {
  return error instanceof Error && typeof (error as Partial<SealError>).exitCode === "number";
}

/** Whether the runtime, not the system, refuses access: a flag of Deno is missing. */
function isUnpermitted(error: unknown): error is Error {
  return error instanceof Error && error.name === "NotCapable";
}

/** A refusal of Deno's own permissions. */
function unpermitted(verb: string, path: string | undefined, error: Error): ConfigError {
  const wanted = /--allow-[a-z-]+/.exec(error.message)?.[0] ?? "a permission";
  const [, access = "access", named] = /^Requires (\w+) access(?: to (.*?))?, run again/.exec(error.message) ?? [];
  const what = path ?? named?.replaceAll('"', "") ?? "a resource";
  const context = { path: what, permission: wanted };
  // Whatever a task is permitted, Deno keeps the files of the system from it.
  if (access === "all") {
    return new ConfigError(`Cannot ${verb} ${what}: it belongs to the system, which Deno keeps from programs`, {
      code: "permission",
      hint: "Give a path outside /proc, /sys, /dev and /etc",
      context,
      cause: error,
    });
  }
  const own = `a deno run of your own needs ${wanted}${access === "net" || path === undefined ? "" : `=${path}`}`;
  return new ConfigError(`Cannot ${verb} ${what}: this process may not (${access} needs ${wanted} of Deno)`, {
    code: "permission",
    hint: access === "write" ? `Pass another --out; ${own}` : `${own[0]!.toUpperCase()}${own.slice(1)}`,
    context,
    cause: error,
  });
}

/**
 * The error of this project for an error of the system; errors of this project, and any that is no refusal of the system, stay
 * as they are.
 *
 * @param verb What could not be done to the path, such as `open`.
 * @param path The path, as the user knows it.
 */
export function systemError(error: unknown, verb: string, path: string, access: Access): unknown {
  if (isTyped(error)) return error;
  if (isUnpermitted(error)) return unpermitted(verb, path, error);
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const { message } = error as Error;
  const fault: Fault = FAULTS[errno] ?? { what: message.split(":")[0]!, code: "file-access", place: false };
  const hint = fault.code === "disk-full" ? MAKE_ROOM : fault[access];
  const details = {
    // What is missing or barred as an input has one code each; an output that exists is never read.
    code: access === "read" && fault.code === "output-exists" ? "file-access" : fault.code,
    ...(hint !== undefined && { hint }),
    context: { file: path, errno },
    cause: error,
  };
  const text = `Cannot ${verb} ${path}: ${fault.what}`;
  return access === "write" && fault.place ? new ConfigError(text, details) : new DataError(text, details);
}

/** Runs `act`; what the system refuses is thrown as {@linkcode systemError} says. */
export function withPath<T>(verb: string, path: string, access: Access, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw systemError(error, verb, path, access);
  }
}

/** As {@linkcode withPath}, of what is waited for. */
export async function withPathAsync<T>(
  verb: string,
  path: string,
  access: Access,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw systemError(error, verb, path, access);
  }
}

/** Calls of the system that change what is on the disk, as Deno names them in its messages. */
const WRITING =
  /^(?:mkdir|writefile|rename|remove|unlink|rmdir|truncate|symlink|link|copy|chmod|utime|ftruncate|fsync)$/;

/**
 * As {@linkcode systemError}, of an error that reached the surface without a word of where: path and call come from the
 * message, Deno's `No such file or directory (os error 2): open 'PATH'` or Node's `ENOENT: no such file or directory, open 'PATH'`.
 */
export function surfaced(error: unknown): unknown {
  if (isTyped(error)) return error;
  if (isUnpermitted(error)) return unpermitted("use", undefined, error);
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error)) return error;
  const [, call, path, target] =
    /(?:\(os error \d+\)|^E[A-Z]+: [^,]*)[:,] (\w+) '(.*?)'(?: -> '(.*)')?$/s.exec(error.message) ?? [];
  const writing = FAULTS[errno]?.code === "disk-full" || (call !== undefined && WRITING.test(call));
  const verbs: Record<string, string> = { mkdir: "make folder", writefile: "write", readfile: "read" };
  const verb = call === undefined ? (writing ? "write" : "use") : verbs[call] ?? call;
  return systemError(error, verb, target ?? path ?? "a file", writing ? "write" : "read");
}
