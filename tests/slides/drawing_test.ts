/** Small images of slides: outlines and tiles. */

import assert from "node:assert/strict";
import { drawOutlines, drawTiles } from "../../src/slides/drawing.ts";

const blank = { width: 40, height: 20, data: new Uint8Array(2400).fill(200) };
const at = ({ width, data }: typeof blank, x: number, y: number) => [...data.subarray((y * width + x) * 3).slice(0, 3)];

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
