/** Two trainings at once: in one run folder, with the same command or another, and with one cache. @seconds 15 */

import assert from "node:assert/strict";
import { filesBelow, isUnderWay, SMALL, smokeData } from "../../../scripts/kill_jobs.ts";
import { train } from "../../../scripts/kill_resume.ts";
import { seal } from "../../cli/shared.ts";

const folder = Deno.makeTempDirSync({ prefix: "two_writers_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const data = `${folder}/hest`;
await smokeData(data);

async function ended(child: Deno.ChildProcess): Promise<{ pid: number; code: number; err: string }> {
  const { code, stderr } = await child.output();
  return { pid: child.pid, code, err: new TextDecoder().decode(stderr) };
}

const begin = (out: string, ...more: string[]) =>
  train(["--quiet", "--data", data, "--out", `${folder}/${out}`, ...SMALL, ...more]);

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function until(path: string): Promise<void> {
  while (!exists(path)) await new Promise((done) => setTimeout(done, 10));
}

Deno.test("the same command twice at the same moment: one trains, the other is told of it", async () => {
  const both = await Promise.all([ended(begin("same")), ended(begin("same"))]);
  const [won, lost] = both.sort((a, b) => a.code - b.code) as [typeof both[0], typeof both[0]];
  assert.deepEqual([won.code, lost.code], [0, 2], both.map(({ err }) => err).join("\n"));
  assert.match(
    lost.err,
    new RegExp(`Cannot write to ${folder}/same: process ${won.pid} \\(train\\) writes there since`),
  );
  assert.deepEqual(filesBelow(`${folder}/same`).filter(isUnderWay), []);
  const { code, err } = await seal("report", `${folder}/same`);
  assert.equal(code, 0, err);
});

Deno.test("another command on a folder in use: refused, the first ends as it would; after a kill the lock is free", async () => {
  const run = `${folder}/seeds`;
  const first = begin("seeds", "seed=42", "epochs=400");
  await until(`${run}/metrics.jsonl`);
  const second = await ended(begin("seeds", "seed=7", "epochs=400"));
  assert.equal(second.code, 2, second.err);
  assert.match(second.err, new RegExp(`process ${first.pid} \\(train\\) writes there`));
  assert.match(Deno.readTextFileSync(`${run}/config.yaml`), /seed: 42/);
  // Overwriting is no way around it.
  assert.equal((await ended(begin("seeds", "seed=7", "--overwrite"))).code, 2);
  first.kill("SIGKILL");
  await first.output();
  assert.ok(exists(`${run}/.lock`));
  const third = await ended(begin("seeds", "seed=7", "--overwrite", "epochs=1"));
  assert.equal(third.code, 0, third.err);
  assert.deepEqual(filesBelow(run).filter(isUnderWay), []);
});

Deno.test("one cache for two runs: the second is refused while the first has it", async () => {
  const cache = ["cache=disk", `cache_dir=${folder}/cache`];
  const first = begin("one", "epochs=400", ...cache);
  await until(`${folder}/one/metrics.jsonl`);
  const second = await ended(begin("two", "epochs=1", ...cache));
  assert.equal(second.code, 2, second.err);
  assert.match(second.err, new RegExp(`Cannot write to ${folder}/cache/stem: process ${first.pid} \\(train\\)`));
  first.kill("SIGTERM");
  assert.equal((await ended(first)).code, 75);
  const again = await ended(begin("two", "epochs=1", ...cache));
  assert.equal(again.code, 0, again.err);
});
