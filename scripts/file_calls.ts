/**
 * Calls that change the file system, watched: what a process had done when it died is a number of them.
 *
 * @module
 */

import fs from "node:fs";

const NAMES = [
  "renameSync",
  "unlinkSync",
  "rmdirSync",
  "mkdirSync",
  "linkSync",
  "symlinkSync",
  "ftruncateSync",
  "fsyncSync",
];
type Call = (...given: unknown[]) => unknown;

/**
 * Watches the calls.
 *
 * @param before Told of each before it is made, by its name in node:fs; `tear` writes half of what is to be written, if it is a
 * write.
 * @returns Ends the watch.
 */
export function watchFileCalls(before: (tear: () => void, name: string) => void): () => void {
  const undo: (() => void)[] = [];
  function replace(on: object, name: string, value: unknown): void {
    const was = Object.getOwnPropertyDescriptor(on, name)!;
    undo.push(() => Object.defineProperty(on, name, was));
    Object.defineProperty(on, name, { ...was, value });
  }
  const calls = fs as unknown as Record<string, Call>;
  for (const name of NAMES) {
    const call = calls[name]!;
    replace(fs, name, (...given: unknown[]) => {
      before(() => {}, name);
      return call(...given);
    });
  }
  const open = calls.openSync!;
  replace(fs, "openSync", (path: string, flags: string | number) => {
    if (flags !== "r" && flags !== "r+") before(() => {}, "openSync");
    return open(path, flags);
  });
  const writeSync = calls.writeSync!;
  for (const name of ["writeSync", "write"]) {
    const call = calls[name]!;
    replace(fs, name, (...given: unknown[]) => {
      const [fd, bytes, from, length, at] = given as [number, Uint8Array, number, number, number | null];
      before(() => writeSync(fd, bytes, from, length >> 1, at), name);
      return call(...given);
    });
  }
  return () => undo.splice(0).reverse().forEach((put) => put());
}
