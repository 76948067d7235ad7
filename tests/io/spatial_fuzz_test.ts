import assert from "node:assert/strict";
import { fuzz } from "./fuzz.ts";
import { spatialTargets } from "./fuzz_spatial.ts";

for (const target of spatialTargets()) {
  Deno.test(`500 mutants: ${target.name} is read or refused with a typed error that says where`, async () => {
    const { read, refused, growth } = await fuzz(target, 500, 1);
    assert.ok(refused > 100 && read > 0, `${read} read, ${refused} refused`);
    assert.ok(growth < 2 ** 30, `${growth} bytes`);
  });
}
