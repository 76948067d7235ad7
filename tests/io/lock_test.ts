/** One writer at a time: of living processes, dead ones, those of other machines, and many at the same moment. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { denoFlags, writable } from "../../src/cli/permissions.ts";
import { LEFT, type Lock, lockFile, lockFolder, type LockOwner, STALE } from "../../src/io/lock.ts";

const WORKER = new URL("./lock_worker.ts", import.meta.url).pathname;
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** A process that locks, with the permissions of a command that writes below the folder. */
function worker(kind: string, path: string, ...more: string[]): Deno.ChildProcess {
  return workerWith([], kind, path, ...more);
}

/** The same with more permissions. */
function workerWith(rights: readonly string[], kind: string, path: string, ...more: string[]): Deno.ChildProcess {
  const permissions = {
    write: writable(kind === "file" ? path.replace(/\/[^/]*$/, "") : path),
    env: [],
    sys: ["hostname"],
  };
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", ...denoFlags(permissions), ...rights, WORKER, kind, path, ...more],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** A worker's first line; it is still there afterwards. */
async function answer(child: Deno.ChildProcess): Promise<{ said: string; end(): Promise<void> }> {
  const reader = child.stdout.getReader();
  let said = "";
  while (!said.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    said += new TextDecoder().decode(value);
  }
  return {
    said: said.trim(),
    async end() {
      await child.stdin.close().catch(() => {});
      while (!(await reader.read()).done);
      await child.status;
    },
  };
}

function inFolder(name: string, act: (folder: string) => Promise<void> | void): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "lock_" });
    try {
      await act(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

function refused(path: string, pattern: RegExp): void {
  assert.throws(
    () => lockFolder(path, "train"),
    (error: Error & { exitCode?: number }) => pattern.test(error.message) && error.exitCode === 2,
  );
}

/** Writes a lock as another process left it. */
function left(path: string, owner: Partial<LockOwner>, age = 0): void {
  const whole: LockOwner = {
    pid: 2 ** 22 + 1,
    hostname: Deno.hostname(),
    created_at: Date.UTC(2026, 0, 1) / 1000,
    command: "train",
    started: null,
    token: "0123456789abcdef",
    ...owner,
  };
  Deno.writeTextFileSync(path, JSON.stringify(whole));
  const then = new Date(Date.now() - age);
  Deno.utimeSync(path, then, then);
}

inFolder("a lock is had, named to who comes second, and let go", (folder) => {
  const run = `${folder}/a/run`;
  const lock = lockFolder(run, "train");
  const owner = JSON.parse(Deno.readTextFileSync(`${run}/.lock`));
  assert.deepEqual([owner.pid, owner.hostname, owner.command], [Deno.pid, Deno.hostname(), "train"]);
  refused(
    run,
    new RegExp(`Cannot write to ${run}: process ${Deno.pid} \\(train\\) writes there since 20..-..-..T..:..:..Z`),
  );
  lock.check();
  assert.deepEqual([...Deno.readDirSync(run)].map(({ name }) => name), [".lock"]);
  lock.release();
  lock.release();
  assert.throws(() => Deno.statSync(run), Deno.errors.NotFound, "the folder was made for the lock");
  Deno.mkdirSync(run);
  using again: Lock = lockFolder(run, "train");
  again.check();
  again.release();
  assert.deepEqual([...Deno.readDirSync(run)], []);
});

inFolder("a lock that is held is touched: its time is that of a write, its bytes stay", async (folder) => {
  const beats: (() => void)[] = [];
  const before = globalThis.setInterval;
  globalThis.setInterval = ((beat: () => void) => (beats.push(beat), before(() => {}, 1e8))) as typeof setInterval;
  try {
    using lock = lockFolder(folder, "train");
    const text = Deno.readTextFileSync(lock.path);
    const written = Deno.statSync(lock.path).mtime!;
    Deno.utimeSync(lock.path, 0, 0);
    beats.forEach((beat) => beat());
    assert.ok(Deno.statSync(lock.path).mtime! >= written);
    assert.equal(Deno.readTextFileSync(lock.path), text);
    lock.check();
  } finally {
    globalThis.setInterval = before;
  }
  await Promise.resolve();
});

inFolder("files have locks beside them, each its own", (folder) => {
  using _ = lockFile(`${folder}/a.h5`, "embed");
  using __ = lockFile(`${folder}/b.h5`, "embed");
  assert.throws(() => lockFile(`${folder}/a.h5`, "embed"), /a\.h5: process/);
});

inFolder("another process holds it until it ends, even by SIGKILL", async (folder) => {
  const child = worker("folder", folder);
  const { said, end } = await answer(child);
  assert.equal(said, "have");
  refused(folder, new RegExp(`process ${child.pid} \\(test\\) writes there`));
  child.kill("SIGKILL");
  await end();
  assert.ok(Deno.statSync(`${folder}/.lock`).isFile, "the dead process left its lock");
  using lock = lockFolder(folder, "train");
  lock.check();
});

inFolder("locks that were left: by the dead, by a number given anew, by other machines", (folder) => {
  const path = `${folder}/.lock`;
  const free = () => lockFolder(folder, "train").release();
  left(path, {});
  free();
  // A living process that is another than the one that locked.
  left(path, { pid: Deno.pid, started: "1" });
  free();
  left(path, { hostname: "elsewhere" }, STALE / 2);
  refused(folder, /process 4194305 on elsewhere \(train\) writes there since 2026-01-01T00:00:00Z/);
  left(path, { hostname: "elsewhere" }, STALE * 2);
  free();
  // The clock was set back since: who lives would have touched it with the new one.
  left(path, { hostname: "elsewhere" }, -STALE / 2);
  refused(folder, /on elsewhere/);
  left(path, { hostname: "elsewhere" }, -STALE * 2);
  free();
  Deno.writeTextFileSync(path, "");
  free();
});

inFolder(
  "locks are those of TRIDENT: what it reads stands in ours, its own are kept while their process is there",
  async (folder) => {
    const path = `${folder}/a.h5`;
    const before = Date.now();
    const lock = lockFile(path, "embed");
    const after = Date.now();
    const { pid, hostname, created_at } = JSON.parse(Deno.readTextFileSync(`${path}.lock`));
    assert.deepEqual([pid, hostname], [Deno.pid, Deno.hostname()]);
    const created = Math.round(created_at * 1000);
    assert.ok(before <= created && created <= after, `${created_at} s, wanted ${before} to ${after} ms`);
    lock.release();
    /** As TRIDENT writes it: no more than this, and nothing at all in earlier releases. */
    const trident = (owner: Partial<LockOwner> | undefined, age = 0) => {
      const created_at = (Date.now() - age) / 1000;
      const whole = { pid: 2 ** 22 + 1, hostname: Deno.hostname(), created_at, ...owner };
      Deno.writeTextFileSync(`${path}.lock`, owner === undefined ? "" : JSON.stringify(whole));
      Deno.utimeSync(`${path}.lock`, created_at, created_at);
    };
    const held = (who: RegExp) => assert.throws(() => lockFile(path, "embed"), who);
    const free = () => lockFile(path, "embed").release();
    // No sign of life is wanted of it, however old it is.
    trident({ pid: Deno.pid }, 3 * LEFT);
    held(new RegExp(`process ${Deno.pid} \\(TRIDENT\\) writes there since 20`));
    trident({});
    const asking = await answer(workerWith(["--allow-run"], "file", path));
    await asking.end();
    assert.equal(asking.said, "have");
    trident({ hostname: "elsewhere" }, LEFT / 2);
    held(/process 4194305 on elsewhere \(TRIDENT\)/);
    trident({ hostname: "elsewhere" }, 2 * LEFT);
    free();
    trident(undefined, LEFT / 2);
    held(/another process writes there/);
    trident(undefined, 2 * LEFT);
    free();
    // A command may not look for processes: whoever launched it does that before.
    trident({}, LEFT / 2);
    const { said, end } = await answer(worker("file", path));
    await end();
    assert.match(said, /TRIDENT/);
    const living = `${folder}/b.h5.lock`;
    Deno.writeTextFileSync(living, JSON.stringify({ pid: Deno.pid, hostname, created_at }));
    Deno.mkdirSync(`${folder}/inner`);
    Deno.renameSync(`${path}.lock`, `${folder}/inner/a.h5.lock`);
    const args = ["run", "--no-check", "--allow-read", "--allow-write", "--allow-run", "--allow-sys=hostname", MAIN];
    const { success } = await new Deno.Command(Deno.execPath(), { args: [...args, "unlock", folder] }).output();
    assert.ok(success);
    assert.deepEqual([...Deno.readDirSync(`${folder}/inner`)], []);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["b.h5.lock", "inner"]);
  },
);

inFolder("what is no lock of ours stays: a file of that name, a link", (folder) => {
  const path = `${folder}/.lock`;
  Deno.writeTextFileSync(path, "mine");
  refused(folder, /is no lock of this program/);
  assert.equal(Deno.readTextFileSync(path), "mine");
  Deno.renameSync(path, `${folder}/mine`);
  Deno.symlinkSync("mine", path);
  refused(folder, /is a symbolic link/);
  assert.equal(Deno.readTextFileSync(`${folder}/mine`), "mine");
  refused(`${folder}/mine`, /it is a file, wanted a folder/);
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  refused(folder, /is no lock of this program/);
});

inFolder("a lock that was taken over is missed by who held it", (folder) => {
  using lock = lockFolder(folder, "train");
  Deno.removeSync(lock.path);
  left(lock.path, { pid: 1 });
  assert.throws(() => lock.check(), /no longer held/);
  lock.release();
  assert.ok(Deno.statSync(lock.path).isFile, "the other's lock stays");
});

for (const what of ["a free one", "a dead one's"]) {
  inFolder(`of six processes that want ${what} at the same moment exactly one has it`, async (folder) => {
    if (what !== "a free one") left(`${folder}/.lock`, {});
    const start = String(Date.now() + 1500);
    const children = await Promise.all(Array.from({ length: 6 }, () => answer(worker("folder", folder, start))));
    const said = children.map((child) => child.said);
    for (const child of children) await child.end();
    assert.equal(said.filter((text) => text === "have").length, 1, said.join("\n"));
    for (const text of said.filter((text) => text !== "have")) {
      const { name, exitCode } = JSON.parse(text);
      assert.deepEqual([name, exitCode], ["ConfigError", 2]);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
}

inFolder("a file system without advisory locks: the owner's process and its signs of life decide", (folder) => {
  const path = `${folder}/.lock`;
  const proto = Deno.FsFile.prototype as unknown as Record<string, unknown>;
  const before = proto.tryLockSync;
  proto.tryLockSync = () => {
    throw new Deno.errors.NotSupported("flock");
  };
  try {
    const lock = lockFolder(folder, "train");
    refused(folder, new RegExp(`process ${Deno.pid} \\(train\\)`));
    lock.check();
    lock.release();
    left(path, { pid: Deno.pid, started: null });
    refused(folder, /writes there since/);
    left(path, { pid: Deno.pid, started: null }, STALE * 2);
    lockFolder(folder, "train").release();
    left(path, { hostname: "elsewhere" }, STALE / 2);
    refused(folder, /on elsewhere/);
    left(path, { hostname: "elsewhere" }, STALE * 2);
    // Another process is taking it over.
    Deno.writeTextFileSync(`${path}.takeover`, "");
    refused(folder, /Cannot write to/);
    const then = new Date(Date.now() - 120_000);
    Deno.utimeSync(`${path}.takeover`, then, then);
    lockFolder(folder, "train").release();
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  } finally {
    proto.tryLockSync = before;
  }
});

inFolder("a file system without hard links: the lock is had all the same, once", (folder) => {
  const before = fs.linkSync;
  let asked = 0;
  fs.linkSync = () => {
    asked++;
    throw Object.assign(new Error("link"), { code: "ENOTSUP" });
  };
  try {
    const lock = lockFolder(folder, "train");
    refused(folder, new RegExp(`process ${Deno.pid} \\(train\\)`));
    lock.check();
    lock.release();
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    assert.ok(asked > 0);
  } finally {
    fs.linkSync = before;
  }
});
