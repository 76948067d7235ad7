/**
 * The manifest of an output folder: which files the program wrote there, with their checksums, and whether that is all of them.
 *
 * It makes the folder the program's own: only files it names are ever removed. Files that are read back are compared with
 * it. It is written before the first file and again, as complete, after the last, so that it is also the mark of completeness.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { damaged, type FileMark, isMark, markOf, markOfFile, openSealed, sealJson } from "./checksum.ts";
import type { Disk } from "./disk.ts";

/** Name of the manifest in its folder. */
export const MANIFEST = "manifest.json";

const PROGRAM = "seal-webgpu";

/** Most bytes of a manifest. */
const MOST_BYTES = 1 << 26;

/** What a manifest says. */
export interface Manifest {
  /** Whether all files are there; the last thing that is written. */
  readonly complete: boolean;
  /**
   * Marks of files by their paths below the folder. Null is a file that may be there, whole or not at all. While the manifest is
   * not complete the mark of a file that grows is that of its beginning.
   */
  readonly files: Readonly<Record<string, FileMark | null>>;
  /** Other facts that are to be protected. */
  readonly facts: Readonly<Record<string, string>>;
}

type Reader = Pick<Disk, "look" | "open">;

/**
 * Reads the manifest of a folder; undefined where there is none of this program.
 *
 * @throws {DataError} If it is damaged.
 */
export function readManifest(disk: Reader, folder: string): Manifest | undefined {
  const path = `${folder}/${MANIFEST}`;
  const entry = disk.look(path);
  if (entry?.kind !== "file") return undefined;
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(Math.min(entry.size, MOST_BYTES));
    const text = bytes.subarray(0, file.read(0, bytes));
    // Another program's file of that name is no damage.
    if (!new TextDecoder().decode(text).includes(PROGRAM) && !looksOurs(text)) return undefined;
    return parsed(text, path);
  } finally {
    file.close();
  }
}

/** Whether a manifest may be ours with the program's name damaged. */
function looksOurs(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes);
  return text.includes('"checksum"') && text.includes('"complete"');
}

function parsed(bytes: Uint8Array, path: string): Manifest {
  const fail = (found: string, wanted: string) =>
    new DataError(`Cannot read ${path}: ${found}, wanted ${wanted}`, {
      code: "checksum",
      hint: "Bring it back from a copy; without it the files of the folder are read unchecked",
      context: { file: path },
    });
  const { value, sealed } = openSealed(bytes, path);
  const { program, format, complete, files, facts } = value;
  if (!sealed) throw fail("no checksum", "one of its own");
  if (program !== PROGRAM || format !== 1) throw fail(`format ${format} of ${program}`, `1 of ${PROGRAM}`);
  const marks = Object.values((files ?? {}) as Record<string, unknown>);
  if (typeof complete !== "boolean" || !marks.every((mark) => mark === null || isMark(mark))) {
    throw fail("no marks of files", "a length and a SHA-256 each");
  }
  return { complete, files: files as Manifest["files"], facts: (facts ?? {}) as Manifest["facts"] };
}

/** Writes the manifest of a folder. */
export function writeManifest(disk: Pick<Disk, "write">, folder: string, manifest: Manifest): void {
  disk.write(`${folder}/${MANIFEST}`, sealJson({ program: PROGRAM, format: 1, ...manifest }));
}

/**
 * Compares bytes that were read with the manifest; what that does not mark is not compared.
 *
 * @param path Below the folder.
 * @returns How many of the bytes at the end no mark covers.
 * @throws {DataError} If they are not what was written.
 */
export function checkBytes(manifest: Manifest | undefined, folder: string, path: string, bytes: Uint8Array): number {
  return check(manifest, folder, path, bytes.length, (most) => markOf(bytes.subarray(0, most)));
}

/** As {@linkcode checkBytes}, of a file that is not read whole. */
export function checkFile(disk: Reader, manifest: Manifest | undefined, folder: string, path: string): number {
  const entry = disk.look(`${folder}/${path}`);
  const size = entry?.kind === "file" ? entry.size : 0;
  return check(manifest, folder, path, size, (most) => markOfFile(disk, `${folder}/${path}`, most));
}

function check(
  manifest: Manifest | undefined,
  folder: string,
  path: string,
  size: number,
  mark: (most: number) => FileMark,
): number {
  const wanted = manifest?.files[path];
  if (!wanted) return size;
  const found = mark(manifest.complete ? size : Math.min(size, wanted.bytes));
  if (found.bytes === wanted.bytes && found.sha256 === wanted.sha256) return size - wanted.bytes;
  throw damaged(
    `${folder}/${path}`,
    `${folder}/${MANIFEST}`,
    found,
    wanted,
    "Bring the file back from a copy; the others of the folder can be used",
  );
}
