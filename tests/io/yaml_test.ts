import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { parseYaml, yamlText } from "../../src/io/yaml.ts";

function fails(text: string, wanted: RegExp): void {
  assert.throws(() => parseYaml(text, "f.yaml"), (error) => {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, wanted);
    return true;
  });
}

Deno.test("parseYaml() keeps scalars as texts, with lines", () => {
  assert.deepEqual(parseYaml("a: 1e-4\nb:\n  - NO\n  - '7'\n", "f"), {
    kind: "map",
    line: 1,
    entries: [
      { key: "a", line: 1, value: { kind: "scalar", line: 1, text: "1e-4", quoted: false } },
      {
        key: "b",
        line: 2,
        value: {
          kind: "list",
          line: 3,
          items: [
            { kind: "scalar", line: 3, text: "NO", quoted: false },
            { kind: "scalar", line: 4, text: "7", quoted: true },
          ],
        },
      },
    ],
  });
  for (const empty of ["", "\n# nothing\n", "\ufeff"]) assert.deepEqual(parseYaml(empty, "f").kind, "map");
  assert.deepEqual(parseYaml("\ufeffa: \r\nb: |\r\n  x\r\n", "f").kind, "map");
});

Deno.test("parseYaml() refuses what no configuration needs, with the line", () => {
  fails("a: 1\nb: *x\n", /^f\.yaml:2: /);
  fails("a: &x [1]\nb: *x\n", /^f\.yaml:2: Cannot read \*x: aliases are not followed/);
  fails("a: 1\nb: !!python/object:os.system ls\n", /^f\.yaml:2: .*a tag/);
  fails("a: 1\n---\nb: 2\n", /^f\.yaml:2: .*a second document/);
  fails("? [a, b]\n: 1\n", /^f\.yaml:1: .*a key that is no text/);
  fails("a: 1\nb: 2\na: 3\n", /^f\.yaml:3: Cannot read a again: it stands on line 1/);
  fails("a: 'x\n", /^f\.yaml:\d+: Cannot read YAML: missing closing/);
  fails("a:\n\t- 1\n", /^f\.yaml:2: .*[Tt]abs/);
});

Deno.test("parseYaml() is bounded: bombs, nesting and long texts end soon and never in the package", () => {
  const bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" +
    "bcdefghij".split("").map((name, i) => `${name}: &${name} [${`*${"abcdefghi"[i]}, `.repeat(9)}]`).join("\n");
  fails(bomb, /aliases are not followed/);
  for (const piece of ["[", "{a: ", '[ "]", ']) fails(piece.repeat(100_000), /opening brackets|characters/);
  for (const piece of ["- ", "? ", "- - ? "]) fails(piece.repeat(30_000) + "a", /indented by more|characters/);
  fails(Array.from({ length: 600 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), /indented by more/);
  fails("a".repeat(300_000), /characters, wanted at most/);
  fails(`a:\n${"- 1\n".repeat(60_000)}`, /more than 50000 values/);
  // As deep as is allowed, the package still answers.
  assert.equal(parseYaml("[".repeat(500) + "]".repeat(500), "f").kind, "list");
  assert.equal(parseYaml("- ".repeat(40) + "a", "f").kind, "list");
});

Deno.test("yamlText() writes texts that read back as themselves, alone and in a list", () => {
  const texts = [
    "",
    " ",
    "a b",
    "a: b",
    "a #b",
    "007",
    "- a",
    "...",
    "---",
    "\\",
    "é",
    "\u2028",
    "null",
    "~",
    "[",
    "x,y",
    "=",
    "<<",
  ];
  for (const text of texts) {
    const alone = parseYaml(`k: ${yamlText(text)}`, "f");
    assert.ok(alone.kind === "map" && alone.entries[0]!.value.kind === "scalar");
    assert.equal(alone.entries[0]!.value.text, text);
    const list = parseYaml(`[${yamlText(text)}, z]`, "f");
    assert.ok(list.kind === "list" && list.items[0]!.kind === "scalar" && list.items.length === 2);
    assert.equal(list.items[0]!.text, text);
  }
});
