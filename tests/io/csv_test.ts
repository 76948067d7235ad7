import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { csvLine, decodeText, parseCsv, parseNames, shortF32 } from "../../src/io/csv.ts";

Deno.test("parseCsv() reads quotes, line breaks in fields, a byte order mark, any line end", () => {
  const text = '\uFEFFa,"b ""c""",\r\n"x\ny",,2\n\n last , 3\r\n';
  assert.deepEqual(parseCsv(text, "a.csv"), [
    { line: 1, fields: ["a", 'b "c"', ""] },
    { line: 2, fields: ["x\ny", "", "2"] },
    { line: 5, fields: [" last ", " 3"] },
  ]);
  assert.deepEqual(parseCsv("", "a.csv"), []);
  assert.deepEqual(parseCsv("a", "a.csv"), [{ line: 1, fields: ["a"] }]);
  assert.deepEqual(parseCsv("a,", "a.csv"), [{ line: 1, fields: ["a", ""] }]);
});

Deno.test("parseCsv() divides by what divides the first line: commas, tabs, semicolons", () => {
  const fields = (text: string) => parseCsv(text, "a.csv").map((record) => record.fields);
  assert.deepEqual(fields('a,1\tb,2\t"x\ty"\t\n1,5\tb\n'), [["a,1", "b,2", "x\ty", ""], ["1,5", "b"]]);
  assert.deepEqual(fields('\uFEFF"id";"x";y\r\n1;"2,5";"a;b"\r\n'), [["id", "x", "y"], ["1", "2,5", "a;b"]]);
  assert.deepEqual(fields("A;1;2,5;3,5\n"), [["A", "1", "2,5", "3,5"]]);
  assert.deepEqual(fields('"a;b;c",d\n'), [["a;b;c", "d"]]);
  assert.deepEqual(fields("\n\na;b\n"), [["a", "b"]]);
  assert.deepEqual(fields("a\nb;c\n"), [["a"], ["b", "c"]]);
});

Deno.test("decodeText() tells packed files from text, and how to unpack them", () => {
  assert.deepEqual(parseNames(decodeText(new TextEncoder().encode("PKM\n"), "genes.txt"), "genes.txt"), ["PKM"]);
  const found = [[[0x1f, 0x8b, 8, 0], "gzip", "gunzip"], [[0x50, 0x4b, 3, 4], "workbook", "CSV"]] as const;
  for (const [bytes, what, hint] of found) {
    assert.throws(() => decodeText(Uint8Array.from(bytes), "a.tsv"), (error) => {
      assert.ok(error instanceof FormatError && error.message.includes(what) && error.hint?.includes(hint));
      return true;
    });
  }
});

Deno.test("decodeText() reads UTF-8 and UTF-16, and names a file that is neither; parseNames() a name a line", () => {
  const little = Uint8Array.from([0xff, 0xfe, ...[..."é;1\n"].flatMap((c) => [c.charCodeAt(0), 0])]);
  const big = Uint8Array.from([0xfe, 0xff, ...[..."é;1\n"].flatMap((c) => [0, c.charCodeAt(0)])]);
  for (const bytes of [little, big, new TextEncoder().encode("\uFEFFé;1\n")]) {
    assert.equal(decodeText(bytes, "a.csv"), "é;1\n");
  }
  const broken: [Uint8Array, string][] = [
    [Uint8Array.of(0x41, 0x0a, 0xe9, 0x0a), "line 2 has bytes that are no UTF-8"],
    [Uint8Array.of(0x41, 0xc3), "line 1 has bytes that are no UTF-8"],
    [Uint8Array.of(0xff, 0xfe, 0x41), "line 1 has bytes that are no UTF-16"],
  ];
  for (const [bytes, found] of broken) {
    assert.throws(() => decodeText(bytes, "a.csv"), {
      name: "FormatError",
      message: `Cannot read a.csv: ${found}, expected text in UTF-8`,
    });
  }
  assert.deepEqual(parseNames('\uFEFF"EPCAM"\r\n KRT8 \r\n\r\n"CD3E";x\n', "g.txt"), ["EPCAM", "KRT8", "CD3E"]);
});

Deno.test("parseCsv() names the line it cannot read", () => {
  for (const text of ['a\nb,"c', 'a\n"b"c,d', 'a\nb"c']) {
    assert.throws(() => parseCsv(text, "t.csv"), (error: FormatError) => {
      return error instanceof FormatError && /^Cannot read t\.csv as CSV: line 2 has /.test(error.message);
    });
  }
});

Deno.test("csvLine() writes what parseCsv() reads", () => {
  const rng = new Rng(4);
  const letters = ["a", ",", '"', "\n", "\r", " ", "é", ""];
  for (let i = 0; i < 200; i++) {
    const fields = Array.from({ length: 1 + rng.below(4) }, () => {
      return "x" + Array.from({ length: rng.below(5) }, () => letters[rng.below(letters.length)]).join("");
    });
    assert.deepEqual(parseCsv(csvLine(fields), "made").map((record) => record.fields), [fields]);
  }
});

Deno.test("shortF32() reads back as the same number", () => {
  const rng = new Rng(9);
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  for (let i = 0; i < 5000; i++) {
    bits[0] = rng.below(2 ** 32);
    if (!Number.isFinite(value[0]!)) continue;
    assert.equal(Math.fround(Number(shortF32(value[0]!))), value[0]);
  }
  assert.deepEqual([0.1, 1 / 3, 1e30, 16777216].map((v) => shortF32(Math.fround(v))), [
    "0.1",
    "0.33333334",
    "1e+30",
    "16777216",
  ]);
});
