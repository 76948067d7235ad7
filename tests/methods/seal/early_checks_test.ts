/** What is wrong with a command line is said before a sample is read, and leaves nothing. */

import assert from "node:assert/strict";
import { filesBelow } from "../../../scripts/kill_jobs.ts";
import { writeCheckpoint } from "../../../src/run/checkpoints.ts";
import { prepareRun } from "../../cli/begun_run.ts";
import { writeSection } from "../../cli/st_section.ts";
import { FIXTURES, inFolder, patchFile, seal } from "../../cli/shared.ts";

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

Deno.test("a place that Deno keeps from every program is refused with what can be done", async () => {
  const commands = [
    ["synth"],
    ["train", "--data", "none", "--encoder", "random:vit_small_patch16_224?dim=32&depth=1&heads=2"],
    ["retrieve", "--run", "none"],
  ];
  for (const command of commands) {
    const { code, err } = await seal(...command, "--out", "/proc/run");
    assert.equal(code, 2, err);
    assert.match(err, /Cannot write to \/proc\/run: /);
    assert.match(err, /^hint: (?:Pass another --out|Give a path outside \/proc)/m);
    assert.doesNotMatch(err, /--allow-all/);
  }
});

Deno.test("a folder that is no adapter, and a run that has none, are told from each other", () =>
  inFolder(async (folder) => {
    const lora = `${FIXTURES}encoders/lora_uni`;
    await patchFile(`${folder}/a.h5`, 2);
    const run = `${folder}/run`;
    Deno.mkdirSync(`${run}/checkpoints`, { recursive: true });
    Deno.writeTextFileSync(`${run}/config.yaml`, "");
    const refused = async (hint: string) => {
      for (
        const command of [
          ["embed", `${folder}/a.h5`, "--out", `${folder}/out`],
          ["convert", "merge", "--out", `${folder}/out/a.safetensors`],
        ]
      ) {
        const { code, err } = await seal(...command, "--encoder", lora, "--adapter", run);
        assert.equal(code, 4, err);
        assert.ok(err.includes(`Cannot open ${run}: no adapter_config.json in it`), err);
        assert.ok(err.includes(`hint: ${hint}`), err);
      }
    };
    await refused(`${run} is a training run without a checkpoint`);
    Deno.mkdirSync(`${run}/checkpoints/best`);
    await refused(`${run} is a training run without a LoRA adapter; predict and retrieve open it with --run ${run}`);
    for (const { name } of Deno.readDirSync(`${lora}/adapter`)) {
      Deno.copyFileSync(`${lora}/adapter/${name}`, `${run}/checkpoints/best/${name}`);
    }
    await refused(`${run} is a training run; its adapter is ${run}/checkpoints/best`);
    Deno.removeSync(`${run}/config.yaml`);
    await refused("Give the folder with adapter_config.json and adapter_model.safetensors");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["a.h5", "run"]);
  }));

Deno.test("weights that are none and an adapter of another encoder are refused before inputs are read", () =>
  inFolder(async (folder) => {
    for (const part of ["st", "patches"]) Deno.mkdirSync(`${folder}/data/${part}`, { recursive: true });
    for (const path of ["st/A.h5ad", "patches/A.h5"]) Deno.writeTextFileSync(`${folder}/data/${path}`, "no HDF5");
    Deno.mkdirSync(`${folder}/empty`);
    const of = (name: string) => `${FIXTURES}encoders/${name}`;
    const cases: [string[], number, RegExp][] = [
      [["--encoder", `${folder}/empty`], 4, /found no weights[^]*hint: Pass a folder or a file with weights/],
      [["--encoder", "./nowhere/weights"], 2, /no such file or folder[^]*hint: Give the path/],
      [["--encoder", `${of("lora_uni")}/adapter/adapter_model.safetensors`], 5, /adapter_model/],
      [["--encoder", of("conch_v1"), "--adapter", `${of("lora_uni")}/adapter`], 5, /Cannot/],
    ];
    for (const [args, status, told] of cases) {
      const out = ["--out", `${folder}/out`];
      const { code, err } = await seal("train", "--data", `${folder}/data`, "holdout_fraction=0", ...args, ...out);
      assert.equal(code, status, `${args}: ${err}`);
      assert.match(err, told);
      assert.doesNotMatch(err, /A\.h5/);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["data", "empty"]);
    }
  }));

Deno.test("a section of a folder that cannot be a name says to rename its files, for --id does not go with folders", () =>
  inFolder(async (folder) => {
    writeSection(`${folder}/in`, "S1");
    for (const part of ["counts", "spots", "images"]) {
      for (const entry of [...Deno.readDirSync(`${folder}/in/${part}`)]) {
        Deno.renameSync(
          `${folder}/in/${part}/${entry.name}`,
          `${folder}/in/${part}/${entry.name.replace("S1", "S 1")}`,
        );
      }
    }
    const { code, err } = await seal("convert", "st", `${folder}/in`, "--out", `${folder}/out`);
    assert.equal(code, 2, err);
    assert.match(err, /Cannot name a sample "S 1"[^]*hint: Rename its files/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["in"]);
  }));
