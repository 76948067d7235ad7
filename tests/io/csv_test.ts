import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { csvLine, parseCsv, shortF32 } from "../../src/io/csv.ts";

Deno.test("parseCsv() reads quotes, line breaks in fields, a byte order mark, any line end", () => {
  const text = '\uFEFFa,"b ""c""",\r\n"x\ny",,2\n\n last , 3\r\n';
  assert.deepEqual(parseCsv(text, "a.csv"), [
    { line: 1, fields: ["a", 'b "c"', ""] },
    { line: 2, fields: ["x\ny", "", "2"] },
    { line: 5, fields: [" last ", " 3"] },
  ]);
  assert.deepEqual(parseCsv("", "a.csv"), []);
  assert.deepEqual(parseCsv('a,1\t"x\ty"\n\tb\n', "a.tsv", "\t"), [
    { line: 1, fields: ["a,1", "x\ty"] },
    { line: 2, fields: ["", "b"] },
  ]);
  assert.deepEqual(parseCsv("a", "a.csv"), [{ line: 1, fields: ["a"] }]);
  assert.deepEqual(parseCsv("a,", "a.csv"), [{ line: 1, fields: ["a", ""] }]);
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
