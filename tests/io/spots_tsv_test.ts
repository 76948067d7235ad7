import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { toDense } from "../../src/io/sparse.ts";
import { readSpotCounts, readSpotSelection } from "../../src/io/spots_tsv.ts";
import { readLines } from "../../src/io/text_lines.ts";
import { mutate } from "./mutate.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const file = (text: string | Uint8Array, name = "a.tsv") =>
  fromBytes(typeof text === "string" ? utf8(text) : text, name);
const COUNTS = "\tACTB\tEPCAM\tMüller\n8x10\t0\t3\t1\n9x10\t0\t0\t0\n10.02x11\t2.0\t0\t65536\n";

Deno.test("readSpotCounts() reads counts, packed or not, with either line end and either corner", async () => {
  const packed = gzipSync(utf8(COUNTS));
  const cut = utf8(COUNTS);
  const members = Uint8Array.from([...gzipSync(cut.subarray(0, 30)), ...gzipSync(cut.subarray(30))]);
  const texts = [
    COUNTS,
    COUNTS.slice(1),
    COUNTS.replaceAll("\n", "\r\n"),
    `\uFEFF${COUNTS}`,
    COUNTS.trimEnd(),
    packed,
    members,
  ];
  for (const text of texts) {
    const { spots, genes, places, counts } = await readSpotCounts(file(text));
    assert.deepEqual(spots, ["8x10", "9x10", "10.02x11"]);
    assert.deepEqual(genes, ["ACTB", "EPCAM", "Müller"]);
    assert.deepEqual([...places], [8, 10, 9, 10, 10.02, 11]);
    assert.deepEqual([...toDense(counts.read(0, 3), 3)], [0, 3, 1, 0, 0, 0, 2, 0, 65536]);
    assert.deepEqual([...counts.read(2, 3).indices], [0, 2]);
  }
});

Deno.test("readSpotCounts() names the line of what it refuses", async () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ["", /^Cannot read a\.tsv, line 1: no text, expected genes, then spots$/],
    ["\tA\n", /no spots/],
    ["\tA\n8x10\t1\n9x10\t1\t2\n", /line 3: 3 columns, expected a spot and 1 counts/],
    ["\tA\tB\tC\n8x10\t1\n", /line 2: 2 columns, expected 4, as there are in line 1/],
    ["\tA\n8-10\t1\n", /line 2: "8-10", expected a spot like 8x10/],
    ["\tA\n8x10\tNaN\n", /line 2: "NaN" as count of A, expected a number/],
    ["\tA\n8x10\t-1\n", /line 2: "-1" as count of A, expected 0 or more/],
    ["\tA\n8x10\t\n", /line 2: "" as count of A/],
    ["\tA\n8x10\t1\n8x10\t1\n", /line 3: spot 8x10 again, expected every spot once/],
    ["\t8x10\t9x10\nACTB\t1\t2\n", /line 1: spots such as 8x10, expected genes/],
    ["\tA\t\n8x10\t1\t2\n", /line 1: no name in column 2/],
    [gzipSync(utf8(COUNTS)).subarray(0, 40), /damage \(.*\), expected undamaged gzip of text/],
    [Uint8Array.of(0x41, 0xff, 0xfe, 0x0a), /bytes that are no UTF-8, expected text/],
  ];
  for (const [text, pattern] of cases) {
    await assert.rejects(
      readSpotCounts(file(text)),
      (e: FormatError) => e instanceof FormatError && pattern.test(e.message),
      String(pattern),
    );
  }
});

