import assert from "node:assert/strict";
import { runFolder } from "../../src/run/folder.ts";
import { writeEvidence } from "../../src/report/evidence_write.ts";
import { lockFolder } from "../../src/io/lock.ts";
import { inFolder, seal } from "./shared.ts";

Deno.test("report writes a page from a run's folder alone, again over an older one, and as JSON what it lacks", async () => {
  await inFolder(async (path) => {
    await writeEvidence(runFolder(path), {
      config: "seed: 1\n",
      metrics: [{ step: 0, loss: 2 }, { step: 1, loss: 1 }],
    });
    Deno.writeTextFileSync(`${path}/report.html`, "old");
    const { code, out, err } = await seal("report", `${path}/`, "--json");
    assert.equal(code, 0, err);
    const result = JSON.parse(out);
    assert.equal(result.path, `${path}/report.html`);
    assert.deepEqual(Object.keys(result.missing), ["facts", "results", "maps", "gallery", "embedding"]);
    const page = Deno.readTextFileSync(result.path);
    assert.equal(new TextEncoder().encode(page).length, result.bytes);
    assert.match(page, /^<!doctype html>/);
    assert.match(err, /without maps: evaluation\/maps\.json is not in the run's folder/);
    assert.deepEqual([...Deno.readDirSync(path)].map(({ name }) => name).sort(), [
      "config.yaml",
      "metrics.jsonl",
      "report.html",
    ]);
  });
});

Deno.test("report exits with 3 when a part is damaged, 4 without a run, 2 without a folder", async () => {
  await inFolder(async (path) => {
    const none = await seal("report", `${path}/none`);
    assert.deepEqual([none.code, /there is no such folder/.test(none.err)], [4, true]);
    assert.equal((await seal("report")).code, 2);
    await writeEvidence(runFolder(path), { config: "", metrics: [{ step: 0, loss: 1 }] });
    Deno.writeTextFileSync(`${path}/run.json`, '{"schema":1,"title":7,"status":"finished"}');
    const damaged = await seal("report", path, "--quiet");
    assert.equal(damaged.code, 3);
    assert.match(damaged.err, /FormatError: Cannot read .*run\.json:title: 7, expected a text/);
    assert.match(Deno.readTextFileSync(`${path}/report.html`), /run\.json:title: 7, expected a text/);
    using _held = lockFolder(path, "train");
    const locked = await seal("report", path);
    assert.equal(locked.code, 2);
    assert.match(locked.err, new RegExp(`process ${Deno.pid} \\(train\\) writes there`));
    assert.match(locked.err, /^hint: Wait until it ends or stop it, or pass a copy of the run; the lock is /m);
  });
});
