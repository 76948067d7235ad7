/** Copy between sections: the fit finds a known movement, and the copy is the mean of the nearest. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { fitRigid, move, type PlanePoint as Place } from "../../src/core/rigid.ts";
import { copyNearest, mixCopy } from "../../src/eval/section_copy.ts";

/** An L of spots on a lattice, a little off it: no turn but one lays it on itself. */
function footprint(): Place[] {
  const rng = new Rng(3);
  const places: Place[] = [];
  for (let r = 0; r < 9; r++) {
    for (let c = 0; c < (r < 5 ? 4 : 11); c++) {
      places.push([200 * c + 20 * rng.uniform(), 200 * r + 20 * rng.uniform()]);
    }
  }
  return places;
}

Deno.test("a rotation and a shift are found again, in either direction", () => {
  const from = footprint();
  for (const [degrees, shift] of [[0, [0, 0]], [7, [900, -400]], [-21, [-3000, 50]]] as const) {
    const known = { angle: degrees * Math.PI / 180, shift };
    const to = from.map((place) => move(known, place));
    const fit = fitRigid(from, to);
    assert(fit.cost < 1e-12);
    assert(Math.abs(fit.angle - known.angle) < 1e-9);
    const back = fitRigid(to, from);
    assert(Math.abs(back.angle + known.angle) < 1e-9);
  }
});

Deno.test("the copy on the same places is the mean of the nine nearest spots", () => {
  const places = footprint();
  const rng = new Rng(5);
  const data = Float64Array.from({ length: places.length * 2 }, () => rng.normal());
  const said = copyNearest({ rows: places.length, columns: 2, data }, places, places, 9);
  places.forEach(([x, y], i) => {
    const distances = places.map(([u, v]) => Math.hypot(u - x, v - y));
    const reach = [...distances].sort((a, b) => a - b)[8]!;
    const near = distances.flatMap((d, j) => d <= reach ? [j] : []);
    assert.equal(near.length, 9);
    for (const g of [0, 1]) {
      const mean = near.reduce((sum, j) => sum + data[2 * j + g]!, 0) / 9;
      assert(Math.abs(said.data[2 * i + g]! - mean) < 1e-9);
    }
  });
});

Deno.test("a mixed prediction keeps its means and has each part by its weight", () => {
  const predicted = { rows: 3, columns: 2, data: Float64Array.of(1, 10, 2, 10, 6, 10) };
  const copied = { rows: 3, columns: 2, data: Float64Array.of(100, 4, 101, 5, 102, 6) };
  const { data } = mixCopy(predicted, copied, 0.25);
  // Means are 3 and 10 of the prediction, 101 and 5 of the copy.
  assert.deepEqual([...data], [1.25, 9.75, 2.25, 10, 5.5, 10.25]);
  assert.deepEqual([...mixCopy(predicted, copied, 0).data], [...predicted.data]);
});

Deno.test("of more spots than are compared a part finds the same movement, near enough", () => {
  const from = Array.from({ length: 900 }, (_, i): Place => [i % 30 + (i < 300 ? 8 : 0), Math.floor(i / 30)]);
  const known = { angle: 0.2, shift: [5, -3] as Place };
  const { angle } = fitRigid(from, from.map((place) => move(known, place)));
  assert.ok(Math.abs(angle - 0.2) < 0.01, `${angle}`);
});
