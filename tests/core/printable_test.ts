import { deepEqual, equal } from "node:assert/strict";
import { printable, printableJson, printableLines } from "../../src/core/printable.ts";

Deno.test("printable: escape sequences, line breaks, direction marks and invisible characters are written out", () => {
  equal(printable("a\x1b[2Jb"), "a\\x1b[2Jb");
  equal(printable("a\nb\r\tc\u0000\u009b"), "a\\nb\\r\\tc\\x00\\x9b");
  equal(printable("gene\u202egnp.exe\u2066\u200b\ufeff"), "gene\\u202egnp.exe\\u2066\\u200b\\ufeff");
  equal(printable("\u2028\u{e0041}\ud800"), "\\u2028\\u{e0041}\\ud800");
  equal(printable("µm, 10 %, é, 名前, 😀 …"), "µm, 10 %, é, 名前, 😀 …");
});

Deno.test("printable: own line breaks stay, all else does not", () => {
  equal(printableLines("a\x1b[1m\nb\r"), "a\\x1b[1m\nb\\r");
});

Deno.test("printable: JSON stays the same value", () => {
  const value = { "a\u202e": "\x1b[2J\n\u009b\u{e0041}\u2028", n: [1, null] };
  for (const indent of [undefined, 2]) {
    const text = printableJson(value, indent);
    deepEqual(JSON.parse(text), value);
    equal(printableLines(text), text);
  }
});
