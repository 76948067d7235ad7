/**
 * What lies at paths as one number, by which the inputs of two runs are known to be the same.
 *
 * @module
 */

import type { DigestPart } from "../io/checksum.ts";
import { disk } from "../io/fs.ts";
import { trimmed } from "../io/output.ts";
import { digestAhead, digestOf } from "../worker/digest_pool.ts";

/** Hidden files, but for those of zarr 2, and what is still being written. */
const LEFT_OUT = /^\.(?!z(array|attrs|group|metadata)$)|\.(tmp|partial|partial\.json|lock)$/;

/** Files below a path in order of their names; of a folder neither hidden ones, but for those of zarr, nor what is still written. */
function* filesAt(path: string, name: string): Generator<{ path: string; name: string; size: number }> {
  const entry = disk.look(path);
  if (entry?.kind === "file") yield { path, name, size: entry.size };
  if (entry?.kind !== "folder") return;
  for (const inside of entry.names) {
    if (LEFT_OUT.test(inside)) continue;
    yield* filesAt(`${path}/${inside}`, `${name}/${inside}`);
  }
}

/** Files at a path: itself, or those below it that count. */
export function filesBelow(path: string): string[] {
  return Array.from(filesAt(trimmed(path), ""), (file) => file.path);
}

function partsOf(paths: readonly string[]): DigestPart[] {
  return paths.flatMap((path) =>
    [...filesAt(trimmed(path), "")].flatMap((file) => [`${file.name}\0${file.size}\0`, { path: file.path }])
  );
}

/** SHA-256 over names below the paths, and content, of files and folders in the order given; where they lie is no part of it. */
export async function contentHash(paths: readonly string[]): Promise<string> {
  return await digestOf(partsOf(paths));
}

/** Begins what {@linkcode contentHash} will be asked for. */
export function contentHashAhead(paths: readonly string[]): void {
  digestAhead(partsOf(paths));
}