Deno.test("tables of spreadsheets: quotes, a mark at the start, Windows' line ends; numbers with commas are told of", async () => {
  const table = '\uFEFF""\t"A"\t"B ""x"", y"\r\n"8x10"\t"3"\t1\r\n"9x10"\t0\t"2"\r\n';
  const { genes, spots, counts } = await readSpotCounts(file(table));
  assert.deepEqual([genes, spots], [["A", 'B "x", y'], ["8x10", "9x10"]]);
  assert.deepEqual([...counts.read(0, 2).values], [3, 1, 2]);
  const [spot] = await readSpotSelection(file('"x"\t"y"\t"pixel_x"\t"pixel_y"\r\n"8"\t10\t"1.5"\t2e2\r\n'));
  assert.deepEqual([spot!.name, spot!.pixelX, spot!.pixelY], ["8x10", 1.5, 200]);
  const cases: [string, RegExp][] = [
    ['\tA\tB\n8x10\t"3\t1\n', /line 2: "\\"3\\t1", expected a field whose quotes close/],
    ['\tA\tB\n8x10\t"3"4\t1\n', /line 2: .* expected a field whose quotes close/],
    ["\tA\tB\n8x10\t1,234\t1\n", /"1,234" as count of A, expected a number with a decimal point and no commas/],
    ["\tA\tB\n8x10\t3,5\t1\n", /"3,5" as count of A, expected a number with a decimal point and no commas/],
    ["\tA\tB\n8x10\t0x1F\t1\n", /"0x1F" as count of A, expected a number$/],
    ["\tA\tB\n8x10\t\t1\n", /"" as count of A, expected a number$/],
    [`\t${"\t".repeat(1 << 20)}\n`, /line 1: yet more columns, expected at most 1048576/],
  ];
  for (const [text, pattern] of cases) await assert.rejects(readSpotCounts(file(text)), { message: pattern });
});

Deno.test("readSpotSelection() reads columns by name", async () => {
  const text = "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\n8\t10\t8.02\t9.97\t2345.5\t2900\n9\t10\t9\t10\t2600\t2900\n";
  const spots = await readSpotSelection(file(text));
  assert.deepEqual(spots[0], {
    name: "8x10",
    x: 8,
    y: 10,
    newX: 8.02,
    newY: 9.97,
    pixelX: 2345.5,
    pixelY: 2900,
    selected: true,
  });
  const other = await readSpotSelection(file("pixel_x\tpixel_y\tselected\tx\ty\n1\t2\t0\t3\t4\n"));
  assert.deepEqual([other[0]!.name, other[0]!.selected, other[0]!.newX], ["3x4", false, undefined]);
  const cases: [string, RegExp][] = [
    ["", /no text/],
    ["8\t10\t1\t2\n", /line 1: columns "8, 10, 1, 2", expected a header with x/],
    ["x\ty\tpixel_x\tpixel_y\n1\t2\t3\n", /line 2: 3 columns, expected 4/],
    ["x\ty\tpixel_x\tpixel_y\n1\t2\t3\tk\n", /line 2: "k" as pixel_y, expected a number/],
    ["x\ty\tpixel_x\tpixel_y\n1\t2\t3\t4\n1\t2\t3\t4\n", /line 3: spot 1x2 again/],
  ];
  for (const [text, pattern] of cases) await assert.rejects(readSpotSelection(file(text)), pattern);
});

Deno.test("readLines() holds one line, not the file", async () => {
  let largest = 0;
  const source = {
    ...file("x"),
    size: 1 << 26,
    read(_offset: number, length: number) {
      largest = Math.max(largest, length);
      return Promise.resolve(new Uint8Array(length).map((_, i) => i % 64 === 63 ? 10 : 65));
    },
  };
  let lines = 0;
  for await (const { text } of readLines(source)) {
    lines++;
    if (text.length !== 63) throw new Error(text);
  }
  assert.equal(lines, 1 << 20);
  assert.ok(largest <= 1 << 20);
});

Deno.test("readSpotCounts() and readSpotSelection() answer 500 mutations with a typed error or a read", async () => {
  const selection = "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected\n8\t10\t8.02\t9.97\t2345.5\t2900\t1\n";
  const seeds = [utf8(COUNTS), Uint8Array.from(gzipSync(utf8(COUNTS))), utf8(selection)];
  let refused = 0;
  for (let i = 0; i < 500; i++) {
    const source = file(mutate(seeds[i % 3]!, new Rng(5, i)), "mutant");
    try {
      if (i % 3 === 2) await readSpotSelection(source);
      else {
        const { counts, spots, genes } = await readSpotCounts(source);
        assert.equal(toDense(counts.read(0, spots.length), genes.length).length, spots.length * genes.length);
      }
    } catch (error) {
      const typed = error instanceof FormatError || error instanceof LimitError;
      assert.ok(typed && error.message.includes("mutant"), `${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 100 && refused < 500, `${refused} refused`);
});
