/** `evaluate` given again: finished, killed between its files, with other settings, over files of others, by two at once. */

import assert from "node:assert/strict";
import { lockFile, lockFolder } from "../../src/io/lock.ts";
import { inFolder, seal, tree } from "./shared.ts";

Deno.test("evaluate given again is done, goes on after a kill, and refuses other settings and files of others", () =>
  inFolder(async (folder) => {
    const [data, out] = [`${folder}/data`, `${folder}/out`];
    assert.equal((await seal("synth", "--profile", "smoke", "--slides", "3", "--out", data)).code, 0);
    const encoder = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&patch=32&seed=3";
    const args = ["evaluate", "--data", data, "--panel-genes", "5", "--encoder", "colour", "--encoder", encoder];
    const first = await seal(...args, "--out", out, "--json");
    assert.ok(first.code === 0 || first.code === 3, first.err);
    const whole = tree(out);
    const again = await seal(...args, "--out", out, "--json");
    assert.equal(again.code, first.code);
    assert.deepEqual(JSON.parse(again.out), JSON.parse(first.out));
    assert.deepEqual(tree(out), whole);

    // Killed between its files, while features were made, and behind the last of them.
    const result = JSON.parse(first.out);
    const { status: _, ...made } = result.made;
    const features = `${out}${whole.find(([path]) => path.endsWith("SYN1.h5"))![0]}`;
    const feature = Deno.readFileSync(features);
    const killed = () => {
      Deno.removeSync(`${out}/results.json`);
      Deno.writeTextFileSync(`${out}/evaluate.partial.json`, JSON.stringify({ command: "evaluate", made }));
    };
    killed();
    Deno.removeSync(`${out}/dataset_results.csv`);
    Deno.writeFileSync(features, feature.subarray(0, 1000));
    Deno.writeTextFileSync(`${features}.partial`, "seal-webgpu rows");
    const other = await seal(...args, "--out", out, "--protocol", "hest-bench-raw/1");
    assert.equal(other.code, 2, other.err);
    assert.match(other.err, /--protocol hest-bench\/1, now hest-bench-raw\/1/);
    const gone = await seal(...args, "--out", out);
    assert.equal(gone.code, first.code, gone.err);
    assert.deepEqual(tree(out), whole);

    // Another process, by name; what it holds stays.
    for (const hold of [() => lockFolder(out, "evaluate"), () => lockFile(features, "evaluate")]) {
      killed();
      Deno.removeSync(features);
      {
        using _held = hold();
        const second = await seal(...args, "--out", out);
        assert.equal(second.code, 2, second.err);
        assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
      }
      assert.equal((await seal(...args, "--out", out)).code, first.code);
      assert.deepEqual(tree(out), whole);
    }

    // Another program's files.
    Deno.mkdirSync(`${folder}/foreign`);
    for (const name of ["results.json", "dataset_results.csv", "data", "evaluate.partial.json"]) {
      Deno.writeTextFileSync(`${folder}/foreign/${name}`, "mine");
      const foreign = await seal(...args, "--out", `${folder}/foreign`);
      assert.equal(foreign.code, 2, foreign.err);
      assert.deepEqual(tree(`${folder}/foreign`), [[`/${name}`, new TextEncoder().encode("mine").toHex()]]);
      Deno.removeSync(`${folder}/foreign/${name}`);
    }
    Deno.writeTextFileSync(`${folder}/mine`, "mine");
    Deno.symlinkSync(`${folder}/mine`, `${folder}/foreign/results.json`);
    assert.equal((await seal(...args, "--out", `${folder}/foreign`, "--overwrite")).code, first.code);
    assert.equal(Deno.readTextFileSync(`${folder}/mine`), "mine");
  }));

Deno.test("evaluate refuses an unknown encoder and lacking features before anything is read", () =>
  inFolder(async (folder) => {
    const data = `${folder}/data`;
    Deno.mkdirSync(`${data}/st`, { recursive: true });
    Deno.mkdirSync(`${folder}/features`);
    // Reading them would fail in another way.
    for (const id of ["A", "B"]) Deno.writeTextFileSync(`${data}/st/${id}.h5ad`, "no HDF5");
    const args = ["evaluate", "--data", data, "--leave-out", "sample", "--out", `${folder}/out`];
    const unknown = await seal(...args, "--encoder", "conhc", "--encoder", "colour");
    assert.equal(unknown.code, 2, unknown.err);
    assert.match(unknown.err, /conhc[^]*conch/);
    const lacking = await seal(...args, "--features", `${folder}/features`);
    assert.equal(lacking.code, 4);
    assert.match(lacking.err, /no features of A/);
    assert.ok(!Deno.readDirSync(folder).some(({ name }) => name === "out"));
  }));
