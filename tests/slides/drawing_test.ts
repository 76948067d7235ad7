/** Small images of slides: outlines, tiles, maps of scores. */

import assert from "node:assert/strict";
import { drawOutlines, drawTiles, heatMap, percentiles, rankColour } from "../../src/slides/drawing.ts";

const blank = { width: 40, height: 20, data: new Uint8Array(2400).fill(200) };
const at = ({ width, data }: typeof blank, x: number, y: number) => [...data.subarray((y * width + x) * 3).slice(0, 3)];

Deno.test("Ranks are shares of all, averaged where scores are equal; what is no number has none", () => {
  const round = (list: Float64Array) => [...list].map((value) => Number(value.toFixed(6)));
  assert.deepEqual(round(percentiles([0.1, 0.4, 0.4, 0.05, 0.05])), [0.6, 0.9, 0.9, 0.3, 0.3]);
  assert.deepEqual(round(percentiles([NaN, 2, 1])), [NaN, 1, 0.5]);
  assert.deepEqual([...percentiles([])], []);
});

Deno.test("Colours go from blue over grey to red", () => {
  assert.deepEqual([0, 0.5, 1].map(rankColour), [[59, 76, 192], [221, 221, 221], [180, 4, 38]]);
  assert.deepEqual([-1, 2].map(rankColour), [rankColour(0), rankColour(1)]);
});

Deno.test("A map covers the tiles' pixels to one, means where they overlap, nothing elsewhere", () => {
  // Tiles of 100 at 0.1: pixels 5 to 14 and 10 to 19 of rows 0 to 9.
  const map = heatMap(blank, [50, 0, 100, 0, 300, 100], 100, [1, 0, NaN], [0.1, 0.1]);
  const blended = (rank: number) => rankColour(rank).map((value) => Math.round(0.6 * 200 + 0.4 * value));
  assert.deepEqual([at(map, 5, 0), at(map, 9, 9)], [blended(1), blended(1)]);
  assert.deepEqual([at(map, 10, 0), at(map, 14, 9)], [blended(0.5), blended(0.5)]);
  assert.deepEqual([at(map, 15, 0), at(map, 19, 9)], [blended(0), blended(0)]);
  for (const [x, y] of [[4, 0], [20, 0], [5, 10], [31, 12]] as const) assert.deepEqual(at(map, x, y), [200, 200, 200]);
  assert.deepEqual(blank.data, new Uint8Array(2400).fill(200));
});

Deno.test("Outlines and edges of tiles are drawn where they lie, and nothing beyond the image", () => {
  const square = Float64Array.of(100, 50, 300, 50, 300, 150, 100, 150, 100, 50);
  const hole = Float64Array.of(150, 80, 200, 80, 200, 100, 150, 100, 150, 80);
  const drawn = drawOutlines(blank, [{ exterior: square, holes: [hole] }], [0.1, 0.1]);
  assert.deepEqual([at(drawn, 10, 10), at(drawn, 20, 5), at(drawn, 15, 9)], [[0, 160, 60], [0, 160, 60], [
    30,
    90,
    220,
  ]]);
  assert.deepEqual([at(drawn, 25, 10), at(drawn, 2, 2)], [[200, 200, 200], [200, 200, 200]]);
  const tiles = drawTiles(blank, [100, 50, 350, 150], 100, [0.1, 0.1]);
  assert.deepEqual([at(tiles, 10, 5), at(tiles, 20, 15), at(tiles, 35, 19)], [[20, 20, 20], [20, 20, 20], [
    20,
    20,
    20,
  ]]);
  assert.deepEqual(at(tiles, 15, 10), [200, 200, 200]);
});
