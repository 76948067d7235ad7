/**
 * The machine as downloads need it.
 *
 * @module
 */

import { waitForAdvisory } from "../../host/advisory.ts";
import {
  freeBytes,
  linkSymbolically,
  makeFolders,
  OpenFile,
  readBytes,
  removeEntry,
  renameEntry,
  statOf,
} from "../../host/files.ts";
import { mayConnect, variable } from "../../host/process.ts";
import { startHash } from "../../host/zlib.ts";
import { parentOf } from "../atomic.ts";
import { writeFileAtomic, writeStreamAtomic } from "../fs.ts";
import { lockFile } from "../lock.ts";
import { unlessMissing } from "../system_error.ts";
import type { HubHost } from "./hub_host.ts";

/** Milliseconds between two looks at a lock that another process holds, where the system does not tell when it is free. */
const LOOK = 200;

async function lock(path: string): Promise<() => void> {
  const release = await waitForAdvisory(path);
  if (release !== undefined) return release;
  for (;;) {
    try {
      return lockFile(path, "download").release;
    } catch (error) {
      if ((error as { code?: string }).code !== "locked") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** What throws rejects. */
async function rejecting<T>(act: () => T): Promise<T> {
  return await act();
}

/** The file system and the environment of the host. */
export const machineHub: HubHost = {
  env: variable,
  mayConnect,
  readText: (path) => rejecting(() => unlessMissing(() => new TextDecoder().decode(readBytes(path)))),
  size: (path) => rejecting(() => unlessMissing(() => statOf(path).size)),
  makeFolder: (path) => rejecting(() => makeFolders(path)),
  writeText: (path, text) =>
    rejecting(() => {
      makeFolders(parentOf(path));
      writeFileAtomic(path, text);
    }),
  rename: (from, to) => rejecting(() => renameEntry(from, to)),
  remove: (path) => rejecting(() => unlessMissing(() => removeEntry(path))),
  // deno-lint-ignore require-await
  async link(target, path) {
    try {
      linkSymbolically(target, path);
      return true;
    } catch {
      return false;
    }
  },
  copy: (from, to) => writeStreamAtomic(to, machineHub.read(from)),
  append: (path, { empty }) =>
    rejecting(() => {
      const file = OpenFile.open(path, empty ? "empty" : "append");
      return {
        write: (bytes) => file.writeSlowly(bytes),
        close: () =>
          rejecting(() => {
            file.sync();
            file.close();
          }),
      };
    }),
  async *read(path) {
    using file = OpenFile.open(path, "read");
    const buffer = new Uint8Array(1 << 20);
    for (let at = 0, got = 0;; at += got) {
      got = await file.readSlowly(buffer, at);
      if (got === 0) return;
      yield buffer.slice(0, got);
    }
  },
  sha256: () => startHash("sha256"),
  sha1: () => startHash("sha1"),
  lock,
  freeBytes: (path) => rejecting(() => freeBytes(path)),
};
