/**
 * Bytes read by range: a file, a Blob of a browser, or an array. Weights reach 4.5 GB, so no reader asks for a whole file.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";

/** A source of bytes of known length. */
export interface RandomAccess {
  /** Name for error messages, usually the path. */
  readonly name: string;
  /** Length, bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes from `offset`, into an array of its own that begins its buffer, so that typed views align.
   *
   * @throws {FormatError} If the range leaves the source.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Releases what the source holds. */
  close?(): void;
}

/** Sources by name: a folder of the file system, files dropped on a page, or a map. Names have no path. */
export interface Folder {
  /** Name for error messages, usually the path. */
  readonly name: string;
  /** Names of the files, sorted. */
  list(): Promise<string[]>;
  /**
   * Opens a file.
   *
   * @throws {DataError} If there is none of that name.
   */
  open(name: string): Promise<RandomAccess>;
  /** Writes a file whole; absent where the folder cannot be written. */
  write?(name: string, data: Uint8Array | string): Promise<void>;
}

/**
 * Throws unless the range lies within the source.
 *
 * @throws {FormatError} Naming the range and where the source ends.
 */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (whole && offset + length <= size) return;
  throw new FormatError(
    `Cannot read ${name}: byte ${size} is the end of the file, expected ${length} bytes from ${offset}`,
    {
      hint: "The file is truncated: fetch it again",
      context: { file: name, offset: size, found: "end of file", expected: `${length} bytes from ${offset}` },
    },
  );
}

/** Whether `name` is one plain file name, so that a file's content cannot lead out of its folder. */
export function isPlainName(name: string): boolean {
  return /^[^/\\:\0]+$/.test(name) && name !== "." && name !== "..";
}

/** Why a folder gives no file of that name. */
export function missingFile(folder: string, name: string, cause?: unknown): DataError {
  return new DataError(
    `Cannot open "${name}" in ${folder}: ${isPlainName(name) ? "there is none" : "no plain file name"}`,
    {
      code: "file-missing",
      context: { folder, file: name },
      cause,
    },
  );
}

/** Bytes of an array. */
export function fromBytes(bytes: Uint8Array, name: string): RandomAccess {
  return {
    name,
    size: bytes.byteLength,
    // Async, so that a bad range rejects and never throws.
    // deno-lint-ignore require-await
    async read(offset, length) {
      checkRange(name, bytes.byteLength, offset, length);
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
  };
}

/** Bytes of a Blob, which is how a browser hands over a chosen file. */
export function fromBlob(blob: Blob, name: string): RandomAccess {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      checkRange(name, blob.size, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** A folder in memory; writing changes `files`. */
export function fromMap(files: Map<string, Uint8Array>, name: string): Folder {
  return {
    name,
    list: () => Promise.resolve([...files.keys()].sort()),
    // deno-lint-ignore require-await
    async open(file) {
      const bytes = files.get(file);
      if (bytes === undefined) throw missingFile(name, file);
      return fromBytes(bytes, `${name}/${file}`);
    },
    // deno-lint-ignore require-await
    async write(file, data) {
      if (!isPlainName(file)) throw missingFile(name, file);
      files.set(file, typeof data === "string" ? new TextEncoder().encode(data) : data.slice());
    },
  };
}

/** Bytes `from` up to `to`, at most `step` at a time. */
export async function* readChunks(
  source: RandomAccess,
  from: number = 0,
  to: number = source.size,
  step: number = 1 << 24,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = from; at < to; at += step) yield await source.read(at, Math.min(step, to - at));
}
