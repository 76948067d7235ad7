/** What the system refuses, met through the functions that the program uses, and what becomes of it. */

import { equal, match, ok, rejects, throws } from "node:assert/strict";
import { ConfigError, DataError, type SealError } from "../../src/core/errors.ts";
import type { HostFile } from "../../src/io/disk.ts";
import { disk, makeFolder, openFile, openFolder, writeFileAtomic, writeStreamAtomic } from "../../src/io/fs.ts";
import { errnoOf, surfaced, systemError } from "../../src/io/system_error.ts";

function inFolder(act: (folder: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = await Deno.makeTempDir();
    try {
      await act(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
}

function thrown(act: () => unknown): SealError {
  try {
    act();
  } catch (error) {
    return error as SealError;
  }
  throw new Error("nothing was thrown");
}

async function rejected(act: () => Promise<unknown>): Promise<SealError> {
  return await act().then(() => {
    throw new Error("nothing was thrown");
  }, (error) => error as SealError);
}

Deno.test(
  "system errors: inputs that are missing, folders or in a circle are data errors with the name",
  inFolder(async (folder) => {
    Deno.symlinkSync(`${folder}/loop`, `${folder}/loop`);
    Deno.writeTextFileSync(`${folder}/file`, "x");
    const long = `${folder}/${"x".repeat(300)}`;
    for (const path of [`${folder}/none`, `${folder}/file/below`, `${folder}/loop`, long]) {
      for (const error of [await rejected(() => openFile(path)), thrown(() => disk.open(path, "read"))]) {
        ok(error instanceof DataError, path);
        ok(error.message.startsWith(`Cannot open ${path}: `), error.message);
        equal(error.exitCode, 4);
      }
    }
    equal(thrown(() => disk.open(`${folder}/none`, "read")).code, "file-missing");
    await rejects(() => openFolder(`${folder}/none`).list(), DataError);
    throws(() => disk.look(`${folder}/loop`), DataError);
  }),
);

Deno.test(
  "system errors: places that cannot be written are configuration errors with the name and a hint",
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "x");
    Deno.mkdirSync(`${folder}/folder`);
    const errors = [
      thrown(() => makeFolder(`${folder}/file`)),
      thrown(() => makeFolder(`${folder}/file/below`)),
      thrown(() => writeFileAtomic(`${folder}/file/below`, "x")),
      thrown(() => writeFileAtomic(`${folder}/folder`, "x")),
      thrown(() => disk.open(`${folder}/folder`, "create")),
      thrown(() => disk.writeAnywhere(`${folder}/none/a`, () => {})),
      await rejected(() => disk.writeSlowly(`${folder}/none/a`, () => Promise.resolve())),
    ];
    for (const error of errors) {
      ok(error instanceof ConfigError, String(error));
      equal(error.exitCode, 2);
      match(error.message, /^Cannot [a-z ]+ .*\/(file|folder|none)(\/a|\/below)?: [a-z]/);
      ok(!/os error|\.tmp/.test(error.message), error.message);
      ok(error.hint);
    }
  }),
);

/** A device that is always full, where the tests may have one; `a disk that fills` has a real disk besides. */
function openFull(): HostFile | undefined {
  try {
    Deno.lstatSync("/dev/full");
  } catch (error) {
    // Deno gives devices to those alone that may do everything.
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
  return disk.open("/dev/full", "update");
}

Deno.test("system errors: a full disk is one class, whoever writes", async () => {
  if (Deno.build.os !== "linux") return;
  const device = openFull();
  const full = new Deno.errors.NotFound("x");
  Object.assign(full, { code: "ENOSPC", name: "Error" });
  async function* fails(): AsyncGenerator<Uint8Array> {
    yield await Promise.reject(full);
  }
  const folder = await Deno.makeTempDir();
  try {
    const errors = [
      ...(device === undefined ? [] : [
        thrown(() => device.write(0, new Uint8Array(1))),
        thrown(() => Deno.writeFileSync("/dev/full", new Uint8Array(1))),
      ]),
      await rejected(() => writeStreamAtomic(`${folder}/a`, fails())),
      thrown(() => {
        disk.writeAnywhere(`${folder}/a`, () => {
          throw full;
        });
      }),
      await rejected(() => disk.writeSlowly(`${folder}/a`, () => Promise.reject(full))),
    ].map((error) => surfaced(error) as SealError);
    for (const error of errors) {
      ok(error instanceof DataError, String(error));
      equal(error.code, "disk-full");
      equal(error.exitCode, 4);
      match(error.message, /^Cannot write \/.*: no space left on the disk$/);
      match(error.hint!, /^Make room/);
    }
    equal([...Deno.readDirSync(folder)].length, 0, "nothing is left behind");
  } finally {
    device?.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("system errors: errors of this project and defects stay as they are", () => {
  const own = new DataError("Cannot");
  const defect = new TypeError("x is undefined");
  for (const error of [own, defect]) {
    equal(systemError(error, "open", "a", "read"), error);
    equal(surfaced(error), error);
  }
  equal(errnoOf(new Error("Read-only file system (os error 30)")), "EROFS");
  const path = thrown(() => Deno.readTextFileSync("/none/\n.txt"));
  equal((surfaced(path) as SealError).message, "Cannot read /none/\n.txt: no such file or folder");
});

for (const read of [["/none"], true]) {
  Deno.test({
    name: `system errors: an empty path names nothing, permitted ${read === true ? "all" : "some"}`,
    permissions: { read },
    async fn() {
      equal(disk.look(""), undefined);
      for (const error of [await rejected(() => openFile("")), thrown(() => disk.open("", "read"))]) {
        ok(error instanceof DataError);
        equal(error.code, "file-missing");
      }
    },
  });
}

Deno.test({
  name: "system errors: what Deno itself does not permit names the permission",
  permissions: { read: [] },
  fn() {
    const error = surfaced(thrown(() => Deno.readTextFileSync("/etc/passwd"))) as SealError;
    ok(error instanceof ConfigError);
    match(error.message, /--allow-read/);
    ok(error.hint!.includes("--allow-read"));
  },
});
