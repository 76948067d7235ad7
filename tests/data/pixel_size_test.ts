import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { centre } from "../../src/data/coordinates.ts";
import {
  checkPixelSizes,
  fitPixelSize,
  nearestSpot,
  referencePixelSize,
  type SpotPlaces,
} from "../../src/data/image/pixel_size.ts";

/** A Visium array of 12 rows at 0.3639 µm a pixel, turned by an angle and stretched along x. */
function visium(angle = 0, stretch = 1, size = 0.3639): SpotPlaces {
  const [rows, columns, xy]: [number[], number[], number[]] = [[], [], []];
  for (let r = 0; r < 12; r++) {
    for (let c = r % 2; c < 40; c += 2) {
      const [x, y] = [c * 50 * stretch / size, r * 50 * Math.sqrt(3) / size];
      rows.push(r);
      columns.push(c);
      xy.push(500 + x * Math.cos(angle) - y * Math.sin(angle), 700 + x * Math.sin(angle) + y * Math.cos(angle));
    }
  }
  return { rows, columns, spatial: centre(xy), pitch: 100, lattice: "hex" };
}

Deno.test("Both rules find the pixel size of a turned array", () => {
  for (const angle of [0, 0.3, -2]) {
    const spots = visium(angle);
    assert.ok(Math.abs(referencePixelSize(spots) - 0.3639) < 1e-9);
    const fit = fitPixelSize(spots);
    assert.ok(Math.abs(fit.size - 0.3639) < 1e-9 && fit.residual < 1e-3 && Math.abs(fit.anisotropy - 1) < 1e-6);
    assert.ok(Math.abs(nearestSpot(spots.spatial) * 0.3639 - 100) < 1e-6);
    assert.deepEqual(checkPixelSizes("S", spots, 0.3639).warnings, []);
  }
});

Deno.test("A square lattice counts every column", () => {
  const square = { rows: [0, 0, 1, 1], columns: [0, 3, 0, 3], spatial: centre([0, 0, 300, 0, 0, 100, 300, 100]) };
  const spots: SpotPlaces = { ...square, pitch: 200, lattice: "square" };
  assert.equal(referencePixelSize(spots), 2);
  assert.ok(Math.abs(fitPixelSize(spots).size - 2) < 1e-12);
});

Deno.test("Disagreements are said: stretched arrays, wrong metadata, another distance of spots", () => {
  const stretched = checkPixelSizes("S", visium(0, 1.1), 0.3639).warnings.join("\n");
  assert.match(stretched, /four spots and by all/);
  assert.match(stretched, /stretched by 10\.0 %/);
  assert.match(
    checkPixelSizes("S", visium(), 0.4).warnings[0]!,
    /^S: pixel size by the metadata .* 0\.4000 and 0\.3639 /,
  );
  const pooled = checkPixelSizes("S", { ...visium(), pitch: 58.39 }, 0.3639);
  assert.match(pooled.warnings.at(-1)!, /distance of spots .* 100\.0 and 58\.39 differ by 71\.3 %/);
  const moved = visium();
  moved.spatial.xy.forEach((_, k) => moved.spatial.xy[k]! += k % 4 < 2 ? 60 : -60);
  assert.match(checkPixelSizes("S", moved).warnings.at(-1)!, /µm off their lattice/);
});

Deno.test("What cannot be found is left out or refused", () => {
  const line: SpotPlaces = { ...visium(), rows: [0, 1], columns: [0, 1], spatial: centre([0, 0, 10, 10]) };
  assert.throws(() => referencePixelSize(line), DataError);
  assert.throws(() => fitPixelSize(line), DataError);
  const { reference, fit } = checkPixelSizes("S", line, 1);
  assert.deepEqual([reference, fit], [undefined, undefined]);
  assert.ok(Number.isNaN(nearestSpot(centre([1, 1]))) && Number.isNaN(nearestSpot(centre([]))));
});
