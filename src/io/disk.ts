/**
 * The file system as it is handed to what must not know the host; `fs.ts` has Deno's.
 *
 * @module
 */

import { checkRange, type RandomAccess } from "./random_access.ts";

/** A file read and written at any place, synchronously, as HDF5's library and resumable outputs need it. */
export interface HostFile {
  /** Path of the file. */
  readonly name: string;
  /** Length, bytes. */
  size(): number;
  /** Fills `into` from `at`. @returns Bytes read, fewer only at the end. */
  read(at: number, into: Uint8Array): number;
  /** Writes all of `bytes` at `at`. */
  write(at: number, bytes: Uint8Array): void;
  /** Cuts or grows to `size` bytes. */
  truncate(size: number): void;
  /** Waits until what was written outlasts a power cut. */
  sync(): void;
  /** Closes the file. */
  close(): void;
}

/** What lies at a path: a file with its length, or a folder with the names in it, sorted. */
export type HostEntry = { kind: "file"; size: number } | { kind: "folder"; names: string[] };

/**
 * Synchronous access to files. Writing is whole or not at all, except through {@linkcode Disk.open}; nothing is written through a
 * symbolic link: it is replaced by the file, or refused.
 */
export interface Disk {
  /** What lies at a path; undefined where there is nothing. */
  look(path: string): HostEntry | undefined;
  /**
   * Opens a file: `read` an existing one, `create` an empty one, `update` one that is made if missing.
   *
   * @throws {DataError} If it cannot be opened, or later be read or written.
   */
  open(path: string, mode: "read" | "create" | "update"): HostFile;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): void;
  /** Writes a file. */
  write(path: string, data: Uint8Array | string): void;
  /** Writes a file from pieces that need not be in memory together. */
  writeChunks(path: string, chunks: Iterable<Uint8Array>): void;
  /** Writes a file by a function that fills it at any place. */
  writeAnywhere(path: string, fill: (file: HostFile) => void): void;
  /** As {@linkcode Disk.writeAnywhere}, by a function that waits for what it writes. */
  writeSlowly(path: string, fill: (file: HostFile) => Promise<void>): Promise<void>;
}

/** Bytes of a whole file. */
export function readBytes(disk: Pick<Disk, "open">, path: string): Uint8Array {
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(file.size());
    return bytes.subarray(0, file.read(0, bytes));
  } finally {
    file.close();
  }
}

/** A file as bytes by range. */
export function randomAccess(file: Pick<HostFile, "name" | "size" | "read"> & { close?(): void }): RandomAccess {
  const { name } = file;
  return {
    name,
    size: file.size(),
    // Async, so that a bad range rejects and never throws.
    // deno-lint-ignore require-await
    async read(offset, length) {
      checkRange(name, file.size(), offset, length);
      const out = new Uint8Array(length);
      const got = file.read(offset, out);
      if (got < length) checkRange(name, offset + got, offset, length);
      return out;
    },
    close: () => file.close?.(),
  };
}

/** Bytes of a file that are copied at once. */
const PIECE = 1 << 22;

/** Writes a copy of a file. */
export function copyFile(disk: Disk, from: string, to: string): void {
  const file = disk.open(from, "read");
  function* pieces(): Generator<Uint8Array> {
    const piece = new Uint8Array(PIECE);
    for (let at = 0, got = 0;; at += got) {
      got = file.read(at, piece);
      if (got === 0) return;
      yield piece.subarray(0, got);
    }
  }
  try {
    disk.writeChunks(to, pieces());
  } finally {
    file.close();
  }
}

/** A disk that remembers which files it wrote. */
export function recording(disk: Disk, written: string[]): Disk {
  // A file that could not be written is as it was.
  const noted =
    <T extends unknown[]>(write: (path: string, ...rest: T) => void) => (path: string, ...rest: T): void => {
      write(path, ...rest);
      written.push(path);
    };
  return {
    ...disk,
    write: noted(disk.write),
    writeChunks: noted(disk.writeChunks),
    writeAnywhere: noted(disk.writeAnywhere),
    async writeSlowly(path, fill) {
      await disk.writeSlowly(path, fill);
      written.push(path);
    },
  };
}
