/** The demo is what the default method brings; a method without one is refused with what can be said instead. */

import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES } from "../../src/methods/index.ts";
import { demoOf } from "../../src/run/demo.ts";

for (const name of METHOD_NAMES) {
  const { demo } = await loadMethod(name);
  Deno.test(`train without arguments, were ${name} the default: ${demo ? "its demo" : "refused"}`, async () => {
    if (demo === undefined) {
      await assert.rejects(demoOf({}, name), (error: ConfigError) => {
        assert.equal(error.exitCode, 2);
        assert.match(
          error.message,
          new RegExp(`^Cannot train: nothing is said of what, and method ${name} has no demo$`),
        );
        for (const other of METHOD_NAMES) assert.ok(error.hint!.includes(other), error.hint);
        return error instanceof ConfigError;
      });
      return;
    }
    const { method, config, folder } = await demoOf({ seed: 7 }, name);
    assert.deepEqual([method.name, folder, config.input.out], [name, "runs/demo", "runs/demo"]);
    assert.match(method.config.write(config), /^ {2}seed: 7 /m);
    assert.equal((await demoOf({ out: "elsewhere" }, name)).config.input.out, "elsewhere");
  });
}

Deno.test("the demo is of the default method", async () => {
  const { demo } = await loadMethod(DEFAULT_METHOD);
  if (demo) assert.equal((await demoOf({})).method.name, DEFAULT_METHOD);
  else await assert.rejects(demoOf({}), /has no demo/);
});
