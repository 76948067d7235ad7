/** The machine as `Hub` sees it, with an environment of its own. */

import { createHash } from "node:crypto";
import type { HubHost } from "../../src/io/hub_host.ts";

async function unless<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

export function testHost(environment: Readonly<Record<string, string>>): HubHost {
  return {
    env: (name) => environment[name],
    readText: (path) => unless(Deno.readTextFile(path)),
    size: async (path) => {
      const info = await unless(Deno.stat(path));
      return info?.isFile ? info.size : undefined;
    },
    makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
    async writeText(path, text) {
      const temporary = `${path}.${crypto.randomUUID()}.tmp`;
      await Deno.writeTextFile(temporary, text);
      await Deno.rename(temporary, path);
    },
    rename: (from, to) => Deno.rename(from, to),
    remove: async (path) => void await unless(Deno.remove(path)),
    async link(target, path) {
      try {
        await Deno.symlink(target, path);
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) return true;
        if (Deno.build.os === "windows" || error instanceof Deno.errors.NotSupported) return false;
        throw error;
      }
      return true;
    },
    async append(path, { empty }) {
      const file = await Deno.open(path, {
        create: true,
        write: true,
        ...(empty ? { truncate: true } : { append: true }),
      });
      return {
        async write(bytes) {
          for (let at = 0; at < bytes.byteLength;) at += await file.write(bytes.subarray(at));
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
      for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) yield buffer.subarray(0, n);
    },
    sha256() {
      const hash = createHash("sha256");
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
    },
    async lock(path) {
      const file = await Deno.open(path, { create: true, write: true });
      await file.lock(true);
      return () => file.close();
    },
  };
}
