/** `synth` as users run it: finished outputs are left, unfinished ones gone on with, wrong usage named. */

import assert from "node:assert/strict";
import { lockFolder } from "../../src/io/lock.ts";
import { seal, task } from "./command.ts";

const SMALL = ["--profile", "smoke", "--rows", "3", "--cols", "6", "--quiet"];

const folder = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const run = (...args: string[]) => seal("synth", ...args);

function bytesOf(root: string, files: readonly string[]): Map<string, Uint8Array> {
  return new Map(files.map((file) => [file, Deno.readFileSync(`${root}/${file}`)]));
}

Deno.test("synth writes what it lists, leaves it as it is when given again, and replaces it when told", async () => {
  const out = `${folder}/a`;
  const first = await run("--out", out, ...SMALL, "--slides", "3", "--json");
  assert.equal(first.code, 0, first.err);
  const { status, samples, files } = JSON.parse(first.out);
  assert.equal(status, "done");
  assert.deepEqual(samples.map(({ id }: { id: string }) => id), ["SYN0", "SYN1", "SYN2"]);
  assert.equal(bytesOf(out, files).size, files.length);

  const again = await run("--out", out, ...SMALL, "--slides", "3", "--json");
  assert.equal(again.code, 0, again.err);
  assert.deepEqual(JSON.parse(again.out), JSON.parse(first.out));
  const other = await run("--out", out, ...SMALL, "--slides", "2");
  assert.equal(other.code, 2);
  assert.match(other.err, /slides 3, now 2/);
  const whole = bytesOf(out, files);
  Deno.removeSync(`${out}/patches/SYN1.h5`);
  assert.equal((await run("--out", out, ...SMALL, "--slides", "3")).code, 0);
  assert.deepEqual(bytesOf(out, files), whole);
  Deno.writeTextFileSync(`${out}/mine.txt`, "mine");
  {
    using _held = lockFolder(out, "synth");
    const second = await run("--out", out, ...SMALL, "--slides", "2", "--overwrite");
    assert.equal(second.code, 2);
    assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
  }

  const replaced = await run("--out", out, ...SMALL, "--slides", "2", "--seed", "5", "--overwrite");
  assert.equal(replaced.code, 0, replaced.err);
  assert.equal(Deno.readTextFileSync(`${out}/mine.txt`), "mine");
  assert.deepEqual([...Deno.readDirSync(`${out}/st`)].map(({ name }) => name).sort(), ["SYN0.h5ad", "SYN1.h5ad"]);
});

Deno.test("synth stopped and run again gives the bytes of an uninterrupted run", async () => {
  const args = [...SMALL, "--slides", "6"];
  const whole = await run("--out", `${folder}/whole`, ...args, "--json");
  const out = `${folder}/stopped`;
  const child = task(["synth", "--out", out, ...args]).spawn();
  const begun = () => {
    try {
      return [...Deno.readDirSync(`${out}/metadata`)].length;
    } catch {
      return 0;
    }
  };
  while (begun() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGTERM");
  assert.equal((await child.output()).code, 75);
  const partial = JSON.parse(Deno.readTextFileSync(`${out}/synth.partial.json`));
  assert.ok(partial.samples.length >= 1 && partial.samples.length < 6);

  const other = await run("--out", out, ...args, "--seed", "7");
  assert.equal(other.code, 2);
  assert.match(other.err, /other inputs or settings \(seed \d+, now 7\)/);

  const rest = await run("--out", out, ...args, "--json");
  assert.equal(rest.code, 0, rest.err);
  const { files } = JSON.parse(rest.out);
  assert.deepEqual(files, JSON.parse(whole.out).files);
  for (const [file, bytes] of bytesOf(`${folder}/whole`, [...files, "synth.json"])) {
    assert.deepEqual(Deno.readFileSync(`${out}/${file}`), bytes, file);
  }
});

Deno.test("synth rejects wrong usage before anything is written", async () => {
  for (
    const [args, message] of [
      [[], /no --out is given/],
      [["--out", `${folder}/b`, "--profile", "smoke", "--slides", "1"], /1 slides, wanted at least 2/],
      [["--out", `${folder}/b`, "--profile", "huge"], /wanted one of smoke, small/],
      [["--out", `${folder}/b`, "--seed", "4294967296"], /wanted an integer >= 0 and <= 4294967295/],
    ] as const
  ) {
    const { code, err } = await run(...args);
    assert.equal(code, 2, err);
    assert.match(err, message);
  }
  Deno.mkdirSync(`${folder}/c/st`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/c/st/TENX1.h5ad`, "");
  const { code, err } = await run("--out", `${folder}/c`, ...SMALL, "--overwrite");
  assert.equal(code, 2);
  assert.match(err, /none of this command's/);
  for (const record of ["synth.json", "synth.partial.json"]) {
    Deno.mkdirSync(`${folder}/${record}.d`);
    Deno.writeTextFileSync(`${folder}/${record}.d/${record}`, "mine");
    assert.equal((await run("--out", `${folder}/${record}.d`, ...SMALL, "--overwrite")).code, 2);
    assert.equal(Deno.readTextFileSync(`${folder}/${record}.d/${record}`), "mine");
  }
});
