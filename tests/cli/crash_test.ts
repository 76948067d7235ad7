/**
 * A process that dies at any call that changes the file system, writes torn: whatever it was doing to a run folder, what it
 * leaves is whole, and the next process finishes it. Every single call is tried.
 */

import assert from "node:assert/strict";
import { checkWhole, findCheckpoint, writeCheckpoint } from "../../src/run/checkpoints.ts";
import { completeManifest, finishedRun, journalled } from "../../src/run/start.ts";
import { runFolder } from "../../src/run/folder.ts";
import { watchFileCalls } from "../../scripts/file_calls.ts";
import { filesBelow } from "../../scripts/kill_jobs.ts";
import { prepareRun, resolve } from "./begun_run.ts";

const CONFIG = "input:\n  out: here\n  seed: 1\n";

/** What a dead process throws: nobody hears of it. */
class Dead extends Error {}

/** Does something and dies at a call. @returns Whether it died. */
function dies(at: number, act: () => void): boolean {
  let calls = 0;
  const end = watchFileCalls((tear) => {
    if (++calls < at) return;
    if (calls === at) tear();
    throw new Dead();
  });
  try {
    act();
    return calls >= at;
  } catch (error) {
    // Clean-up may have wrapped it; a living process would not get here.
    if (calls < at) throw error;
    return true;
  } finally {
    end();
  }
}

const folder = Deno.makeTempDirSync({ prefix: "crash_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
let number = 0;

/** A new folder in a state. */
function made(state: (run: string) => void): string {
  const run = `${folder}/${number++}`;
  state(run);
  return run;
}

const all = (run: string) =>
  Object.fromEntries(filesBelow(run).map((path) => [path, Deno.readTextFileSync(`${run}/${path}`)]));

function save(run: string, step: number): void {
  const files = ["model", "vision"].map((name) =>
    [`${name}.safetensors`, new TextEncoder().encode(`${name} of ${step}`)] as const
  );
  writeCheckpoint(run, "last", new Map(files), { format: 2, loop: { step }, metrics: {} });
}

function begun(run: string): void {
  prepareRun(run, CONFIG, false);
  save(run, 1);
  save(run, 2);
}

/** As {@linkcode begun}, with files of somebody else in every folder. */
function shared(run: string): void {
  begun(run);
  for (const path of ["mine", "checkpoints/mine", "checkpoints/last/mine"]) {
    Deno.writeTextFileSync(`${run}/${path}`, "x");
  }
}

function finish(run: string): void {
  const noted = journalled({ ...runFolder(run), makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
  noted.makeFolder(`${run}/evaluation`);
  for (const name of ["evaluation/results.json", "run.json", "report.html"]) noted.disk.write(`${run}/${name}`, name);
  completeManifest(run);
}

function finished(run: string): void {
  shared(run);
  finish(run);
}

/** Tries every call of `act`. @returns How many there were. */
function everyCall(state: (run: string) => void, act: (run: string) => void, check: (run: string) => void): number {
  for (let at = 1;; at++) {
    const run = made(state);
    const died = dies(at, () => act(run));
    check(run);
    Deno.removeSync(run, { recursive: true });
    if (!died) return at - 1;
  }
}

for (const [name, state] of Object.entries({ begun, shared })) {
  Deno.test(`dead at any call while a checkpoint is replaced: the old or the new one, nothing else (${name})`, () => {
    const right = [2, 3].map((step) => all(made((run) => (state(run), step === 3 && save(run, 3)))));
    const seen = new Set<number>();
    const calls = everyCall(state, (run) => save(run, 3), (run) => {
      const found = findCheckpoint(run, "last")!;
      checkWhole(found);
      assert.equal(prepareRun(run, CONFIG, false), true);
      const { loop: { step } } = findCheckpoint(run, "last")!.state as { loop: { step: number } };
      assert.deepEqual(all(run), right[step - 2]);
      seen.add(step);
    });
    assert.ok(calls > 12, `${calls} calls`);
    assert.deepEqual([...seen].sort(), [2, 3]);
  });
}

Deno.test("dead at any call of the recovery itself, after death at any call: the next one ends it", () => {
  const right = [2, 3].map((step) => all(made((run) => (shared(run), step === 3 && save(run, 3)))));
  let tried = 0;
  everyCall(shared, (run) => save(run, 3), (left) => {
    const copy = (run: string) => {
      for (const path of filesBelow(left)) {
        Deno.mkdirSync(`${run}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
        Deno.copyFileSync(`${left}/${path}`, `${run}/${path}`);
      }
      // A folder that was made and holds nothing yet.
      for (const name of ["last.new", "last.old"]) {
        if (Deno.readDirSync(`${left}/checkpoints`).some((entry) => entry.name === name)) {
          Deno.mkdirSync(`${run}/checkpoints/${name}`, { recursive: true });
        }
      }
    };
    tried += everyCall(copy, (run) => prepareRun(run, CONFIG, false), (run) => {
      assert.equal(prepareRun(run, CONFIG, false), true);
      const { loop: { step } } = findCheckpoint(run, "last")!.state as { loop: { step: number } };
      assert.deepEqual(all(run), right[step - 2]);
    });
  });
  assert.ok(tried > 50, `${tried} deaths`);
});

Deno.test("dead at any call of the end of a run: it is finished, or the same command finishes it", () => {
  const right = all(made(finished));
  const verdicts = new Set<string>();
  everyCall(shared, finish, (run) => {
    const done = finishedRun(run, CONFIG, resolve);
    verdicts.add(String(done?.report));
    if (!done) {
      assert.equal(prepareRun(run, CONFIG, false), true);
      finish(run);
    }
    assert.deepEqual(all(run), right);
    assert.deepEqual(finishedRun(run, CONFIG, resolve), { report: true });
  });
  assert.ok(verdicts.has("undefined") && verdicts.has("true"));
});

Deno.test("dead at any call of the beginning of a run: the same command begins it", () => {
  const right = all(made((run) => void prepareRun(run, CONFIG, false)));
  everyCall(() => {}, (run) => prepareRun(run, CONFIG, false), (run) => {
    prepareRun(run, CONFIG, false);
    assert.deepEqual(all(run), right);
  });
});

Deno.test("dead at any call of --overwrite: the same command begins anew, and files of others stay", () => {
  const right = all(made((run) => (finished(run), prepareRun(run, CONFIG, true))));
  assert.equal(Object.values(right).filter((text) => text === "x").length, 3);
  const calls = everyCall(finished, (run) => prepareRun(run, CONFIG, true), (run) => {
    prepareRun(run, CONFIG, true);
    assert.deepEqual(all(run), right);
  });
  assert.ok(calls > 15, `${calls} calls`);
});
