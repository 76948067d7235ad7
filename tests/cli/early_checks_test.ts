/** What is wrong with a command line is said before a sample is read, and leaves nothing. */

import assert from "node:assert/strict";
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
      [["--encoder", "conhc"], 2, /conhc[^]*conch/],
      [["--encoder", "random:vit_smal"], 2, /vit_smal/],
      [["--encoder", random, "--adapter", `${folder}/none`], 2, /weights of a file are wanted/],
      [["--encoder", random, "samples=A,C"], 2, /Cannot train on C[^]*They have A, B/],
      [["--encoder", random, `gene_list=${folder}/none.txt`], 4, /none\.txt: no such file/],
      [["--encoder", random, `omics=${folder}/none.pth`], 4, /none\.pth: no such file/],
      [["--encoder", random, "cache=disk", `cache_dir=${folder}/data/st/A.h5ad`], 2, /A\.h5ad: it is a file/],
      [["--encoder", random, "--epochs", "2"], 2, /write epochs=2/],
      [["encoder=conhc"], 2, /conch/],
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
