/** Grids of windows: places, edges, tissue, refusals. */

import assert from "node:assert/strict";
import { gridWindows } from "../../src/data/image/grid.ts";

Deno.test("gridWindows() centres a grid of the asked step and keeps what lies on tissue", () => {
  // 0.25 µm a pixel: a patch of 224 pixels of 0.5 µm is 448 wide; 112 µm apart they touch.
  const slide = { width: 2000, height: 1000, pixelSize: 0.25 };
  const all = gridWindows(slide, 112, 224, () => 1);
  assert.deepEqual([all.length, all[0]!.side], [4 * 2, 448]);
  const xs = [...new Set(all.map(({ centreX }) => centreX))];
  assert.deepEqual(xs, [328, 776, 1224, 1672]);
  assert.equal(xs[0]! + xs[3]!, 2000);
  for (const { x, y, side, centreX, centreY } of all) {
    assert.ok(x >= 0 && y >= 0 && x + side <= 2000 && y + side <= 1000);
    assert.deepEqual([centreX - x, centreY - y], [224, 224]);
  }
  assert.deepEqual([all[5]!.column, all[5]!.row], [1, 1]);
  const left = gridWindows(slide, 112, 224, (x) => (x < 500 ? 0.5 : 0.1));
  assert.deepEqual([...new Set(left.map(({ column }) => column))], [0]);
  // Dense: windows overlap.
  assert.equal(gridWindows(slide, 56, 224, () => 1).length, (Math.floor(1552 / 224) + 1) * (Math.floor(552 / 224) + 1));
});

Deno.test("gridWindows() of a slide smaller than a window is empty; steps must be sound", () => {
  assert.deepEqual(gridWindows({ width: 447, height: 1000, pixelSize: 0.25 }, 112, 224, () => 1), []);
  const slide = { width: 100_000, height: 100_000, pixelSize: 0.25 };
  for (const step of [0, -1, NaN, 0.01]) {
    assert.throws(() => gridWindows(slide, step, 224, () => 1), { name: "ConfigError" }, String(step));
  }
});
