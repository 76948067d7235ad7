/**
 * Checksums of what a program writes and reads back: of bytes, of files, and of a JSON document that carries its own.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Disk } from "./disk.ts";
import { Sha256 } from "../host/zlib.ts";

/** Length and checksum of a file, or of its beginning. */
export interface FileMark {
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** SHA-256 in lower-case hexadecimal. */
export function sha256Of(data: Uint8Array | string): string {
  return new Sha256().update(typeof data === "string" ? new TextEncoder().encode(data) : data).hex();
}

/** The mark of bytes. */
export function markOf(data: Uint8Array): FileMark {
  return { bytes: data.length, sha256: sha256Of(data) };
}

/** Bytes looked at once. */
const BLOCK = 1 << 22;

/** Adds a file, or its first `most` bytes, to a hash. @returns Bytes that it has of them. */
function addFile(hash: Sha256, disk: Pick<Disk, "open">, path: string, most = Infinity): number {
  const file = disk.open(path, "read");
  try {
    const bytes = Math.min(file.size(), most);
    const block = new Uint8Array(Math.min(BLOCK, bytes));
    for (let at = 0; at < bytes;) {
      const got = file.read(at, block.subarray(0, Math.min(block.length, bytes - at)));
      if (got === 0) break; // It became shorter: the sum will tell.
      hash.update(block.subarray(0, got));
      at += got;
    }
    return bytes;
  } finally {
    file.close();
  }
}

/**
 * The mark of a file.
 *
 * @param most Bytes that count; the rest of the file is left out.
 */
export function markOfFile(disk: Pick<Disk, "open">, path: string, most: number = Infinity): FileMark {
  const hash = new Sha256();
  const bytes = addFile(hash, disk, path, most);
  return { bytes, sha256: hash.hex() };
}

/** What a digest is of: texts, and the content of files. */
export type DigestPart = string | { readonly path: string };

/** SHA-256 of parts one behind the other, in lower-case hexadecimal. */
export function sha256OfParts(disk: Pick<Disk, "open">, parts: readonly DigestPart[]): string {
  const hash = new Sha256();
  for (const part of parts) {
    if (typeof part === "string") hash.update(new TextEncoder().encode(part));
    else addFile(hash, disk, part.path);
  }
  return hash.hex();
}

/** Whether a value is a mark. */
export function isMark(value: unknown): value is FileMark {
  const { bytes, sha256 } = (value ?? {}) as Partial<FileMark>;
  return Number.isSafeInteger(bytes) && (bytes as number) >= 0 && typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256);
}

/**
 * A file that is not as it was written.
 *
 * @param keeper The file that says how it was.
 */
export function damaged(path: string, keeper: string, found: FileMark, wanted: FileMark, hint?: string): DataError {
  const given = found.bytes === wanted.bytes
    ? `its SHA-256 is ${found.sha256.slice(0, 12)}…`
    : `it has ${found.bytes} bytes`;
  const right = found.bytes === wanted.bytes ? `${wanted.sha256.slice(0, 12)}…` : `${wanted.bytes}`;
  return new DataError(`Cannot use ${path}: ${given}, ${right} is wanted by ${keeper}; it was changed or damaged`, {
    code: "checksum",
    ...(hint !== undefined && { hint }),
    context: { file: path, given: found.sha256, wanted: wanted.sha256 },
  });
}

/** Key of a document's own checksum. */
const OWN = "checksum";

/**
 * JSON text of an object with its own checksum as the last key. What stands under the key `timing` depends on the clock and is
 * left out of it: such parts protect themselves.
 *
 * @param indent Of nested values; 0 puts all on one line.
 */
export function sealJson(value: Readonly<Record<string, unknown>>, indent = 2): string {
  return `${JSON.stringify({ ...value, [OWN]: ownSum(value) }, null, indent)}\n`;
}

function ownSum(value: Readonly<Record<string, unknown>>): string {
  return sha256Of(JSON.stringify(value, (key, inner) => key === "timing" ? undefined : inner));
}

/**
 * Reads a document of {@linkcode sealJson}.
 *
 * @param name File, for errors.
 * @returns The object without its checksum, and whether it carried one.
 * @throws {DataError} If it is no JSON object, or its checksum does not agree.
 */
export function openSealed(bytes: Uint8Array, name: string): { value: Record<string, unknown>; sealed: boolean } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw unreadable(name, (cause as Error).message, "JSON", cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw unreadable(name, "no object", "a JSON object");
  }
  const { [OWN]: sum, ...value } = parsed as Record<string, unknown>;
  if (sum === undefined) return { value, sealed: false };
  const own = ownSum(value);
  if (sum !== own) {
    throw unreadable(name, `its content has the checksum ${own.slice(0, 12)}…`, `${String(sum).slice(0, 12)}…`);
  }
  return { value, sealed: true };
}

function unreadable(name: string, found: string, wanted: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${name}: ${found}, wanted ${wanted}; it was changed or damaged`, {
    code: "checksum",
    context: { file: name },
    cause,
  });
}
