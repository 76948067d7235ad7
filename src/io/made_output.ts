/**
 * An output that is there and cannot be read: damaged, or of another program.
 *
 * @module
 */

import { DataError, type SealError } from "../core/errors.ts";
import { notOwn } from "../core/facts.ts";
import type { Disk } from "./disk.ts";
import { isTyped } from "./system_error.ts";

/** Bytes looked at from the beginning and from the end. */
const LOOKED_AT = 1 << 16;
/** What stands in every output of this program, and how formats begin that it writes and that are unmistakable. */
const OWN = "seal-webgpu", BEGINNINGS = ["\x89HDF\r\n\x1a\n", "\x93NUMPY"];

/** Whether a file is one that this program may have written, as far as its first and last bytes say. */
export function looksOwn(disk: Pick<Disk, "open">, path: string): boolean {
  const file = disk.open(path, "read");
  try {
    const texts = [0, Math.max(0, file.size() - LOOKED_AT)].map((at) => {
      const bytes = new Uint8Array(LOOKED_AT);
      return String.fromCharCode(...bytes.subarray(0, file.read(at, bytes)));
    });
    return BEGINNINGS.some((begin) => texts[0]!.startsWith(begin)) || texts.some((text) => text.includes(OWN));
  } finally {
    file.close();
  }
}

/**
 * The error for an output that could not be read.
 *
 * @param cause What was thrown.
 * @param elsewhere What else may be given, for the hint.
 * @returns A `DataError` (status 4) if it is damaged or barred, a `ConfigError` (status 2) if it is no output of this
 * program.
 */
export function unreadable(
  disk: Pick<Disk, "look" | "open">,
  path: string,
  cause: unknown,
  elsewhere = "another --out",
): SealError {
  if (isTyped(cause) && ["file-access", "permission", "too-many-files"].includes(cause.code)) return cause;
  const { message } = cause as Error;
  if (disk.look(path)?.kind !== "file" || !looksOwn(disk, path)) {
    return notOwn(path, `it exists and does not say what it was made from (${message})`, elsewhere);
  }
  return new DataError(`Cannot use ${path}: it is there already and damaged (${message})`, {
    code: "output-damaged",
    hint: `Pass --overwrite to make it again, or ${elsewhere}`,
    context: { file: path },
    cause,
  });
}
