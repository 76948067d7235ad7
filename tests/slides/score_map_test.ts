/** Scores of tiles as colours over a slide, and as measurements. */

import assert from "node:assert/strict";
import { COLOUR_MAPS, colourOf } from "../../src/core/colour_maps.ts";
import { heatMap, measurementsOf, percentiles, SCORE_STYLE, scoreMap, sharesOf } from "../../src/slides/score_map.ts";

const blank = { width: 40, height: 20, data: new Uint8Array(2400).fill(200) };
const at = ({ width, data }: typeof blank, x: number, y: number) => [...data.subarray((y * width + x) * 3).slice(0, 3)];

Deno.test("Ranks are shares of all, averaged where scores are equal; what is no number has none", () => {
  const round = (list: Float64Array) => [...list].map((value) => Number(value.toFixed(6)));
  assert.deepEqual(round(percentiles([0.1, 0.4, 0.4, 0.05, 0.05])), [0.6, 0.9, 0.9, 0.3, 0.3]);
  assert.deepEqual(round(percentiles([NaN, 2, 1])), [NaN, 1, 0.5]);
  assert.deepEqual([...percentiles([])], []);
});

Deno.test("Colours go from blue over grey to red", () => {
  assert.deepEqual([0, 0.5, 1].map((share) => colourOf(share)), [[59, 76, 192], [221, 221, 221], [180, 4, 38]]);
  assert.deepEqual([-1, 2].map((share) => colourOf(share)), [colourOf(0), colourOf(1)]);
});

Deno.test("A map covers the tiles' pixels to one, means where they overlap, nothing elsewhere", () => {
  // Tiles of 100 at 0.1: pixels 5 to 14 and 10 to 19 of rows 0 to 9.
  const map = heatMap(blank, { coords: [50, 0, 100, 0, 300, 100], side: 100, scale: [0.1, 0.1] }, [1, 0, NaN]);
  const blended = (rank: number) => colourOf(rank).map((value) => Math.round(0.6 * 200 + 0.4 * value));
  assert.deepEqual([at(map, 5, 0), at(map, 9, 9)], [blended(1), blended(1)]);
  assert.deepEqual([at(map, 10, 0), at(map, 14, 9)], [blended(0.5), blended(0.5)]);
  assert.deepEqual([at(map, 15, 0), at(map, 19, 9)], [blended(0), blended(0)]);
  for (const [x, y] of [[4, 0], [20, 0], [5, 10], [31, 12]] as const) assert.deepEqual(at(map, x, y), [200, 200, 200]);
  assert.deepEqual(blank.data, new Uint8Array(2400).fill(200));
});

Deno.test("Colour maps are matplotlib's, to two of 255; jet's corners to nine", () => {
  // matplotlib 3.11, round(255 * colormaps[name](place)).
  const wanted: Record<string, [place: number, colour: number[]][]> = {
    coolwarm: [[0, [59, 76, 192]], [64 / 255, [141, 176, 254]], [192 / 255, [244, 152, 122]], [1, [180, 4, 38]]],
    viridis: [[0, [68, 1, 84]], [64 / 255, [59, 82, 139]], [128 / 255, [33, 145, 140]], [1, [253, 231, 37]]],
    magma: [[0, [0, 0, 4]], [192 / 255, [252, 137, 97]], [128 / 255, [183, 55, 121]], [1, [252, 253, 191]]],
    jet: [[0, [0, 0, 128]], [128 / 255, [125, 255, 122]], [1, [128, 0, 0]]],
    gray: [[0, [0, 0, 0]], [128 / 255, [128, 128, 128]], [1, [255, 255, 255]]],
  };
  assert.deepEqual([...COLOUR_MAPS].sort(), Object.keys(wanted).sort());
  for (const map of COLOUR_MAPS) {
    for (const [place, colour] of wanted[map]!) {
      colourOf(place, map).forEach((value, c) => {
        assert.ok(Math.abs(value - colour[c]!) <= (map === "jet" ? 9 : 2), `${map} ${place}: ${value} ${colour[c]}`);
      });
    }
  }
});

