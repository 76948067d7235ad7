/** `synth` as users run it: finished outputs are refused, unfinished ones gone on with, wrong usage named. */

import assert from "node:assert/strict";
import { seal, task } from "./command.ts";

const SMALL = ["--profile", "smoke", "--rows", "3", "--cols", "6", "--quiet"];

const folder = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const run = (...args: string[]) => seal("synth", ...args);

function bytesOf(root: string, files: readonly string[]): Map<string, Uint8Array> {
  return new Map(files.map((file) => [file, Deno.readFileSync(`${root}/${file}`)]));
}

Deno.test("synth writes what it lists, refuses to write over it, and replaces it when told", async () => {
  const out = `${folder}/a`;
  const first = await run("--out", out, ...SMALL, "--slides", "3", "--json");
  assert.equal(first.code, 0, first.err);
  const { status, samples, files } = JSON.parse(first.out);
  assert.equal(status, "done");
  assert.deepEqual(samples.map(({ id }: { id: string }) => id), ["SYN0", "SYN1", "SYN2"]);
  assert.equal(bytesOf(out, files).size, files.length);

  const again = await run("--out", out, ...SMALL, "--slides", "3");
  assert.equal(again.code, 2);
  assert.match(again.err, /holds a finished data set/);

  const replaced = await run("--out", out, ...SMALL, "--slides", "2", "--seed", "5", "--overwrite");
  assert.equal(replaced.code, 0, replaced.err);
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
  assert.match(other.err, /another data set, unfinished/);

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
});
