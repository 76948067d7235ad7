/** Text in images, and what stands below a map. */

import assert from "node:assert/strict";
import { drawText, textSize } from "../../src/io/image/text.ts";
import { tickScores, withLegend } from "../../src/slides/legend.ts";

const white = (width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(255),
});

/** The dots of an image, one a character. */
function dots({ width, height, data }: ReturnType<typeof white>): string[] {
  return Array.from(
    { length: height },
    (_, y) => Array.from({ length: width }, (_, x) => data[3 * (y * width + x)]! < 128 ? "#" : ".").join(""),
  );
}

Deno.test("Text is drawn in dots, larger by its scale, cut at the edge; what is no ASCII is a question mark", () => {
  const image = white(12, 7);
  drawText(image, "A1", 0, 0, 1);
  assert.deepEqual(dots(image), [
    ".###....#...",
    "#...#..##...",
    "#...#...#...",
    "#...#...#...",
    "#####...#...",
    "#...#...#...",
    "#...#..###..",
  ]);
  const large = white(24, 14);
  drawText(large, "A1", 0, 0);
  assert.deepEqual(
    dots(large),
    dots(image).flatMap((row) => {
      const wide = row.replaceAll(/./g, "$&$&");
      return [wide, wide];
    }),
  );
  assert.deepEqual(textSize("A1"), { width: 24, height: 18 });
  const [strange, question] = [white(6, 7), white(6, 7)];
  drawText(strange, "é", 0, 0, 1);
  drawText(question, "?", 0, 0, 1);
  assert.deepEqual(dots(strange), dots(question));
  const cut = white(4, 4);
  drawText(cut, "AAAA", -2, 1, 1);
  assert.equal(dots(cut).length, 4);
});

Deno.test("The bar's scores are those at quarters of the ranks; a map without scores has a legend without them", () => {
  assert.deepEqual(tickScores([5, 1, NaN, 3, 2, 4]), [1, 2, 3, 4, 5]);
  assert.deepEqual(tickScores([1, 2]), [1, 1.25, 1.5, 1.75, 2]);
  assert.deepEqual(tickScores([7]), [7, 7, 7, 7, 7]);
  assert.deepEqual(tickScores([NaN]), []);
  assert.deepEqual(tickScores([5, 1], [0, 2]), [0, 0.5, 1, 1.5, 2]);
  const map = { width: 10, height: 10, data: new Uint8Array(300).fill(9) };
  const out = withLegend(map, { title: "A", scores: [], colours: "coolwarm", highest: [], lowest: [] });
  assert.ok(out.width > 400 && out.height > 40);
  assert.deepEqual([...out.data.subarray(0, 30)], Array(30).fill(9));
  assert.deepEqual([...out.data.subarray(30, 33)], [255, 255, 255]);
});
