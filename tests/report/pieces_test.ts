import assert from "node:assert/strict";
import { VIRIDIS, viridis } from "../../src/report/colour.ts";
import { pearson } from "../../src/report/evidence_view.ts";
import * as format from "../../src/report/format.ts";
import { Markup, markup } from "../../src/report/html.ts";
import { shrink } from "../../src/report/thumbnail.ts";
import { linear, quantile } from "../../src/report/scale.ts";
import { line } from "../../src/report/svg.ts";

Deno.test("numbers are written one way: true minus signs, fixed digits, a dash for none", () => {
  assert.deepEqual([0.37449, -0.0004, -1, null, NaN].map((v) => format.score(v)), [
    "0.374",
    "0.000",
    "−1.000",
    "–",
    "–",
  ]);
  assert.deepEqual([0.0514, -0.2, 0, -0.0001].map((v) => format.difference(v)), [
    "+0.051",
    "−0.200",
    "+0.000",
    "+0.000",
  ]);
  assert.deepEqual([82, 82.5, 1234, 7.25].map(format.rank), ["82", "82.5", "1,234", "7.3"]);
  assert.deepEqual([-0.2, 0, -3.6].map(format.whole), ["0", "0", "−4"]);
  assert.deepEqual([0.47, 1, -0.055].map((v) => format.percent(v)), ["47.0\u202f%", "100.0\u202f%", "−5.5\u202f%"]);
  assert.deepEqual([0, 3.14159, 12345.6, 0.0123, 2e-5, -0.5].map(format.plain), [
    "0",
    "3.14",
    "12,346",
    "0.0123",
    "2.00e−5",
    "−0.500",
  ]);
  assert.deepEqual([0.04, 9.96, 59.6, 161, 3599.7, 11100].map(format.duration), [
    "0.0 s",
    "10 s",
    "1 min 0 s",
    "2 min 41 s",
    "1 h 0 min",
    "3 h 5 min",
  ]);
  assert.deepEqual([0.25, 2500, 5e-4, -0.2].map(format.tickText), ["0.25", "2,500", "5e−4", "−0.2"]);
  assert.deepEqual([812, 112904, 4.53e9].map(format.bytes), ["812 B", "113 kB", "4.53 GB"]);
});

Deno.test("viridis() goes through matplotlib's colours at even steps", () => {
  // matplotlib 3.9, viridis(0), viridis(0.5), viridis(0.75), viridis(1): a step of this table is 17 of its 256.
  for (
    const [t, wanted] of [[0, [68, 1, 84]], [0.5, [33, 145, 140]], [0.75, [94, 201, 98]], [1, [253, 231, 37]]] as const
  ) {
    const colour = viridis(t);
    for (const c of [0, 1, 2]) {
      assert.ok(Math.abs(parseInt(colour.slice(1 + 2 * c, 3 + 2 * c), 16) - wanted[c]!) <= 4, `${t}: ${colour}`);
    }
  }
  assert.deepEqual([viridis(-3), viridis(9), viridis(NaN)], [VIRIDIS[0], VIRIDIS.at(-1), VIRIDIS[0]]);
});

Deno.test("markup`` escapes what it is given and joins lists", () => {
  assert.equal(
    markup`<a title="${"\"<&>'"}">${[1, "<", markup`<b/>`, undefined, false, null]}</a>`.text,
    '<a title="&quot;&lt;&amp;&gt;&#39;">1&lt;<b/></a>',
  );
  assert.equal(markup`${new Markup("<i>")}${"\0\x1b"}`.text, "<i>\ufffd\ufffd");
});

Deno.test("linear() has round ticks within its domain, widens an empty one, and nice ends hold all values", () => {
  assert.deepEqual(linear([0, 0.83], [0, 100], { ticks: 4 }).ticks, [0, 0.25, 0.5, 0.75]);
  const nice = linear([-0.13, 0.74], [0, 90], { ticks: 5, nice: true });
  assert.deepEqual([nice.domain, nice(nice.domain[0]), nice(nice.domain[1])], [[-0.2, 0.8], 0, 90]);
  assert.deepEqual(linear([2, 2], [0, 1]).domain, [1, 3]);
  assert.deepEqual(linear([NaN, 2], [0, 1]).domain, [0, 1]);
});

Deno.test("quantile() is numpy's, and pearson() is not defined where a side is constant", () => {
  // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .1, .5, .99, 1])
  const values = [3, 1, 4, 1, NaN, 5, 9, 2, 6];
  assert.deepEqual([0, 0.1, 0.5, 1].map((p) => quantile(values, p)), [1, 1, 3.5, 9]);
  assert.ok(Math.abs(quantile(values, 0.99)! - 8.79) < 1e-12);
  assert.equal(quantile([], 0.5), undefined);
  // scipy.stats.pearsonr([1, 2, 3, 5], [2, 1, 4, 6]).statistic
  assert.ok(Math.abs(pearson([1, 2, 3, 5], [2, 1, 4, 6])! - 0.9022436386781061) < 1e-9);
  assert.deepEqual([
    pearson([1, 2], [0.1, 0.1]),
    pearson(new Float32Array(9).fill(0.1), new Float32Array(9)),
    pearson([1], [1]),
  ], [null, null, null]);
  assert.equal(pearson([1, NaN], [1, 2]), null);
});

Deno.test("line() breaks where a value is missing", () => {
  const x = linear([0, 3], [0, 30]);
  assert.equal(line([[0, 0], [1, 3], [2, null], [3, 1.5]], x, x, "l").text, '<path class="l" d="M0 0L10 30M30 15"/>');
});

Deno.test("shrink() keeps an image's proportions and mean colour, and leaves a small one", () => {
  const [width, height] = [90, 60];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 256);
  const small = shrink({ width, height, data }, 30);
  assert.deepEqual([small.width, small.height, small.data.length], [30, 20, 1800]);
  const mean = (d: Uint8Array) => d.reduce((a, b) => a + b, 0) / d.length;
  assert.ok(Math.abs(mean(small.data) - mean(data)) < 1.5);
  const image = { width, height, data };
  assert.equal(shrink(image, 90), image);
});
