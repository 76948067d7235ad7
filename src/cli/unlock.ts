/**
 * Locks that dead processes of TRIDENT left in a job of slides. Commands may not look for other processes; the launcher, where it
 * finds such a lock, starts this in a process that may, before the command.
 *
 * @module
 */

import { lockFile, ownerOf } from "../io/lock.ts";

/** Files below a folder that TRIDENT locked, by its locks as they are now. */
export function lockedByTrident(folder: string): string[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch {
    return []; // It is not there, or not to be read: the command says so.
  }
  return entries.flatMap(({ name, isDirectory, isFile }) => {
    if (isDirectory) return lockedByTrident(`${folder}/${name}`);
    const target = isFile && /^.+(?=\.lock$)/.exec(name)?.[0];
    const owner = target ? ownerOf(`${folder}/${name}`) : undefined;
    return owner !== undefined && owner.token === undefined ? [`${folder}/${target}`] : [];
  });
}

/** Lets go of those whose process is gone. */
export function unlock(folder: string): void {
  for (const path of lockedByTrident(folder)) {
    try {
      lockFile(path, "embed").release();
    } catch { /* it lives */ }
  }
}
