/**
 * A disk that is full from any call on that takes room: the error is of one class and says what to do, nothing that nobody can
 * use stays, and with room again the same goes through to the same files. Every single call is tried where they are few.
 */

import assert from "node:assert/strict";
import { filesBelow, isUnderWay } from "../../scripts/kill_jobs.ts";
import { watchFileCalls } from "../../scripts/file_calls.ts";
import { run as convertFeatures } from "../../src/cli/convert_features.ts";
import type { SealError } from "../../src/core/errors.ts";
import { surfaced } from "../../src/io/system_error.ts";
import { writeCheckpoint } from "../../src/run/checkpoints.ts";
import { runFolder } from "../../src/run/folder.ts";
import { OutputFolder } from "../../src/run/output_folder.ts";
import { completeManifest, journalled } from "../../src/run/start.ts";
import { disk, makeFolder, removeEmptyMade } from "../../src/io/fs.ts";
import { MetricsWriter } from "../../src/train/metrics.ts";
import { prepareRun } from "./begun_run.ts";
import { FIXTURES } from "./shared.ts";

/** Calls that take room; removals and new names do not. */
const GROWING = /^(write|writeSync|mkdirSync|openSync|linkSync)$/;

const folder = Deno.makeTempDirSync({ prefix: "disk_full_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

/** Does something on a disk that is full from a call on. @returns What was thrown, or undefined where it went through. */
async function fills(at: number, act: () => unknown): Promise<unknown> {
  let calls = 0;
  const end = watchFileCalls((tear, name) => {
    if (!GROWING.test(name) || ++calls < at) return;
    if (calls === at) tear();
    throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
  });
  try {
    await act();
    return undefined;
  } catch (error) {
    // As the command line has it.
    return surfaced(error);
  } finally {
    end();
  }
}

const all = (place: string) =>
  Object.fromEntries(filesBelow(place).map((path) => [path, Deno.readFileSync(`${place}/${path}`).toHex()]));

const CONFIG = "input:\n  out: here\n  seed: 1\n";

function save(run: string, step: number): void {
  const bytes = new TextEncoder().encode(`step ${step}`);
  writeCheckpoint(run, "last", new Map([["heads.safetensors", bytes]]), { format: 2, loop: { step }, metrics: {} });
}

function end(run: string): void {
  const noted = journalled({ ...runFolder(run), makeFolder });
  noted.makeFolder(`${run}/evaluation`);
  for (const name of ["evaluation/results.json", "run.json", "report.html"]) noted.disk.write(`${run}/${name}`, name);
  completeManifest(run);
}

function result(out: string): void {
  const facts = { a: 1 };
  using output = OutputFolder.open({
    out,
    command: "test",
    result: "r.json",
    names: ["a.txt"],
    facts,
    overwrite: false,
  });
  output.begin();
  disk.write(`${out}/a.txt`, "a");
  output.finish({ b: 2 }, 0);
}

function metrics(run: string): void {
  makeFolder(run);
  const writer = MetricsWriter.open(disk, run, { columns: ["loss"] });
  try {
    for (const step of [1, 2]) writer.write({ step, epoch: 0, stage: "s", split: "train", values: { loss: 1 } });
  } finally {
    writer.close();
  }
}

const SLIDES = `${folder}/slides`;

function slides(): void {
  Deno.mkdirSync(SLIDES, { recursive: true });
  for (const name of ["a", "b"]) Deno.copyFileSync(`${FIXTURES}slide_features/trident.h5`, `${SLIDES}/${name}.h5`);
}

async function features(out: string): Promise<void> {
  const flags = {
    to: "clam",
    mpp: undefined,
    "tile-side": undefined,
    "strict-trident": false,
    overwrite: false,
    quiet: true,
    json: false,
  };
  assert.equal(await convertFeatures({ flags, words: [SLIDES, out], overrides: [] }), 0);
}

const begun = (run: string) => (prepareRun(run, CONFIG, false), save(run, 1));

type Work = [before: (place: string) => void, act: (place: string) => unknown, step?: number];

const WORKS: Readonly<Record<string, Work>> = {
  "a run is begun": [() => {}, (run) => prepareRun(run, CONFIG, false)],
  "a checkpoint is replaced": [begun, (run) => save(run, 2)],
  "a run is ended": [begun, end],
  "metrics are logged": [() => {}, metrics],
  "results of evaluate, retrieve or predict are written": [() => {}, result],
  "features are converted": [slides, features, 13],
};

for (const [name, [before, act, step = 1]] of Object.entries(WORKS)) {
  Deno.test(`the disk is full at any call while ${name}: status 4, file and hint, and with room the same files`, async () => {
    let number = 0;
    const made = () => {
      const place = `${folder}/${name} ${number++}`;
      before(place);
      return place;
    };
    const right = made();
    await act(right);
    let tried = 0;
    for (let at = 1;; at += step, tried++) {
      const place = made();
      const error = await fills(at, () => act(place)) as SealError | undefined;
      if (error === undefined) break;
      assert.deepEqual([error.name, error.code, error.exitCode], ["DataError", "disk-full", 4], String(error.stack));
      assert.match(error.message, /: no space left on the disk/);
      assert.ok(error.message.includes(place), error.message);
      assert.match(error.hint!, /^Make room on the disk/);
      removeEmptyMade();
      const left = disk.look(place) === undefined ? [] : filesBelow(place).filter(isUnderWay);
      assert.deepEqual(left.filter((path) => !path.endsWith(".partial.json")), [], `call ${at}`);
      await act(place);
      assert.deepEqual(all(place), all(right), `call ${at}`);
      Deno.removeSync(place, { recursive: true });
    }
    assert.ok(tried >= 3, `${tried} calls`);
  });
}
