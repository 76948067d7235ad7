import assert from "node:assert/strict";
import { expressionToTs, parseCard } from "../../scripts/kernel_card.ts";

const CARD = `//! demo_fwd: does something
//! y[m,n] = x[m,n]
//!
//! in     x   [M, 2N]   T/4    comment
//! in?    b   [N]       f32
//! out    y   [M, N]    T
//! param  eps  f32       added
//! option act  none | gelu
//! tune   WG = 64        32 | 64
//! limit  N <= 8192
//! grid   fold ceil(M/WG)
//! flops  2*M*N   comment
//! touch  x M*N   half of each row
//! lib    reduce
//! ref    tests/ref/demo.ts
`;

Deno.test("parseCard() reads every line of a card", () => {
  const card = parseCard("demo_fwd", CARD);
  assert.deepEqual(card.dims, ["M", "N"]);
  assert.deepEqual(card.tensors[0]!.dims, [{ coef: 1, name: "M" }, { coef: 2, name: "N" }]);
  assert.deepEqual(card.tensors.map((t) => [t.name, t.access, t.optional, t.elem, t.pack]), [
    ["x", "in", false, "T", 4],
    ["b", "in", true, "f32", 1],
    ["y", "out", false, "T", 1],
  ]);
  assert.deepEqual(card.options, { act: ["none", "gelu"] });
  assert.deepEqual(card.tune, { WG: [64, 32] });
  assert.ok(card.fold);
  assert.equal(expressionToTs(card, "ceil(M/WG)"), "Math.ceil(d.M!/d.WG!)");
  assert.deepEqual([card.flops, card.touch], ["2*M*N", { x: "M*N" }]);
});

Deno.test("parseCard() names file and line of what it cannot read", () => {
  const broken: [string, string, RegExp][] = [
    ["demo_fwd: does", "other: does", /kernels\/demo_fwd\.wgsl:1: the card is of "other"/],
    ["[M, 2N]   T/4", "[M, N+1]  T", /:4: extent "N\+1"/],
    ["[N]       f32", "[N]       f64", /:5: "f64" is no element type/],
    ["out    y ", "out    p ", /:6: "p" cannot be a tensor name/],
    ["tune   WG = 64", "tune   WG : 64", /:9: wanted: tune/],
    ["//! grid   fold ceil(M/WG)\n", "", /has no grid/],
    ["//! y[m,n] = x[m,n]\n", "", /states no formula/],
    ["//! flops  2*M*N   comment\n", "", /states no flops; a kernel that only moves data has 0/],
    ["touch  x M*N", "touch  q M*N", /:13: wanted: touch/],
    ["//! ref    tests/ref/demo.ts\n", "", /names no reference/],
  ];
  for (const [from, to, message] of broken) assert.throws(() => parseCard("demo_fwd", CARD.replace(from, to)), message);
  assert.throws(() => expressionToTs(parseCard("demo_fwd", CARD), "ceil(Q/64)"), /uses "Q"/);
});
