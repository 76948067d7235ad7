/** Run folders: whose they are, what a killed process left in them, and what damage is told of. */

import assert from "node:assert/strict";
import {
  checkCheckpointFile,
  checkCheckpointFiles,
  checkpointPath,
  checkWhole,
  findCheckpoint,
  writeCheckpoint,
} from "../../src/run/checkpoints.ts";
import { checkState, completeManifest, finishedRun, journalled } from "../../src/run/start.ts";
import { checkRun } from "../../src/run/inspect_checksums.ts";
import { runFolder } from "../../src/run/folder.ts";
import { methodFiles } from "../../src/methods/index.ts";
import { readManifest, writeManifest } from "../../src/io/manifest.ts";
import { disk } from "../../src/io/fs.ts";
import { filesBelow } from "../../scripts/kill_jobs.ts";
import { prepareRun, resolve } from "./begun_run.ts";

const CONFIG = "input:\n  out: here\n  seed: 1\n";

function inFolder(name: string, act: (folder: string) => Promise<void> | void): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "run_folder_" });
    try {
      await act(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

function put(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    Deno.mkdirSync(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${folder}/${path}`, text);
  }
}

const all = (folder: string) =>
  Object.fromEntries(filesBelow(folder).map((path) => [path, Deno.readTextFileSync(`${folder}/${path}`)]));

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textFiles = (...texts: string[]) =>
  new Map(texts.map((text, i) => [["model.safetensors", "vision.safetensors"][i]!, bytesOf(text)]));

const state = (step: number) => ({ format: 2, loop: { step }, metrics: { jsonl: 1, timing: step * 1000 } });

/** A run with a checkpoint of two steps, the second in place. */
function begun(run: string): void {
  assert.equal(prepareRun(run, CONFIG, false), false);
  writeCheckpoint(run, "last", textFiles("old model", "old vision"), state(1));
  writeCheckpoint(run, "last", textFiles("model", "vision"), state(2));
}

const step = (run: string) => (findCheckpoint(run, "last")?.state as { loop: { step: number } } | undefined)?.loop.step;

function refused(act: () => unknown, status: number, ...patterns: RegExp[]): void {
  assert.throws(act, (error: Error & { exitCode?: number; hint?: string }) => {
    for (const pattern of patterns) assert.match(`${error.message}\n${error.hint}`, pattern);
    return error.exitCode === status;
  });
}

const FOREIGN = {
  "checkpoints/best/model.pt": "mine",
  "checkpoints/last/model.pt": "mine",
  "checkpoints/last/trainer_state.json": '{"epoch": 3}',
  "checkpoints/other.pt": "mine",
  "evaluation/mine.txt": "mine",
  "evaluation/predictions/mine.h5ad": "mine",
  "report.html": "mine",
  "metrics.csv": "mine",
  "notes.txt": "mine",
};

inFolder(
  "a folder of another program: refused and untouched; with --overwrite only files of our names give way",
  (run) => {
    put(run, FOREIGN);
    refused(() => prepareRun(run, CONFIG, false), 2, /holds metrics\.csv, which this program did not write there/);
    assert.deepEqual(all(run), FOREIGN);
    assert.equal(prepareRun(run, CONFIG, true), false);
    writeCheckpoint(run, "last", textFiles("model", "vision"), state(1));
    writeCheckpoint(run, "last", textFiles("model", "vision"), state(2));
    writeCheckpoint(run, "best", textFiles("model"), state(2));
    const after = all(run);
    for (const [path, text] of Object.entries(FOREIGN)) {
      const ours = ["report.html", "metrics.csv", "checkpoints/last/trainer_state.json"].includes(path);
      if (!ours) assert.equal(after[path], text, path);
    }
    assert.equal(step(run), 2);
    assert.equal(after["report.html"], undefined, "it is written at the end");
    assert.deepEqual(filesBelow(run).filter((path) => /\.(new|old|tmp)/.test(path)), []);
    // Again: what was never ours is still there.
    prepareRun(run, CONFIG, true);
    assert.equal(findCheckpoint(run, "last"), undefined);
    for (const path of ["checkpoints/last/model.pt", "checkpoints/best/model.pt", "notes.txt"]) {
      assert.equal(all(run)[path], "mine", path);
    }
  },
);

for (const name of methodFiles()) {
  inFolder(`${name} of a method is the program's own in a checkpoint: replaced, and removed by --overwrite`, (run) => {
    prepareRun(run, CONFIG, false);
    const save = (text: string) => writeCheckpoint(run, "last", new Map([[name, bytesOf(text)]]), state(1));
    save("one");
    put(run, { "checkpoints/last/mine": "mine" });
    save("another");
    const { [`checkpoints/last/${name}`]: text, "checkpoints/last/mine": mine } = all(run);
    assert.deepEqual([text, mine], ["another", "mine"]);
    assert.deepEqual(filesBelow(run).filter((path) => /\.(new|old)/.test(path)), []);
    prepareRun(run, CONFIG, true);
    assert.deepEqual(filesBelow(run).filter((path) => path.startsWith("checkpoints/")), ["checkpoints/last/mine"]);
  });
}

inFolder("each of our names in a folder without a manifest is enough to refuse it; other names are not", (folder) => {
  const names = ["manifest.json", "config.yaml", "metrics.jsonl", "timing.jsonl", "run.json", "report.html"];
  for (const [i, name] of [...names, "evaluation/results.json", "checkpoints/best/x.pt"].entries()) {
    const run = `${folder}/${i}`;
    put(run, { [name]: "{}" });
    refused(() => prepareRun(run, CONFIG, false), 2, /did not write there/);
    assert.deepEqual(all(run), { [name]: "{}" });
  }
  put(`${folder}/free`, { "slurm-1.out": "mine", "checkpoints/other.pt": "mine" });
  assert.equal(prepareRun(`${folder}/free`, CONFIG, false), false);
});

inFolder(
  "links and folders at our names are named, with and without --overwrite; what links lead to stays",
  (folder) => {
    put(folder, { "target/file": "mine" });
    for (const [i, name] of ["checkpoints", "checkpoints/last", "evaluation"].entries()) {
      const run = `${folder}/link${i}`;
      Deno.mkdirSync(`${run}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.symlinkSync(`${folder}/target`, `${run}/${name}`);
      for (const overwrite of [false, true]) {
        refused(() => prepareRun(run, CONFIG, overwrite), 2, new RegExp(`${name} is a symbolic link, wanted a folder`));
      }
    }
    const run = `${folder}/metrics`;
    Deno.mkdirSync(run);
    Deno.symlinkSync(`${folder}/target/file`, `${run}/metrics.jsonl`);
    refused(() => prepareRun(run, CONFIG, false), 2, /holds metrics\.jsonl/);
    prepareRun(run, CONFIG, true);
    assert.deepEqual(filesBelow(run).sort(), ["config.yaml", "manifest.json"]);
    put(`${folder}/page`, { "report.html/x": "mine" });
    refused(() => prepareRun(`${folder}/page`, CONFIG, true), 2, /report\.html is a folder, wanted a file/);
    assert.equal(Deno.readTextFileSync(`${folder}/target/file`), "mine");
  },
);

/** Every state a process can leave that dies while it replaces a checkpoint, and the step that is right then. */
const KILLED: Readonly<Record<string, [undo: (last: string) => void, step: number]>> = {
  "before the new one is named": [(last) => Deno.renameSync(last, `${last}.new`), 2],
  "between the two renames": [(last) => {
    copyFolder(last, `${last}.old`);
    Deno.renameSync(last, `${last}.new`);
  }, 2],
  "after the renames, the old one still there": [(last) => copyFolder(last, `${last}.old`), 2],
  "in the removal of the old one": [(last) => {
    copyFolder(last, `${last}.old`);
    Deno.removeSync(`${last}.old/trainer_state.json`);
  }, 2],
  "while the new one is written": [(last) => {
    copyFolder(last, `${last}.new`);
    Deno.removeSync(`${last}.new/trainer_state.json`);
  }, 2],
  "with the new one's state torn": [(last) => {
    copyFolder(last, `${last}.new`);
    Deno.truncateSync(`${last}.new/trainer_state.json`, 40);
  }, 2],
  "with only the old one left": [(last) => Deno.renameSync(last, `${last}.old`), 2],
};

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const name of filesBelow(from)) Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
}

for (const [when, [undo, right]] of Object.entries(KILLED)) {
  inFolder(`a process killed ${when}: the next run finishes it`, (run) => {
    begun(run);
    const whole = all(run);
    undo(`${run}/checkpoints/last`);
    put(run, { "metrics.csv.4194305.tmp": "half", "evaluation/results.json.4194305.0123abcd.tmp": "half" });
    assert.equal(step(run), right, "readers find it without changing anything");
    assert.equal(prepareRun(run, CONFIG, false), true);
    assert.deepEqual(all(run), whole);
    assert.equal(step(run), right);
    checkWhole(findCheckpoint(run, "last")!);
  });
}

inFolder("one changed bit anywhere in a checkpoint is refused by name, and what is whole is named", (run) => {
  begun(run);
  writeCheckpoint(run, "best", textFiles("best model"), state(1));
  const last = `${run}/checkpoints/last`;
  for (const name of ["model.safetensors", "vision.safetensors", "trainer_state.json"]) {
    const path = `${last}/${name}`;
    const bytes = Deno.readFileSync(path);
    // What depends on the clock protects itself.
    const timing = new TextDecoder().decode(bytes).indexOf('"timing"');
    for (let at = 0; at < bytes.length; at++) {
      if (timing > 0 && at > timing + 8 && at < timing + 20) continue;
      const changed = bytes.slice();
      changed[at]! ^= 1 << (at % 8);
      Deno.writeFileSync(path, changed);
      const use = () => checkWhole(findCheckpoint(run, "last")!);
      if (/\s/.test(String.fromCharCode(bytes[at]!, changed[at]!)) && name.endsWith("json")) {
        try {
          use(); // White space may be another.
        } catch (error) {
          assert.match((error as Error).message, /last\/trainer_state\.json/);
        }
        continue;
      }
      refused(use, 4, new RegExp(`last/${name}`), /checkpoints\/best \(step 1\) is whole: .* --checkpoint best/);
    }
    Deno.writeFileSync(path, bytes);
  }
  assert.equal(step(run), 2);
  Deno.removeSync(`${last}/vision.safetensors`);
  refused(() => checkWhole(findCheckpoint(run, "last")!), 4, /last: vision\.safetensors is missing/);
});

inFolder("a file beside a checkpoint's own is none of it", (run) => {
  begun(run);
  put(run, { "checkpoints/last/adapter_model.safetensors": "x" });
  assert.equal(findCheckpoint(run, "last")!.read("adapter_model.safetensors"), undefined);
});

inFolder("the adapter in a checkpoint's folder is compared; in a folder of others it is not", (folder) => {
  begun(`${folder}/run`);
  const last = `${folder}/run/checkpoints/last`;
  checkCheckpointFiles(last, ["model.safetensors"]);
  put(last, { "model.safetensors": "modez" });
  refused(() => checkCheckpointFiles(last, ["model.safetensors"]), 4, /model\.safetensors/);
  refused(() => checkCheckpointFile(`${last}/model.safetensors`), 4, /model\.safetensors/);
  checkCheckpointFile(`${last}/vision.safetensors`);
  put(folder, { "other/trainer_state.json": '{"epoch": 1}', "other/adapter_model.safetensors": "x" });
  checkCheckpointFiles(`${folder}/other`, ["adapter_model.safetensors"]);
});

inFolder("a run of a version before, without checksums, is known and read", (run) => {
  put(run, {
    "config.yaml": CONFIG,
    "metrics.jsonl": "{}\n",
    "checkpoints/last/trainer_state.json": JSON.stringify({ format: 1, loop: { step: 7 }, metrics: { jsonl: 3 } }),
    "checkpoints/last/vision.safetensors": "vision",
  });
  const found = findCheckpoint(run, "last")!;
  assert.deepEqual([found.checked, new TextDecoder().decode(found.read("vision.safetensors"))], [false, "vision"]);
  assert.equal(prepareRun(run, CONFIG, false), true);
  assert.equal(step(run), 7);
});

/** A finished run. */
function finished(run: string): void {
  begun(run);
  writeCheckpoint(run, "best", textFiles("best model"), state(1));
  const noted = journalled({ ...runFolder(run), makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
  noted.makeFolder(`${run}/evaluation`);
  for (const name of ["metrics.jsonl", "metrics.csv"]) Deno.writeTextFileSync(`${run}/${name}`, name);
  for (const name of ["evaluation/results.json", "run.json", "report.html"]) noted.disk.write(`${run}/${name}`, name);
  completeManifest(run);
}

inFolder(
  "a whole checkpoint of another run, one that is gone and a manifest that is none are no part of a finished run",
  (run) => {
    finished(run);
    const bad = () => checkRun(run).filter(({ verdict }) => verdict !== "as written").map(({ path }) => path);
    assert.deepEqual(bad(), []);
    checkState(run, checkpointPath(run, "best"));
    const file = `${run}/checkpoints/best/trainer_state.json`;
    const own = Deno.readTextFileSync(file);
    // Whole in itself, by the checksums it brings along.
    writeCheckpoint(run, "best", textFiles("another's model"), { ...state(1), seed: 7 });
    refused(() => checkState(run, checkpointPath(run, "best")), 4, /best\/trainer_state\.json/);
    refused(() => finishedRun(run, CONFIG, resolve), 4, /best\/trainer_state\.json/);
    assert.deepEqual(bad(), ["checkpoints/best/trainer_state.json"]);
    writeCheckpoint(run, "best", textFiles("best model"), state(1));
    assert.equal(Deno.readTextFileSync(file), own);
    assert.deepEqual(bad(), []);
    writeCheckpoint(run, "best", textFiles("best model"), { ...state(1), format: 3 });
    refused(() => findCheckpoint(run, "best"), 4, /best\/trainer_state\.json: format 3, wanted 1 or 2/);
    put(run, { "checkpoints/best/trainer_state.json": "{}" });
    refused(() => findCheckpoint(run, "best"), 4, /no checksum/);
    put(run, { "checkpoints/best/trainer_state.json": own });
    Deno.removeSync(`${run}/checkpoints/last/trainer_state.json`);
    assert.deepEqual(bad(), ["checkpoints/last/trainer_state.json"]);
    refused(() => finishedRun(run, CONFIG, resolve), 4, /last\/trainer_state\.json/);
    put(run, { "manifest.json": "{}" });
    assert.deepEqual(bad(), ["manifest.json"]);
    Deno.removeSync(`${run}/manifest.json`);
    assert.deepEqual(bad(), ["manifest.json"]);
  },
);

inFolder("the manifest is the mark of completeness: every file in it, each with its checksum", (run) => {
  finished(run);
  const { complete, files } = readManifest(disk, run)!;
  assert.equal(complete, true);
  assert.deepEqual(
    Object.keys(files).sort(),
    [
      "checkpoints/best/trainer_state.json",
      "checkpoints/last/trainer_state.json",
      "config.yaml",
      "evaluation/results.json",
      "metrics.csv",
      "metrics.jsonl",
      "report.html",
      "run.json",
    ],
  );
  assert.deepEqual(finishedRun(run, CONFIG, resolve), { report: true });
  refused(() => prepareRun(run, CONFIG, false), 2, /holds a finished run$/m);
  refused(
    () => prepareRun(run, CONFIG.replace("seed: 1", "seed: 2"), false),
    2,
    /holds a finished run of another configuration \(seed: 1, now 2\)$/m,
  );
  assert.equal(finishedRun(run, CONFIG.replace("seed: 1", "seed: 2"), resolve), undefined, "another run");
  Deno.removeSync(`${run}/report.html`);
  assert.deepEqual(finishedRun(run, CONFIG, resolve), { report: false });
  Deno.removeSync(`${run}/run.json`);
  assert.equal(finishedRun(run, CONFIG, resolve), undefined, "killed before it was finished");
  assert.equal(prepareRun(run, CONFIG, false), true);
  assert.equal(readManifest(disk, run)!.complete, false);
});

inFolder("one changed bit in any file of a finished run is named", (run) => {
  finished(run);
  for (const path of filesBelow(run)) {
    const whole = Deno.readFileSync(`${run}/${path}`);
    const changed = whole.slice();
    changed[Math.floor(changed.length / 3)]! ^= 1;
    Deno.writeFileSync(`${run}/${path}`, changed);
    assert.ok(
      checkRun(run).some((file) => file.path === path && file.verdict === "damaged"),
      `${path} is not found to be damaged`,
    );
    if (path === "report.html") assert.deepEqual(finishedRun(run, CONFIG, resolve), { report: false });
    else if (path === "config.yaml") refused(() => prepareRun(run, CONFIG, false), 4, /config\.yaml/);
    else refused(() => finishedRun(run, CONFIG, resolve), 4, new RegExp(path));
    Deno.writeFileSync(`${run}/${path}`, whole);
  }
  assert.ok(checkRun(run).every(({ verdict }) => verdict === "as written"));
});

inFolder("a manifest that names files elsewhere removes none of them", (folder) => {
  const run = `${folder}/run`;
  put(folder, { "precious": "mine" });
  begun(run);
  const manifest = readManifest(disk, run)!;
  const mark = manifest.files["config.yaml"]!;
  writeManifest(disk, run, { ...manifest, files: { "../precious": mark, [`${folder}/precious`]: mark } });
  prepareRun(run, CONFIG, true);
  assert.equal(Deno.readTextFileSync(`${folder}/precious`), "mine");
});
