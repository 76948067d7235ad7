/**
 * What lies at paths as one number, by which the inputs of two runs are known to be the same.
 *
 * @module
 */

import { disk } from "../io/fs.ts";
import { machineHub } from "../io/hub/hub_machine.ts";
import { trimmed } from "../io/output.ts";

/** Files below a path in order of their names; of a folder neither hidden ones nor what is still being written. */
function* filesAt(path: string, name: string): Generator<{ path: string; name: string; size: number }> {
  const entry = disk.look(path);
  if (entry?.kind === "file") yield { path, name, size: entry.size };
  if (entry?.kind !== "folder") return;
  for (const inside of entry.names) {
    if (inside.startsWith(".") || /\.(tmp|partial|partial\.json|lock)$/.test(inside)) continue;
    yield* filesAt(`${path}/${inside}`, `${name}/${inside}`);
  }
}

/** SHA-256 over names below the paths, and content, of files and folders in the order given; where they lie is no part of it. */
export async function contentHash(paths: readonly string[]): Promise<string> {
  const hash = machineHub.sha256();
  for (const path of paths) {
    for (const file of filesAt(trimmed(path), "")) {
      hash.update(new TextEncoder().encode(`${file.name}\0${file.size}\0`));
      for await (const piece of machineHub.read(file.path)) hash.update(piece);
    }
  }
  return hash.hex();
}
