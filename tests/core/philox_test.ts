import assert from "node:assert/strict";
import { Philox, philox4x32 } from "../../src/core/philox.ts";

const hex = (words: number[]) => words.map((w) => w.toString(16).padStart(8, "0")).join(" ");

Deno.test("philox4x32() gives the known answers of Random123", () => {
  assert.equal(hex(philox4x32(0, 0, 0, 0, 0, 0)), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  assert.equal(hex(philox4x32(-1, -1, -1, -1, -1, -1)), "408f276d 41c83b0e a20bc7c6 6d5451fd");
  assert.equal(
    hex(philox4x32(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0)),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("Philox.permutation() permutes", () => {
  const order = new Philox(1, 2).permutation(100, 3);
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  assert.notDeepEqual([...order].slice(0, 5), [0, 1, 2, 3, 4]);
});
