/** SEAL is the method that is meant where none is named, as in its reference's configurations. */

import assert from "node:assert/strict";
import { DEFAULT_METHOD, methodOf } from "../../../src/methods/index.ts";

Deno.test("a configuration that names no method is SEAL's", async () => {
  assert.equal(DEFAULT_METHOD, "seal");
  assert.equal((await methodOf([{ name: "config.yaml", text: "model:\n  encoder: conch\n" }])).name, "seal");
});
