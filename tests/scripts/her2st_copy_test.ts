/** Copy between sections: the fit finds a known movement, and the copy is the mean of the nearest. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { copyNearest, fitRigid, move, type Place } from "../../scripts/her2st/copy.ts";

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
