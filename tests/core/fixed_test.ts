import assert from "node:assert/strict";
import { fixed, rankText, signed } from "../../src/core/fixed.ts";

Deno.test("what rounds to zero has no sign, whatever the digits", () => {
  for (const value of [0, -0, -0.0004, -1e-300, 0.0004]) assert.equal(fixed(value, 3), "0.000");
  assert.deepEqual([fixed(-0.4, 0), fixed(-0.04, 1), fixed(-0.5, 1), fixed(-1, 2)], ["0", "0.0", "-0.5", "-1.00"]);
  assert.deepEqual([-0.0004, 0, 0.0514, -0.2].map((value) => signed(value, 3)), [
    "+0.000",
    "+0.000",
    "+0.051",
    "-0.200",
  ]);
});

Deno.test("ranks are whole, medians of two ranks halves, means of medians have one digit", () => {
  assert.deepEqual([82, 82.5, 1, 10.333].map(rankText), ["82", "82.5", "1", "10.3"]);
});
