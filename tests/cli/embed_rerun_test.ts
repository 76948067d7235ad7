/** `embed` given again after it was killed, by two at once, over files of others, and through links. @seconds 35 */

import assert from "node:assert/strict";
import { openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { lockFile } from "../../src/io/lock.ts";
import { inFolder, patchFile, seal } from "./shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&seed=5";

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

async function embed(out: string, inputs: readonly string[], ...more: string[]) {
  return await seal("embed", ...inputs, "--encoder", ENCODER, "--out", out, ...more);
}

async function three(folder: string): Promise<string[]> {
  const inputs = ["a", "b", "c"].map((name) => `${folder}/${name}.h5`);
  for (const [i, path] of inputs.entries()) await patchFile(path, 5 + i);
  return inputs;
}

for (const format of ["h5", "h5ad", "safetensors", "npy", "csv"]) {
  Deno.test(`embed of several inputs to ${format} goes on after a kill: status 0, the same bytes, nothing beside`, () =>
    inFolder(async (folder) => {
      const inputs = await three(folder);
      const more = ["--format", format];
      assert.equal((await embed(`${folder}/whole`, inputs, ...more)).code, 0);
      // The state of a process that was killed behind its first output: one finished, one begun, one not yet.
      assert.equal((await embed(`${folder}/killed`, inputs.slice(0, 1), ...more)).code, 0);
      Deno.writeTextFileSync(`${folder}/killed/b.${format}.partial`, "seal-webg");
      const { code, err, out } = await embed(`${folder}/killed`, inputs, ...more, "--json");
      assert.equal(code, 0, err);
      assert.deepEqual(JSON.parse(out).outputs.map(({ status }: { status: string }) => status), [
        "done",
        "done",
        "done",
      ]);
      assert.deepEqual(names(`${folder}/killed`), names(`${folder}/whole`));
      for (const name of names(`${folder}/whole`)) {
        assert.deepEqual(
          Deno.readFileSync(`${folder}/killed/${name}`),
          Deno.readFileSync(`${folder}/whole/${name}`),
          name,
        );
      }
      // Other settings: refused before anything is embedded, saying what differs; the finished ones stay.
      const before = Deno.readFileSync(`${folder}/killed/a.${format}`);
      const other = await embed(`${folder}/killed`, inputs, ...more, "--precision", "f16");
      assert.equal(other.code, 2, other.err);
      assert.match(other.err, /other inputs or settings \(precision f32, now f16\)/);
      assert.deepEqual(Deno.readFileSync(`${folder}/killed/a.${format}`), before);
      await patchFile(inputs[2]!, 9);
      const changed = await embed(`${folder}/killed`, inputs, ...more);
      assert.equal(changed.code, 2, changed.err);
      assert.match(changed.err, /input_sha256 [0-9a-f]{12}…, now [0-9a-f]{12}…; rows 7, now 9/);
    }));
}

/** Where the last row of features of a file begins. */
async function lastRow(path: string, bytes: Uint8Array): Promise<number> {
  if (path.endsWith(".csv")) return bytes.lastIndexOf(",".charCodeAt(0)) + 1;
  const features = await openFeatures(disk.open(path, "read"));
  const last = new Uint8Array((await features.read(features.count - 1)).buffer);
  features.close();
  return bytes.findIndex((_, at) => last.every((byte, i) => bytes[at + i] === byte));
}

/** Flips a bit in the last row of features of a file. @returns The bytes before. */
async function damage(path: string): Promise<Uint8Array> {
  const bytes = Deno.readFileSync(path);
  const place = await lastRow(path, bytes);
  assert.ok(place > 0);
  const other = bytes.slice();
  other[place]! ^= 4;
  Deno.writeFileSync(path, other);
  return bytes;
}

for (const format of ["h5", "h5ad", "safetensors", "npy", "csv"]) {
  Deno.test(`embed does not count damaged ${format} as done: status 4, the same bytes with --overwrite`, () =>
    inFolder(async (folder) => {
      const [input] = await three(folder);
      const more = ["--format", format];
      assert.equal((await embed(`${folder}/out`, [input!], ...more)).code, 0);
      const path = `${folder}/out/a.${format}`;
      const bytes = await damage(path);
      const { code, err } = await embed(`${folder}/out`, [input!], ...more);
      assert.equal(code, 4, err);
      assert.match(err, new RegExp(`Cannot use (features of )?${path}: `));
      assert.match(err, /--overwrite/);
      const again = await embed(`${folder}/out`, [input!], ...more, "--overwrite");
      assert.equal(again.code, 0, again.err);
      assert.deepEqual(Deno.readFileSync(path), bytes);
    }));
}

for (const format of ["h5", "h5ad", "safetensors", "npy"]) {
  Deno.test(`embed over ${format} that cannot be read: status 4 before the encoder is opened, and it stays`, () =>
    inFolder(async (folder) => {
      const [input] = await three(folder);
      const more = ["--format", format];
      assert.equal((await embed(`${folder}/out`, [input!], ...more)).code, 0);
      const path = `${folder}/out/a.${format}`;
      const whole = Deno.readFileSync(path);
      const before = names(`${folder}/out`);
      const cut = whole.subarray(0, whole.length >> 1);
      const zeros = whole.slice().fill(0, 8, 600);
      for (const damaged of [cut, ...(format.startsWith("h5") ? [zeros] : [])]) {
        Deno.writeFileSync(path, damaged);
        const { code, err } = await embed(`${folder}/out`, [input!], ...more);
        assert.equal(code, 4, err);
        // What stands beside npy tells at once.
        const how = format === "npy" ? `it has ${cut.length} bytes, ` : "it is there already and damaged (";
        assert.ok(err.includes(`Cannot use ${path}: ${how}`), err);
        assert.match(
          err,
          /hint: (Pass --overwrite to make it again, or another --out|Make it again with embed --overw)/,
        );
        assert.doesNotMatch(err, /features;/);
        assert.deepEqual(Deno.readFileSync(path), damaged);
        assert.deepEqual(names(`${folder}/out`), before);
      }
      assert.equal((await embed(`${folder}/out`, [input!], ...more, "--overwrite")).code, 0);
      assert.deepEqual(Deno.readFileSync(path), whole);
    }));
}

Deno.test("embed refuses what is another program's, whatever its name, and follows no link", () =>
  inFolder(async (folder) => {
    const [input] = await three(folder);
    const out = `${folder}/out`;
    Deno.mkdirSync(out);
    for (const name of ["a.h5", "a.h5.partial", "a.h5.partial.json"]) {
      Deno.writeTextFileSync(`${out}/${name}`, "mine");
      const { code, err } = await embed(out, [input!]);
      assert.equal(code, 2, err);
      assert.ok(err.includes(`Cannot write ${out}/${name}: `), err);
      assert.equal(Deno.readTextFileSync(`${out}/${name}`), "mine");
      assert.deepEqual(names(out), [name]);
      Deno.removeSync(`${out}/${name}`);
    }
    for (const flags of [[], ["--overwrite"]]) {
      Deno.writeTextFileSync(`${out}/a.h5.partial`, "mine");
      assert.equal((await embed(out, [input!], ...flags)).code, 2);
      assert.equal(Deno.readTextFileSync(`${out}/a.h5.partial`), "mine");
    }
    Deno.removeSync(`${out}/a.h5.partial`);
    Deno.writeTextFileSync(`${folder}/mine`, "mine");
    for (const name of ["a.h5", "a.h5.partial"]) Deno.symlinkSync(`${folder}/mine`, `${out}/${name}`);
    assert.equal((await embed(out, [input!], "--overwrite")).code, 2);
    Deno.removeSync(`${out}/a.h5.partial`);
    assert.equal((await embed(out, [input!], "--overwrite")).code, 0);
    assert.equal(Deno.readTextFileSync(`${folder}/mine`), "mine");
    assert.deepEqual(names(out), ["a.h5"]);
    // The input itself is never the output.
    const same = await embed(folder, [input!], "--overwrite");
    assert.equal(same.code, 2);
    assert.match(same.err, /it is the input/);
  }));

Deno.test("embed is refused by name while another process writes the same output; another output goes on", () =>
  inFolder(async (folder) => {
    const [a, b] = await three(folder);
    Deno.mkdirSync(`${folder}/out`);
    using _held = lockFile(`${folder}/out/a.h5`, "embed");
    const { code, err } = await embed(`${folder}/out`, [a!, b!]);
    assert.equal(code, 2, err);
    assert.ok(err.includes(`process ${Deno.pid}`), err);
    assert.equal(disk.look(`${folder}/out/a.h5`), undefined);
    assert.equal((await embed(`${folder}/out`, [b!])).code, 0);
  }));
