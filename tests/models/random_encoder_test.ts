import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";

Deno.test("randomEncoder() takes an architecture of the registry and changes its sizes", () => {
  const { spec, seed } = randomEncoder("random:vit_small_patch16_224?dim=192&depth=4&seed=7");
  const { width, depth, heads, hidden, patch } = spec.arch;
  assert.deepEqual({ width, depth, heads, hidden, patch, seed }, {
    width: 192,
    depth: 4,
    heads: 3,
    hidden: 768,
    patch: 16,
    seed: 7,
  });
  assert.equal(spec.name, "random:vit_small_patch16_224?dim=192&depth=4&seed=7");
  assert.equal(randomEncoder("random:uni2-h").spec.output.dim, 1536);
});

Deno.test("randomEncoder() rejects options it does not know, with the nearest", () => {
  for (
    const [name, message] of [
      ["random:vit_small_patch16_224?dimm=192", /no option "dimm"/],
      ["random:vit_small_patch16_224?depth=0", /depth is "0"/],
      ["random:vit_smal_patch16_224", /Cannot find encoder/],
    ] as const
  ) {
    assert.throws(
      () => randomEncoder(name),
      (error: unknown) => error instanceof ConfigError && message.test(error.message),
    );
  }
});
