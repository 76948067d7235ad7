import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../src/io/torch/safetensors.ts";

const fixture = new URL("../fixtures/vit_train.safetensors", import.meta.url);

Deno.test("readSafetensorsF32() reads a file of the reference library, and writing it again reads the same", async () => {
  const { tensors } = readSafetensorsF32(await Deno.readFile(fixture), "vit_train.safetensors");
  assert.deepEqual(tensors.get("init/cls_token")!.shape, [1, 1, 48]);
  const again = readSafetensorsF32(writeSafetensorsF32(tensors, { by: "test" }), "again");
  assert.equal(again.metadata.by, "test");
  assert.deepEqual(again.tensors, tensors);
});

Deno.test("readSafetensorsF32() answers 2,000 mutations with FormatError or a correct read", () => {
  const data = (n: number) => Float32Array.from({ length: n }, (_, i) => i + 1);
  const tensors = new Map([["a", { shape: [2, 3], data: data(6) }], ["b.c", { shape: [4], data: data(4) }]]);
  const good = writeSafetensorsF32(tensors, { k: "v" });
  const header = 8 + Number(new DataView(good.buffer).getBigUint64(0, true));
  const rng = new Rng(1);
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    let bytes = good.slice();
    if (i % 3 === 0) bytes = bytes.subarray(0, rng.below(bytes.length)).slice();
    else bytes[rng.below(header)]! ^= 1 << rng.below(8);
    try {
      const read = readSafetensorsF32(bytes, "mutant");
      for (const { shape, data } of read.tensors.values()) assert.equal(shape.reduce((a, b) => a * b, 1), data.length);
    } catch (error) {
      assert.ok(error instanceof FormatError && error.message.includes("mutant"), String(error));
      refused++;
    }
  }
  assert.ok(refused > 1500, `${refused} refused`);
});
