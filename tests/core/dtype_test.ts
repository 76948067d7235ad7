import assert from "node:assert/strict";
import { bf16FromF32, decode, encode, f16FromF32, f32FromBf16, f32FromF16 } from "../../src/core/dtype.ts";

Deno.test("every f16 bit pattern survives the way to f32 and back", () => {
  const native = new DataView(new ArrayBuffer(2));
  for (let bits = 0; bits < 65536; bits++) {
    const value = f32FromF16(bits);
    native.setUint16(0, bits);
    assert.ok(Object.is(value, native.getFloat16(0)), `pattern ${bits}`);
    if (!Number.isNaN(value)) assert.equal(f16FromF32(value), bits, `pattern ${bits}`);
  }
});

Deno.test("f16FromF32() rounds to nearest, ties to even, as the host does", () => {
  const native = new DataView(new ArrayBuffer(2));
  const edges = [65504, 65519.99, 65520, 1e-8, 2.98e-8, 5.97e-8, 6.1e-5, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2049, 2051];
  for (let i = 0; i < 20000; i++) {
    edges.push(Math.fround((i % 2 ? -1 : 1) * 2 ** ((i % 44) - 27) * (1 + (i * 7919 % 8192) / 8192)));
  }
  for (const value of edges) {
    native.setFloat16(0, value);
    assert.equal(f16FromF32(Math.fround(value)), native.getUint16(0), String(value));
  }
});

Deno.test("bf16FromF32() rounds to nearest, ties to even, and keeps NaN", () => {
  assert.equal(bf16FromF32(1 + 2 ** -8), 0x3f80);
  assert.equal(bf16FromF32(1 + 3 * 2 ** -8), 0x3f82);
  assert.equal(f32FromBf16(bf16FromF32(-3.5)), -3.5);
  assert.ok(Number.isNaN(f32FromBf16(bf16FromF32(NaN))));
  assert.equal(f32FromBf16(bf16FromF32(3.4e38)), Infinity);
});

Deno.test("encode() pads to whole words and decode() undoes it", () => {
  assert.equal(encode([1, 2, 3], "f16").byteLength, 8);
  assert.equal(encode([7], "u8").byteLength, 4);
  for (const dtype of ["f32", "f16", "bf16", "u32", "i32", "u8"] as const) {
    assert.deepEqual([...decode(encode([1, 2, 3], dtype), dtype, 3)], [1, 2, 3]);
  }
});
