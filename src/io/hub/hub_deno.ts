/**
 * The machine as downloads need it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { writeFileAtomic, writeStreamAtomic } from "../fs.ts";
import type { HubHash, HubHost } from "./hub_host.ts";

async function unlessMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

function hashing(algorithm: "sha1" | "sha256"): HubHash {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}

/** Deno's file system and environment. */
export const denoHost: HubHost = {
  env: (name) => Deno.env.get(name),
  mayConnect(address) {
    const host = URL.parse(address)?.host;
    return host !== undefined && Deno.permissions.querySync({ name: "net", host }).state === "granted";
  },
  readText: (path) => unlessMissing(Deno.readTextFile(path)),
  size: async (path) => (await unlessMissing(Deno.stat(path)))?.size,
  makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
  async writeText(path, text) {
    await Deno.mkdir(dirname(path), { recursive: true });
    writeFileAtomic(path, text);
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: async (path) => void await unlessMissing(Deno.remove(path)),
  async link(target, path) {
    try {
      await Deno.symlink(target, path);
      return true;
    } catch {
      return false;
    }
  },
  copy: (from, to) => writeStreamAtomic(to, denoHost.read(from)),
  async append(path, { empty }) {
    const file = await Deno.open(path, { create: true, write: true, append: !empty, truncate: empty });
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      },
      async close() {
        await file.sync();
        file.close();
      },
    };
  },
  async *read(path) {
    using file = await Deno.open(path);
    const buffer = new Uint8Array(1 << 20);
    for (;;) {
      const got = await file.read(buffer);
      if (got === null) return;
      yield buffer.slice(0, got);
    }
  },
  sha256: () => hashing("sha256"),
  sha1: () => hashing("sha1"),
  async lock(path) {
    const file = await Deno.open(path, { create: true, write: true });
    await file.lock(true);
    return async () => {
      await file.unlock();
      file.close();
    };
  },
  freeBytes(path) {
    const { bavail, bsize } = statfsSync(path);
    return Promise.resolve(bavail * bsize);
  },
};
