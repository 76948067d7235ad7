import assert from "node:assert/strict";
import { fuzz, targets } from "./fuzz.ts";

for (const target of await targets()) {
  Deno.test(`500 mutants: ${target.name} is read right or refused with a typed error`, async () => {
    const { read, refused, growth } = await fuzz(target, 500, 1);
    assert.ok(refused > 100 && read > 0, `${read} read, ${refused} refused`);
    assert.ok(growth < 2 ** 29, `${growth} bytes`);
  });
}
