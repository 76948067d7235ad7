/**
 * Files of the host, by one implementation for Deno and Node: `node:fs`, which both have.
 *
 * What the system refuses is thrown as it is; `src/io/system_error.ts` makes errors of this project of it. Functions are called
 * as members of `fs`, so that a test can watch every change of the disk.
 *
 * @module
 */

import fs from "node:fs";

/** Bytes one system call reads at most: the kernel cuts larger reads anyway. */
const READ = 1 << 26;

/** What lies at a path. */
export interface Entry {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
  /** Bytes. */
  readonly size: number;
  /** Time of the last change of the content, ms since 1970. */
  readonly modified: number;
  /** Time of the last change of anything, ms since 1970. */
  readonly changed: number;
  /** Number in the file system. */
  readonly ino: number;
  /** Number of the file system. */
  readonly dev: number;
}

function entryOf(stats: fs.Stats): Entry {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymlink: stats.isSymbolicLink(),
    size: stats.size,
    modified: Math.floor(stats.mtimeMs),
    changed: Math.floor(stats.ctimeMs),
    ino: stats.ino,
    dev: stats.dev,
  };
}

/** Whether an error says that nothing is there: neither the path nor, where a folder is wanted, one above it. */
function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR";
}

/** What lies at a path, links followed. */
export function statOf(path: string): Entry {
  return entryOf(fs.statSync(path));
}

/** What lies at a path, links not followed; undefined where there is nothing. */
export function entryAt(path: string): Entry | undefined {
  try {
    return entryOf(fs.lstatSync(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Names of what lies in a folder, and whether each is a file or a folder itself, links not followed. */
export function entriesOf(path: string): { name: string; isFile: boolean; isDirectory: boolean }[] {
  return fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    isFile: entry.isFile(),
    isDirectory: entry.isDirectory(),
  }));
}

/** Makes a folder and those above it, if need be. */
export function makeFolders(path: string): void {
  fs.mkdirSync(path, { recursive: true });
}

/** Renames a file, link or folder; a file of that name is replaced. */
export function renameEntry(from: string, to: string): void {
  fs.renameSync(from, to);
}

/** Removes a file, a link itself, or an empty folder. */
export function removeEntry(path: string): void {
  if (fs.lstatSync(path).isDirectory()) fs.rmdirSync(path);
  else fs.unlinkSync(path);
}

/** Gives a file a second name. */
export function linkFile(from: string, to: string): void {
  fs.linkSync(from, to);
}

/** Makes a symbolic link. */
export function linkSymbolically(target: string, path: string): void {
  fs.symlinkSync(target, path);
}

/** What a symbolic link says. */
export function linkTarget(path: string): string {
  return fs.readlinkSync(path);
}

/** The path without links. */
export function realPath(path: string): string {
  return fs.realpathSync(path);
}

/** Bytes that are free on the disk of a path that is there. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = fs.statfsSync(path);
  return Number(bavail) * Number(bsize);
}

/** All bytes of a file, in a buffer of their own. */
export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  using file = OpenFile.open(path, "read");
  let bytes = new Uint8Array(file.entry().size);
  let length = file.read(bytes, 0);
  if (length < bytes.length) return bytes.slice(0, length);
  // Files of the system say 0 and hold more.
  const more = new Uint8Array(1 << 12);
  for (let got = 0; (got = file.read(more, length)) > 0; length += got) {
    const longer = new Uint8Array(length + got);
    longer.set(bytes);
    longer.set(more.subarray(0, got), length);
    bytes = longer;
  }
  return bytes;
}

/**
 * How a file is opened: to `read`; to `write` one that is there; to `create` one; to `update` one that is made if missing; made
 * or emptied (`empty`); made or added to at its end (`append`).
 */
export type OpenMode = "read" | "write" | "create" | "update" | "empty" | "append";

const { O_RDWR, O_CREAT } = fs.constants;
const FLAGS: Readonly<Record<OpenMode, string | number>> = {
  read: "r",
  write: "r+",
  create: "wx+",
  update: O_RDWR | O_CREAT,
  empty: "w",
  append: "a",
};

/** An open file, read and written at any place. Close it, or declare it with `using`. */
export class OpenFile implements Disposable {
  #open = true;

  private constructor(readonly fd: number) {}

  /** Opens a file. */
  static open(path: string, mode: OpenMode): OpenFile {
    return new OpenFile(fs.openSync(path, FLAGS[mode]));
  }

  /** What it is. */
  entry(): Entry {
    return entryOf(fs.fstatSync(this.fd));
  }

  /** Fills `into` from `at`. @returns Bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, at: number): number {
    for (let done = 0;;) {
      const got = fs.readSync(this.fd, into, done, Math.min(READ, into.length - done), at + done);
      done += got;
      if (got === 0 || done === into.length) return done;
    }
  }

  /** As {@linkcode OpenFile.read}, without holding up this thread. */
  async readSlowly(into: Uint8Array, at: number): Promise<number> {
    for (let done = 0;;) {
      const got = await new Promise<number>((resolve, reject) =>
        fs.read(
          this.fd,
          into,
          done,
          Math.min(READ, into.length - done),
          at + done,
          (error, got) => error ? reject(error) : resolve(got),
        )
      );
      done += got;
      if (got === 0 || done === into.length) return done;
    }
  }

  /** Writes all of `bytes` at `at`, or behind what was written last. */
  write(bytes: Uint8Array, at?: number): void {
    for (let done = 0; done < bytes.length;) {
      done += fs.writeSync(this.fd, bytes, done, bytes.length - done, at === undefined ? null : at + done);
    }
  }

  /** Writes all of `bytes` behind what was written last, without holding up this thread. */
  async writeSlowly(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await new Promise<number>((resolve, reject) =>
        fs.write(
          this.fd,
          bytes,
          done,
          bytes.length - done,
          null,
          (error, written) => error ? reject(error) : resolve(written),
        )
      );
    }
  }

  /** Cuts or grows to `size` bytes. */
  truncate(size: number): void {
    fs.ftruncateSync(this.fd, size);
  }

  /** Waits until what was written outlasts a power cut. */
  sync(): void {
    fs.fsyncSync(this.fd);
  }

  /** Closes it; once is enough. */
  close(): void {
    if (this.#open) fs.closeSync(this.fd);
    this.#open = false;
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}
