/**
 * Files of the host, with errors of this project.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { entriesOf, entryAt, makeFolders, OpenFile, readBytes, removeEntry, statOf } from "../host/files.ts";
import { parentOf, Temporary } from "./atomic.ts";
import type { Disk, HostEntry, HostFile } from "./disk.ts";
import { checkRange, type Folder, isPlainName, missingFile, type RandomAccess } from "./random_access.ts";
import { unlessMissing, withPath, withPathAsync } from "./system_error.ts";

/** Writes a file so that it is there whole or not at all: under a temporary name first, then renamed. */
export function writeFileAtomic(path: string, data: Uint8Array | string): void {
  writeChunksAtomic(path, [typeof data === "string" ? new TextEncoder().encode(data) : data]);
}

/** As {@linkcode writeFileAtomic}, from pieces that need not be in memory together. */
export function writeChunksAtomic(path: string, chunks: Iterable<Uint8Array>): void {
  withPath("write", path, "write", () => {
    using temporary = Temporary.begin(path);
    for (const chunk of chunks) temporary.file.write(chunk);
    temporary.commit();
  });
}

/** As {@linkcode writeChunksAtomic}, from pieces that are made while the file is written. */
export async function writeStreamAtomic(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await withPathAsync("write", path, "write", async () => {
    using temporary = Temporary.begin(path);
    for await (const chunk of chunks) await temporary.file.writeSlowly(chunk);
    temporary.commit();
  });
}

/**
 * Opens a file for reading by range.
 *
 * @throws {DataError} If there is no such file.
 */
// deno-lint-ignore require-await -- what it throws is to reject
export async function openFile(path: string): Promise<RandomAccess> {
  const file = withPath("open", path, "read", () => OpenFile.open(path, "read"));
  const { size, isFile } = file.entry();
  if (!isFile) {
    file.close();
    throw new DataError(`Cannot open ${path}: it is no file`, { code: "file-missing", context: { file: path } });
  }
  // Hosts may read by place with a position that is shared.
  let last: Promise<unknown> = Promise.resolve();
  async function readAt(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(length);
    const got = await file.readSlowly(out, offset);
    // The file became shorter after it was opened.
    if (got < length) checkRange(path, offset + got, offset, length);
    return out;
  }
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      const result = last.then(() => withPathAsync("read", path, "read", () => readAt(offset, length)));
      last = result.catch(() => {});
      return await result;
    },
    close: () => file.close(),
  };
}

/** A folder of the file system; its files are read by range and written whole or not at all. */
export function openFolder(path: string): Folder {
  const inside = (name: string): string => {
    if (!isPlainName(name)) throw missingFile(path, name);
    return `${path.replace(/[/\\]+$/, "")}/${name}`;
  };
  return {
    name: path,
    // deno-lint-ignore require-await -- what it throws is to reject
    async list() {
      const entries = withPath("list", path, "read", () => entriesOf(path));
      return entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name).sort();
    },
    open: async (name) => await openFile(inside(name)),
    // deno-lint-ignore require-await -- what it throws is to reject
    async write(name, data) {
      makeFolder(path);
      writeFileAtomic(inside(name), data);
    },
  };
}

/**
 * Opens a file for synchronous access: `read` an existing one, `create` an empty one in the place of what is there, `update`
 * one that is made if missing. Links are followed for reading only.
 *
 * @throws {DataError | ConfigError} If it cannot be opened, or later be read or written.
 */
export function openHostFile(path: string, mode: "read" | "create" | "update"): HostFile {
  const access = mode === "read" ? "read" : "write";
  return hostFile(withPath("open", path, access, () => openNamed(path, mode)), path, mode !== "read");
}

function openNamed(path: string, mode: "read" | "create" | "update"): OpenFile {
  if (mode === "read") return OpenFile.open(path, mode);
  const entry = entryAt(path);
  const links = entry?.isSymlink ?? false;
  if (links && mode === "update") {
    throw new ConfigError(`Cannot write ${path}: it is a symbolic link, wanted a file`, {
      code: "file-access",
      hint: "Remove the link, or write elsewhere",
      context: { file: path },
    });
  }
  // Another name of the same file keeps its content.
  if (entry && (links || entry.isFile) && mode === "create") removeEntry(path);
  return OpenFile.open(path, mode);
}

