/** `embed` as users run it: rows, barcodes, resuming, shards, failures. */

import assert from "node:assert/strict";
import { VERSION } from "../../src/core/version.ts";
import { openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { launched, seal, task, until } from "./command.ts";
import { patchFile } from "./shared.ts";
import config from "../../deno.json" with { type: "json" };

const ENCODER = "random:vit_small_patch16_224?dim=64&depth=1&patch=8&img=32&seed=3";

const run = (...args: string[]) => seal("embed", ...args);

const folder = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

Deno.test("embed writes a row a patch, in order, with barcodes, coordinates and what made them", async () => {
  await patchFile(`${folder}/a.h5`, 13);
  const { code, out } = await run(
    `${folder}/a.h5`,
    "--encoder",
    ENCODER,
    "--out",
    `${folder}/first`,
    "--batch-size",
    "4",
    "--json",
  );
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).outputs[0].rows, 13);
  const features = await openFeatures(disk.open(`${folder}/first/a.h5`, "read"));
  assert.deepEqual([features.count, features.dim], [13, 64]);
  assert.deepEqual(features.barcodes?.[12], "spot-12");
  assert.deepEqual([...features.coords!.slice(0, 4)], [0, 7, 14, 21]);
  const { encoder, precision, software, patch_size } = features.attributes;
  assert.deepEqual({ encoder, precision, software }, {
    encoder: ENCODER,
    precision: "f32",
    software: `seal-webgpu ${VERSION}`,
  });
  assert.equal(Number(patch_size), 32);
  const rows = await features.read();
  assert.ok(rows.every(Number.isFinite) && new Set(rows).size > 700);
  features.close();
});

Deno.test("embed gives the same features whatever the batch; a finished output counts as done, of other settings is refused", async () => {
  const modified = Deno.statSync(`${folder}/first/a.h5`).mtime;
  const again = await run(`${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/first`, "--json");
  assert.equal(again.code, 0, again.err);
  assert.equal(JSON.parse(again.out).outputs[0].status, "done");
  assert.deepEqual(Deno.statSync(`${folder}/first/a.h5`).mtime, modified);
  const other = await run(`${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/first`, "--precision", "f16");
  assert.equal(other.code, 2);
  assert.match(other.err, /precision f32, now f16[^;]*\)/);
  assert.match(other.err, /--overwrite/);
  const before = Deno.readFileSync(`${folder}/first/a.h5`);
  assert.equal(
    (await run(`${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/other`, "--batch-size", "13")).code,
    0,
  );
  const rows = async (path: string) => await (await openFeatures(disk.open(path, "read"))).read();
  const [a, b] = [await rows(`${folder}/first/a.h5`), await rows(`${folder}/other/a.h5`)];
  a.forEach((value, i) => assert.ok(Math.abs(value - b[i]!) < 1e-4));
  assert.deepEqual(Deno.readFileSync(`${folder}/first/a.h5`), before);
});

Deno.test("embed killed in the middle and run again gives the bytes of an uninterrupted run", async () => {
  await patchFile(`${folder}/long.h5`, 1100);
  const args = [`${folder}/long.h5`, "--encoder", ENCODER, "--batch-size", "16"];
  assert.equal((await run(...args, "--out", `${folder}/whole`)).code, 0);
  const child = (await launched(["embed", ...args, "--out", `${folder}/killed`])).spawn();
  const state = `${folder}/killed/long.h5.partial.json`;
  await until(child, () => disk.look(state));
  child.kill("SIGKILL");
  await child.output();
  const { rows } = JSON.parse(Deno.readTextFileSync(state)) as { rows: number };
  assert.ok(rows >= 256 && rows < 1100, `${rows} rows`);
  assert.equal(disk.look(`${folder}/killed/long.h5`), undefined);
  const { code, err } = await run(...args, "--out", `${folder}/killed`);
  assert.equal(code, 0);
  assert.match(err, /going on after \d+ of 1100/);
  assert.deepEqual(Deno.readFileSync(`${folder}/killed/long.h5`), Deno.readFileSync(`${folder}/whole/long.h5`));
  assert.equal(disk.look(state), undefined);
});

Deno.test("embed stops on SIGTERM with status 75 and says how to go on", async () => {
  const args = [`${folder}/long.h5`, "--encoder", ENCODER, "--batch-size", "4", "--out", `${folder}/stopped`];
  const child = task(["embed", ...args]).spawn();
  await until(child, () => disk.look(`${folder}/stopped/long.h5.partial`));
  child.kill("SIGTERM");
  const { code, stderr } = await child.output();
  assert.equal(code, 75);
  assert.match(new TextDecoder().decode(stderr), /go on with: deno task embed/);
});

Deno.test("embed goes on after an input that fails, lists it and exits 3; alone it exits 4", async () => {
  Deno.writeFileSync(`${folder}/broken.h5`, new Uint8Array(100));
  const { code, out } = await run(
    `${folder}/a.h5`,
    `${folder}/broken.h5`,
    "--encoder",
    ENCODER,
    "--out",
    `${folder}/some`,
    "--json",
  );
  assert.equal(code, 3);
  const outputs = JSON.parse(out).outputs as { input: string; status: string; error?: string }[];
  assert.deepEqual(outputs.map(({ input, status }) => [input, status]), [["a", "done"], ["broken", "failed"]]);
  assert.match(outputs[1]!.error!, /broken\.h5/);
  assert.equal((await run(`${folder}/broken.h5`, "--encoder", ENCODER, "--out", `${folder}/none`)).code, 4);
});

Deno.test("embed rejects wrong usage with status 2 before anything starts", async () => {
  for (
    const [args, message] of [
      [[`${folder}/a.h5`], /no --encoder/],
      [["--encoder", ENCODER], /no input/],
      [[`${folder}/a.h5`, "--encoder", "unii2-h"], /uni2/],
      [[`${folder}/a.h5`, "--encoder", ENCODER, "--shard", "4/4"], /--shard 4\/4/],
      [[`${folder}/a.h5`, "--encoder", ENCODER, "--batch-size", "0"], /batch-size/],
    ] as const
  ) {
    const { code, err } = await run(...args, "--out", `${folder}/wrong`);
    assert.equal(code, 2, err);
    assert.match(err, message);
  }
});

Deno.test("the version outputs name is that of the package", () => assert.equal(VERSION, config.version));
