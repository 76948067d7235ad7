/** What a user is told of a run whose checkpoint is used. */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { writeManifest } from "../../src/io/manifest.ts";
import { runWarnings } from "../../src/run/checks.ts";

Deno.test("a run that is not finished is used with a warning that says how far it is", () => {
  const run = Deno.makeTempDirSync({ prefix: "checks_" });
  try {
    disk.write(`${run}/config.yaml`, "method: bulk\n");
    const found = { path: `${run}/checkpoints/last`, checked: true, state: { loop: { step: 40 } } };
    for (const complete of [true, false]) {
      writeManifest(disk, run, { complete, files: {}, facts: {} });
      const told = runWarnings(run, found);
      assert.equal(told.length, complete ? 0 : 1, told.join());
      if (!complete) {
        assert.match(told[0]!, /is not finished: \S+checkpoints\/last is of step 40; its train command goes/);
      }
    }
  } finally {
    Deno.removeSync(run, { recursive: true });
  }
});
