/** Locks on a slide's files: one process at a time, files that are shared are waited for. */

import assert from "node:assert/strict";
import { lockFile } from "../../src/io/lock.ts";
import { lockIfFree, lockInTurn } from "../../src/run/slide_locks.ts";

Deno.test("Files that are shared are locked in turn, once whoever writes them is done; a signal ends the wait", async () => {
  const folder = Deno.makeTempDirSync();
  const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const [a, b] = [`${folder}/a.jpg`, `${folder}/b.h5`];
  try {
    const other = lockFile(b, "embed");
    assert.equal(lockIfFree(b), undefined);
    const waited: string[] = [];
    const stop = new AbortController();
    const stopped = await lockInTurn([a, b], stop.signal, (path) => {
      waited.push(path);
      assert.deepEqual(names(), ["a.jpg.lock", "b.h5.lock"]);
      stop.abort();
    });
    assert.deepEqual([stopped, waited, names()], [undefined, [b], ["b.h5.lock"]]);
    const later = lockInTurn([a, b], new AbortController().signal, () => other.release());
    {
      using both = await later;
      assert.ok(both !== undefined);
      assert.deepEqual(names(), ["a.jpg.lock", "b.h5.lock"]);
      assert.equal(lockIfFree(a), undefined);
    }
    assert.deepEqual(names(), []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