function hostFile(file: OpenFile, path: string, writable: boolean): HostFile {
  let size = withPath("open", path, "read", () => file.entry().size);
  return {
    name: path,
    size: () => size,
    read: (offset, into) => withPath("read", path, "read", () => file.read(into, offset)),
    write: (offset, bytes) =>
      withPath("write", path, "write", () => {
        file.write(bytes, offset);
        size = Math.max(size, offset + bytes.length);
      }),
    truncate: (length) =>
      withPath("write", path, "write", () => {
        file.truncate(length);
        size = length;
      }),
    sync() {
      if (writable) withPath("write", path, "write", () => file.sync());
    },
    close: () => file.close(),
  };
}

/** All bytes of a file. @throws {DataError} If it is not there, or cannot be read. */
export function readFile(path: string): Uint8Array<ArrayBuffer> {
  return withPath("read", path, "read", () => readBytes(path));
}

/** All of a file as UTF-8 text. @throws {DataError} If it is not there, or cannot be read. */
export function readText(path: string): string {
  return new TextDecoder().decode(readFile(path));
}

/** How a file looks without reading it: length, times of its last changes in milliseconds, number in the file system. */
export type FileLook = readonly [size: number, mtime: number, ctime: number, ino: number];

/** Looks at a file. @throws {DataError} If it is not there, or cannot be looked at. */
export function fileLook(path: string): FileLook {
  const { size, modified, changed, ino } = withPath("read", path, "read", () => statOf(path));
  return [size, modified, changed, ino];
}

/** Folders that this process made, those above first. */
const made: string[] = [];

/** Makes a folder and those above it, if need be; what the system refuses is thrown as it is. */
export function makeMissing(path: string): void {
  const missing: string[] = [];
  for (let at = path.replace(/(?<=.)[/\\]+$/, ""); entryAt(at) === undefined; at = parentOf(at)) {
    missing.unshift(at);
    if (parentOf(at) === at) break;
  }
  made.push(...missing);
  makeFolders(path);
}

/** As {@linkcode makeMissing}, with errors of this project. */
export function makeFolder(path: string): void {
  withPath("make folder", path, "write", () => makeMissing(path));
}

/**
 * Takes away the folders that this process made and put nothing into, as when a command was refused or broke off. Those that
 * were there before stay, and so does what another process has begun to fill.
 */
export function removeEmptyMade(): void {
  for (const path of made.splice(0).reverse()) {
    try {
      // A folder that is not empty is not removed.
      if (entryAt(path)?.isDirectory) removeEntry(path);
    } catch { /* it holds something, or is not this process's to remove */ }
  }
}

/** Removes a folder with all that is in it, if it is there; of links in it themselves, not what they lead to. */
export function removeFolder(path: string): void {
  withPath("remove", path, "write", () => {
    if (entryAt(path)?.isDirectory !== true) return;
    for (const { name, isDirectory } of entriesOf(path)) {
      if (isDirectory) removeFolder(`${path}/${name}`);
      else removeEntry(`${path}/${name}`);
    }
    removeEntry(path);
  });
}

function lookAt(path: string): HostEntry | undefined {
  return withPath("look at", path, "read", () =>
    unlessMissing(() => {
      const { isDirectory, size } = statOf(path);
      if (!isDirectory) return { kind: "file", size };
      return { kind: "folder", names: entriesOf(path).map(({ name }) => name).sort() };
    }));
}

function removeFile(path: string): void {
  withPath("remove", path, "write", () => unlessMissing(() => removeEntry(path)));
}

/** The file system as {@linkcode Disk}, for what must not know the host. */
export const disk: Disk = {
  look: lookAt,
  open: openHostFile,
  remove: removeFile,
  write: writeFileAtomic,
  writeChunks: writeChunksAtomic,
  writeAnywhere(path, fill) {
    withPath("write", path, "write", () => {
      using temporary = Temporary.begin(path);
      fill({ ...hostFile(temporary.file, path, true), close: () => {} });
      temporary.commit();
    });
  },
  async writeSlowly(path, fill) {
    await withPathAsync("write", path, "write", async () => {
      using temporary = Temporary.begin(path);
      await fill({ ...hostFile(temporary.file, path, true), close: () => {} });
      temporary.commit();
    });
  },
};
