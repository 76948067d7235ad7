/** Files whole or not at all: what is at the name stays until all is written; links, leftovers, and what is no file. */

import assert from "node:assert/strict";
import { disk, writeFileAtomic, writeStreamAtomic } from "../../src/io/fs.ts";
import { removeLeftTemporaries } from "../../src/io/atomic.ts";

function inFolder(name: string, act: (folder: string) => Promise<void> | void): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "atomic_" });
    try {
      await act(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

inFolder("a writer that fails leaves what was there and nothing else", async (folder) => {
  const path = `${folder}/a.txt`;
  writeFileAtomic(path, "before");
  const fail = () => {
    throw new Error("no");
  };
  assert.throws(() => disk.writeAnywhere(path, fail), /no/);
  assert.throws(() =>
    disk.writeChunks(
      path,
      (function* () {
        yield new Uint8Array(3);
        fail();
      })(),
    ), /no/);
  await assert.rejects(disk.writeSlowly(path, () => Promise.reject(new Error("no"))), /no/);
  await assert.rejects(
    writeStreamAtomic(
      path,
      (async function* () {
        yield new Uint8Array(3);
        await Promise.resolve();
        fail();
      })(),
    ),
    /no/,
  );
  assert.equal(Deno.readTextFileSync(path), "before");
  assert.deepEqual(names(folder), ["a.txt"]);
});

inFolder("links are replaced, or refused by name; what they lead to stays", (folder) => {
  const [target, path] = [`${folder}/target`, `${folder}/link`];
  const anew = () => {
    writeFileAtomic(target, "target");
    disk.remove(path);
    Deno.symlinkSync(target, path);
  };
  for (
    const write of [
      () => writeFileAtomic(path, "new"),
      () => disk.writeAnywhere(path, (file) => file.write(0, new TextEncoder().encode("new"))),
      () => {
        const file = disk.open(path, "create");
        file.write(0, new TextEncoder().encode("new"));
        file.close();
      },
    ]
  ) {
    anew();
    write();
    assert.ok(Deno.lstatSync(path).isFile);
    assert.deepEqual([path, target].map((one) => Deno.readTextFileSync(one)), ["new", "target"]);
  }
  anew();
  assert.throws(() => disk.open(path, "update"), /link: it is a symbolic link, wanted a file/);
  // A second name of a file is not written through either.
  disk.remove(path);
  Deno.linkSync(target, path);
  disk.open(path, "create").close();
  assert.equal(Deno.readTextFileSync(target), "target");
});

inFolder("folders and devices are refused by name, with status 2", (folder) => {
  for (const [path, what] of [[folder, "a folder"], ["/dev/null", "a device"]] as const) {
    assert.throws(
      () => writeFileAtomic(path, "x"),
      (error: Error & { exitCode?: number }) =>
        error.message === `Cannot write ${path}: it is ${what}, wanted a file` && error.exitCode === 2,
    );
  }
  assert.ok(Deno.statSync("/dev/null").isCharDevice);
});

inFolder("temporary files of dead processes go with the next file; others stay", (folder) => {
  const dead = 2 ** 22 + 1;
  const there = [
    `a.txt.${dead}.tmp`, // Left by a version before.
    `b.txt.${dead}.0123abcd.tmp`,
    `b.txt.${dead}.01234567.tmp`, // Digits alone are no process.
    `a.txt.${Deno.pid}.tmp`, // Of a living process.
    `mine.${dead}.tmp`, // Of no file that is written: may be another program's.
    "notes.tmp",
  ];
  for (const name of there) Deno.writeTextFileSync(`${folder}/${name}`, "x");
  using held = Deno.openSync(`${folder}/c.txt.${dead}.0123abcd.tmp`, { write: true, create: true });
  assert.equal(held.tryLockSync(true), true);
  writeFileAtomic(`${folder}/a.txt`, "a");
  assert.deepEqual(
    names(folder),
    ["a.txt", `a.txt.${Deno.pid}.tmp`, `c.txt.${dead}.0123abcd.tmp`, `mine.${dead}.tmp`, "notes.tmp"].sort(),
  );
  removeLeftTemporaries(folder, (base) => base === "mine");
  assert.ok(!names(folder).includes(`mine.${dead}.tmp`));
});
