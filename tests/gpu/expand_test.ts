import assert from "node:assert/strict";
import { expand, type Variant } from "../../src/gpu/expand.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";

const kernel: Kernel = {
  name: "demo",
  source: `//! demo: a card
//!for i in 0..TN
let a$i = $i;
//!for j in 0..2
let b$i_$j = a$i;
//!end
//!end
//!if bias
with bias
//!else
without
//!end
//!if act=gelu
gelu
//!end
//!if !bias
none
//!end`,
  libs: ["fn lib() {}"],
  tensors: [
    { name: "w", access: "in", optional: false, dims: [{ coef: 1, name: "N" }], elem: "W", pack: 4 },
    { name: "bias", access: "in", optional: true, dims: [{ coef: 1, name: "N" }], elem: "f32", pack: 1 },
    { name: "y", access: "out", optional: false, dims: [{ coef: 1, name: "N" }], elem: "T", pack: 1 },
  ],
  dims: ["N"],
  params: [{ name: "eps", type: "f32" }],
  options: { act: ["none", "gelu"] },
  tune: { TN: [2, 4] },
  limits: [],
  fold: false,
  grid: () => [1],
  flops: () => 0,
  touch: {},
};
const variant: Variant = {
  T: "f32",
  weights: { w: "f32" },
  present: ["w", "y"],
  options: { act: "none" },
  tune: { TN: 2 },
  vec: 4,
};

Deno.test("expand() emits what the card declares and applies both text rules", () => {
  const text = expand(kernel, variant);
  assert.match(text, /struct Params \{ N: u32, eps: f32 \}/);
  assert.match(text, /@binding\(1\) var<storage, read> w: array<vec4<f32>>;/);
  assert.match(text, /@binding\(2\) var<storage, read_write> y: array<T>;/);
  assert.match(
    text,
    /let a0 = 0;\nlet b0_0 = a0;\nlet b0_1 = a0;\nlet a1 = 1;\nlet b1_0 = a1;\nlet b1_1 = a1;\nwithout\nnone\nfn lib/,
  );
  assert.doesNotMatch(text, /gelu|with bias|enable/);
});

Deno.test("expand() binds optional tensors only when present, and follows options and types", () => {
  const text = expand(kernel, { ...variant, T: "f16", present: ["w", "bias", "y"], options: { act: "gelu" } });
  assert.match(text, /^enable f16;\nalias T = f16;/);
  assert.match(text, /@binding\(2\) var<storage, read> bias: array<f32>;/);
  assert.match(text, /with bias\ngelu/);
});

Deno.test("expand() reads packed weights without any device feature", () => {
  const wide = expand(kernel, { ...variant, weights: { w: "bf16" } });
  assert.match(wide, /w: array<vec2u>;/);
  assert.doesNotMatch(wide, /enable/);
  assert.match(expand(kernel, { ...variant, weights: { w: "f16" }, vec: 1 }), /w: array<u32>;[^]*wideHalf/);
});

Deno.test("expand() rejects a block that nothing closes", () => {
  assert.throws(() => expand({ ...kernel, source: "//!if bias\nx" }, variant), /line 1 opens a block/);
});

Deno.test("expand() gives a text per kernel and variant, whichever were expanded before", () => {
  const changed: Kernel = { ...kernel, source: kernel.source.replace("\ngelu\n", "\nsilu\n") };
  const gelu = { ...variant, options: { act: "gelu" } };
  const first = [expand(kernel, variant), expand(kernel, gelu), expand(changed, gelu)];
  assert.equal(new Set(first).size, 3);
  assert.match(first[2]!, /silu/);
  assert.deepEqual([expand(kernel, { ...variant }), expand(kernel, gelu), expand(changed, gelu)], first);
  // Planted faults change a kernel where it stands.
  const own = { ...kernel };
  const before = expand(own, gelu);
  own.source = changed.source;
  assert.notEqual(expand(own, gelu), before);
});
