/** Trained runs, opened by the method they name. */

import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { METHOD_NAMES } from "../../src/methods/index.ts";
import { lookAtRun, runSettings, usable } from "../../src/run/open.ts";

Deno.test("a run of a method that predicts nothing is refused by its name; of one that does it is taken as it is", () => {
  assert.throws(() => usable({ name: "slides" }, "runs/a"), (error: ConfigError) => {
    assert.match(
      error.message,
      /^Cannot predict or retrieve with runs\/a: models of method slides give no expression$/,
    );
    assert.match(error.hint ?? "", /^Give a run of a method that does/);
    return error instanceof ConfigError && error.exitCode === 2;
  });
  const able = { name: "spots", trained: () => assert.fail("nothing is opened yet") };
  assert.equal(usable(able, "runs/a"), able);
});

Deno.test("a run is of the method that its configuration names; one of another program is refused", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const write = (text: string) => Deno.writeTextFileSync(`${folder}/config.yaml`, text);
    for (const name of METHOD_NAMES) {
      write(`method: ${name}\n`);
      assert.equal((await runSettings(folder)).method.name, name);
    }
    write("method: sael\n");
    await assert.rejects(lookAtRun({ run: folder, checkpoint: "best" }), (error: ConfigError) => {
      assert.match(error.message, /trained by sael/);
      return /defineMethod/.test(error.hint ?? "");
    });
    Deno.removeSync(`${folder}/config.yaml`);
    await assert.rejects(lookAtRun({ run: folder, checkpoint: "best" }), /config\.yaml cannot be read/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
