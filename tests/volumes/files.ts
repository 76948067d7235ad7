/** Files in memory as a disk that is only read. */

import type { Disk } from "../../src/io/disk.ts";
import { missingFile } from "../../src/io/random_access.ts";

/** A disk of files by path. */
export function memoryDisk(files: ReadonlyMap<string, Uint8Array>): Disk {
  const refuse = () => {
    throw new Error("this disk is only read");
  };
  return {
    look(path) {
      const file = files.get(path);
      if (file !== undefined) return { kind: "file", size: file.length };
      const inside = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
      if (inside.length === 0) return undefined;
      const names = new Set(inside.map((name) => name.slice(path.length + 1).split("/")[0]!));
      return { kind: "folder", names: [...names].sort() };
    },
    open(path) {
      const file = files.get(path);
      if (file === undefined) throw missingFile("memory", path);
      return {
        name: path,
        size: () => file.length,
        read(at, into) {
          const part = file.subarray(Math.min(at, file.length), at + into.length);
          into.set(part);
          return part.length;
        },
        ...{ write: refuse, truncate: refuse, sync: refuse, close() {} },
      };
    },
    ...{ remove: refuse, write: refuse, writeChunks: refuse, writeAnywhere: refuse, writeSlowly: refuse },
  };
}

/** All files below a folder, or one file, by their paths below `root`. */
export function filesBelow(root: string, path: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const walk = (at: string) => {
    if (Deno.statSync(`${root}/${at}`).isFile) return void files.set(at, Deno.readFileSync(`${root}/${at}`));
    for (const { name } of Deno.readDirSync(`${root}/${at}`)) walk(`${at}/${name}`);
  };
  walk(path);
  return files;
}
