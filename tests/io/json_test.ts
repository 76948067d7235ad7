import assert from "node:assert/strict";
import { parseJson } from "../../src/io/json.ts";

const parse = (text: string | Uint8Array) =>
  parseJson(
    typeof text === "string" ? new TextEncoder().encode(text) : text,
    (offset, found, expected) => new Error(`${offset} ${found}, ${expected}`),
  );

Deno.test("parseJson() parses what JSON.parse does", () => {
  for (
    const text of [
      '{"a":[1,{"a":"x:y","b":"{\\"a\\":1}"}],"b":{"a":null}}',
      "[]",
      '"a"',
      "1",
      '{"":1," ":2}',
      '{"a\\\\":1,"a":2}',
    ]
  ) {
    assert.deepEqual(parse(text), JSON.parse(text));
  }
});

Deno.test("parseJson() refuses keys that come twice, in any spelling, and what is no JSON", () => {
  const rows: [string | Uint8Array, RegExp][] = [
    ['{"a":1,"a":2}', /^7 repeats the key "a"/],
    ['{"a":1,"\\u0061":2}', /repeats/],
    ['{"b":{"x":[],"x" : 1}}', /repeats the key "x"/],
    ['[{"a":1},{"a":1,"c":{"a":1},"a":2}]', /repeats/],
    ['{"__proto__":1,"__proto__":2}', /repeats/],
    ['{"a":1', /no JSON/],
    ['{"a":1}}', /no JSON/],
    ['{"a', /no JSON/],
    ["", /no JSON/],
    ["\ufeff{}", /no JSON/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /no UTF-8/],
    ["[".repeat(40) + "]".repeat(40), /nests deeper/],
    [`[${"1,".repeat(5_000_000)}1]`, /yet another value/],
    [`{${Array.from({ length: 140_000 }, (_, i) => `"${i}":1`).join()}}`, /yet another key/],
  ];
  for (const [text, message] of rows) assert.throws(() => parse(text), { message });
});
