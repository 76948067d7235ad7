/** What is wrong with a command line is said before a sample is read, and leaves nothing. */

import assert from "node:assert/strict";
import { filesBelow } from "../../scripts/kill_jobs.ts";
import { writeCheckpoint } from "../../src/cli/run_folder.ts";
import { prepareRun } from "./begun_run.ts";
import { inFolder, seal } from "./shared.ts";

Deno.test("embed refuses a place where its output would be its own input, and one that is not named", () =>
  inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/tiles/patches`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/tiles/a.png`, "");
    Deno.writeTextFileSync(`${folder}/tiles/patches/a.h5`, "");
    const cases: [string[], RegExp][] = [
      [[`${folder}/tiles`, "--out", `${folder}/tiles/patches`, "--format", "npy"], /patches is read for inputs/],
      [[`${folder}/tiles/patches`, "--out", `${folder}/tiles/patches/b.csv`], /patches is read for inputs/],
      [[`${folder}/tiles`, "--out", ""], /--out: given an empty text/],
      [[`${folder}/tiles`, "--out="], /--out: given an empty text/],
    ];
    for (const [args, text] of cases) {
      const answer = await seal("embed", "--encoder", "random:vit_small_patch16_224?dim=32&depth=1&heads=2", ...args);
      assert.equal(answer.code, 2, answer.err);
      assert.match(answer.err, text);
    }
    assert.deepEqual([...Deno.readDirSync(`${folder}/tiles/patches`)].map(({ name }) => name), ["a.h5"]);
  }));

Deno.test("train refuses unknown names and missing files before a sample is read", () =>
  inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/data/st`, { recursive: true });
    // Reading them would fail in another way.
    for (const id of ["A", "B"]) Deno.writeTextFileSync(`${folder}/data/st/${id}.h5ad`, "no HDF5");
    const random = "random:vit_small_patch16_224?dim=32&depth=1&heads=2";
    const out = `${folder}/out`;
    const cases: [string[], number, RegExp][] = [
      [["--encoder", "conhc"], 2, /Did you mean conch\?/],
      [["--encoder", "random:vit_smal"], 2, /vit_smal/],
      [["--encoder", random, "--adapter", `${folder}/none`], 2, /weights of a file are wanted/],
      [["--encoder", random, "samples=A,C"], 2, /Cannot use sample C: [^]*They have A, B/],
      [["--encoder", random, "holdout_samples=C9"], 2, /Cannot hold out sample C9: [^]*They have A, B/],
      [
        ["--encoder", random, "holdout_samples=A", "exclude_samples=A"],
        2,
        /Cannot hold out A: exclude_samples leaves it out/,
      ],
      [["--encoder", random, "holdout_donors=P1"], 2, /Cannot hold out donor P1: /],
      [["--encoder", random, "holdout_samples=A,B"], 2, /Cannot train: all 2 samples are held out/],
      [["--encoder", random, "holdout_samples=A"], 4, /patches has no B\.h5/],
      [["--encoder", random, "holdout_fraction=0", `panel=${folder}/none.json`], 4, /none\.json: no such file/],
      [["--encoder", random, `gene_list=${folder}/none.txt`], 4, /none\.txt: no such file/],
      [["--encoder", random, `omics=${folder}/none.pth`], 4, /none\.pth: no such file/],
      [["--encoder", random, "cache=disk", `cache_dir=${folder}/data/st/A.h5ad`], 2, /A\.h5ad: it is a file/],
      [["--encoder", random, "--epochs", "2"], 2, /write epochs=2/],
      [["encoder=conhc"], 2, /Did you mean conch\?/],
    ];
    for (const [args, code, text] of cases) {
      const answer = await seal("train", "--data", `${folder}/data`, "--out", out, ...args);
      assert.equal(answer.code, code, `${args.join(" ")}: ${answer.err}`);
      assert.match(answer.err, text);
      assert.ok(!/no HDF5|HDF5 stops/.test(answer.err), answer.err);
    }
    const nowhere = await seal("train", "--data", `${folder}/nowhere`, "--encoder", random, "--out", out);
    assert.equal(nowhere.code, 4);
    assert.match(nowhere.err, /there is no such folder/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["data"]);
  }));

Deno.test("a refused train leaves no file and no folder, and what was there before as it was", () =>
  inFolder(async (folder) => {
    for (const part of ["st", "patches"]) Deno.mkdirSync(`${folder}/data/${part}`, { recursive: true });
    for (const path of ["st/A.h5ad", "patches/A.h5"]) Deno.writeTextFileSync(`${folder}/data/${path}`, "no HDF5");
    const args = ["--data", `${folder}/data`, "--encoder", "random:vit_small_patch16_224?dim=32&depth=1&heads=2"];
    const more = ["holdout_fraction=0"];
    const before = `${folder}/before`;
    prepareRun(before, "input:\n  out: here\n", false);
    writeCheckpoint(before, "last", new Map([["omics.safetensors", new Uint8Array(8)]]), {
      format: 2,
      loop: { step: 1 },
    });
    Deno.writeTextFileSync(`${before}/notes.txt`, "mine");
    const files = () => filesBelow(folder).map((path) => [path, Deno.readFileSync(`${folder}/${path}`).toHex()]);
    const there = files();
    for (const out of [[`${folder}/new/below/run`], [before, "--overwrite"]]) {
      const answer = await seal("train", ...args, "--out", ...out, ...more);
      assert.equal(answer.code, 4, answer.err);
      assert.match(answer.err, /A\.h5/);
      assert.deepEqual(files(), there);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["before", "data"]);
    }
  }));