Deno.test("Scores lie among the colours by rank, between the lowest and highest, or in a range; equal ones in the middle", () => {
  const round = (list: Float64Array) => [...list].map((value) => Number(value.toFixed(6)));
  const scores = [2, NaN, 4, 10];
  assert.deepEqual(round(sharesOf(scores, SCORE_STYLE)), [0.333333, NaN, 0.666667, 1]);
  assert.deepEqual(round(sharesOf(scores, { ...SCORE_STYLE, scale: "minmax" })), [0, NaN, 0.25, 1]);
  assert.deepEqual(round(sharesOf(scores, { ...SCORE_STYLE, range: [0, 5] })), [0.4, NaN, 0.8, 1]);
  assert.deepEqual(round(sharesOf([7, 7, NaN], { ...SCORE_STYLE, scale: "minmax" })), [0.5, 0.5, NaN]);
  assert.deepEqual(round(sharesOf([], { ...SCORE_STYLE, scale: "minmax" })), []);
  assert.deepEqual(measurementsOf(new Map([["A", [1, 3]]])), { A: [1, 3], A_percentile: Float64Array.of(0.5, 1) });
});

Deno.test("Opacity and colours are as asked; smoothing keeps an even field and mixes neighbours, within the tiles", () => {
  const style = { ...SCORE_STYLE, colours: "gray", opacity: 1 } as const;
  const tiles = { coords: [0, 0, 100, 0, 200, 0], side: 100, scale: [0.1, 0.1] } as const;
  const whole = heatMap(blank, tiles, [1, 0.25, 0], style);
  assert.deepEqual([at(whole, 5, 5), at(whole, 15, 5), at(whole, 25, 5)], [[255, 255, 255], [64, 64, 64], [0, 0, 0]]);
  const smooth = { ...style, smooth: 0.5 };
  const even = heatMap(blank, tiles, [0.5, 0.5, 0.5], smooth);
  for (let x = 0; x < 30; x++) assert.deepEqual(at(even, x, 9), [128, 128, 128], `${x}`);
  const mixed = heatMap(blank, tiles, [1, 0, 0], smooth);
  const row = Array.from({ length: 30 }, (_, x) => at(mixed, x, 5)[0]!);
  assert.ok(row.every((value, x) => x === 0 || value <= row[x - 1]!), row.join());
  assert.ok(row[0]! > 200 && row[9]! > 120 && row[10]! < 140 && row[29]! < 10, row.join());
  assert.deepEqual([at(mixed, 30, 5), at(mixed, 5, 10)], [[200, 200, 200], [200, 200, 200]]);
});

Deno.test("A Gaussian that smooths has the deviation that was asked for", () => {
  // A tile of one pixel of all 401: the map is the Gaussian itself.
  const line = { width: 401, height: 1, data: new Uint8Array(1203) };
  const coords = Array.from({ length: 802 }, (_, k) => k % 2 ? 0 : k >> 1);
  const shares = Array.from({ length: 401 }, (_, x) => x >= 200 ? 1 : 0);
  const style = { ...SCORE_STYLE, colours: "gray", opacity: 1, smooth: 20 } as const;
  const map = heatMap(line, { coords, side: 1, scale: [1, 1] }, shares, style);
  const value = (x: number) => map.data[3 * x]! / 255;
  // Of a step at 199.5 the Gaussian's sum is left: at -0.975, 0.025, 1.025, -1.975 and 2.025 deviations.
  for (const [x, wanted] of [[180, 0.165], [200, 0.51], [220, 0.847], [160, 0.024], [240, 0.979]] as const) {
    assert.ok(Math.abs(value(x) - wanted) < 0.02, `${x}: ${value(x)}, ${wanted} wanted`);
  }
});

Deno.test("Below a map stand its title, colours and as many tiles as there are of the highest and lowest, each once", async () => {
  const asked: number[] = [];
  const strip = {
    most: 8,
    of(row: number) {
      asked.push(row);
      return Promise.resolve({ width: 96, height: 96, data: new Uint8Array(96 * 96 * 3) });
    },
  };
  const tiles = { coords: [0, 0, 100, 0, 200, 0, 300, 0], side: 100, scale: [0.1, 0.1] } as const;
  const scores = { title: "attention", scores: [0.1, NaN, 0.4, 0.2] };
  const map = await scoreMap(blank, tiles, scores, SCORE_STYLE, strip);
  assert.deepEqual(asked, [2, 3, 0]);
  assert.deepEqual(at(map, 35, 5), at(heatMap(blank, tiles, percentiles(scores.scores)), 35, 5));
  const bare = await scoreMap(blank, tiles, scores);
  assert.ok(map.height > bare.height + 200 && map.width >= "attention; colours by rank".length * 12);
});
