/** Places of results, looked at before any work. */

import assert from "node:assert/strict";
import type { SealError } from "../../src/core/errors.ts";
import { ConfigError, DataError, InterruptedError } from "../../src/core/errors.ts";
import { checkFile, checkFolder, checkSpace, endsAll, parentOf } from "../../src/io/output.ts";
import { OutputFolder } from "../../src/run/output_folder.ts";
import { removeEmptyMade } from "../../src/io/fs.ts";
import { inFolder } from "./shared.ts";

function thrown(act: () => void): SealError {
  try {
    act();
  } catch (error) {
    return error as SealError;
  }
  throw new Error("nothing was thrown");
}

Deno.test("folders and files that can be written pass and nothing is left; others are refused by name, with status 2", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "mine");
    Deno.mkdirSync(`${folder}/there`);
    Deno.symlinkSync("loop", `${folder}/loop`);
    Deno.symlinkSync("nowhere/at all", `${folder}/dangling`);
    Deno.symlinkSync("there", `${folder}/link`);
    checkFolder(`${folder}/link/new`);
    checkFolder(`${folder}/there/`);
    checkFolder(`${folder}/new/below/it`);
    checkFile(`${folder}/new/a.h5`);
    const long = `${folder}/${"x".repeat(300)}`;
    const refused: [() => void, RegExp][] = [
      [() => checkFolder(`${folder}/file`), /file: it is a file, a folder is wanted$/],
      [() => checkFolder(`${folder}/file/below`), /below: .*file is a file$/],
      [() => checkFile(`${folder}/there`), /there: it is a folder, a file is wanted$/],
      [() => checkFolder(long), /the name is too long/],
      [() => checkFile(`${long}.h5`), /the name is too long/],
      [() => checkFolder(`${folder}/loop`), /links lead in a circle/],
      [
        () => checkFolder(`${folder}/dangling/`),
        /dangling\/: it is a symbolic link that leads to nowhere\/at all, which is not there$/,
      ],
      [() => checkFolder(`${folder}/dangling/new`), /dangling is a symbolic link that leads to nowhere\/at all/],
    ];
    for (const [act, text] of refused) {
      const error = thrown(act);
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, text);
      assert.match(error.hint!, /^Pass (another )?--out|^Make that folder, remove the link, or pass --out/);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "dangling",
      "file",
      "link",
      "loop",
      "there",
    ]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/there`)], []);
    return Promise.resolve();
  }));

Deno.test("a new place passes although another process takes it away while it is looked at", () =>
  inFolder(async (folder) => {
    const worker = new Worker(new URL("./output_worker.ts", import.meta.url), { type: "module" });
    try {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      [worker.onmessage, worker.onerror] = [resolve, reject];
      worker.postMessage(`${folder}/job`);
      await promise;
      for (let i = 0; i < 200; i++) checkFolder(`${folder}/job`);
    } finally {
      worker.terminate();
    }
  }));

Deno.test("an output larger than the disk is refused before it is made", () =>
  inFolder((folder) => {
    checkSpace(`${folder}/new/a.h5`, 1);
    const error = thrown(() => checkSpace(`${folder}/new/a.h5`, 2 ** 62));
    assert.deepEqual([error.code, error.exitCode], ["disk-full", 4]);
    assert.match(error.message, /a\.h5: it needs .* GB, .* are free$/);
    return Promise.resolve();
  }));

Deno.test("paths have folders; what stands in the way of all inputs ends a command of several", () => {
  assert.deepEqual(["a/b/c", "a//b/", "/a", "a", "/", "a\nb/c"].map(parentOf), ["a/b", "a", "/", ".", ".", "a\nb"]);
  const ends = [
    new DataError("x", { code: "disk-full" }),
    new ConfigError("x", { code: "locked" }),
    new ConfigError("x", { code: "file-access" }),
    new InterruptedError("x"),
  ];
  for (const error of ends) assert.ok(endsAll(error), error.name);
  for (const error of [new DataError("x", { code: "file-access" }), new ConfigError("x"), new Error("x")]) {
    assert.ok(!endsAll(error), error.name);
  }
});

Deno.test("what fails before its first file takes back that it was begun; behind it, it is gone on with", () =>
  inFolder((folder) => {
    const out = `${folder}/new/below`;
    const request = {
      out,
      command: "test",
      result: "result.json",
      names: ["a.txt"],
      facts: { a: 1 },
      overwrite: false,
    };
    const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    const fails = (write: boolean) => {
      using output = OutputFolder.open(request);
      output.begin();
      if (write) Deno.writeTextFileSync(`${out}/a.txt`, "a");
    };
    fails(false);
    removeEmptyMade();
    assert.deepEqual(names(folder), []);
    fails(true);
    assert.deepEqual(names(out), ["a.txt", "test.partial.json"]);
    {
      using output = OutputFolder.open(request);
      output.finish({ b: 2 }, 0);
    }
    assert.deepEqual(names(out), ["a.txt", "result.json"]);
    return Promise.resolve();
  }));
