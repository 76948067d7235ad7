import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { catalogueCsv, metadataJson, parseCatalogue, parseMetadata, sampleOf } from "../../src/io/metadata.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("parseMetadata() reads Python's bare NaN, which stays text inside strings", () => {
  const text = '{"id": "TENX1", "a": NaN, "b": -Infinity, "c": "NaN, -Infinity \\" NaN", "patient": " ", "n": 12.5,\n' +
    '"pixel_size_um_estimated": 0.2738, "pixel_size_um_embedded": 0.0274, "NaN": 1, "flag": true, "none": null}';
  const sample = parseMetadata(utf8(text), "m.json");
  assert.equal(sample.id, "TENX1");
  assert.deepEqual([sample.values.get("a"), sample.values.get("b"), sample.number("a")], [null, null, undefined]);
  assert.equal(sample.text("c"), 'NaN, -Infinity " NaN');
  assert.deepEqual([sample.text("patient"), sample.text("nothing"), sample.number("n")], [undefined, undefined, 12.5]);
  assert.deepEqual([sample.pixelSize, sample.values.get("NaN"), sample.values.get("flag")], [0.2738, 1, true]);
});

Deno.test("parseMetadata() says what it refuses", () => {
  const cases: [string, RegExp][] = [
    ["[1]", /^Cannot read m\.json: byte 0 begins no object, expected an object$/],
    ['{"id": "a", "id": "b"}', /repeats the key "id"/],
    ['{"id": {"a": 1}}', /m\.json:id: an object, expected text, a number or null/],
    ['{"id": ', /begins no JSON/],
    ["<html>", /begins no JSON/],
  ];
  for (const [text, pattern] of cases) {
    assert.throws(
      () => parseMetadata(utf8(text), "m.json"),
      (e: FormatError) => e instanceof FormatError && pattern.test(e.message),
    );
  }
  assert.throws(() => parseMetadata(Uint8Array.of(0x7b, 0xff), "m.json"), /begins no UTF-8 text/);
  const sample = parseMetadata(utf8('{"n": "many", "pixel_size_um_estimated": 0}'), "m.json");
  for (
    const [act, pattern] of [
      [() => sample.id, /id is nothing, a text is wanted/],
      [() => sample.number("n"), /n is "many", a number is wanted/],
      [() => sample.pixelSize, /pixel_size_um_estimated is 0, a positive number is wanted/],
    ] as const
  ) assert.throws(act, (e: DataError) => e instanceof DataError && pattern.test(e.message));
});

Deno.test("parseCatalogue() reads a byte order mark, quoted lines and blanks", () => {
  const text = '\uFEFFid,dataset_title,patient,pixel_size_um_estimated\r\nTENX1,"A, ""b""\nc", ,0.5\r\nNCBI2,x,p1,\r\n';
  const [first, second, ...rest] = parseCatalogue(text, "HEST.csv");
  assert.equal(rest.length, 0);
  assert.deepEqual([first!.id, first!.text("dataset_title"), first!.text("patient")], [
    "TENX1",
    'A, "b"\nc',
    undefined,
  ]);
  assert.deepEqual([first!.pixelSize, second!.number("pixel_size_um_estimated")], [0.5, undefined]);
  assert.throws(() => second!.pixelSize, /HEST\.csv, line 4: pixel_size_um_estimated is ""/);
  const cases: [string, RegExp][] = [
    ["", /line 1: no text, expected a column id/],
    ["a,b\n1,2\n", /line 1: columns a, b, expected a column id/],
    ["id,b\nx\n", /line 2: 1 fields, expected 2/],
    ["id\nx\nx\n", /line 3: sample x again/],
    ["id\n \n", /id is " ", a text is wanted/],
  ];
  for (const [bad, pattern] of cases) assert.throws(() => parseCatalogue(bad, "HEST.csv"), pattern);
});

Deno.test("metadataJson() and catalogueCsv() write what is read", () => {
  const values = { id: "SYN0", organ: "a, b", px: 0.5, patient: null, n: NaN, later: undefined };
  const sample = parseMetadata(utf8(metadataJson(values)), "m");
  assert.deepEqual([...sample.values], [
    ["id", "SYN0"],
    ["organ", "a, b"],
    ["px", 0.5],
    ["patient", null],
    ["n", null],
    ["later", null],
  ]);
  const csv = catalogueCsv([values, { id: "SYN1", extra: true }]);
  assert.equal(csv.charCodeAt(0), 0xfeff);
  const [first, second] = parseCatalogue(csv, "c");
  assert.deepEqual([first!.text("organ"), first!.number("px"), first!.text("patient")], ["a, b", 0.5, undefined]);
  assert.deepEqual([second!.id, second!.text("extra"), second!.text("organ")], ["SYN1", "true", undefined]);
});

Deno.test("sampleOf() keeps TENX9 apart from TENX95", () => {
  assert.deepEqual(["st/TENX9.h5ad", "TENX95_contours.geojson", "a\\NCBI1.tif"].map(sampleOf), [
    "TENX9",
    "TENX95",
    "NCBI1",
  ]);
});
