import assert from "node:assert/strict";
import { DataError, ShapeError } from "../../src/core/errors.ts";
import { centre, type Places, places, toCentre, topLeft, toTopLeft } from "../../src/data/coordinates.ts";
import { join } from "../../src/data/join.ts";

const codeOf = (code: string) => (error: unknown) => error instanceof DataError && error.code === code;
const range = (n: number) => [...Array(n).keys()];

/** Five spots, of which four have a patch of 307 pixels, in another order. */
const spots = ["a", "b", "c", "d", "e"];
const xy = [1000.7, 2000.2, 1100.3, 2100.9, 1200, 2200, 1300.5, 2300.5, 1400.1, 2400.8];
const patches = ["d", "a", "e", "b"];
const centres = patches.flatMap((name) => [0, 1].map((k) => Math.trunc(xy[2 * spots.indexOf(name) + k]!)));
const input = { sample: "S1", patches, spots, spatial: centre(xy), sizeOnSlide: 307 };
const corners = centres.map((v) => v - 153);
const swap = (values: number[]) => values.map((_, i) => values[i ^ 1]!);

Deno.test("join() pairs by barcode in file order and counts what it drops, by reason", () => {
  const all = join({ ...input, places: topLeft(corners) });
  assert.deepEqual([[...all.patch], [...all.spot], [...all.row]], [[0, 1, 2, 3], [3, 0, 4, 1], [3, 0, 4, 1]]);
  assert.deepEqual(all.report.dropped, { spotWithoutPatch: 1, filtered: 0, patchWithoutSpot: 0 });
  const some = join({ ...input, kept: [0, 2, 4] });
  assert.deepEqual([[...some.patch], [...some.spot], [...some.row]], [[1, 2], [0, 4], [0, 2]]);
  assert.deepEqual(some.report.dropped, { spotWithoutPatch: 1, filtered: 2, patchWithoutSpot: 0 });
  assert.deepEqual([some.report.pairs, some.report.patches, some.report.spots], [2, 4, 5]);
});

Deno.test("join() refuses barcodes twice and patches without a row, or drops the latter when asked", () => {
  assert.throws(() => join({ ...input, patches: ["a", "a"] }), codeOf("barcode-twice"));
  assert.throws(() => join({ ...input, spots: ["a", "a"] }), /S1: two rows of the table named a/);
  const more = { ...input, patches: ["a", "x"] };
  assert.throws(() => join(more), /S1: 1 of 2 patches \(x\) have no row among 5/);
  const { report, patch } = join(more, { dropUnknownPatches: true });
  assert.deepEqual([[...patch], report.dropped.patchWithoutSpot, report.warnings.length], [[0], 1, 1]);
  assert.throws(() => join({ ...input, patches: ["x"] }, { dropUnknownPatches: true }), codeOf("barcode-unknown"));
});

Deno.test("The self-test accepts both generations' rounding and names what is wrong", () => {
  const verdict = (p: Places) => join({ ...input, places: p }, { selfTest: "warn" }).report.selfTest;
  assert.equal(verdict(topLeft(corners)).verdict, "passed");
  assert.equal(verdict(centre(centres)).verdict, "passed");
  const wrong: [Places, RegExp][] = [
    [topLeft(swap(corners)), /: coords are \[y, x\]$/],
    [centre(swap(centres)), /: coords are \[y, x\]$/],
    [topLeft(centres), /: coords are centres$/],
    [topLeft(swap(centres)), /: coords are centres as \[y, x\]$/],
    [centre(corners), /: coords are top-left corners$/],
    [centre(centres.map((v) => v + 300)), /^patches lie 423\.6 pixels from their spots \(median of 4\)$/],
  ];
  for (const [coords, text] of wrong) {
    assert.match(verdict(coords).text!, text);
    assert.throws(() => join({ ...input, places: coords }), codeOf("coords-disagree"));
    assert.equal(join({ ...input, places: coords }, { selfTest: "off" }).report.selfTest.verdict, "skipped");
  }
});

Deno.test("The self-test compares at most a thousand pairs, and none where something is missing", () => {
  const names = range(2500).map(String);
  const flat = range(5000);
  const many = { sample: "S", patches: names, spots: names, spatial: centre(flat), places: centre(flat) };
  assert.deepEqual(join(many).report.selfTest, { verdict: "passed", rows: 1000, median: 0, text: undefined });
  assert.match(join({ ...many, places: undefined }).report.selfTest.text!, /one side are missing/);
  assert.match(join({ ...many, places: topLeft(flat) }).report.selfTest.text!, /size on the slide/);
  assert.match(join({ ...many, kept: [] }).report.selfTest.text!, /no pairs/);
});

Deno.test("Corners and centres convert with the half rounded down; unknown ones are refused", () => {
  assert.deepEqual([...toCentre(topLeft([10, 20]), 307).xy], [163, 173]);
  assert.deepEqual([...toTopLeft(toCentre(topLeft([10, 20]), 308), 308).xy], [10, 20]);
  assert.equal(places([1, 2], "centre", "f.h5").of, "centre");
  assert.equal(places([1, 2], "top-left", "f.h5").of, "top-left");
  assert.throws(() => places([1, 2], "unknown", "f.h5"), codeOf("coords-unknown"));
  assert.throws(() => topLeft([1]), ShapeError);
  // @ts-expect-error A corner is no centre.
  const wrong: ReturnType<typeof centre> = topLeft([1, 2]);
  assert.equal(wrong.of, "top-left");
});
